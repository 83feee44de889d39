"""The stack as processes: a crawl whose worker is killed, a training on the other queue, and who may get in."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from process_stack import API_SERVER, GPU_WORKER, WORKER, Stack
from pydantic import SecretStr
from stack_nights import CHAIN, NIGHTS, begin_night, differences, end_night, left_behind, run_night, why
from stack_places import environment_of, image_environment
from stack_scan import NOT_THERE, REFUSED, SAYS_NOTHING, SIGNS_IN, answers_to_strangers, listening, signs_in

from cutting_store import Cut
from lvbag import crawl
from lvbag.catalog import load_catalog
from lvbag.registry import list_history, list_versions
from lvbag.settings import Settings
from lvbag.store import Bucket, ModelKind, Store, StoreError, keys

pytestmark = [pytest.mark.slow, pytest.mark.stack]

Begun = tuple[str, dict[str, set[str]]]
SUCCESS = dict.fromkeys(CHAIN, "success")


def test_a_container_s_places_all_become_places_of_this_machine(stack: Stack) -> None:
    assert image_environment()["AIRFLOW_HOME"] == "/var/lib/airflow"
    for name, service in stack.services.items():
        if name.startswith("airflow"):
            values = " ".join(environment_of(name, service, stack.places, 1).values())
            assert not re.search(r"/var/lib|/opt/lvbag|\b(postgres|redis|silo|airflow-api-server):\d", values), name


@pytest.fixture(scope="module")
def begun(stack: Stack) -> Begun:
    """A night whose crawl is under way; the worker is killed in the middle of it, and curation waits."""
    stack.proxy.begin(Cut("nowhere", at=40, path="PUT /lvbag-raw/images/", meanwhile=lambda: stack.kill(WORKER)))
    found = begin_night(stack, NIGHTS[0])
    stack.client().pause("lvbag_curate")
    return found


def test_a_crawl_whose_worker_is_killed_ends_as_if_nothing_had_happened(stack: Stack, begun: Begun) -> None:
    night = end_night(stack, begun, follow=("lvbag_crawl",))
    assert night.states == {"lvbag_crawl": "success"}
    assert "lvbag_crawl.crawl_shard" in night.tried_again
    assert stack.restarts == {WORKER: 1}
    assert differences(crawled_here(stack), left_behind(stack.store, NIGHTS[0])) == []


def crawled_here(stack: Stack) -> dict[str, Any]:
    """The same night in buckets of its own, by this process, undisturbed."""
    values = yaml.safe_load((stack.places.config / "lvbag.yaml").read_text(encoding="utf-8"))
    settings = Settings(**values).model_copy(
        update={"store": stack.store.settings.model_copy(update={"bucket_prefix": "plain"})}
    )
    store = Store(settings.store)
    store.ensure_buckets()
    catalog = load_catalog(stack.places.config)
    plan = crawl.plan_night(store, settings, catalog, NIGHTS[0], ())
    for shard in plan.shards:
        crawl.crawl_shard(store, settings, catalog, NIGHTS[0], shard, False)
    crawl.close_night(store, settings, NIGHTS[0])
    found = left_behind(store, NIGHTS[0])
    assert len(found["listings"]) > 30
    assert len(found["fetches"]) > 100
    return found


def test_a_training_goes_to_the_worker_of_its_queue(stack: Stack) -> None:
    """There is no snapshot yet, so the task only looks and is skipped; who looked is in the workers' logs."""
    client = stack.client()
    client.unpause("lvbag_care_labels")
    run_id = client.trigger("lvbag_care_labels")
    assert client.wait_for_run("lvbag_care_labels", run_id, 600).state == "success"
    assert [task.state for task in client.tasks("lvbag_care_labels", run_id)] == ["skipped"]
    assert "find_suspicions" in stack.log(GPU_WORKER)
    assert "find_suspicions" not in stack.log(WORKER)
    assert "crawl_shard" not in stack.log(GPU_WORKER)


def test_that_night_goes_on_to_its_end_and_the_next_one_builds_on_it(stack: Stack, begun: Begun) -> None:
    stack.client().unpause("lvbag_curate")
    stack.client().emit_asset_event("listings", {"night": NIGHTS[0].isoformat()})  # none waits for a paused DAG
    first = end_night(stack, begun)
    assert first.states == SUCCESS, why(stack, first)
    second = run_night(stack, NIGHTS[1], market_night=2)
    assert second.states == SUCCESS, why(stack, second)
    manifest = stack.store.get_json(keys.night_manifest(NIGHTS[1]))
    assert manifest["images_unchanged"] > 100
    assert manifest["images_new"] > 10
    assert [record.version for record in list_versions(stack.store, ModelKind.CLASSIFIER)] == [1, 2]
    assert [event.version for event in list_history(stack.store, ModelKind.CLASSIFIER)] == [1, 2]


def test_only_this_machine_can_reach_any_port(stack: Stack) -> None:
    found = listening(stack)
    ports = {port for _, port in found}
    assert {stack.places.ports[name] for name in ("postgres", "redis", API_SERVER, "marketplace")} <= ports
    assert {address for address, _ in found} == {"127.0.0.1"}, found


def test_nothing_of_airflow_or_of_our_pages_answers_a_stranger(stack: Stack) -> None:
    found = answers_to_strangers(stack)
    refused = [route for route, status in found.items() if status in REFUSED]
    assert len(refused) > 150
    assert "GET /lvbag/" in refused
    open_to_all = {
        route: status
        for route, status in found.items()
        if status not in REFUSED | NOT_THERE and route.partition(" ")[2] not in SAYS_NOTHING | SIGNS_IN
    }
    assert open_to_all == {}


@pytest.mark.parametrize("name", ["admin", "airflow", "lvbag", ""])
def test_no_password_that_everybody_knows_opens_airflow(stack: Stack, name: str) -> None:
    assert signs_in(stack, "admin", stack.variables["AIRFLOW_ADMIN_PASSWORD"])
    for user in ("admin", "airflow"):
        assert not signs_in(stack, user, name)


def test_database_broker_and_store_ask_for_a_password_that_nobody_knows(stack: Stack) -> None:
    environment = stack.postgres.environment
    assert stack.postgres.psql("airflow", "airflow", environment["POSTGRES_PASSWORD"], "SELECT 1").returncode == 0
    for user in ("postgres", "airflow"):
        for password in ("", "postgres", "airflow", "password"):
            refused = stack.postgres.psql("airflow", user, password, "SELECT 1")
            assert refused.returncode != 0, (user, password)
    assert stack.redis.cli("ping", password=stack.variables["REDIS_PASSWORD"]) == "PONG"
    for password in ("", "redis", "password", "airflow"):
        assert "PONG" not in stack.redis.cli("ping", password=password)
    for user, password in (("minioadmin", "minioadmin"), ("lvbag-reader", "lvbag-reader"), ("admin", "password")):
        wrong = {"access_key": SecretStr(user), "secret_key": SecretStr(password)}
        with pytest.raises(StoreError):
            list(Store(stack.store.settings.model_copy(update=wrong)).list_objects(Bucket.RAW))
