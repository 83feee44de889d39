"""The DAGs and the two stacks that run them: queues that are served, time that suffices, pods that can be made."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lvbag import __version__
from lvbag.settings import PROJECT_ROOT, Settings
from stack_files import raw

KUBERNETES = PROJECT_ROOT / "docker" / "kubernetes"
TRAININGS = {
    *(("lvbag_train", "train_classifier"), ("lvbag_train", "evaluate"), ("lvbag_curate", "find_outliers")),
    *(("lvbag_train_detector", "train_detector"), ("lvbag_train_detector", "evaluate")),
    ("lvbag_care_labels", "find_suspicions"),
}


def tasks(dagbag: Any) -> Iterator[tuple[str, Any]]:
    for name, dag in dagbag.dags.items():
        for task in dag.tasks:
            yield name, task


def environments() -> Iterator[dict[str, str]]:
    for service in raw()["services"].values():
        if service.get("environment"):
            yield service["environment"]


def test_trainings_and_nothing_else_wait_for_a_gpu(dagbag: Any) -> None:
    assert {(name, task.task_id) for name, task in tasks(dagbag) if task.queue == "gpu"} == TRAININGS
    assert {(name, task.task_id) for name, task in tasks(dagbag) if task.pool == "gpu"} == TRAININGS


def test_every_queue_has_a_worker_with_a_gpu_and_without(dagbag: Any) -> None:
    served: dict[str, set[str]] = {}
    for service in raw()["services"].values():
        command = service.get("command") or []
        if "worker" in command:
            for profile in service.get("profiles", ["cpu", "gpu"]):
                served.setdefault(profile, set()).add(command[command.index("--queues") + 1])
    assert served == {profile: {task.queue for _, task in tasks(dagbag)} for profile in ("cpu", "gpu")}


def test_redis_hands_no_task_out_again_while_it_may_still_run(dagbag: Any) -> None:
    name = "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT"
    told = {environment[name] for environment in environments() if name in environment}
    assert len(told) == 1
    seconds = dt.timedelta(seconds=int(told.pop()))
    longest = max(task.execution_timeout for _, task in tasks(dagbag) if task.execution_timeout)
    assert longest >= dt.timedelta(seconds=Settings().train.timeout_s)
    assert seconds > longest


def test_every_option_in_the_compose_file_is_one_that_airflow_knows(airflow_home: Path) -> None:
    from airflow.configuration import conf

    known = conf.configuration_description
    given = {key for environment in environments() for key in environment if key.startswith("AIRFLOW__")}
    assert given
    for key in sorted(given - {"AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT"}):
        _, section, option = key.lower().split("__", 2)
        assert section in known, key
        assert option in known[section]["options"], key


def test_on_kubernetes_a_training_is_made_from_the_gpu_pod_and_nothing_else_is(dagbag: Any) -> None:
    values = yaml.safe_load((KUBERNETES / "values.yaml").read_text(encoding="utf-8"))
    settings: dict[str, Any] = {}
    exec(values["airflowLocalSettings"], settings)
    pods = Path(values["config"]["kubernetes_executor"]["pod_template_file"]).parent
    for name, original in tasks(dagbag):
        task = copy.copy(original)
        if hasattr(original, "partial_kwargs"):
            task.partial_kwargs = dict(original.partial_kwargs)
        settings["task_policy"](task)
        training = (name, task.task_id) in TRAININGS
        wanted = {"pod_template_file": str(pods / "pod-gpu.yaml")} if training else original.executor_config
        assert task.executor_config == wanted, (name, task.task_id)


@pytest.mark.parametrize("name", ["pod-gpu.yaml", "pod-task.yaml"])
def test_airflow_can_make_a_task_from_a_pod(airflow_home: Path, name: str) -> None:
    from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator

    spec = PodGenerator.deserialize_model_file(str(KUBERNETES / name)).spec
    (container,) = spec.containers
    assert container.name == "base", "the executor puts the task's command into the container of this name"
    assert spec.security_context.run_as_non_root
    assert container.security_context.read_only_root_filesystem
    assert container.image.endswith(f":{__version__}")
