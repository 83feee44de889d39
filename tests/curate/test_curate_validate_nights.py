"""Validation between the steps around it, on real pictures: after the comparison of a night, before the next one."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from pathlib import Path

import polars as pl
import pytest
from curate_frames import Shop, digest, jpeg, photo, small, write_images
from validate_frames import picture

from lvbag import schemas
from lvbag.curate import mark_exact, mark_near, validate_night
from lvbag.curate.validation.expectations import expectations
from lvbag.curate.validation.gx_run import run_suites
from lvbag.curate.validation.validation_tables import batch_table, validation_tables
from lvbag.images import look
from lvbag.settings import ImageSettings, Settings
from lvbag.store import Store, keys
from lvbag.store.tables import read_table
from shared_data import SHARED_DATA

NIGHT = dt.date(2026, 11, 23)


def test_a_source_that_serves_a_placeholder_is_set_aside_beside_a_sound_one_and_its_pictures_may_come_again(
    store: Store, settings: Settings
) -> None:
    settings = small(settings)
    placeholder = jpeg(photo(1000))
    shop = Shop(store, NIGHT)
    for number in range(32):
        own = jpeg(photo(number)) if number < 2 else placeholder
        shop.listing(f"b{number}", [own], source="broken", shard="broken.000")
        shop.listing(f"s{number}", [jpeg(photo(100 + number))], source="sound", shard="sound.000")
    shop.listing("twin", [jpeg(photo(0))], source="sound", shard="sound.000")
    shop.close()
    mark_exact(store, settings, NIGHT)
    mark_near(store, settings, NIGHT)

    result = validate_night(store, settings, NIGHT)

    assert result.quarantined == {"broken": "same_picture: 0.9375"}
    table = read_table(store, keys.stage(NIGHT, "validate"), schemas.STAGE_VALIDATE)
    kept = table.filter(pl.col("verdict") == "kept")
    assert set(kept["source"]) == {"sound"} and kept.height == result.kept == 32
    assert read_table(store, keys.quarantine(NIGHT, "broken", "fetches"), schemas.FETCHES).height == 32
    write_images(store, NIGHT, table)

    after = NIGHT + dt.timedelta(days=1)
    shop = Shop(store, after)
    shop.listing("b0", [jpeg(photo(0))], source="broken", shard="broken.000")
    shop.listing("s0", [jpeg(photo(100))], source="sound", shard="sound.000")
    shop.close()
    mark_exact(store, settings, after)
    exact = read_table(store, keys.stage(after, "exact"), schemas.STAGE_EXACT)
    reasons = dict(exact.select("sha256", "reason").iter_rows())
    assert reasons[digest(jpeg(photo(0)))] is None
    assert reasons[digest(jpeg(photo(100)))] == f"known: since {NIGHT}"


PHOTOS = SHARED_DATA / "photos"


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the shared photographs are not here")
def test_sound_photographs_hold_every_expectation_of_pictures(tmp_path: Path) -> None:
    files = sorted(path for path in PHOTOS.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp"))
    looks = [look(file.read_bytes(), ImageSettings(min_side_px=1)) for file in files[::12]]
    rows = [
        picture(seen.sha256, sha256=seen.sha256, width=seen.width, height=seen.height, **asdict(seen.quality))
        for seen in looks
        if min(seen.width, seen.height) >= ImageSettings().min_side_px
    ]
    near = pl.DataFrame(rows, schema=schemas.STAGE_NEAR).unique("sha256")
    nothing = schemas.LISTINGS.to_frame(), schemas.FETCHES.to_frame()
    tables = validation_tables(NIGHT, *nothing, near, batch_table({}, {}, 30))
    assert near.height > 100
    assert run_suites(tmp_path, NIGHT, tables, expectations(Settings(), ["M41108"])) == []
