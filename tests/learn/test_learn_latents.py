"""The autoencoder's codes with a linear layer: whose weights are taken, that they stay, and what is refused."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from builders import make_snapshot
from classifier_jobs import make_job, tiny
from pydantic import ValidationError

from lvbag.learn import LearnError
from lvbag.learn.classifier.recipe import AUTOENCODER
from lvbag.learn.outliers.records import OutlierModel
from lvbag.learn.weights import choose_start
from lvbag.outliers import MODEL, WEIGHTS
from lvbag.registry import load_version
from lvbag.settings import Settings
from lvbag.store import ModelKind, Store, keys
from store_env import own_home

torch = pytest.importorskip("torch")

FIRST, SECOND = dt.date(2026, 11, 22), dt.date(2026, 11, 23)
LATENTS: dict[str, Any] = {"model": AUTOENCODER, "start": "outliers", "freeze": True, "image_side_px": 64}


def leave_weights(store: Store, night: dt.date, seed: int) -> str:
    """An autoencoder as a night leaves it, its batch statistics other than a new network's; its digest."""
    from safetensors.torch import save

    from lvbag.learn.outliers.autoencoder import Autoencoder

    torch.manual_seed(seed)
    model = Autoencoder()
    model(torch.rand(4, 3, 64, 64))
    data = save({name: value.contiguous() for name, value in model.state_dict().items()})
    store.put(keys.outliers(night, WEIGHTS), data)
    sha256 = hashlib.sha256(data).hexdigest()
    record = OutlierModel(key="k", night=night, weights_sha256=sha256)
    store.put_json(keys.outliers(night, MODEL), record.model_dump(mode="json"))
    return sha256


def test_only_the_linear_layer_learns_and_the_record_names_the_night(
    store: Store, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import load_file

    from lvbag.learn.classifier.network import build
    from lvbag.learn.classifier.run_training import work

    own_home(monkeypatch, tmp_path, settings.store)
    make_snapshot(store, "snap", per_product=10)
    sha256 = leave_weights(store, FIRST, 1)
    recipe = tiny(**LATENTS, epochs=3)
    start = choose_start(store, settings, recipe, str, "snap")
    job = make_job(store, settings, tmp_path / "job", recipe, start=start)
    work(job.model_copy(update={"parent_process": os.getppid()}))

    record = load_version(store, ModelKind.CLASSIFIER, 1)
    assert record.start == f"outliers of {FIRST} (sha256 {sha256})"
    assert record.model.mean == (0.0, 0.0, 0.0)
    with tempfile.TemporaryDirectory() as name:
        theirs = load_file(store.download(keys.weights_file(sha256, ModelKind.CLASSIFIER), Path(name) / "theirs"))
        ours = load_file(
            store.download(keys.version_file(ModelKind.CLASSIFIER, 1, "model.safetensors"), Path(name) / "ours")
        )
    for key, value in ours.items():
        if key.startswith("head."):
            continue
        assert torch.equal(value, theirs[key]), key
    assert {key for key in ours if key.startswith("head.")} == {"head.weight", "head.bias"}
    assert not any(key.startswith("decoder.") for key in ours)
    assert len(ours) > 2
    torch.manual_seed(job.seed)
    fresh, _ = build(AUTOENCODER, 64, record.model.classes, None)
    assert not torch.equal(ours["head.weight"], fresh.head.weight), "it learnt"


def test_the_night_is_the_newest_up_to_the_snapshots_own(store: Store, settings: Settings) -> None:
    first, second = leave_weights(store, FIRST, 1), leave_weights(store, SECOND, 2)
    recipe = tiny(**LATENTS)
    for snapshot, sha256 in ((f"{FIRST}-0123456789ab", first), (f"{SECOND}-0123456789ab", second), ("snap", second)):
        start = choose_start(store, settings, recipe, str, snapshot)
        assert start is not None
        assert start.sha256 == sha256
    with pytest.raises(LearnError, match=r"no night up to it has left one: run `lvbag curate outliers`"):
        choose_start(store, settings, recipe, str, "2026-11-21-0123456789ab")


def test_weights_that_were_tampered_with_are_refused_and_not_kept(store: Store, settings: Settings) -> None:
    sha256 = leave_weights(store, FIRST, 1)
    store.put(keys.outliers(FIRST, WEIGHTS), b"evil")
    with pytest.raises(LearnError, match=r"is not what was recorded; run `lvbag curate outliers"):
        choose_start(store, settings, tiny(**LATENTS), str, "snap")
    assert not store.exists(keys.weights_file(sha256, ModelKind.CLASSIFIER))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"freeze": True}, "needs a start other than scratch"),
        ({"start": "outliers"}, "gives the weights of model: bag_autoencoder"),
    ],
)
def test_a_recipe_that_contradicts_itself_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        tiny(**values)


def test_what_is_to_stay_frozen_must_be_there(store: Store, settings: Settings) -> None:
    with pytest.raises(LearnError, match="freeze: true and start: champion, and there is no champion yet"):
        choose_start(store, settings, tiny(start="champion", freeze=True), str)


def test_another_side_than_the_autoencoders_is_refused() -> None:
    from lvbag.learn.classifier.network import build

    with pytest.raises(LearnError, match="bag_autoencoder takes pictures of 64 px alone, not of 96"):
        build(AUTOENCODER, 96, ("M1", "M2"), None)
