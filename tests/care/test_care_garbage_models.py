"""Garbage of the registry: what stopped trainings and undecided evaluations leave, and never a version."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from care_frames import AT, everything, publish

from lvbag.care import CareError, Limits, collect, plan_registry_collection
from lvbag.care.garbage import GarbagePlan
from lvbag.registry import list_versions, promote, reserve_version, rollback
from lvbag.registry.records import Decision, Evaluation
from lvbag.settings import Settings
from lvbag.store import Bucket, ModelKind, Ref, Store, keys

KIND = ModelKind.CLASSIFIER


def plan(store: Store, days: float = 40) -> GarbagePlan:
    return plan_registry_collection(store, Limits(1), dt.datetime.now(dt.UTC) + dt.timedelta(days=days))


def kinds(planned: GarbagePlan) -> dict[str, list[str]]:
    return {kind.kind: [item.ref.key for item in kind.objects] for kind in planned.kinds if kind.objects}


def put_evaluation(store: Store, key: str) -> None:
    made = Evaluation(kind=KIND, key=key, data="s", test_images=1, classes=2, champion=None, challengers=())
    store.put_json(keys.evaluation(KIND, key), made.model_dump(mode="json"))


def decision(challenger: int, champion: int | None, key: str, promoted: bool) -> Decision:
    return Decision(
        kind=KIND, challenger=challenger, champion=champion, evaluation=key, promoted=promoted, rules=(), summary="so"
    )


@pytest.fixture
def used(store: Store, tmp_path: Path) -> None:
    """Two versions that were champion, one that was refused, and a training that stopped while it published."""
    for key in ("a", "b", "c"):
        publish(store, tmp_path, "s", key=key)
    promote(store, KIND, decision(1, None, "e1", promoted=True), AT, "test")
    promote(store, KIND, decision(3, 1, "e3", promoted=False), AT, "test")
    rollback(store, KIND, 2, AT, "test", "try it")
    for key in ("e1", "e2", "e3", "e4"):
        put_evaluation(store, key)
    number = reserve_version(store, KIND, "stopped")
    store.put(keys.version_file(KIND, number, "model.onnx"), b"half of it")
    store.put(keys.flip(KIND, "20261101T000000Z-promoted-0003"), b"{}")
    store.put(Ref(Bucket.MODELS, "classifier/versions/notes/mine.txt"), b"mine")


@pytest.mark.usefixtures("used")
def test_only_leftovers_go_and_no_version_ever(store: Store, settings: Settings) -> None:
    assert kinds(plan(store, days=0.5)) == {}, "what is young is left alone"
    before = everything(store)
    planned = plan(store)
    assert kinds(planned) == {
        "evaluation": ["classifier/evaluations/e2.json"],  # e4 is the newest: a person may be asked about it
        "unpublished file": ["classifier/versions/0004/model.onnx"],
        "note of a flip": ["classifier/flips/20261101T000000Z-promoted-0003.json"],
    }
    assert everything(store) == before
    assert collect(store, settings, planned) == {
        "evaluation": 1, "unpublished file": 1, "note of a flip": 1, "checkpoint": 0
    }  # fmt: skip
    gone = set(before) - set(everything(store))
    assert gone == {f"models:{key}" for keys_of in kinds(planned).values() for key in keys_of}
    assert [version.version for version in list_versions(store, KIND)] == [1, 2, 3]
    assert reserve_version(store, KIND, "next") == 5, "a number that was reserved once is never given again"
    assert reserve_version(store, KIND, "stopped") == 4


@pytest.mark.usefixtures("used")
def test_the_note_that_the_champion_stands_on_stays(store: Store) -> None:
    alias = store.get_json(keys.champion(KIND))
    note = keys.flip(KIND, alias["event"])
    store.put(note, store.get(keys.history(KIND, alias["event"])))
    assert note.key not in kinds(plan(store))["note of a flip"]


@pytest.mark.usefixtures("used")
@pytest.mark.parametrize("broken", [keys.history(KIND, "20261101T000000Z-refused-0003"), keys.champion(KIND)])
def test_what_cannot_be_read_could_name_anything_so_nothing_goes(store: Store, broken: Ref) -> None:
    store.put(broken, b"{}")
    with pytest.raises(CareError, match="nothing is collected"):
        plan(store)
