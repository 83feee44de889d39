"""docker/kubernetes: pods that Kubernetes takes, with the keys and the device that their queue needs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from lvbag import __version__
from lvbag.settings import PROJECT_ROOT

FOLDER = PROJECT_ROOT / "docker" / "kubernetes"
PAGE = PROJECT_ROOT / "docs" / "kubernetes.md"
VERSION = kubernetes_validate.latest_version()


def values() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / "values.yaml").read_text(encoding="utf-8"))
    return found


def pod(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    return found


def secrets_of(name: str) -> set[str]:
    (container,) = pod(name)["spec"]["containers"]
    return {item["secretRef"]["name"] for item in container["envFrom"]}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("pod-*.yaml")), ids=lambda path: path.name)
def test_a_pod_is_valid_by_kubernetes_schema(path: Path) -> None:
    kubernetes_validate.validate(pod(path.name), VERSION, strict=True)
    broken = pod(path.name)
    broken["spec"]["containers"][0]["resource"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, VERSION, strict=True)


def test_a_training_has_a_gpu_shared_memory_time_to_stop_and_the_trainers_keys_alone() -> None:
    spec = pod("pod-gpu.yaml")["spec"]
    (container,) = spec["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert spec["terminationGracePeriodSeconds"] >= 900
    assert {"name": "shared-memory", "mountPath": "/dev/shm"} in container["volumeMounts"]
    assert secrets_of("pod-gpu.yaml") == {"lvbag-task-airflow", "lvbag-store-reader", "lvbag-store-trainer"}
    assert "limits" in pod("pod-task.yaml")["spec"]["containers"][0]["resources"]


@pytest.mark.parametrize("name", ["pod-task.yaml", "pod-gpu.yaml"])
def test_a_pod_tells_its_task_what_compose_tells_a_worker(name: str) -> None:
    (container,) = pod(name)["spec"]["containers"]
    told = {item["name"]: item["value"] for item in container["env"]}
    of_tasks = yaml.safe_load((PROJECT_ROOT / "docker-compose.yaml").read_text("utf-8"))["x-task-environment"]
    assert {key: told.get(key) for key in of_tasks} == of_tasks


@pytest.mark.parametrize("component", ["apiServer", "scheduler", "dagProcessor", "triggerer"])
def test_what_the_values_say_of_containers_is_valid(component: str) -> None:
    own = values()[component]
    container = {
        "name": "it",
        "image": "it",
        "resources": own["resources"],
        "env": [*values()["env"], *own.get("env", [])],
    }
    mounts = [*values()["volumeMounts"], *own.get("extraVolumeMounts", [])]
    volumes = [*values()["volumes"], *own.get("extraVolumes", [])]
    made = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "it"},
        "spec": {
            "containers": [
                {**container, "volumeMounts": mounts, "securityContext": values()["securityContexts"]["containers"]}
            ],
            "volumes": volumes,
            "securityContext": values()["securityContexts"]["pod"],
        },
    }
    assert VERSION.startswith(kubernetes_validate.validate(made, VERSION, strict=True)), "by this schema"


def test_the_page_makes_every_secret_and_map_that_is_asked_for() -> None:
    made = set(re.findall(r"create (?:secret generic|configmap) ([a-z-]+)", PAGE.read_text(encoding="utf-8")))
    text = "".join(path.read_text(encoding="utf-8") for path in FOLDER.glob("*.yaml"))
    asked = set(re.findall(r"(?:secretRef|secretKeyRef|configMap): \{name: ([a-z-]+)", text))
    asked |= set(re.findall(r"(?:SecretName|secretName): ([a-z-]+)", text))
    assert asked <= made


def test_values_and_pods_name_this_version() -> None:
    images = values()["images"]
    assert {images[name]["tag"] for name in ("airflow", "pod_template")} == {__version__}
    assert f"apache-airflow=={values()['airflowVersion']}" in (PROJECT_ROOT / "pyproject.toml").read_text()
