"""After an upgrade of the fingerprints old pictures are looked at again, so that no old photo comes in twice."""

from __future__ import annotations

import datetime as dt

import polars as pl
from curate_frames import Shop, all_digests, curate_uncropped, jpeg, photo, small, write_images

from lvbag import schemas
from lvbag.curate import mark_crops, mark_exact, mark_near
from lvbag.images.fingerprints import VERSION
from lvbag.settings import Settings
from lvbag.store import Store, keys
from lvbag.store.tables import read_table, write_table

FIRST, SECOND = dt.date(2026, 11, 23), dt.date(2026, 11, 24)


def an_old_night(store: Store, settings: Settings) -> list[str]:
    """A night whose fingerprints are of an earlier version: other bits, and columns that did not exist yet."""
    shop = Shop(store, FIRST)
    names = shop.listing("a", [jpeg(photo(seed, (320, 240))) for seed in (1, 2)])
    shop.close()
    curate_uncropped(store, small(settings), FIRST)
    ref = keys.curated_images(FIRST, 0)
    table = read_table(store, ref, schemas.IMAGES)
    older = table.with_columns(
        pl.lit("1").alias("fingerprint"),
        pl.lit(7, pl.UInt64).alias("phash64"),
        pl.lit(bytes(32)).alias("phash256"),
        *(pl.lit(None, schemas.IMAGES[name]).alias(name) for name in ("flip64", "crop_phash64", "crop_cluster")),
    )
    write_table(store, ref, older, schemas.IMAGES)
    return names


def test_a_copy_of_a_picture_with_an_old_fingerprint_is_still_found(store: Store, settings: Settings) -> None:
    first, _ = an_old_night(store, settings)
    shop = Shop(store, SECOND)
    (copy,) = shop.listing("b", [jpeg(photo(1, (320, 240)), 70)])
    shop.close()
    mark_exact(store, small(settings), SECOND)
    assert mark_near(store, small(settings), SECOND).refused == {"duplicate_near": 1}
    row = read_table(store, keys.stage(SECOND, "near"), schemas.STAGE_NEAR).row(0, named=True)
    assert (row["sha256"], row["representative"]) == (copy, first)
    before = all_digests(store)
    assert store.exists(keys.refreshed(VERSION, FIRST))
    store.delete(keys.raw_image(first, "jpg"))  # it was looked at: nobody needs to look again
    mark_near(store, small(settings), SECOND)
    assert all_digests(store) == before


def test_a_picture_that_cannot_be_looked_at_again_does_not_keep_the_others_from_it(
    store: Store, settings: Settings
) -> None:
    first, second = an_old_night(store, settings)
    store.delete(keys.raw_image(first, "jpg"))
    shop = Shop(store, SECOND)
    shop.listing("b", [jpeg(photo(1, (320, 240)), 70), jpeg(photo(2, (320, 240)), 70)])
    shop.close()
    mark_exact(store, small(settings), SECOND)
    mark_near(store, small(settings), SECOND)
    rows = read_table(store, keys.stage(SECOND, "near"), schemas.STAGE_NEAR)
    assert rows["verdict"].to_list() == ["kept", "refused"]
    assert rows["representative"][1] == second


def test_crops_of_an_older_version_are_looked_at_again_as_well(store: Store, settings: Settings) -> None:
    an_old_night(store, settings)
    shop = Shop(store, SECOND)
    shop.listing("b", [jpeg(photo(1, (320, 240)), 70)])
    shop.close()
    mark_exact(store, small(settings), SECOND)
    mark_near(store, small(settings), SECOND)
    near = read_table(store, keys.stage(SECOND, "near"), schemas.STAGE_NEAR)
    taken = near.with_columns(pl.lit("kept").alias("verdict"), pl.lit(None, pl.String).alias("reason"))
    write_images(store, SECOND, taken)
    table = read_table(store, keys.curated_images(SECOND, 0), schemas.IMAGES)
    write_table(store, keys.cleaned(SECOND, 0), table.select(list(schemas.CLEANED)), schemas.CLEANED)
    assert mark_crops(store, small(settings), SECOND, (0,)).refused == {"duplicate_crop": 1}
    assert store.exists(keys.refreshed(f"{VERSION}-crops", FIRST))
