"""Snapshots over nights in a real store: content, determinism, stickiness, refusals."""

from __future__ import annotations

import datetime as dt
import io
import itertools
import re
import tarfile
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from curate_frames import (
    PRODUCTS,
    Shop,
    all_digests,
    curate_uncropped,
    digest,
    jpeg,
    manifest,
    market,
    photo,
    small,
    write_images,
)
from PIL import Image

from lvbag import schemas
from lvbag.curate import (
    CurateError,
    build_snapshot,
    mark_exact,
    mark_near,
    newest_snapshot,
    publish_snapshot,
    write_snapshot,
)
from lvbag.curate.snapshots import snapshot as snapshot_module
from lvbag.curate.snapshots.diff import diff_snapshots
from lvbag.curate.snapshots.draft import Draft, snapshot_id
from lvbag.curate.snapshots.places import read_splits
from lvbag.curate.snapshots.stats import read_stats
from lvbag.curate.snapshots.straddle import check_snapshot
from lvbag.settings import CrawlSettings, Settings
from lvbag.source_settings import EbayHtmlSettings
from lvbag.store import Bucket, CorruptObject, Ref, Store, keys
from lvbag.store.tables import read_table
from lvbag.tombstones import seller_key, tombstone_ref

FIRST, SECOND, THIRD = dt.date(2026, 11, 23), dt.date(2026, 11, 24), dt.date(2026, 11, 25)


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


def test_of_near_duplicates_of_nights_curated_side_by_side_one_stands(store: Store, settings: Settings) -> None:
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
    first = build_snapshot(store, chosen, FIRST, (0,))
    second = build_snapshot(store, chosen, SECOND, (0,))
    assert (first.images, second.snapshot, second.changed) == (20, first.snapshot, False)


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


def test_a_snapshot_that_leaks_is_never_seen(store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the code that splits were wrong: the first listing's pictures end in two splits."""
    chosen = small(settings)
    parts = market(store, chosen, FIRST, range(16))
    with monkeypatch.context() as patched:
        put_elsewhere(patched, "sha256", None)
        with pytest.raises(CurateError, match="Nothing may be trained on it"):
            build_snapshot(store, chosen, FIRST, parts)
    assert newest_snapshot(store) is None
    assert build_snapshot(store, chosen, FIRST, parts).snapshot == newest_snapshot(store)


def test_a_snapshot_that_moves_a_picture_is_never_seen_and_the_next_does_not_follow_it(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the code that splits were wrong: a whole group goes elsewhere on the second night."""
    chosen = small(settings)
    first = build_snapshot(store, chosen, FIRST, market(store, chosen, FIRST, range(16)))
    parts = market(store, chosen, SECOND, range(24))
    group = manifest(store, str(first.snapshot))["group"][0]
    with monkeypatch.context() as patched:
        put_elsewhere(patched, "group", group)
        with pytest.raises(CurateError, match=f"in another split than in snapshot {first.snapshot}"):
            build_snapshot(store, chosen, SECOND, parts)
    assert newest_snapshot(store) == first.snapshot
    second = build_snapshot(store, chosen, SECOND, parts)
    both = manifest(store, str(first.snapshot)).join(manifest(store, str(second.snapshot)), on="sha256", suffix="_now")
    assert (both["split"] == both["split_now"]).all()


def put_elsewhere(patched: pytest.MonkeyPatch, what: str, which: str | None) -> None:
    """Let drafts put this group, or the first picture, where it does not belong."""
    real = snapshot_module.draft_snapshot

    def torn(draft: Draft) -> Draft:
        table = draft.manifest
        chosen = which or table[what][0]
        moved = "train" if table.filter(pl.col(what) == chosen)["split"][0] == "test" else "test"
        table = table.with_columns(
            pl.when(pl.col(what) == chosen).then(pl.lit(moved)).otherwise("split").alias("split")
        )
        homes = {
            sha256: replace(home, split=moved) if getattr(home, what) == chosen else home
            for sha256, home in draft.homes.items()
        }
        return replace(draft, name=snapshot_id(table), manifest=table, homes=homes)

    patched.setattr(snapshot_module, "draft_snapshot", lambda *given: torn(real(*given)))


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
    assert "None stood before this one" in card
    assert "NOT STATED: the settings name no source shop any more" in card
    with Image.open(io.BytesIO(store.get(keys.snapshot(result.snapshot, "preview.jpg")))) as preview:
        assert preview.size == (120 + 10 * 96 + 3 * 14, 64 + 2 * 96 + 14)


def test_the_card_lists_what_each_sources_owner_allowed(store: Store, settings: Settings) -> None:
    sources = {
        "shop": {"search_url": "https://shop.test/?q={query}", "licence": "ours to train on | by contract <b>"},
        "ebay": {"kind": "ebay_html", "permission": EbayHtmlSettings.SENTENCE},
        "unused": {"search_url": "https://other.test/?q={query}", "licence": "nothing of it is here"},
    }
    chosen = small(settings)
    crawl = CrawlSettings.model_validate({"sources": sources})
    chosen = chosen.model_copy(update={"crawl": crawl})
    shop = Shop(store, FIRST)
    for seed in range(16):
        source = "ebay" if seed % 4 == 0 else "shop"
        shop.listing(f"l{seed}", [jpeg(photo(1000 + seed))], style_code=PRODUCTS[seed % 2], source=source)
    shop.close()
    result = build_snapshot(store, chosen, FIRST, curate_uncropped(store, chosen, FIRST))
    card = store.get(keys.snapshot(str(result.snapshot), "card.md")).decode()
    assert "| shop | 12 | ours to train on \\| by contract \\<b\\> |" in card
    assert "| ebay | 4 | NOT STATED: set crawl.sources.ebay.licence to what the owner allowed |" in card
    assert f"ebay (ebay\\_html) is crawled because this was confirmed: \u201c{EbayHtmlSettings.SENTENCE}\u201d" in card
    assert "nothing of it is here" not in card
    notes = read_stats(store, str(result.snapshot)).licences
    assert [(note.source, note.images) for note in notes] == [("ebay", 4), ("shop", 12)]


def test_statistics_of_an_earlier_release_are_still_read(store: Store) -> None:
    old = {
        "snapshot": "2026-11-01-0123456789ab",
        "images": 1,
        "products": [],
        "splits": {"train": 1, "val": 0, "test": 0},
        "groups": 1,
        "nights": {"2026-11-01": 1},
        "sources": {"shop": 1},
        "detectors": ["none"],
        "refused": {},
        "group_conflicts": 0,
    }
    store.put_json(keys.snapshot("2026-11-01-0123456789ab", "stats.json"), old)
    stats = read_stats(store, "2026-11-01-0123456789ab")
    assert (stats.images, stats.licences, stats.drift) == (1, (), None)
    store.put_json(keys.snapshot("2026-11-01-0123456789ab", "stats.json"), {**old, "images": "many"})
    with pytest.raises(CorruptObject, match=r"stats\.json does not fit: images: "):
        read_stats(store, "2026-11-01-0123456789ab")


def test_drift_against_the_night_before_stands_in_card_and_statistics(store: Store, settings: Settings) -> None:
    chosen = small(settings)
    first = build_snapshot(store, chosen, FIRST, market(store, chosen, FIRST, range(16)))
    second = build_snapshot(store, chosen, SECOND, market(store, chosen, SECOND, range(24)))
    drift = read_stats(store, str(second.snapshot)).drift
    assert drift is not None
    assert (drift.before, sum(change.added for change in drift.changes)) == (first.snapshot, 16)
    assert "no image moved to another split" in store.get(keys.snapshot(str(second.snapshot), "card.md")).decode()


def test_a_sellers_listings_stay_in_one_split_over_the_nights(store: Store, settings: Settings) -> None:
    chosen = small(settings)
    tables = []
    for night, count in ((FIRST, 24), (SECOND, 48)):
        shop = Shop(store, night)
        for seed in range(count):
            seller = "Shop" if seed % 3 == 0 else f"Private {seed % 8}"
            shop.listing(f"l{seed}", [jpeg(photo(5000 + seed))], style_code=PRODUCTS[seed % 2], seller=seller)
        shop.close()
        chosen = chosen.model_copy(
            update={"curate": chosen.curate.model_copy(update={"max_seller_listings": 6, "min_images": 5})}
        )
        result = build_snapshot(store, chosen, night, curate_uncropped(store, chosen, night))
        tables.append(manifest(store, str(result.snapshot)))
    stats = read_stats(store, str(result.snapshot))
    assert (stats.sellers, stats.shops, stats.torn_sellers) == (9, 1, 0)
    private = tables[1].filter(pl.col("seller_key") != seller_key("shop", "Shop"))
    assert private.group_by("seller_key").agg(pl.col("split").n_unique())["split"].max() == 1
    theirs = tables[1].filter(seller_key=seller_key("shop", "Shop"))
    assert theirs["group"].n_unique() == theirs.height
    places = read_table(store, keys.snapshot(str(result.snapshot), "splits.parquet"), schemas.SPLITS)
    assert places["seller_key"].null_count() == 0


def test_a_better_copy_takes_the_place_of_the_one_it_is_a_copy_of(store: Store, settings: Settings) -> None:
    chosen = small(settings)
    first = build_snapshot(store, chosen, FIRST, market(store, chosen, FIRST, range(16)))
    before = manifest(store, str(first.snapshot))
    shop = Shop(store, SECOND)
    old = before.filter(split="test").row(0, named=True)
    seed = next(n for n in range(1000, 1032) if digest(jpeg(photo(n))) == old["sha256"])
    large = np.asarray(photo(seed, (640, 480)), dtype=np.int16)
    grain = np.random.default_rng(1).integers(-12, 12, large.shape, dtype=np.int16)
    sharper = Image.fromarray((large + grain).clip(0, 255).astype(np.uint8))
    (better,) = shop.listing("copy", [jpeg(sharper)], style_code=old["style_code"])
    shop.close()
    second = build_snapshot(store, chosen, SECOND, curate_uncropped(store, chosen, SECOND))
    after = manifest(store, str(second.snapshot))
    assert before.height == after.height
    assert old["sha256"] not in set(after["sha256"])
    now = after.filter(sha256=better).row(0, named=True)
    assert (now["split"], now["group"], now["cluster"]) == ("test", old["group"], old["cluster"])
    places = read_table(store, keys.snapshot(str(second.snapshot), "splits.parquet"), schemas.SPLITS)
    assert {old["sha256"], better} <= set(places["sha256"])
    stats = read_stats(store, str(second.snapshot))
    assert stats.replaced == 1
    assert stats.drift is not None
    assert {c.split: (c.added, c.removed, c.replaced) for c in stats.drift.changes}["test"] == (1, 1, 1)


def test_what_was_taken_down_enters_no_snapshot_and_is_counted(store: Store, settings: Settings) -> None:
    chosen = small(settings)
    first = build_snapshot(store, chosen, FIRST, market(store, chosen, FIRST, range(16)))
    gone = manifest(store, str(first.snapshot)).filter(split="test").row(0, named=True)
    store.put_json(tombstone_ref("image", gone["sha256"]), {"kind": "image", "key": gone["sha256"]})
    store.put_json(
        tombstone_ref("listing", "shop\nl3"), {"kind": "listing", "source": "shop", "listing_id": "l3", "key": "l3"}
    )
    second = build_snapshot(store, chosen, SECOND, market(store, chosen, SECOND, range(16)))
    after = manifest(store, str(second.snapshot))
    assert second.changed
    assert gone["sha256"] not in set(after["sha256"])
    assert "l3" not in set(after["listing_id"])
    assert read_stats(store, str(second.snapshot)).taken_down == 32 - after.height


def test_places_of_a_night_that_was_curated_late_are_kept_as_well(store: Store, settings: Settings) -> None:
    chosen = small(settings)
    build_snapshot(store, chosen, SECOND, market(store, chosen, SECOND, range(16)))
    late = build_snapshot(store, chosen, FIRST, market(store, chosen, FIRST, range(20, 44)))
    third = build_snapshot(store, chosen, THIRD, market(store, chosen, THIRD, range(46)))
    placed = manifest(store, str(late.snapshot)).join(manifest(store, str(third.snapshot)), on="sha256", suffix="_now")
    assert placed.height == 48
    assert (placed["split"] == placed["split_now"]).all()
    assert check_snapshot(store, chosen, str(third.snapshot)).images == third.images
    assert store.get_json(keys.newest_places()) == {"snapshot": third.snapshot}


def test_two_builds_at_a_time_cannot_give_two_places(store: Store, settings: Settings) -> None:
    chosen = small(settings)
    parts = market(store, chosen, SECOND, range(16))
    second = write_snapshot(store, chosen, SECOND, parts)
    late = market(store, chosen, FIRST, range(20, 44))
    first = write_snapshot(store, chosen, FIRST, late)
    publish_snapshot(store, chosen, second)
    with pytest.raises(CurateError, match="another snapshot was built at the same time"):
        publish_snapshot(store, chosen, first)
    assert newest_snapshot(store) == second.snapshot
    assert store.get_json(keys.newest_places()) == {"snapshot": second.snapshot}
    first = build_snapshot(store, chosen, FIRST, late)
    assert store.get_json(keys.newest_places()) == {"snapshot": first.snapshot}
    assert newest_snapshot(store) == second.snapshot
    assert read_splits(store, str(first.snapshot)).height == first.images + second.images


def test_two_tasks_that_announce_the_same_snapshot_agree(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = small(settings)
    result = write_snapshot(store, chosen, FIRST, market(store, chosen, FIRST, range(16)))
    swap = store.compare_and_swap

    def twice(ref: Ref, data: bytes, etag: str | None) -> str:
        swap(ref, data, etag)
        return swap(ref, data, etag)

    monkeypatch.setattr(store, "compare_and_swap", twice)
    publish_snapshot(store, chosen, result)
    assert newest_snapshot(store) == result.snapshot


def test_without_the_places_that_were_given_nothing_is_built(store: Store, settings: Settings) -> None:
    chosen = small(settings)
    first = build_snapshot(store, chosen, FIRST, market(store, chosen, FIRST, range(16)))
    parts = market(store, chosen, SECOND, range(20))
    store.delete(keys.snapshot(str(first.snapshot), "splits.parquet"))
    with pytest.raises(CurateError, match=r"splits\.parquet does not exist; without it test pictures"):
        build_snapshot(store, chosen, SECOND, parts)
    store.put(keys.newest_places(), b"nonsense")
    with pytest.raises(CorruptObject, match=r"newest-places.json names no snapshot"):
        build_snapshot(store, chosen, SECOND, parts)


def test_two_snapshots_are_told_apart(store: Store, settings: Settings) -> None:
    chosen = small(settings)
    first = build_snapshot(store, chosen, FIRST, market(store, chosen, FIRST, range(16)))
    second = build_snapshot(store, chosen, SECOND, market(store, chosen, SECOND, range(24)))
    found = diff_snapshots(store, str(first.snapshot), str(second.snapshot))
    assert (found.images, len(found.added), found.removed, found.moved, found.relabelled) == ((32, 48), 16, (), (), ())
    assert found.splits == {s: (getattr(first, s), getattr(second, s)) for s in ("train", "val", "test")}
    back = diff_snapshots(store, str(second.snapshot), str(first.snapshot))
    assert (back.added, back.removed) == ((), found.added)
    with pytest.raises(CurateError, match="there is no snapshot nothing; `lvbag dataset list`"):
        diff_snapshots(store, "nothing", str(first.snapshot))
