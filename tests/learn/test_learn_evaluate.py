"""Champion and challengers on one test set: the record, what stands beside it, and what the gate makes of it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from builders import make_snapshot
from PIL import Image

from infer.tiny_models import COLOURS, colour_classifier
from lvbag import schemas
from lvbag.infer.classifier import softmax
from lvbag.learn import evaluating
from lvbag.learn.classifier.calibration import COOLEST
from lvbag.learn.classifier.comparing import Answered, by_listing, compare
from lvbag.learn.classifier.confusions import MOST_EXAMPLES, MOST_PAIRS, confusion_pairs, confusion_sheet
from lvbag.learn.classifier.data import read_snapshot
from lvbag.learn.classifier.measuring import measure
from lvbag.learn.classifier.run_evaluation import work
from lvbag.learn.classifier.scores import answers
from lvbag.learn.jobs import EvaluationJob, digest
from lvbag.learn.onnx_cpu import latencies_ms
from lvbag.registry import decide, load_evaluation, publish_version, reserve_version
from lvbag.registry.bootstrap import cluster_bootstrap
from lvbag.registry.records import Evaluation, ModelSpec, VersionRecord
from lvbag.settings import GateSettings, Settings
from lvbag.store import Bucket, ModelKind, Store, keys
from lvbag.store.tables import read_table, write_table

KIND = ModelKind.CLASSIFIER
RIGHT, MIXED_UP = COLOURS, (COLOURS[1], COLOURS[0], COLOURS[2])
SNAPSHOT = "snap"


def spec(classes: tuple[str, ...], side: int = 32, temperature: float = 1.0) -> ModelSpec:
    return ModelSpec(architecture="tiny", image_side_px=side, classes=classes, temperature=temperature)


def record(version: int, model: ModelSpec, data: str = SNAPSHOT) -> VersionRecord:
    return VersionRecord(
        kind=KIND, version=version, created_at=dt.datetime(2026, 11, 23, tzinfo=dt.UTC), data=data, recipe="tiny",
        recipe_sha256="ab" * 32, seed=0, training_key=f"t{version}", parent=None, detector="0001", code_version="0",
        model=model, metrics={},
    )  # fmt: skip


def publish(store: Store, folder: Path, version: int, model: ModelSpec, data: str = SNAPSHOT) -> None:
    own = folder / str(version)
    own.mkdir()
    colour_classifier(own / "model.onnx", model.image_side_px)
    assert reserve_version(store, KIND, f"t{version}") == version
    publish_version(store, KIND, version, own, record(version, model, data))


def evaluate(store: Store, settings: Settings, folder: Path, champion: int | None, *challengers: int) -> Evaluation:
    job = EvaluationJob.asked(
        settings, folder, folder / "cache", kind=KIND, data=SNAPSHOT, key="e", champion=champion,
        challengers=challengers,
    ).model_copy(update={"parent_process": os.getppid()})  # fmt: skip
    for name in ("access_key", "secret_key"):
        os.environ[f"LVBAG_STORE__{name.upper()}"] = getattr(settings.store, name).get_secret_value()
    work(job)
    return load_evaluation(store, KIND, "e")


@pytest.fixture
def versions(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pl.DataFrame:
    """Version 1 mixes two of three products up, 2 tells all three; the fourth nobody knows. Returns the test rows."""
    monkeypatch.setenv("LVBAG_STORE__ACCESS_KEY", "")  # restored after the test, for `evaluate` sets it
    monkeypatch.setenv("LVBAG_STORE__SECRET_KEY", "")
    manifest = make_snapshot(store, SNAPSHOT)
    leaking = manifest.with_columns(
        pl.when(pl.col("label") == 0).then(pl.lit("train")).otherwise("split").alias("split")
    )
    write_table(store, keys.snapshot("leaking", "manifest.parquet"), leaking, schemas.MANIFEST)
    publish(store, tmp_path, 1, spec(MIXED_UP, 48, temperature=2.0))
    publish(store, tmp_path, 2, spec(RIGHT))
    publish(store, tmp_path, 3, spec(RIGHT), "leaking")
    publish(store, tmp_path, 4, spec(RIGHT), "gone")
    return manifest.filter(pl.col("split") == "test")


def test_an_evaluation_holds_everything_that_the_gate_judges(
    store: Store, settings: Settings, tmp_path: Path, versions: pl.DataFrame
) -> None:
    made = evaluate(store, settings, tmp_path, 1, 2)
    champion, challenger = made.champion, made.challengers[0]
    assert champion is not None
    assert (made.test_images, made.classes, made.shared_images) == (16, 4, 12)
    assert made.products == dict.fromkeys(sorted(set(versions["style_code"])), 4)
    assert champion.right == {"M10001": 0, "M10002": 0, "M10003": 4, "M10004": 0}
    assert challenger.right == {"M10001": 4, "M10002": 4, "M10003": 4, "M10004": 0}
    assert (champion.metrics["top1"], challenger.metrics["top1"]) == (0.25, 0.75)
    assert champion.metrics["top1_shared"] == pytest.approx(1 / 3)
    assert challenger.metrics["top1_shared"] == 1.0
    assert (champion.metrics["temperature"], challenger.metrics["temperature"]) == (2.0, 1.0)
    assert champion.metrics["ece"] != champion.metrics["ece_untempered"]
    assert challenger.metrics["ece"] == challenger.metrics["ece_untempered"]
    for item in (champion, challenger):
        assert item.metrics["latency_ms"] > 0
        assert 0 < item.metrics["onnx_mb"] < 0.1
        assert item.seen_in_training == 0
    assert challenger.versus_champion is not None
    assert (challenger.versus_champion.only_challenger, challenger.versus_champion.neither) == (8, 4)
    assert challenger.versus_champion_shared is not None
    assert (challenger.versus_champion_shared.only_challenger, challenger.versus_champion_shared.neither) == (8, 0)
    # listings L8, L9, L18 and L19 have a picture of every product
    assert challenger.bootstrap is not None
    assert (challenger.bootstrap.cells, challenger.bootstrap.low) == (((4, 2, 4),), 0.5)
    assert challenger.bootstrap_shared is not None
    assert challenger.bootstrap_shared.cells == ((3, 2, 4),)
    assert champion.versus_champion is None
    assert champion.bootstrap is None
    decision = decide(GateSettings(evidence=0.05, min_test_images=10, max_ece_rise=1), made, challenger)
    assert decision.promoted, decision.summary
    assert len(decision.rules) == 9
    assert all(rule.figures for rule in decision.rules)


def test_what_each_version_answered_is_kept_and_the_record_can_be_computed_from_it(
    store: Store, settings: Settings, tmp_path: Path, versions: pl.DataFrame
) -> None:
    made = evaluate(store, settings, tmp_path, 1, 2)
    table = read_table(store, keys.evaluation_predictions(KIND, "e"), schemas.EVALUATED)
    assert table["version"].to_list() == [1] * 16 + [2] * 16
    for item in (made.champion, *made.challengers):
        assert item is not None
        mine = table.filter(pl.col("version") == item.version)
        assert mine.select("sha256", "listing_id").equals(versions.select("sha256", "listing_id"))
        assert (mine["rank"] == 1).fill_null(False).sum() == sum(item.right.values())
        assert mine.filter(pl.col("style_code") == "M10004")["rank"].null_count() == 4
        assert item.metrics["top2"] == pytest.approx(((mine["rank"] <= 2).fill_null(False)).mean())


def test_confusions_are_named_and_shown(
    store: Store, settings: Settings, tmp_path: Path, versions: pl.DataFrame
) -> None:
    made = evaluate(store, settings, tmp_path, 1, 2)
    assert made.champion is not None
    named = {(pair.truth, pair.predicted): pair.images for pair in made.champion.confusions}
    assert named["M10001", "M10002"] == named["M10002", "M10001"] == 4
    tests = set(versions["sha256"])
    assert all(len(pair.examples) <= MOST_EXAMPLES and set(pair.examples) <= tests for pair in made.champion.confusions)
    for version in (1, 2):
        sheet = Image.open(io.BytesIO(store.get(keys.confusion_sheet(KIND, "e", version))))
        assert sheet.format == "JPEG"
    card = store.get(keys.evaluation_card(KIND, "e", 1)).decode()
    assert "| M10001 | M10002 | 4 of 4 |" in card.splitlines()
    assert "| M10001 | 4 | 0 | 0.000 |" in card.splitlines()
    beside = [item.ref.key for item in store.list_objects(Bucket.MODELS, keys.evaluations_prefix(KIND))]
    assert sorted(beside) == [
        "classifier/evaluations/e.json",
        "classifier/evaluations/e/card-0001.md",
        "classifier/evaluations/e/card-0002.md",
        "classifier/evaluations/e/confusions-0001.jpg",
        "classifier/evaluations/e/confusions-0002.jpg",
        "classifier/evaluations/e/predictions.parquet",
    ]


def test_test_images_that_a_version_was_trained_on_are_counted_and_refuse_it(
    store: Store, settings: Settings, tmp_path: Path, versions: pl.DataFrame
) -> None:
    made = evaluate(store, settings, tmp_path, 1, 3, 4)
    assert [item.seen_in_training for item in made.challengers] == [4, None]
    policy = GateSettings(min_test_images=10, max_ece_rise=1)
    leaking, unsure = (decide(policy, made, item) for item in made.challengers)
    assert "4 of 16 test images of snapshot snap stand in the training part" in leaking.summary
    assert unsure.promoted


def test_without_a_champion_there_is_nothing_to_compare(
    store: Store, settings: Settings, tmp_path: Path, versions: pl.DataFrame
) -> None:
    made = evaluate(store, settings, tmp_path, None, 2)
    assert (made.champion, made.shared_images) == (None, None)
    assert made.challengers[0].bootstrap is None
    assert made.challengers[0].metrics["top1_shared"] == made.challengers[0].metrics["top1"] == 0.75


def test_what_an_earlier_release_measured_is_measured_again_and_todays_is_found(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(evaluating, "run_job", lambda module, settings, make: asked.append(module))
    for kind, times in ((KIND, 1), (ModelKind.DETECTOR, 0)):
        asked.clear()
        store.put_json(keys.evaluation(kind, digest(str(kind), SNAPSHOT, None, (2,))), {})
        first = evaluating.evaluate(store, settings, kind, SNAPSHOT, (2,))
        assert len(asked) == times
        store.put_json(keys.evaluation(kind, first.key), {})
        assert evaluating.evaluate(store, settings, kind, SNAPSHOT, (2,)) == first
        assert len(asked) == times


def test_a_training_fits_the_temperature_on_validation_pictures_and_measures_on_test_pictures(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    make_snapshot(store, "three", COLOURS, per_product=100)
    snapshot = read_snapshot(store, "three", 32, settings.images)
    path = colour_classifier(tmp_path / "model.onnx")
    metrics, test = measure(path, snapshot, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    names = (
        "top1",
        "top2",
        "top3",
        "top5",
        "macro_accuracy",
        "macro_f1",
        "ece",
        "ece_untempered",
        "latency_ms",
        "onnx_mb",
    )
    assert set(names) <= set(metrics)
    assert (metrics["top1"], metrics["val_top1"], metrics["test_images"]) == (1.0, 1.0, 60.0)
    # always right and never sure: the network is to trust itself as far as may be, and its answers are given so
    assert metrics["temperature"] == pytest.approx(COOLEST)
    assert metrics["ece"] < metrics["ece_untempered"] / 2
    assert (test.probability > test.untempered).all()
    few = dataclasses.replace(snapshot, rows=snapshot.rows.with_columns(pl.lit("test").alias("split")))
    alone, _ = measure(path, few, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    assert alone["temperature"] == 1.0
    assert "val_top1" not in alone


def answered(version: int, tops: Sequence[str], truths: list[str], classes: tuple[str, ...]) -> Answered:
    scores = np.array([[float(name == top) for name in classes] for top in tops])
    return Answered(record(version, spec(classes)), answers(scores, classes, truths), 1.0, 1.0, 0)


def test_a_champion_that_knows_no_product_of_the_test_set_shares_nothing() -> None:
    rows = pl.DataFrame(
        {"sha256": ["a", "b"], "style_code": ["X", "Y"], "source": ["s", "s"], "listing_id": ["1", "2"]}
    )
    champion = answered(1, ["Q", "Q"], ["X", "Y"], ("Q",))
    made = compare("e", "d", rows, champion, [answered(2, ["X", "Y"], ["X", "Y"], ("X", "Y"))])
    assert made.shared_images == 0
    assert made.challengers[0].bootstrap_shared is None
    assert "top1_shared" not in made.challengers[0].metrics
    on_shared = decide(GateSettings(compare="shared", min_test_images=1), made, made.challengers[0])
    assert not on_shared.promoted
    assert "the 0 of 2 test images" in on_shared.summary
    assert decide(GateSettings(min_test_images=1), made, made.challengers[0]).promoted


def test_photos_of_a_listing_are_drawn_together_and_listings_of_two_shops_are_two() -> None:
    rows = pl.DataFrame({"source": ["a", "a", "b", "b"], "listing_id": ["1", "1", "1", "2"]})
    truths = ["X"] * 4
    champion, challenger = (answered(v, tops, truths, ("X", "Y")).answers for v, tops in ((1, "YXYX"), (2, "XXXX")))
    drawn = by_listing(rows, champion, challenger, np.ones(4, bool))
    assert drawn is not None
    assert drawn.cells == ((1, 0, 1), (1, 1, 1), (2, 1, 1))
    assert drawn == cluster_bootstrap(drawn.cells), "the record says all that it depends on"
    some = by_listing(rows, champion, challenger, np.array([True, True, False, False]))
    assert some is not None
    assert some.cells == ((2, 1, 1),)
    assert by_listing(rows, champion, challenger, np.zeros(4, bool)) is None


def test_the_most_frequent_pairs_come_first_with_their_surest_pictures() -> None:
    random = np.random.default_rng(2)
    classes = tuple("ABCDEF")
    scores, truths = random.normal(size=(400, 6)), [str(name) for name in random.choice(classes, 400)]
    result = answers(scores, classes, truths)
    names = [f"{number:03d}" for number in range(400)]
    pairs = confusion_pairs(result, names)
    assert len(pairs) == MOST_PAIRS
    assert [pair.images for pair in pairs] == sorted((pair.images for pair in pairs), reverse=True)
    sure = softmax(scores).max(axis=1)
    for pair in pairs:
        mine = [n for n in range(400) if (truths[n], result.predicted[n]) == (pair.truth, pair.predicted)]
        assert pair.images == len(mine)
        assert list(pair.examples) == [names[n] for n in sorted(mine, key=lambda n: -sure[n])[:MOST_EXAMPLES]]


def test_equal_arguments_draw_equal_sheets() -> None:
    result = answers(np.eye(2)[[1, 0]], ("M1", "M2"), ["M1", "M1"])
    pairs = confusion_pairs(result, ["a", "b"])
    pictures = {"a": np.full((32, 32, 3), (200, 30, 30), np.uint8)}
    sheets = [confusion_sheet(pairs, {"M1": 2}, pictures, "title") for _ in range(2)]
    assert sheets[0] == sheets[1]
    pixels = np.asarray(Image.open(io.BytesIO(sheets[0])))
    assert ((pixels[..., 0] > 150) & (pixels[..., 1] < 80)).sum() > 10_000, "the picture of the wrong answer"


def test_a_network_that_does_more_takes_longer(tmp_path: Path) -> None:
    small, large = (colour_classifier(tmp_path / f"{side}.onnx", side) for side in (32, 1024))
    pictures = [np.ones((1, 3, side, side), np.float32) for side in (32, 1024)]
    quick, slow = latencies_ms([(small, pictures[0]), (large, pictures[1])])
    assert 0 < quick < slow
