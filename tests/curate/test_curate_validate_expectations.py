"""Each expectation has a case that fails it, and no other that is not named beside it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from validate_frames import NIGHT, fetch, listing, picture, sha

from lvbag import schemas
from lvbag.curate.validation.drift import FLOORS, Drift
from lvbag.curate.validation.expectations import expectations
from lvbag.curate.validation.expected import SUITES, Check, Expected, Failure
from lvbag.curate.validation.gx_run import run_suites
from lvbag.curate.validation.marking import mark, notes, quarantines, refusals
from lvbag.curate.validation.statistics import MEASURES, SourceStatistics
from lvbag.curate.validation.validation_tables import batch_table, validation_tables
from lvbag.settings import CurateSettings, Settings

LISTINGS: dict[str, dict[str, Any]] = {
    "listing_title": {"title": None},
    "listing_url_known": {"url": None},
    "listing_url": {"url": "ftp://shop.test/1"},
    "one_listing_one_product": {"style_code": "M41109", "listing_id": "l0"},
    "listing_price": {"price": 10_000_001.0},
    "listing_currency": {"currency": "EURO"},
}
FETCHES: dict[str, dict[str, Any]] = {
    "fetch_status": {"http_status": 206},
    "fetch_bytes": {"bytes": 0},
    "fetch_format": {"format": None},
    "fetch_digest_known": {"sha256": None},
    "fetch_digest": {"sha256": "F" * 64},
    "fetch_address": {"image_url": "data:image/png;base64,AAAA"},
    "fetch_position": {"position": -1},
    "fetch_time": {"fetched_at": dt.datetime(2026, 11, 27, tzinfo=dt.UTC)},
    "fetch_once": {"listing_id": "l0", "sha256": sha("other")},
}
IMAGES: dict[str, dict[str, Any]] = {
    "image_digest": {"sha256": "no digest"},
    "image_once": {"sha256": sha(0)},
    "image_side": {"width": 95, "height": 95},
    "image_aspect": {"width": 2000, "height": 490},
    "image_contrast": {"contrast": 0.009},
    "image_entropy": {"entropy": 0.29},
    "image_brightness": {"brightness": 0.019},
    "image_blur": {"blur": 3.9},
    "image_product": {"style_code": "M99999"},
    "images_dark": {"brightness": 0.19},
    "images_bright": {"brightness": 0.98},
    "images_blurry": {"blur": 79.0},
    "images_plain": {"entropy": 0.9},
    "images_aspect": {"width": 780, "height": 300},
    "images_size": {"width": 9000, "height": 6000},
    "images_grey": {"chroma": 0.5},
}
BATCHES: dict[str, tuple[SourceStatistics, Drift]] = {
    "source_present": (SourceStatistics(), Drift()),
    "source_understood": (SourceStatistics(listings=1, pages_read=19, pages_not_understood=21), Drift()),
    "source_kept": (SourceStatistics(listings=1, rows=100, kept=1), Drift()),
    "source_fetches": (SourceStatistics(listings=1, fetches=100, failed_fetches=51), Drift()),
    "same_picture": (SourceStatistics(listings=1, new_pictures=100, same_picture=81), Drift()),
    "volume_listings": (SourceStatistics(listings=1), Drift(listings_ratio=5.1)),
    "volume_pictures": (SourceStatistics(listings=1), Drift(pictures_ratio=0.19)),
    "prices_noted": (SourceStatistics(listings=1), Drift(price_loss=0.11)),
    "prices_missing": (SourceStatistics(listings=1), Drift(price_loss=0.41)),
    "product_mix_noted": (SourceStatistics(listings=1), Drift(product_shift=0.16)),
    "product_mix": (SourceStatistics(listings=1), Drift(product_shift=0.41)),
    "class_mix_noted": (SourceStatistics(listings=1), Drift(class_shift=0.16)),
    "class_mix": (SourceStatistics(listings=1), Drift(class_shift=0.41)),
    "same_picture_rise": (SourceStatistics(listings=1), Drift(same_rise=0.31)),
    **{f"drift_{name}": (SourceStatistics(listings=1), Drift(measures={name: 4.1}, jumps=0)) for name in FLOORS},
    "quality_jump": (SourceStatistics(listings=1), Drift(jumps=3)),
}
ALSO = {
    "image_aspect": {"images_aspect"},
    "image_entropy": {"images_plain"},
    "image_brightness": {"images_dark"},
    "image_blur": {"images_blurry"},
    "prices_missing": {"prices_noted"},
    "product_mix": {"product_mix_noted"},
    "class_mix": {"class_mix_noted"},
}
"""What is surely broken is noted as well."""
TOGETHER = {"fetch_once": {0}, "image_once": {0}}
"""Two rows make these; the first one is sound by itself."""


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, list[int]]]:
    """One run over tables in which a sound row is followed by one row (or source) a case: what fails where."""
    curate = CurateSettings(note_share=0.0)
    near = [picture(0), *(picture(n, **change) for n, change in enumerate(IMAGES.values(), 1))]
    listings = [listing(0), *(listing(n, **change) for n, change in enumerate(LISTINGS.values(), 1))]
    fetches = [fetch(0), *(fetch(n, **change) for n, change in enumerate(FETCHES.values(), 1))]
    cases = {"sound": (SourceStatistics(listings=40, pages_read=40), Drift(jumps=2)), **BATCHES}
    batches = batch_table(
        {name: one for name, (one, _) in cases.items()}, {name: d for name, (_, d) in cases.items()}, 30
    )
    tables = validation_tables(
        NIGHT,
        pl.DataFrame(listings, schema=schemas.LISTINGS),
        pl.DataFrame(fetches, schema=schemas.FETCHES),
        pl.DataFrame(near, schema=schemas.STAGE_NEAR),
        batches,
    )
    declared = [  # greyness is noted when most are grey; here one is
        one if one.name != "images_grey" else Expected(one.suite, one.name, _strict(one.check), one.severity, one.why)
        for one in expectations(Settings(curate=curate), ["M41108"])
    ]
    found: dict[str, dict[str, list[int]]] = {suite: {} for suite in SUITES}
    for failure in run_suites(tmp_path_factory.mktemp("gx"), NIGHT, tables, declared):
        found[failure.expected.suite][failure.expected.name] = list(failure.rows)
    return found


def _strict(check: Check) -> Check:
    return Check(check.column, check.kind, {name: value for name, value in check.bounds.items() if name != "mostly"})


@pytest.mark.parametrize(
    ("suite", "cases"), [("listings", LISTINGS), ("fetches", FETCHES), ("images", IMAGES), ("night", BATCHES)]
)
def test_every_expectation_fails_for_its_case_and_for_no_other(
    suite: str, cases: dict[str, Any], failed: dict[str, dict[str, list[int]]]
) -> None:
    wanted = {name: {row} | TOGETHER.get(name, set()) for row, name in enumerate(cases, 1)}
    if suite == "listings":
        wanted["one_listing_one_product"].add(0)
    for name, others in ALSO.items():
        for other in others & wanted.keys():
            wanted[other] |= wanted[name] - {0}
    assert {name: set(rows) for name, rows in failed[suite].items()} == wanted


def test_every_declared_expectation_has_a_case_a_name_of_its_own_and_a_real_check() -> None:
    import great_expectations.expectations as gxe

    declared = expectations(Settings(), ["M41108"])
    assert [one.name for one in declared] == [*LISTINGS, *FETCHES, *IMAGES, *BATCHES]
    assert all(len(one.why) > 20 and hasattr(gxe, one.check.kind) for one in declared)
    assert list(FLOORS) == list(MEASURES)


def test_notes_of_pictures_wait_until_they_are_more_than_a_few(tmp_path: Path) -> None:
    def noted(dark: int, grey: int) -> set[str]:
        pictures = [picture(n, brightness=0.1 if n < dark else 0.6, chroma=0.5 if n < grey else 9.0) for n in range(40)]
        empty = {name: schema.to_frame() for name, schema in (("l", schemas.LISTINGS), ("f", schemas.FETCHES))}
        near = pl.DataFrame(pictures, schema=schemas.STAGE_NEAR)
        tables = validation_tables(NIGHT, empty["l"], empty["f"], near, batch_table({}, {}, 30))
        folder = tmp_path / f"{dark}-{grey}"
        folder.mkdir()
        return {one.expected.name for one in run_suites(folder, NIGHT, tables, expectations(Settings(), ["M41108"]))}

    assert noted(2, 20) == set()
    assert noted(3, 21) == {"images_dark", "images_grey"}


def declared(name: str) -> Expected:
    return next(one for one in expectations(Settings(), ["M41108"]) if one.name == name)


def small_tables() -> Any:
    near = pl.DataFrame(
        [picture(0), picture(1), picture(2, source="other", listing_id="l0")], schema=schemas.STAGE_NEAR
    )
    listings = pl.DataFrame([listing(0), listing(1), listing(0, source="other")], schema=schemas.LISTINGS)
    fetches = pl.DataFrame([fetch(0), fetch(1, position=5), fetch(0, sha256=sha("other"))], schema=schemas.FETCHES)
    sources = {"other": SourceStatistics(listings=1), "shop": SourceStatistics(listings=2)}
    batches = batch_table(sources, {"other": Drift(), "shop": Drift(jumps=5)}, 30)
    return near, validation_tables(NIGHT, listings, fetches, near, batches)


@pytest.mark.parametrize(
    ("name", "row", "refused", "aside", "noted"),
    [
        ("listing_title", 0, {0: "Louis Vuitton Speedy 30 M41108"}, {}, ()),
        ("fetch_status", 0, {0: "200"}, {}, ()),
        ("fetch_status", 1, {}, {}, ()),  # another position of the listing
        ("fetch_status", 2, {}, {}, ()),  # other bytes at the place
        ("image_side", 2, {2: "600"}, {}, ()),
        ("image_digest", 2, {}, {"other": f"image_digest: {sha(2)}"}, ()),
        ("quality_jump", 1, {}, {"shop": "quality_jump: 5"}, ()),
        ("source_present", 0, {}, {}, ("source_present: other: 1",)),
        ("fetch_time", 1, {}, {}, ("fetch_time: 1 of 3 rows",)),
        ("images_dark", 1, {}, {}, ("images_dark: 1 of 3 rows",)),
    ],
)
def test_severity_decides_what_a_failure_does(
    name: str, row: int, refused: dict[int, str], aside: dict[str, str], noted: tuple[str, ...]
) -> None:
    near, tables = small_tables()
    failures = [Failure(declared(name), (row,), "")]

    reasons = refusals(tables, failures)
    quarantined = quarantines(tables, failures, reasons, CurateSettings())

    assert reasons == {sha(number): f"expectation: {name}: {seen}" for number, seen in refused.items()}
    assert (quarantined, notes(tables, failures)) == (aside, noted)
    after = {row["sha256"]: row["reason"] for row in mark(near, reasons, quarantined).iter_rows(named=True)}
    for digest, source in near.select("sha256", "source").iter_rows():
        wanted = f"quarantined: {aside[source]}" if source in aside else reasons.get(digest)
        assert after[digest] == wanted


def test_the_first_failure_in_the_order_of_the_declarations_is_the_reason() -> None:
    _, tables = small_tables()
    failures = [Failure(declared(name), (0,), "") for name in ("listing_title", "image_side")]
    assert refusals(tables, failures)[sha(0)].startswith("expectation: listing_title")
    broken = [Failure(declared(name), (1,), "") for name in ("image_digest", "quality_jump")]
    assert quarantines(tables, broken, {}, CurateSettings()) == {"shop": f"image_digest: {sha(1)}"}
