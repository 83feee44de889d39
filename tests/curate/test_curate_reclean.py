"""Re-cleaning against a real store: colour detectors judge coloured pictures, one of them otherwise than the other."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curate.curate_frames import small
from curate.test_curate_clean_again import put_night
from detector_files import publish_colour_detector
from lvbag import schemas
from lvbag.curate import (
    CurateError,
    ReportResult,
    SnapshotResult,
    begin_recleaning,
    clean_part,
    mark_crops,
    plan_recleaning,
    reclean_all,
    reclean_part,
    report_night,
)
from lvbag.curate.reclean import as_cleaned
from lvbag.settings import Settings
from lvbag.store import Bucket, Store, keys
from lvbag.store.tables import read_table

NIGHT = dt.date(2026, 11, 23)
NEXT = NIGHT + dt.timedelta(days=1)
CLEAR, NARROW, REFUSED, NOTHING = (250, 0, 0), (95, 0, 0), (80, 0, 40), (0, 0, 9)
"""Confidence 0.98, 0.37, 0.31 and none at all, where 0.35 is the border."""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LVBAG_HOME", str(tmp_path / "home"))


def clean(store: Store, settings: Settings, night: dt.date, detector: str) -> None:
    clean_part(store, settings, night, 0, detector)
    mark_crops(store, settings, night, (0,))


def images(store: Store, night: dt.date) -> list[dict[str, Any]]:
    return read_table(store, keys.curated_images(night, 0), schemas.IMAGES).to_dicts()


def said(store: Store, night: dt.date = NIGHT) -> list[tuple[str, str]]:
    return [(row["detector"], row["verdict"]) for row in images(store, night)]


def objects(store: Store) -> dict[str, str]:
    return {
        str(item.ref): hashlib.sha256(store.get(item.ref)).hexdigest()
        for bucket in (Bucket.CURATED, Bucket.DATASETS, Bucket.REPORTS)
        for item in store.list_objects(bucket)
    }


@pytest.fixture
def versions(store: Store, settings: Settings, tmp_path: Path) -> tuple[str, str]:
    """Two nights that version 0001 cleaned; 0002, the champion now, takes half of red for its confidence."""
    first = keys.version_name(publish_colour_detector(store, tmp_path / "first"))
    put_night(store, [CLEAR, NARROW, REFUSED, NOTHING])
    clean(store, settings, NIGHT, first)
    put_night(store, [(240, 0, 90), (30, 0, 0)], NEXT)
    clean(store, settings, NEXT, first)
    second = keys.version_name(publish_colour_detector(store, tmp_path / "second", strength=1.5))
    return first, second


def test_only_what_was_narrow_is_judged_and_cut_by_the_new_champion(
    store: Store, settings: Settings, versions: tuple[str, str]
) -> None:
    first, second = versions
    before = images(store, NIGHT)
    assert [row["verdict"] for row in before] == ["kept", "kept", "refused", "refused"]
    assert [(row["nearest_rule"], round(row["rule_margin"], 2)) for row in before] == [
        ("no_bag", 1.0), ("no_bag", 0.06), ("no_bag", -0.1), ("no_bag", -1.0),
    ]  # fmt: skip

    plan = plan_recleaning(store, settings)
    assert [(job.night, job.detector, job.pictures) for job in plan.jobs] == [(NIGHT, second, 2), (NEXT, second, 0)]
    results = list(reclean_all(store, settings))

    assert said(store) == [(first, "kept"), (second, "kept"), (second, "kept"), (first, "refused")]
    assert images(store, NIGHT)[0] == before[0], "a clear decision keeps its row"
    assert [store.exists(keys.crop(row["detector"], row["sha256"])) for row in images(store, NIGHT)] == [True] * 3 + [
        False
    ]
    assert said(store, NEXT) == [(first, "kept"), (first, "refused")]
    assert [type(result) for result in results[-3:]] == [SnapshotResult, ReportResult, ReportResult]
    funnel = results[-2].funnel  # type: ignore[union-attr]
    assert (funnel["refused by cleaning: no_bag"], funnel["images kept"]) == (1, 3)


def test_a_night_that_is_done_is_left_alone_and_all_judges_the_rest(
    store: Store, settings: Settings, versions: tuple[str, str]
) -> None:
    _, second = versions
    list(reclean_all(store, settings))
    done = objects(store)
    assert plan_recleaning(store, settings).jobs == ()
    assert list(reclean_all(store, settings)) == []
    assert objects(store) == done

    list(reclean_all(store, settings, everything=True))
    assert {detector for detector, _ in said(store) + said(store, NEXT)} == {second}
    assert plan_recleaning(store, settings, everything=True).jobs == ()
    assert not store.exists(keys.recleaning())


def test_the_margin_and_the_nights_say_what_is_judged(
    store: Store, settings: Settings, versions: tuple[str, str]
) -> None:
    def pictures(margin: float, *nights: dt.date) -> int:
        detector = settings.detector.model_copy(update={"reclean_margin": margin})
        return plan_recleaning(store, settings.model_copy(update={"detector": detector}), nights).pictures

    assert [pictures(margin) for margin in (0.0, 0.07, 0.15, 0.7)] == [0, 1, 2, 3]
    assert pictures(0.7, NEXT) == 1
    with pytest.raises(CurateError, match="2026-11-29 was never curated"):
        pictures(0.7, dt.date(2026, 11, 29))


def test_a_killed_run_is_completed_though_its_first_night_is_done(
    store: Store, settings: Settings, versions: tuple[str, str]
) -> None:
    undisturbed = objects(store)
    list(reclean_all(store, settings))
    wanted = objects(store)
    assert wanted != undisturbed
    for ref in [item.ref for bucket in (Bucket.CURATED, Bucket.REPORTS) for item in store.list_objects(bucket)]:
        if str(ref) not in undisturbed:
            store.delete(ref)
    # the first night as it was: cleaned by the first version
    clean(store, settings, NIGHT, versions[0])
    clean(store, settings, NEXT, versions[0])

    plan = plan_recleaning(store, settings)
    begin_recleaning(store, plan)
    reclean_part(store, settings, plan.jobs[0])
    mark_crops(store, settings, NIGHT, (0,))  # and here it dies

    assert [(job.night, job.pictures) for job in plan_recleaning(store, settings).jobs] == [(NIGHT, 0), (NEXT, 0)]
    list(reclean_all(store, settings))
    assert objects(store) == wanted


def test_later_nights_are_compared_again_with_what_is_kept_now(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    first = keys.version_name(publish_colour_detector(store, tmp_path / "first"))
    for night, red in ((NIGHT, 89), (NEXT, 90)):  # nearly the same; one is below the working point
        put_night(store, [(red, 0, 0)], night)
        clean(store, settings, night, first)
    assert said(store) + said(store, NEXT) == [(first, "refused"), (first, "kept")]
    second = keys.version_name(publish_colour_detector(store, tmp_path / "second", strength=1.5))

    list(reclean_all(store, settings, [NIGHT]))
    assert said(store) + said(store, NEXT) == [(second, "kept"), (first, "refused")]
    assert images(store, NEXT)[0]["reason"].startswith("duplicate_crop")


def test_what_passed_uncropped_is_judged_by_the_first_champion(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    put_night(store, [CLEAR, NOTHING])
    clean(store, settings, NIGHT, "none")
    with pytest.raises(CurateError, match="no detector is in use"):
        plan_recleaning(store, settings)
    version = keys.version_name(publish_colour_detector(store, tmp_path / "first"))
    list(reclean_all(store, settings))
    assert said(store) == [(version, "kept"), (version, "refused")]


def test_cleanings_own_table_comes_back_from_the_nights_images(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    """Also where garbage collection took it: copies among crops are refused in the images, and were kept before."""
    version = keys.version_name(publish_colour_detector(store, tmp_path / "first"))
    put_night(store, [CLEAR, (251, 0, 0), NOTHING])
    clean(store, small(settings), NIGHT, version)
    table = read_table(store, keys.curated_images(NIGHT, 0), schemas.IMAGES)
    assert [reason and reason.split(":")[0] for reason in table["reason"]] == [None, "duplicate_crop", "no_bag"]
    assert as_cleaned(table).equals(read_table(store, keys.cleaned(NIGHT, 0), schemas.CLEANED))


def test_a_picture_whose_bytes_are_gone_keeps_its_old_decision(
    store: Store, settings: Settings, versions: tuple[str, str]
) -> None:
    narrow = images(store, NIGHT)[1]
    store.delete(keys.raw_image(narrow["sha256"], "png"))
    list(reclean_all(store, settings))
    assert images(store, NIGHT)[1] == narrow


def test_a_row_of_an_earlier_release_that_says_no_margin_is_judged_again(
    store: Store, settings: Settings, versions: tuple[str, str]
) -> None:
    from lvbag.store.tables import write_table

    ref = keys.curated_images(NIGHT, 0)
    table = read_table(store, ref, schemas.IMAGES).with_columns(pl.lit(None, pl.Float64).alias("rule_margin"))
    write_table(store, ref, table, schemas.IMAGES)
    assert plan_recleaning(store, settings).pictures == 4


def test_the_report_of_a_night_whose_early_tables_were_collected_does_not_call_it_unfinished(
    store: Store, settings: Settings, versions: tuple[str, str]
) -> None:
    report_night(store, settings, NIGHT)
    page = store.get(keys.night_report(NIGHT)).decode()
    assert "Not done" not in page
    assert "counted under validation" in page
