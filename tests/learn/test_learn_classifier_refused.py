"""What cannot be trained on ends in a clear error: no version is published, and the champion stays as it was."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from builders import COLOURS, make_snapshot
from classifier_jobs import make_job, tiny

from lvbag import schemas
from lvbag.errors import LvbagError
from lvbag.learn.classifier.recipe import ClassifierRecipe
from lvbag.learn.jobs import Start
from lvbag.registry import list_versions, load_version, rollback
from lvbag.registry.versions import sha256_of
from lvbag.settings import Settings
from lvbag.store import Bucket, ModelKind, Store, keys
from lvbag.store.tables import write_table
from registry.registry_makers import AT, publish

torch = pytest.importorskip("torch")

from lvbag.learn.classifier.network import new_network  # noqa: E402


@pytest.fixture(autouse=True)
def process(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment that the launched process would have."""
    monkeypatch.setenv("LVBAG_STORE__ACCESS_KEY", settings.store.access_key.get_secret_value())
    monkeypatch.setenv("LVBAG_STORE__SECRET_KEY", settings.store.secret_key.get_secret_value())
    monkeypatch.setattr(os, "getppid", os.getpid)  # this process asks and does


def train(store: Store, settings: Settings, folder: Path, recipe: ClassifierRecipe, **values: Any) -> None:
    from lvbag.learn.classifier.run_training import work

    work(make_job(store, settings, folder, recipe, **values))


def refused(store: Store, settings: Settings, folder: Path, recipe: ClassifierRecipe, **values: Any) -> str:
    """What is said; before it, there is a champion, and after it the same one and nothing else."""
    number = publish(store, folder.parent / "standing", "standing").version
    rollback(store, ModelKind.CLASSIFIER, number, AT, "test", "first")
    before = registry_objects(store)
    with pytest.raises(LvbagError) as error:
        train(store, settings, folder, recipe, **values)
    assert [version.version for version in list_versions(store, ModelKind.CLASSIFIER)] == [number]
    assert registry_objects(store) == before
    return str(error.value)


def registry_objects(store: Store) -> dict[str, str]:
    """The champion, its history and every file of its version, with what is in them."""
    prefixes = ("champion", "history/", "versions/0001/", "flips/")
    items = [item for name in prefixes for item in store.list_objects(Bucket.MODELS, f"classifier/{name}")]
    return {item.ref.key: item.etag for item in items}


def test_an_unknown_model(store: Store, settings: Settings, tmp_path: Path) -> None:
    text = refused(store, settings, tmp_path / "job", tiny(model="efficientnet_b99"))
    assert "model = 'efficientnet_b99' is no network of timm" in text


def test_a_snapshot_of_one_class(store: Store, settings: Settings, tmp_path: Path) -> None:
    make_snapshot(store, "snap", tuple(COLOURS)[:1])
    assert "has train images of M10001 alone" in refused(store, settings, tmp_path / "job", tiny())


def test_an_empty_snapshot(store: Store, settings: Settings, tmp_path: Path) -> None:
    make_snapshot(store, "snap", per_product=0)
    assert "snapshot snap has no image in train, val, test" in refused(store, settings, tmp_path / "job", tiny())


def test_a_snapshot_that_is_deleted_half_way(store: Store, settings: Settings, tmp_path: Path) -> None:
    make_snapshot(store, "snap")
    for item in list(store.list_objects(Bucket.DATASETS, "snap/shards/")):
        store.delete(item.ref)
    text = refused(store, settings, tmp_path / "job", tiny())
    assert "00000.tar is gone: snapshot snap was removed while it was read" in text


@pytest.fixture
def full_disk() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (120_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_cache_disk(store: Store, settings: Settings, tmp_path: Path, full_disk: None) -> None:
    make_snapshot(store, "snap")
    text = refused(store, settings, tmp_path / "job", tiny())
    assert f"no room for {80 * 32 * 32 * 3} bytes in {tmp_path / 'cache' / 'training'}" in text


def test_weights_of_another_shape(store: Store, settings: Settings, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    make_snapshot(store, "snap")
    tensors = {name: value.clone() for name, value in new_network("test_efficientnet", 10).state_dict().items()}
    tensors["conv_stem.weight"] = torch.zeros(4, 3, 3, 3)
    file = tmp_path / "weights.safetensors"
    save_file(tensors, file)
    sha256 = sha256_of(file)
    store.upload(keys.weights_file(sha256, ModelKind.CLASSIFIER), file)
    start = Start(named=f"weights test_efficientnet (sha256 {sha256})", sha256=sha256, classes=(), version=None)
    text = refused(store, settings, tmp_path / "job", tiny(start="pretrained"), start=start)
    assert f"weights test_efficientnet (sha256 {sha256}) do not fit test_efficientnet at 32 px" in text
    assert "conv_stem.weight" in text


def test_a_loss_that_is_no_number(
    store: Store, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lvbag.learn.classifier.run_training import Passes

    manifest = make_snapshot(store, "snap")
    whole, calls = Passes.backward, []

    def broken(self: Passes, inputs: Any, targets: Any) -> Any:
        calls.append(len(inputs))
        return whole(self, inputs, targets) * (float("nan") if len(calls) == 9 else 1.0)

    monkeypatch.setattr(Passes, "backward", broken)
    text = refused(store, settings, tmp_path / "job", tiny())
    assert "the loss became nan in epoch 2, step 2 of 7, on the 8 pictures " in text
    named = text.split("pictures ")[1].split(" …")[0].split(", ")
    assert len(named) == 4
    assert set(named) <= set(manifest.filter(split="train")["sha256"])
    assert not list(store.list_objects(Bucket.MODELS, keys.checkpoints_prefix(ModelKind.CLASSIFIER)))


def test_a_class_with_one_image_is_trained_with_the_others(store: Store, settings: Settings, tmp_path: Path) -> None:
    manifest = make_snapshot(store, "snap", per_product=10)
    rare = manifest.filter(style_code="M10004", split="train")["sha256"].to_list()
    rest = manifest.filter(~manifest["sha256"].is_in(rare[1:]))
    write_table(store, keys.snapshot("snap", "manifest.parquet"), rest, schemas.MANIFEST)
    train(store, settings, tmp_path / "job", tiny(epochs=1))
    record = load_version(store, ModelKind.CLASSIFIER, 1)
    assert record.model.classes == tuple(COLOURS)
    assert record.metrics["train_images"] == 22


def test_a_training_from_the_champion_begins_with_its_weights_and_says_so(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    make_snapshot(store, "snap")
    train(store, settings, tmp_path / "first", tiny(epochs=0))
    record = load_version(store, ModelKind.CLASSIFIER, 1)
    assert record.start == "scratch"
    start = Start(named="classifier 0001", sha256=record.files["model.safetensors"],
                  classes=record.model.classes, version=1)  # fmt: skip
    train(store, settings, tmp_path / "second", tiny(epochs=0, start="champion"), start=start)
    second = load_version(store, ModelKind.CLASSIFIER, 2)
    assert second.start == "classifier 0001"
    assert second.files["model.safetensors"] == record.files["model.safetensors"]
