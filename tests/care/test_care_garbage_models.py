"""Garbage of the registry: what stopped trainings and undecided evaluations leave, and never a version."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path

import pytest
from care_frames import AT, everything, publish

from lvbag.care import CareError, Limits, collect, plan_registry_collection
from lvbag.care.garbage import GarbagePlan
from lvbag.registry import list_versions, promote, reserve_version, rollback
from lvbag.registry.detector_files import file_name
from lvbag.registry.records import Decision, Evaluation
from lvbag.registry.weights import ClassifierWeights, Weights, keep_classifier_weights, keep_weights
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
        "evaluation": 1, "unpublished file": 1, "note of a flip": 1, "checkpoint": 0, "replaced weights": 0,
        "detector file": 0,
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


def bring_in(store: Store, folder: Path, name: str) -> tuple[str, str]:
    """Weights of one detector network and one classifier network; returns the digests of the detector's files."""
    tensors, onnx = folder / f"{name}.safetensors", folder / f"{name}.onnx"
    tensors.write_bytes(f"tensors {name}".encode())
    onnx.write_bytes(f"network {name}".encode())
    first, second = (hashlib.sha256(path.read_bytes()).hexdigest() for path in (tensors, onnx))
    common = {"sha256": first, "origin": name, "origin_sha256": first, "added_at": AT}
    detector = Weights(network="yolo11n", onnx_sha256=second, image_side_px=640, classes=("handbag",), **common)
    keep_weights(store, detector, tensors, onnx)
    keep_classifier_weights(store, ClassifierWeights(network="tiny", outputs=3, **common), tensors)
    return first, second


def test_weights_that_were_replaced_go_unless_something_was_made_with_them(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    given = {name: bring_in(store, tmp_path, name) for name in ("first", "started", "cropped", "given", "now")}
    publish(store, tmp_path, "s", key="a", start=f"weights tiny (sha256 {given['started'][0]})")
    store.put(keys.crop(file_name(given["cropped"][1]), "ab" * 32), b"a crop")
    publish(store, tmp_path, "s", key="b", detector=f"0001+{file_name(given['given'][1])}")
    store.put(Ref(Bucket.MODELS, "classifier/weights/mine.safetensors"), b"somebody's own")

    assert kinds(plan(store, days=0.5)) == {}, "what is young is left alone"
    planned = plan(store)
    gone = kinds(planned)

    def weights(kind: str, *names: str) -> set[str]:
        return {f"{kind}/weights/{given[name][0]}.safetensors" for name in names}

    assert set(gone["replaced weights"]) == weights("classifier", "first", "cropped", "given") | weights(
        "detector", "first", "started", "cropped", "given"
    )
    assert set(gone["detector file"]) == {f"detector/files/{given[name][1]}.onnx" for name in ("first", "started")}
    collect(store, settings, planned)
    assert kinds(plan(store)) == {}


def test_the_detector_file_that_came_last_stays_though_no_record_names_it(store: Store) -> None:
    digests = ["1" * 64, "2" * 64]
    for digest in digests:
        store.put(keys.detector_file(digest), b"x")

    newest = max(store.list_objects(Bucket.MODELS, "detector/files/"), key=lambda item: (item.modified, item.ref))
    left = kinds(plan(store))["detector file"]

    assert len(left) == 1
    assert newest.ref.key not in left or newest.modified is None


def test_weights_whose_use_is_unsure_stop_the_collection(store: Store) -> None:
    store.put(keys.weights_file("1" * 64), b"x")
    store.put(keys.weights("yolo11n"), b"{}")

    with pytest.raises(CareError, match="which weights are in use, and nothing is collected"):
        plan(store)
