"""A night's autoencoder over a real store: what it leaves, what it carries on, and what it does not stumble over."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import os
import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from builders import COLOURS, draw_bag
from PIL import Image

import lvbag.learn.outliers.steps
from lvbag import schemas
from lvbag.learn import find_outliers
from lvbag.learn.outliers.records import read_model
from lvbag.learn.outliers.steps import read_rows
from lvbag.outliers import MODEL, SCORES, WEIGHTS, is_odd, read_outliers
from lvbag.review import Verdict, decide, parse_id
from lvbag.settings import Settings
from lvbag.store import CorruptObject, Store, keys
from lvbag.store.tables import write_table
from lvbag.tombstones import Tombstone, Tombstones, write_tombstone

FIRST, SECOND = dt.date(2026, 11, 22), dt.date(2026, 11, 23)
AT = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)
RED, GREEN = tuple(COLOURS)[:2]
EACH = 12


@pytest.fixture
def settings(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("LVBAG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LVBAG_STORE__ACCESS_KEY", settings.store.access_key.get_secret_value())
    monkeypatch.setenv("LVBAG_STORE__SECRET_KEY", settings.store.secret_key.get_secret_value())
    small = settings.outliers.model_copy(update={"min_images": 10, "steps": 12, "seconds": 600.0})
    alone = settings.train.model_copy(
        update={"threads": 1}
    )  # threads that wait for one another take long on busy cores
    return settings.model_copy(update={"outliers": small, "train": alone})


@pytest.fixture
def quick(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Few steps, and the process's work is done in this one: torch is read once."""
    from lvbag.learn.outliers import run_judging

    def run_here(module: str, settings: Settings, make: Any) -> None:
        assert module == run_judging.__name__
        with tempfile.TemporaryDirectory() as name:
            job = make(Path(name), Path(name))
            run_judging.work(job.model_copy(update={"parent_process": os.getppid()}))

    monkeypatch.setattr(lvbag.learn.outliers.steps, "run_job", run_here)
    return settings.model_copy(update={"outliers": settings.outliers.model_copy(update={"steps": 3})})


def keep(store: Store, night: dt.date, crops: list[tuple[str, bytes]]) -> list[str]:
    """Write a night that kept these crops (product, JPEG); returns the sha256 of the pictures."""
    rows = []
    for number, (style_code, crop) in enumerate(crops):
        sha256 = hashlib.sha256(b"original" + crop).hexdigest()
        store.put(keys.crop("0001", sha256), crop)
        rows.append(
            {
                "night": night,
                "source": "shop",
                "listing_id": f"{night:%d}-{number}",
                "image_url": f"https://shop.test/{night:%d}-{number}.jpg",
                "sha256": sha256,
                "format": "jpg",
                "style_code": style_code,
                "verdict": "kept",
                "cluster": sha256,
                "detector": "0001",
                "crop_sha256": hashlib.sha256(crop).hexdigest(),
            }
        )
    write_table(store, keys.curated_images(night, 0), pl.DataFrame(rows, schema=schemas.IMAGES), schemas.IMAGES)
    return [str(row["sha256"]) for row in rows]


def bags(code: str, first: int, count: int = EACH) -> list[tuple[str, bytes]]:
    return [
        (code, draw_bag(COLOURS[code], 1000 * list(COLOURS).index(code) + number))
        for number in range(first, first + count)
    ]


def objects(store: Store, night: dt.date) -> dict[str, bytes]:
    return {name: store.get(keys.outliers(night, name)) for name in (WEIGHTS, SCORES, MODEL)}


def test_a_night_is_judged_by_a_process_of_its_own_and_only_once(store: Store, settings: Settings) -> None:
    shown = keep(store, FIRST, [*bags(RED, 0), *bags(GREEN, 0), (RED, draw_bag(COLOURS[GREEN], 77))])
    result = find_outliers(store, settings, FIRST)
    assert (result.images, result.judged, result.products, result.reused) == (2 * EACH + 1, 2 * EACH + 1, 2, False)
    scores = read_outliers(store, FIRST)
    assert scores is not None
    oddest = scores.filter((pl.col("style_code") == RED) & (pl.col("rank") == 1))
    assert oddest["sha256"].to_list() == [shown[-1]], "a green bag among red ones"
    assert scores.filter(is_odd(settings.outliers))["sha256"].to_list().count(shown[-1]) == 1
    model = read_model(store, FIRST)
    assert model is not None
    assert model.weights_sha256 == hashlib.sha256(objects(store, FIRST)[WEIGHTS]).hexdigest()
    before = objects(store, FIRST)
    assert find_outliers(store, settings, FIRST).reused
    assert objects(store, FIRST) == before


def test_the_next_night_goes_on_from_the_weights_and_sees_the_pictures_of_both(store: Store, quick: Settings) -> None:
    keep(store, FIRST, [*bags(RED, 0), *bags(GREEN, 0)])
    find_outliers(store, quick, FIRST)
    keep(store, SECOND, bags(RED, 50, 3))
    assert find_outliers(store, quick, SECOND).images == 2 * EACH + 3
    model = read_model(store, SECOND)
    assert model is not None
    assert model.start == FIRST
    first, second = objects(store, FIRST), objects(store, SECOND)
    assert find_outliers(store, quick, FIRST).reused, "later pictures are nothing to an earlier night"
    find_outliers(store, quick, SECOND, again=True)
    assert objects(store, SECOND) == second, "the same pictures and weights give the same objects"

    unchanged = quick.outliers.model_copy(update={"steps": 0})
    find_outliers(store, quick.model_copy(update={"outliers": unchanged}), SECOND)
    assert objects(store, SECOND)[WEIGHTS] == first[WEIGHTS], "without a step the earlier night's weights are left"


def test_a_night_whose_weights_were_collected_is_not_judged_again_and_none_goes_on_from_it(
    store: Store, quick: Settings
) -> None:
    keep(store, FIRST, [*bags(RED, 0), *bags(GREEN, 0)])
    find_outliers(store, quick, FIRST)
    keep(store, SECOND, bags(RED, 50, 3))
    find_outliers(store, quick, SECOND)
    store.delete(keys.outliers(FIRST, WEIGHTS))

    assert find_outliers(store, quick, SECOND).reused, "its key still names the weights that it went on from"
    assert not find_outliers(store, quick, SECOND, again=True).reused
    model = read_model(store, SECOND)
    assert model is not None
    assert model.start is None
    assert find_outliers(store, quick, SECOND).reused


def test_weights_that_were_tampered_with_are_not_carried_on(
    store: Store, quick: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(store, FIRST, [*bags(RED, 0), *bags(GREEN, 0)])
    find_outliers(store, quick, FIRST)
    ref = keys.outliers(FIRST, WEIGHTS)
    store.put(ref, store.get(ref)[:-4] + b"evil")
    keep(store, SECOND, bags(RED, 50, 3))
    find_outliers(store, quick, SECOND)
    model = read_model(store, SECOND)
    assert model is not None
    assert model.start is None
    assert "begins anew" in capsys.readouterr().out


def test_a_crop_that_is_gone_is_left_out_and_one_that_was_changed_is_named(store: Store, quick: Settings) -> None:
    shown = keep(store, FIRST, [*bags(RED, 0), *bags(GREEN, 0)])
    store.delete(keys.crop("0001", shown[0]))
    assert find_outliers(store, quick, FIRST).judged == 2 * EACH - 1
    buffer = io.BytesIO()
    Image.new("RGB", (60, 60)).save(buffer, "JPEG")
    store.put(keys.crop("0001", shown[1]), buffer.getvalue())
    with pytest.raises(CorruptObject, match=shown[1]):
        find_outliers(store, quick, FIRST, again=True)


def test_a_product_with_few_pictures_is_not_judged_and_a_night_without_others_says_why(
    store: Store, settings: Settings
) -> None:
    keep(store, FIRST, bags(RED, 0, 9))
    result = find_outliers(store, settings, FIRST)
    assert (result.images, result.judged, result.odd) == (9, 0, 0)
    assert "no product has 10 kept pictures" in result.note
    assert not store.exists(keys.outliers(FIRST, WEIGHTS))
    scores = read_outliers(store, FIRST)
    assert scores is not None
    assert scores.is_empty()
    assert find_outliers(store, settings, FIRST).reused


def test_nothing_is_looked_at_where_outliers_are_switched_off(store: Store, settings: Settings) -> None:
    keep(store, FIRST, bags(RED, 0))
    off = settings.model_copy(update={"outliers": settings.outliers.model_copy(update={"enabled": False})})
    assert find_outliers(store, off, FIRST).uri == ""
    assert read_outliers(store, FIRST) is None


def test_what_people_decided_and_what_was_taken_down_counts(store: Store, settings: Settings) -> None:
    shown = keep(store, FIRST, bags(RED, 0, 5))
    for number, (verdict, product) in enumerate(
        ((Verdict.REFUSE, None), (Verdict.RELABEL, GREEN), (Verdict.KEEP, None))
    ):
        decide(store, parse_id(f"outlier:{shown[number]}"), verdict, product, "ana", AT, "seen")
    write_tombstone(store, Tombstone("image", shown[3], Tombstones(images=frozenset({shown[3]})), "asked to", "a", AT))
    rows = read_rows(store, settings.outliers, FIRST)
    found = {sha256: (code, decided) for sha256, code, decided in rows.select("sha256", "style_code", "decided").rows()}
    assert found == {shown[1]: (GREEN, True), shown[2]: (RED, True), shown[4]: (RED, False)}


def test_of_too_many_pictures_every_products_newest_are_looked_at(store: Store, settings: Settings) -> None:
    keep(store, FIRST, bags(RED, 0, 6))
    newest = keep(store, SECOND, [*bags(RED, 50, 2), *bags(GREEN, 0, 2)])
    few = settings.outliers.model_copy(update={"max_images": 4})
    assert sorted(read_rows(store, few, SECOND)["sha256"]) == sorted(newest)
    assert read_rows(store, few, FIRST)["night"].unique().to_list() == [FIRST]
