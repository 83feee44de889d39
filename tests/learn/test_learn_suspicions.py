"""Suspicious labels: who is judged by whom, that planted ones come first, and that a killed run goes on."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from builders import make_snapshot
from safetensors.numpy import save

from lvbag import schemas
from lvbag.learn import LearnError, find_suspicions
from lvbag.learn.jobs import JobResult
from lvbag.learn.recipes import ClassifierRecipe
from lvbag.learn.suspicions import steps
from lvbag.learn.suspicions.records import SuspicionJob
from lvbag.learn.suspicions.scores import judge_labels
from lvbag.learn.suspicions.steps import read_rows
from lvbag.review import ItemId, Verdict, decide
from lvbag.settings import Settings
from lvbag.store import Bucket, ModelKind, Store, keys
from lvbag.store.tables import read_table, write_table
from store_env import own_home

NAME = "2026-11-23-0123456789ab"
AT = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)
RECIPE = ClassifierRecipe.model_validate(
    {"kind": "classifier", "model": "test_efficientnet", "image_side_px": 32, "epochs": 8, "batch": 16,
     "optimizer": "adamw", "learning_rate": 0.01, "warmup_epochs": 1, "label_smoothing": 0.0}
)  # fmt: skip


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, store: Store) -> None:
    """The process's work is done in this one, by a small network."""
    own_home(monkeypatch, tmp_path, store.settings)
    monkeypatch.setattr(steps, "load_classifier_recipe", lambda name: RECIPE)

    def run(module: str, settings: Settings, make: Callable[[Path, Path], SuspicionJob]) -> JobResult:
        from lvbag.learn.suspicions.run_judging import work

        with tempfile.TemporaryDirectory() as folder:
            import os

            job = make(Path(folder), tmp_path / "cache")
            return work(job.model_copy(update={"parent_process": os.getppid()}))

    monkeypatch.setattr(steps, "run_job", run)


@pytest.fixture
def chosen(settings: Settings) -> Settings:
    """Three folds, one thread, no GPU."""
    train = settings.train.model_copy(update={"threads": 1, "device": "never"})
    own = settings.suspicions.model_copy(update={"folds": 3, "min_images": 5})
    return settings.model_copy(update={"train": train, "suspicions": own})


def change(store: Store, **columns: Any) -> pl.DataFrame:
    """The manifest with other columns."""
    ref = keys.snapshot(NAME, "manifest.parquet")
    manifest = read_table(store, ref, schemas.MANIFEST).with_columns(**columns)
    write_table(store, ref, manifest, schemas.MANIFEST)
    return manifest


def plant(store: Store, count: int) -> set[str]:
    """Give some pictures the next product's label; returns them."""
    manifest = make_snapshot(store, NAME)
    wrong = set(manifest["sha256"].sample(count, seed=1))
    codes = sorted(manifest["style_code"].unique())
    labels = [(row["label"] + (row["sha256"] in wrong)) % len(codes) for row in manifest.iter_rows(named=True)]
    change(
        store,
        label=pl.Series(labels, dtype=pl.Int32),
        style_code=pl.Series([codes[label] for label in labels], dtype=pl.String),
    )
    return wrong


def test_planted_wrong_labels_come_first_and_a_second_call_trains_nothing(
    store: Store, chosen: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = plant(store, 6)
    result = find_suspicions(store, chosen, NAME)
    scores = read_table(store, keys.suspicions(NAME, "scores.parquet"), schemas.SUSPICIONS)

    assert (result.images, result.judged, result.reused) == (80, 80, False)
    assert result.top1 is not None and result.top1 > 0.8
    first = scores.filter(pl.col("rank").is_between(1, 6))["sha256"]
    assert len(wrong & set(first)) >= 5
    assert result.asked == result.suspicious == int((scores["rank"] > 0).sum())
    assert list(store.list_objects(Bucket.MODELS, "")) == [], "no version, no checkpoint"

    monkeypatch.setattr(steps, "run_job", None)
    again = find_suspicions(store, chosen, NAME)
    assert (again.reused, again.suspicious) == (True, result.suspicious)

    # what people decided leaves the queue without a training
    decide(store, ItemId("suspicious_label", sha256=first[0]), Verdict.KEEP, None, "ana", AT, "it is right")
    after = find_suspicions(store, chosen, NAME)
    assert (after.reused, after.suspicious, after.asked) == (True, result.suspicious, result.asked - 1)


def test_a_fold_that_is_done_is_not_trained_again(
    store: Store, chosen: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lvbag.learn.suspicions import run_judging

    make_snapshot(store, NAME)
    trained: list[str] = []
    answer = np.full((80, 4), 0.25)

    def train(job: Any, model: Any, pictures: Any, *rest: Any) -> tuple[Any, None]:
        if trained == ["0", "1"]:
            raise LearnError("killed")
        trained.append(job.training_key[-1])
        return model, None

    monkeypatch.setattr(run_judging, "train", train)
    monkeypatch.setattr(
        run_judging, "_answers", lambda network, pictures, view: answer[: len(pictures.snapshot.indices("val"))]
    )
    with pytest.raises(LearnError, match="killed"):
        find_suspicions(store, chosen, NAME)
    kept = [item.ref.key for item in store.list_objects(Bucket.MODELS, keys.checkpoints_prefix(ModelKind.CLASSIFIER))]
    assert [key.split("-fold-")[1] for key in kept] == ["0/answers.safetensors", "1/answers.safetensors"]

    trained[:] = []
    store.put(keys.Ref(Bucket.MODELS, kept[1]), save({"probabilities": answer[:1]}))  # of other pictures
    find_suspicions(store, chosen, NAME)
    assert trained == ["1", "2"]


def test_groups_stay_together_and_rare_products_are_not_judged(store: Store, chosen: Settings) -> None:
    manifest = make_snapshot(store, NAME)
    # M10001: pairs of pictures of a listing; M10002: all of one seller; M10003: four pictures
    number = pl.col("listing_id").str.slice(1).cast(pl.Int32)
    code = pl.col("style_code")
    group = (
        pl.when(code == "M10001").then(pl.format("pair {}", number // 2))
        .when(code == "M10002").then(pl.lit("seller")).otherwise(pl.col("sha256"))
    )  # fmt: skip
    few = manifest.filter((code != "M10003") | (number < 4)).with_columns(group.alias("group"))
    write_table(store, keys.snapshot(NAME, "manifest.parquet"), few, schemas.MANIFEST)

    rows = read_rows(store, chosen.suspicions, NAME).join(few.select("sha256", "group"), on="sha256")

    assert rows.group_by("group").agg(pl.col("fold").n_unique())["fold"].to_list() == [1] * rows["group"].n_unique()
    judged = dict(rows.group_by("style_code").agg(pl.col("judged").sum()).rows())
    assert judged == {"M10001": 20, "M10002": 0, "M10003": 0, "M10004": 20}
    assert rows["image_url"].null_count() == rows.height
    assert rows["decided"].sum() == 0


def test_of_too_many_pictures_every_product_has_its_newest(store: Store, chosen: Settings) -> None:
    make_snapshot(store, NAME)
    number = pl.col("listing_id").str.slice(1).cast(pl.Int32)
    change(store, night=pl.when(number < 3).then(pl.date(2026, 12, 1)).otherwise(pl.col("night")))
    rows = read_rows(store, chosen.suspicions.model_copy(update={"max_images": 12}), NAME)
    assert rows.group_by("style_code").len().sort("style_code")["len"].to_list() == [3, 3, 3, 3]
    assert rows["night"].unique().to_list() == [dt.date(2026, 12, 1)]


def test_what_cannot_be_judged_is_said_and_not_trained(
    store: Store, chosen: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "run_job", None)
    make_snapshot(store, NAME, per_product=4)
    result = find_suspicions(store, chosen, NAME)
    assert (result.judged, result.asked) == (0, 0)
    assert "fewer than two products have 5 pictures in the other folds" in result.note
    with pytest.raises(LearnError, match="there is no snapshot 'other'"):
        find_suspicions(store, chosen, "other")
    off = chosen.model_copy(update={"suspicions": chosen.suspicions.model_copy(update={"enabled": False})})
    assert find_suspicions(store, off, NAME).note == "suspicions.enabled is false"


@pytest.mark.parametrize(
    ("changes", "message"), [({"start": "champion"}, "has learnt the labels"), ({"epochs": 0}, "has no epochs")]
)
def test_a_network_that_knows_the_labels_or_nothing_is_refused(
    store: Store, chosen: Settings, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], message: str
) -> None:
    make_snapshot(store, NAME)
    monkeypatch.setattr(steps, "load_classifier_recipe", lambda name: RECIPE.model_copy(update=changes))
    with pytest.raises(LearnError, match=message):
        find_suspicions(store, chosen, NAME)


def test_labels_against_sure_answers_are_suspicious_and_products_without_pictures_do_no_harm() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 2, 3], 30)
    truths = labels.copy()
    truths[[0, 40, 80]] = [2, 3, 0]
    shares = rng.dirichlet(np.full(4, 0.3), 90) * 0.1
    shares[np.arange(90), truths] += 0.9
    found = judge_labels(labels, shares)
    assert np.flatnonzero(found.suspicious).tolist() == [0, 40, 80]
    assert set(np.argsort(found.quality)[:3].tolist()) == {0, 40, 80}
    assert not judge_labels(np.zeros(5, np.int64), np.full((5, 4), 0.25)).suspicious.any()
