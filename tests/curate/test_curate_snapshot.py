"""Snapshots over nights in a real store: content, determinism, stickiness, refusals."""

from __future__ import annotations

import datetime as dt
import io
import itertools
import re
import tarfile

import polars as pl
import pytest
from curate_frames import Shop, all_digests, curate_uncropped, digest, jpeg, photo, small, write_images
from PIL import Image

from lvbag import schemas
from lvbag.curate import CurateError, build_snapshot, mark_exact, mark_near, newest_snapshot
from lvbag.settings import Settings
from lvbag.store import Bucket, CorruptObject, Store, keys
from lvbag.store.tables import read_table

FIRST, SECOND, THIRD = dt.date(2026, 11, 23), dt.date(2026, 11, 24), dt.date(2026, 11, 25)
PRODUCTS = ("M40156", "M41108")


def market(store: Store, settings: Settings, night: dt.date, seeds: range) -> tuple[int, ...]:
    """A night with a new listing of two photos for each seed, the products in turn."""
    shop = Shop(store, night)
    for seed in seeds:
        pictures = [jpeg(photo(1000 + 2 * seed + n)) for n in range(2)]
        shop.listing(f"l{seed}", pictures, style_code=PRODUCTS[seed % 2])
    shop.close()
    return curate_uncropped(store, settings, night)


def manifest(store: Store, snapshot: str) -> pl.DataFrame:
    return read_table(store, keys.snapshot(snapshot, "manifest.parquet"), schemas.MANIFEST)


def test_a_snapshot_holds_every_kept_image_once_and_a_listing_stays_together(store: Store, settings: Settings) -> None:
    chosen = small(settings)
    parts = market(store, chosen, FIRST, range(16))
    result = build_snapshot(store, chosen, FIRST, parts)
    table = manifest(store, result.snapshot)
    assert (result.changed, result.products, result.images) == (True, 2, 32)
    assert (result.train + result.val + result.test, result.test > 0, result.val > 0) == (32, True, True)
    assert result.snapshot.startswith("2026-11-23-")
    assert table["sha256"].is_sorted()
    assert table.group_by("listing_id").agg(pl.col("split").n_unique())["split"].max() == 1
    assert dict(table.select("style_code", "label").unique().sort("label").iter_rows()) == {"M40156": 0, "M41108": 1}
    assert newest_snapshot(store) == result.snapshot
    names = {item.ref.key.split("/", 1)[1] for item in store.list_objects(Bucket.DATASETS, result.snapshot)}
    assert names == {
        *("manifest.parquet", "splits.parquet", "stats.json", "card.md", "preview.jpg"),
        *(f"shards/{number:05d}.tar" for number in range(4)),
    }


def test_shards_hold_the_crops_of_the_manifest_in_its_order(store: Store, settings: Settings) -> None:
    chosen = small(settings)
    result = build_snapshot(store, chosen, FIRST, market(store, chosen, FIRST, range(16)))
    table = manifest(store, result.snapshot)
    for (number,), rows in table.group_by("shard", maintain_order=True):
        data = store.get(keys.snapshot_shard(result.snapshot, int(str(number))))
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            members = tar.getmembers()
            assert [member.name for member in members[::2]] == [f"{sha256}.jpg" for sha256 in rows["sha256"]]
            assert {(member.mtime, member.uid, member.gid, member.uname) for member in members} == {(0, 0, 0, "")}
            for member, (style_code, crop) in zip(
                members[::2], rows.select("style_code", "crop_sha256").iter_rows(), strict=True
            ):
                assert digest(tar.extractfile(member).read()) == crop  # type: ignore[union-attr]
                label = tar.extractfile(member.name.replace(".jpg", ".cls"))
                assert label is not None
                assert label.read().decode() == style_code


def test_building_again_leaves_the_same_objects_and_the_same_answer(store: Store, settings: Settings) -> None:
    chosen = small(settings)
    parts = market(store, chosen, FIRST, range(16))
    first = build_snapshot(store, chosen, FIRST, parts)
    before = all_digests(store)
    again = build_snapshot(store, chosen, FIRST, parts)
    assert again == first, "a night that is tried again announces its snapshot again"
    assert all_digests(store) == before
    store.delete(keys.snapshot(first.snapshot, "manifest.parquet"))  # as if it had been stopped before the commit mark
    assert build_snapshot(store, chosen, FIRST, parts).changed
    assert all_digests(store) == before


def test_a_night_without_anything_new_points_to_the_snapshot_that_stands(store: Store, settings: Settings) -> None:
    chosen = small(settings)
    first = build_snapshot(store, chosen, FIRST, market(store, chosen, FIRST, range(16)))
    second = build_snapshot(store, chosen, SECOND, market(store, chosen, SECOND, range(16)))
    assert (second.snapshot, second.changed, second.night) == (first.snapshot, False, SECOND)
    assert store.get_json(keys.snapshot_of_night(SECOND)) == {"snapshot": first.snapshot}


def test_what_was_placed_once_stays_while_nights_grow_and_replay_in_any_order(store: Store, settings: Settings) -> None:
    chosen = small(settings)
    tables, parts = [], {}
    for night, seeds in ((FIRST, range(14)), (SECOND, range(24)), (THIRD, range(40))):
        parts[night] = market(store, chosen, night, seeds)
        tables.append(manifest(store, build_snapshot(store, chosen, night, parts[night]).snapshot))
    for earlier, later in itertools.pairwise(tables):
        both = earlier.join(later, on="sha256", suffix="_later")
        assert both.height == earlier.height < later.height
        assert (both["split"] == both["split_later"]).all()
        assert (both["group"] == both["group_later"]).all()
    before = all_digests(store)
    for night in (SECOND, FIRST, THIRD):
        curate_uncropped(store, chosen, night)
        assert build_snapshot(store, chosen, night, parts[night]).changed
    assert all_digests(store) == before


def unchanged_night(store: Store, settings: Settings, night: dt.date) -> tuple[int, ...]:
    shop = Shop(store, night)
    shop.listing("l0", [jpeg(photo(2000))], style_code="M40156", verdict="unchanged")
    shop.close()
    return curate_uncropped(store, settings, night)


def test_a_product_that_leaves_and_returns_finds_its_test_images_in_test(store: Store, settings: Settings) -> None:
    chosen = small(settings)
    shop = Shop(store, FIRST)
    for seed in range(24):
        pictures = [jpeg(photo(2000 + 2 * seed + n)) for n in range(2)]
        product = ("M40156", "M41108", "M51130")[seed % 3 if seed < 18 else seed % 2]
        shop.listing(f"l{seed}", pictures, style_code=product)
    shop.close()
    first = build_snapshot(store, chosen, FIRST, curate_uncropped(store, chosen, FIRST))
    strict = chosen.model_copy(update={"curate": chosen.curate.model_copy(update={"min_images": 16})})
    without = build_snapshot(store, strict, SECOND, unchanged_night(store, strict, SECOND))
    back = build_snapshot(store, chosen, THIRD, unchanged_night(store, chosen, THIRD))
    assert (first.products, without.products, back.products) == (3, 2, 3)
    assert manifest(store, back.snapshot).equals(manifest(store, first.snapshot))


def test_near_duplicates_of_nights_that_were_curated_side_by_side_share_a_split(
    store: Store, settings: Settings
) -> None:
    chosen = small(settings)
    for night, quality in ((FIRST, 92), (SECOND, 60)):  # neither night sees the other: both are marked before cleaning
        shop = Shop(store, night)
        for seed in range(20):
            pictures = [jpeg(photo(3000 + seed), quality)]
            shop.listing(f"{night}-{seed}", pictures, style_code=PRODUCTS[seed % 2])
        shop.close()
    for step in (mark_exact, mark_near):
        for night in (FIRST, SECOND):
            step(store, chosen, night)
    for night in (FIRST, SECOND):
        write_images(store, night, read_table(store, keys.stage(night, "near"), schemas.STAGE_NEAR))
    first = manifest(store, build_snapshot(store, chosen, FIRST, (0,)).snapshot)
    both = manifest(store, build_snapshot(store, chosen, SECOND, (0,)).snapshot)
    assert (first.height, both.height) == (20, 40)
    seeds = both.with_columns(pl.col("listing_id").str.split("-").list.last().alias("seed"))
    assert seeds.group_by("seed").agg(pl.col("split").n_unique(), pl.col("group").n_unique()).select(
        pl.col("split").max(), pl.col("group").max()
    ).row(0) == (1, 1)
    assert set(both["split"]) == {"train", "val", "test"}


def test_too_few_products_make_no_snapshot_and_the_setting_is_named(store: Store, settings: Settings) -> None:
    parts = market(store, small(settings), FIRST, range(4))
    result = build_snapshot(store, settings, FIRST, parts)
    assert (result.snapshot, result.changed) == (None, False)
    assert re.search(r"at least 30 kept images \(curate.min_images\), 2 are needed.*M40156 4", result.note)
    assert newest_snapshot(store) is None


def test_a_snapshot_that_stands_is_not_given_up_for_none(store: Store, settings: Settings) -> None:
    chosen = small(settings)
    first = build_snapshot(store, chosen, FIRST, market(store, chosen, FIRST, range(16)))
    parts = market(store, chosen, SECOND, range(18))
    with pytest.raises(CurateError, match=f"snapshot {first.snapshot} stands, but now only 0 product"):
        build_snapshot(store, settings, SECOND, parts)
    assert newest_snapshot(store) == first.snapshot


def test_a_part_that_was_not_cleaned_is_an_error(store: Store, settings: Settings) -> None:
    chosen = small(settings)
    market(store, chosen, FIRST, range(16))
    with pytest.raises(CurateError, match=r"part-0001.parquet does not exist; clean this part again"):
        build_snapshot(store, chosen, FIRST, (0, 1))


def test_a_crop_that_was_changed_stops_the_snapshot(store: Store, settings: Settings) -> None:
    chosen = small(settings)
    parts = market(store, chosen, FIRST, range(16))
    crop = next(item.ref for item in store.list_objects(Bucket.CURATED, "crops/"))
    store.put(crop, b"something else")
    with pytest.raises(CorruptObject, match="is not the crop that was recorded"):
        build_snapshot(store, chosen, FIRST, parts)
    assert newest_snapshot(store) is None


def test_card_stats_and_preview_say_what_is_inside(store: Store, settings: Settings) -> None:
    chosen = small(settings)
    result = build_snapshot(store, chosen, FIRST, market(store, chosen, FIRST, range(16)))
    stats = store.get_json(keys.snapshot(result.snapshot, "stats.json"))
    assert stats["splits"] == {"train": result.train, "val": result.val, "test": result.test}
    assert [product["style_code"] for product in stats["products"]] == list(PRODUCTS)
    assert (stats["detectors"], stats["nights"]) == (["none"], {"2026-11-23": 32})
    card = store.get(keys.snapshot(result.snapshot, "card.md")).decode()
    assert f"# Snapshot {result.snapshot}" in card
    assert "images passed uncropped" in card
    with Image.open(io.BytesIO(store.get(keys.snapshot(result.snapshot, "preview.jpg")))) as preview:
        assert preview.size == (110 + 8 * 96, 2 * 96)
