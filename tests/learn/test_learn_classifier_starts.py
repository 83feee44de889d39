"""What a classifier's training starts from: scratch, the champion, or weights that were brought in."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from classifier_jobs import tiny

from lvbag.learn import LearnError, weights
from lvbag.learn.weights import add_classifier_weights, choose_start, fetch_classifier_weights
from lvbag.registry import promote, publish_version, reserve_version
from lvbag.registry.records import Decision, ModelSpec, VersionRecord
from lvbag.registry.weights import list_classifier_weights
from lvbag.settings import Settings
from lvbag.store import ModelKind, Store, keys

torch = pytest.importorskip("torch")


def key_of(start: str) -> str:
    return f"key-of-{start}"


@pytest.fixture
def in_process(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is launched runs here."""
    monkeypatch.setenv("LVBAG_STORE__ACCESS_KEY", settings.store.access_key.get_secret_value())
    monkeypatch.setenv("LVBAG_STORE__SECRET_KEY", settings.store.secret_key.get_secret_value())

    def run(module: str, settings: Settings, make: Callable[[Path, Path], Any]) -> None:
        from lvbag.learn.classifier.run_weights import work

        folder = tmp_path / "job"
        folder.mkdir(exist_ok=True)
        work(make(folder, tmp_path / "cache"))

    monkeypatch.setattr(weights, "run_job", run)


def written(path: Path, name: str = "test_efficientnet", outputs: int = 10, without: str = "") -> Path:
    from safetensors.torch import save_file

    from lvbag.learn.classifier.network import new_network

    tensors = new_network(name, outputs).state_dict()
    save_file({key: value.clone() for key, value in tensors.items() if not without or without not in key}, path)
    return path


def publish(store: Store, architecture: str, start: str = "scratch", parent: int | None = None) -> int:
    """A version of the registry, and champion."""
    key = f"{architecture}-{start}".replace(" ", "-")
    number = reserve_version(store, ModelKind.CLASSIFIER, key)
    at = dt.datetime(2026, 11, 23, 5, number, tzinfo=dt.UTC)
    record = VersionRecord(
        kind=ModelKind.CLASSIFIER, version=number, created_at=at, data="snap", recipe="tiny", recipe_sha256="0" * 64,
        seed=0, training_key=key, parent=parent, start=start, detector=None, code_version="1",
        model=ModelSpec(architecture=architecture, image_side_px=32, classes=("M1", "M2")), metrics={},
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "model.safetensors").write_bytes(f"{architecture} {number}".encode())
        publish_version(store, ModelKind.CLASSIFIER, number, Path(name), record)
    decision = Decision(kind=ModelKind.CLASSIFIER, challenger=number, champion=parent, evaluation="none", promoted=True,
                        rules=(), summary="by the test")  # fmt: skip
    assert promote(store, ModelKind.CLASSIFIER, decision, at, "test")
    return number


def test_scratch_and_a_champion_that_is_not_there_start_from_nothing(store: Store, settings: Settings) -> None:
    assert choose_start(store, settings, tiny(), key_of) is None
    assert choose_start(store, settings, tiny(start="champion"), key_of) is None


def test_the_champion_of_the_same_architecture_is_started_from(store: Store, settings: Settings) -> None:
    publish(store, "test_efficientnet")
    start = choose_start(store, settings, tiny(start="champion", model="test_efficientnet.r160_in1k"), key_of)
    assert start is not None
    assert (start.named, start.version, start.classes) == ("classifier 0001", 1, ("M1", "M2"))
    assert choose_start(store, settings, tiny(start="champion", model="test_vit"), key_of) is None


def test_a_run_that_is_repeated_after_its_promotion_finds_its_own_start(store: Store, settings: Settings) -> None:
    publish(store, "test_efficientnet")
    publish(store, "test_efficientnet", "classifier 0001", parent=1)
    start = choose_start(
        store, settings, tiny(start="champion"), lambda named: f"test_efficientnet-{named}".replace(" ", "-")
    )
    assert start is not None
    assert start.named == "classifier 0001"


def test_weights_from_a_file_are_kept_compared_and_started_from(
    store: Store, settings: Settings, tmp_path: Path, in_process: None
) -> None:
    recipe = tiny(start="pretrained")
    with pytest.raises(LearnError, match=r"there are none: bring a file in with `lvbag classifier weights add FILE"):
        choose_start(store, settings, recipe, key_of)
    # files of the hub lack the counters of batches
    file = written(tmp_path / "test_efficientnet.safetensors", without="num_batches_tracked")
    kept = add_classifier_weights(store, settings, file)
    assert (kept.network, kept.outputs, kept.origin) == ("test_efficientnet", 10, file.name)
    assert store.exists(keys.weights_file(kept.sha256, ModelKind.CLASSIFIER))
    start = choose_start(store, settings, recipe, key_of)
    assert start is not None
    assert (start.named, start.classes) == (f"weights test_efficientnet (sha256 {kept.sha256})", ())
    assert [one.network for one in list_classifier_weights(store)] == ["test_efficientnet"]


@pytest.mark.parametrize(
    ("file", "network", "message"),
    [
        ({"name": "test_vit"}, "test_efficientnet", r"is no test_efficientnet: it has no classifier\.weight; name"),
        ({"without": "conv_stem"}, "test_efficientnet", r"is no test_efficientnet of 10 classes: 1 of .* conv_stem"),
        ({}, "no_such_network", r"is no network of timm"),
    ],
)
def test_a_file_of_another_network_is_refused_and_nothing_is_kept(
    store: Store, settings: Settings, tmp_path: Path, in_process: None, file: dict[str, str], network: str, message: str
) -> None:
    path = written(tmp_path / "given.safetensors", **file)  # type: ignore[arg-type]
    with pytest.raises(LearnError, match=message):
        add_classifier_weights(store, settings, path, network)
    assert list(list_classifier_weights(store)) == []


def test_files_that_are_no_tensors_are_refused(
    store: Store, settings: Settings, tmp_path: Path, in_process: None
) -> None:
    with pytest.raises(LearnError, match="does not exist"):
        add_classifier_weights(store, settings, tmp_path / "gone.safetensors")
    pickle = tmp_path / "weights.pt"
    pickle.write_bytes(b"a pickle")
    with pytest.raises(LearnError, match=r"is no \.safetensors file; a file of another kind may run code"):
        add_classifier_weights(store, settings, pickle)
    torn = tmp_path / "test_efficientnet.safetensors"
    torn.write_bytes(b"torn")
    with pytest.raises(LearnError, match="is no safetensors file that can be read"):
        add_classifier_weights(store, settings, torn)


def test_the_hub_is_asked_only_where_it_is_allowed(store: Store, settings: Settings) -> None:
    with pytest.raises(LearnError, match=r"weights from the hub are not allowed: set train\.pretrained"):
        fetch_classifier_weights(store, settings, "test_efficientnet")
