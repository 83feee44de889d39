"""docker-compose.yaml: valid, closed to others, without a default secret, and with no more rights than needed."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from lvbag.settings import PROJECT_ROOT, load_settings
from stack_files import COMPOSE_BINARY, Service, raw, required_variables, run_compose

ONE_SHOT = {"init", "silo-owner", "lvbag"}


def schema() -> dict[str, Any]:
    """The compose specification's JSON schema, which the binary carries as text."""
    data = COMPOSE_BINARY.read_bytes()
    start = data.rindex(b'{\n  "$schema"', 0, data.index(b'"$id": "compose_spec.json"'))
    text = data[start : start + 500_000].decode("utf-8", errors="replace")
    found: dict[str, Any] = json.JSONDecoder().raw_decode(text)[0]
    return found


def test_it_is_valid_by_the_specification() -> None:
    rules = schema()
    jsonschema.validate(raw(), rules)
    broken = raw()
    broken["services"]["redis"]["mem_limits"] = "1g"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, rules)


def test_compose_refuses_to_start_without_any_of_the_secrets(secrets: dict[str, str]) -> None:
    wanted = required_variables()
    assert wanted == set(secrets) - {"COMPOSE_PROFILES"}
    for name in sorted(wanted):
        done = run_compose("config", "--quiet", variables={key: value for key, value in secrets.items() if key != name})
        assert done.returncode != 0, name
        assert name in done.stderr
        assert "make secrets" in done.stderr


def test_no_secret_stands_in_the_file() -> None:
    told = {"MINIO_ROOT_USER"}
    for name, service in raw()["services"].items():
        for variable, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD$|SECRET|FERNET|CONN$|BROKER_URL|RESULT_BACKEND", variable) or variable in told:
                assert "${" in value, f"{name}: {variable}"
                assert ":?" in value, f"{name}: {variable}"


def test_nothing_listens_for_other_machines(services: dict[str, Service]) -> None:
    published = {name: service["ports"] for name, service in services.items() if service.get("ports")}
    assert set(published) == {"silo", "airflow-api-server"}
    for ports in published.values():
        assert {port["host_ip"] for port in ports} == {"127.0.0.1"}
    assert not [name for name, service in services.items() if service.get("network_mode") == "host"]


@pytest.mark.parametrize("name", sorted(raw()["services"]))
def test_a_service_is_confined(name: str, services: dict[str, Service]) -> None:
    service = services[name]
    assert re.fullmatch(r"(?!0)\d+:\d+", service["user"])
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert not service.get("cap_add")
    assert not service.get("privileged")
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert int(service["mem_limit"]) > 0
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert re.search(r":.*\d", service["image"]), "an image without a tag is another one tomorrow"
    if name in ONE_SHOT:
        assert service["restart"] == "no"
    else:
        assert service["healthcheck"]["test"]
        assert service["restart"] == "unless-stopped"
    for volume in service.get("volumes", []):
        assert volume["type"] == "volume" or volume["read_only"], "only the configuration comes from the machine"


def test_keys_of_the_store_go_where_they_are_needed(services: dict[str, Service]) -> None:
    holds = {
        name: {
            variable.split("__")[2].lower()
            for variable in service.get("environment") or {}
            if variable.startswith("LVBAG_STORE__ROLES__")
        }
        for name, service in services.items()
    }
    everybody = {"crawler", "curator", "trainer", "operator", "reader"}
    assert holds == {
        **{name: set() for name in services},
        "init": everybody,
        "airflow-worker": everybody,
        "airflow-worker-gpu": {"trainer", "reader"},
        "airflow-worker-cpu": {"trainer", "reader"},
        "airflow-api-server": {"reader"},
    }
    with_root = {
        name for name, service in services.items() if "STORE_ROOT_PASSWORD" in json.dumps(raw()["services"][name])
    }
    assert with_root == {"init", "silo"}
    for name in ("airflow-worker", "airflow-worker-gpu", "airflow-worker-cpu", "airflow-api-server"):
        assert services[name]["environment"]["LVBAG_STORE__ACCESS_KEY"] == "lvbag-reader", name


def test_ways_to_tell_people_go_where_messages_are_sent_and_are_empty_by_default(services: dict[str, Service]) -> None:
    ways = ("LVBAG_NOTIFY__WEBHOOK_URL", "AIRFLOW_CONN_SMTP_DEFAULT")
    holds = {name: [service["environment"][way] for way in ways if way in (service.get("environment") or {})]
             for name, service in services.items()}  # fmt: skip
    assert {name: found for name, found in holds.items() if found} == {
        "airflow-dag-processor": ["", ""],  # runs of which nobody is left to tell
        "airflow-worker": ["", ""],
    }


@pytest.mark.parametrize("name", ["init", "airflow-api-server", "airflow-worker", "airflow-worker-gpu", "lvbag"])
def test_every_variable_is_one_that_lvbag_knows(
    name: str, services: dict[str, Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    image = re.findall(r"\b(LVBAG_[A-Z_]+)=(\S+)", (PROJECT_ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8"))
    assert image
    for key, value in [*image, *services[name]["environment"].items()]:
        if key.startswith("LVBAG_"):
            monkeypatch.setenv(key, str(PROJECT_ROOT / "config") if key == "LVBAG_CONFIG_DIR" else value)
    settings = load_settings()
    assert str(settings.store.endpoint) == "http://silo:9000/"
    assert settings.store.access_key.get_secret_value()


def test_a_gpu_worker_takes_one_training_at_a_time(services: dict[str, Service]) -> None:
    gpu = services["airflow-worker-gpu"]
    assert gpu["command"][-4:] == ["--queues", "gpu", "--concurrency", "1"]
    assert gpu["profiles"] == ["gpu"]
    (device,) = gpu["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
    assert int(gpu["shm_size"]) >= 8 * 1024**3
    assert gpu["stop_grace_period"] == "15m0s"
