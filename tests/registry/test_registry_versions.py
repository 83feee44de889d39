from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from registry_makers import AT, KIND, digests, publish, record, together

from lvbag.registry import (
    RegistryError,
    fetch_file,
    list_versions,
    load_version,
    publish_version,
    reserve_version,
    verify_model,
)
from lvbag.store import Bucket, CorruptObject, ModelKind, Ref, Store, StoreUnavailable, keys


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "made"
    made.mkdir()
    (made / "model.onnx").write_bytes(b"a network")
    (made / "card.md").write_text("# card", encoding="utf-8")
    return made


def test_numbers_start_at_1_and_belong_to_the_training(store: Store) -> None:
    assert [reserve_version(store, KIND, key) for key in ("a", "b", "a", "c", "b")] == [1, 2, 1, 3, 2]
    assert reserve_version(store, ModelKind.DETECTOR, "a") == 1, "each kind counts for itself"
    before = digests(store)
    reserve_version(store, KIND, "b")
    assert digests(store) == before


def test_a_training_is_found_by_its_key_wherever_its_pointer_stands(store: Store) -> None:
    reserve_version(store, KIND, "old")  # as earlier releases did it: no folders
    assert reserve_version(store, KIND, "new", ("2026-11-22-ab", "tiny")) == 2
    assert set(digests(store, "classifier/trainings/")) == {
        "classifier/trainings/old.json", "classifier/trainings/2026-11-22-ab/tiny/new.json"
    }  # fmt: skip
    before = digests(store)
    assert reserve_version(store, KIND, "old", ("2026-11-01-cd", "tiny")) == 1
    assert reserve_version(store, KIND, "new") == 2
    assert digests(store) == before, "no training is numbered or pointed to twice"


def test_a_hundred_trainings_at_once_get_a_hundred_numbers(store: Store) -> None:
    calls = [partial(reserve_version, store, KIND, f"training-{n}") for n in range(100)]
    assert sorted(together(calls)) == list(range(1, 101))


def test_one_training_asking_ten_times_at_once_among_others_gets_one_number(store: Store) -> None:
    calls = [partial(reserve_version, store, KIND, "same")] * 10
    others = [partial(reserve_version, store, KIND, f"other-{n}") for n in range(5)]
    answers = together([*calls, *others])
    assert len(set(answers[:10])) == 1
    assert sorted({answers[0], *answers[10:]}) == [1, 2, 3, 4, 5, 6]
    assert set(digests(store, "classifier/versions/")) == {
        f"classifier/versions/{n:04d}/reservation.json" for n in range(1, 7)
    }


class Crashing(Store):
    """A store whose process dies when it would point from a training to its number."""

    def put_if_absent(self, ref: Ref, data: bytes, content_type: str = "application/octet-stream") -> bool:
        if "/trainings/" in ref.key:
            raise StoreUnavailable("crash")
        return super().put_if_absent(ref, data, content_type)


def test_a_number_claimed_before_a_crash_is_found_again(store: Store) -> None:
    reserve_version(store, KIND, "first")
    crashing = Crashing(store.settings)
    for key in ("lost-1", "lost-2"):
        with pytest.raises(StoreUnavailable):
            reserve_version(crashing, KIND, key)
    assert reserve_version(store, KIND, "later") == 4
    assert [reserve_version(store, KIND, key) for key in ("lost-2", "lost-1", "new")] == [3, 2, 5]


def test_folders_that_people_made_are_no_free_numbers(store: Store) -> None:
    store.put(Ref(Bucket.MODELS, "classifier/versions/0004/notes.txt"), b"mine")
    store.put(Ref(Bucket.MODELS, "classifier/versions/old/config.json"), b"{}")
    assert reserve_version(store, KIND, "a") == 5
    assert list_versions(store, KIND) == []


def test_a_version_is_complete_with_its_config(store: Store, folder: Path) -> None:
    number = reserve_version(store, KIND, "a")
    with pytest.raises(RegistryError, match=r"classifier version 0001 is not complete"):
        load_version(store, KIND, number)
    published = publish_version(store, KIND, number, folder, record(number, "a"))
    assert sorted(published.files) == ["card.md", "model.onnx"]
    assert load_version(store, KIND, number) == published
    assert list_versions(store, KIND) == [published]
    with pytest.raises(RegistryError, match=r"0002 does not exist; `lvbag registry list"):
        load_version(store, KIND, 2)


def test_an_upload_that_stops_half_way_leaves_no_version(store: Store, folder: Path) -> None:
    class Full(Store):
        def upload(self, ref: Ref, path: Path, content_type: str = "application/octet-stream"):
            if path.name == "model.onnx":
                raise StoreUnavailable("no space left")
            return super().upload(ref, path, content_type)

    number = reserve_version(store, KIND, "a")
    with pytest.raises(StoreUnavailable):
        publish_version(Full(store.settings), KIND, number, folder, record(number, "a"))
    assert list_versions(store, KIND) == []
    assert publish_version(store, KIND, number, folder, record(number, "a")) == load_version(store, KIND, number)


def test_a_published_version_never_changes(store: Store, folder: Path) -> None:
    number = reserve_version(store, KIND, "a")
    first = publish_version(store, KIND, number, folder, record(number, "a"))
    before = digests(store)
    (folder / "model.onnx").write_bytes(b"another network")
    again = publish_version(store, KIND, number, folder, record(number, "a", seed=1))
    assert again == first
    with pytest.raises(RegistryError, match=r"reserved for training a, so training b may not"):
        publish_version(store, KIND, number, folder, record(number, "b"))
    assert digests(store) == before


def test_what_cannot_be_published_is_refused_by_name(store: Store, folder: Path, tmp_path: Path) -> None:
    number = reserve_version(store, KIND, "a")
    with pytest.raises(RegistryError, match="is not reserved"):
        publish_version(store, KIND, 9, folder, record(9, "a"))
    with pytest.raises(RegistryError, match=r"the record is of classifier version 0002"):
        publish_version(store, KIND, number, folder, record(2, "a"))
    with pytest.raises(RegistryError, match="holds no files"):
        publish_version(store, KIND, number, tmp_path / "nowhere", record(number, "a"))
    with pytest.raises(RegistryError, match="not a number"):
        publish_version(store, KIND, number, folder, record(number, "a", metrics={"top1": float("nan")}))
    (folder / "config.json").write_bytes(b"{}")
    with pytest.raises(RegistryError, match=r"config\.json is written by the registry"):
        publish_version(store, KIND, number, folder, record(number, "a"))
    (folder / "config.json").unlink()
    (folder / "more").mkdir()
    with pytest.raises(RegistryError, match="one flat folder"):
        publish_version(store, KIND, number, folder, record(number, "a"))
    assert list_versions(store, KIND) == []


def test_records_that_do_not_fit_are_named_and_passed_over_in_lists(store: Store, tmp_path: Path) -> None:
    good = publish(store, tmp_path, "good")
    store.put(keys.version_file(KIND, 2, "config.json"), b'{"kind": "classifier"}')
    store.put(keys.version_file(KIND, 3, "config.json"), store.get(keys.version_file(KIND, 1, "config.json")))
    assert list_versions(store, KIND) == [good]
    with pytest.raises(RegistryError, match=r"0002/config\.json is no VersionRecord: version: Field required"):
        load_version(store, KIND, 2)
    with pytest.raises(RegistryError, match=r"0003/config\.json describes classifier version 0001"):
        load_version(store, KIND, 3)


def test_a_file_is_fetched_once_and_its_copy_is_checked(store: Store, tmp_path: Path) -> None:
    version = publish(store, tmp_path, "a")
    cache = tmp_path / "cache"
    path = fetch_file(store, KIND, 1, "model.onnx", cache)
    assert path == cache / version.files["model.onnx"] / "model.onnx"
    assert path.read_bytes() == b"the network of a"
    inode = path.stat().st_ino
    assert fetch_file(store, KIND, 1, "model.onnx", cache).stat().st_ino == inode, "not downloaded again"
    path.write_bytes(b"the network of b")
    assert fetch_file(store, KIND, 1, "model.onnx", cache).read_bytes() == b"the network of a"
    with pytest.raises(RegistryError, match=r"has no file model\.pt; it has metrics\.json, model\.onnx"):
        fetch_file(store, KIND, 1, "model.pt", cache)


@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_a_stored_file_that_was_tampered_with_is_never_used(store: Store, tmp_path: Path, damage: str) -> None:
    publish(store, tmp_path, "a")
    ref = keys.version_file(KIND, 1, "model.onnx")
    if damage == "changed":
        store.put(ref, b"the network of x")
    else:
        store.delete(ref)
    with pytest.raises(CorruptObject, match=r"classifier version 0001: model\.onnx .*lvbag registry rollback"):
        fetch_file(store, KIND, 1, "model.onnx", tmp_path / "cache")
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []
    with pytest.raises(CorruptObject):
        verify_model(store, KIND, 1)


def test_naming_the_package_imports_nothing_heavy() -> None:
    script = (
        "import sys, lvbag.registry, lvbag.infer, lvbag.commands.classify, lvbag.commands.registry\n"
        "heavy = {'torch', 'onnxruntime', 'polars', 'numpy', 'PIL'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_time_of_a_record_survives_the_store(store: Store, tmp_path: Path) -> None:
    publish(store, tmp_path, "a")
    assert load_version(store, KIND, 1).created_at == AT
