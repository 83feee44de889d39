"""Whole nights: plan, crawl, close, against a real shop and a real store."""

from __future__ import annotations

import datetime as dt
import io
import subprocess
import sys
import time
import zlib
from collections.abc import Callable

import crawl_shop
import polars as pl
import pytest
import zstandard
from PIL import Image

from lvbag import schemas
from lvbag.catalog import Catalog
from lvbag.crawl import (
    CrawlError,
    NightPlan,
    NightResult,
    ShardResult,
    close_night,
    crawl_shard,
    plan_by_hand,
    plan_night,
)
from lvbag.crawl.fetching.leases import lease_ref
from lvbag.crawl.sources.schema_org import SchemaOrgSource
from lvbag.settings import Settings
from lvbag.store import Bucket, Ref, Store, keys
from lvbag.store.tables import read_table, read_tables

NIGHT = dt.date(2026, 11, 23)
NEXT = dt.date(2026, 11, 24)


def crawl(
    store: Store, settings: Settings, catalog: Catalog, night: dt.date = NIGHT
) -> tuple[NightPlan, list[ShardResult], NightResult]:
    plan = plan_night(store, settings, catalog, night)
    shards = [crawl_shard(store, settings, catalog, night, shard) for shard in plan.shards]
    return plan, shards, close_night(store, settings, night)


def listings(store: Store, night: dt.date = NIGHT) -> pl.DataFrame:
    refs = [item.ref for item in store.list_objects(Bucket.RAW, keys.listings_prefix(night))]
    return read_tables(store, refs, schemas.LISTINGS)


def fetches(store: Store, night: dt.date = NIGHT) -> pl.DataFrame:
    refs = [item.ref for item in store.list_objects(Bucket.RAW, keys.fetches_prefix(night))]
    return read_tables(store, refs, schemas.FETCHES)


def digests(store: Store) -> dict[str, str]:
    return {item.ref.key: item.etag for item in store.list_objects(Bucket.RAW)}


def fill(shop, count: int = 3) -> None:
    """The usual listings, the last found by its alias as well."""
    crawl_shop.fill(shop, count)
    shop.queries["speedy 30 monogram"] = [f"/item/{count - 1}"]


def test_a_night_stores_listings_pictures_and_a_manifest(shop, store, night_settings, catalog) -> None:
    fill(shop)
    plan, shards, night = crawl(store, night_settings, catalog)
    assert plan.shards == ("market.000", "market.001")
    assert shards[0] == ShardResult("market.000", False, 3, 6, 0, 0, 0)
    assert (shards[1].listings, shards[1].refused) == (0, 0), "an empty search is no failure"
    assert (night.listings, night.images_new, night.images_unchanged, night.refused) == (3, 6, 0, 0)
    assert night.changed
    assert shop.paths().count("/item/2") == 1, "found by two queries, fetched once"
    assert "/about" not in shop.paths()
    rows = listings(store)
    assert rows["title"].to_list() == [f"Louis Vuitton Speedy 30 Monogram no {n}" for n in range(3)]
    assert rows["style_code"].to_list() == ["M41108"] * 3
    assert rows["price"].to_list() == [500.0, 501.0, 502.0]
    assert rows["listing_id"].to_list() == ["S0", "S1", "S2"]
    for row in fetches(store).iter_rows(named=True):
        assert row["format"] == "jpg", "the name says png"
        assert store.exists(keys.raw_image(row["sha256"], "jpg"))
    manifest = store.get_json(keys.night_manifest(NIGHT))
    assert manifest["listings"] == 3
    assert len(manifest["tables"]) == 7
    assert manifest["missing_shards"] == []


def test_the_second_night_of_an_unchanged_market_downloads_no_picture(shop, store, night_settings, catalog) -> None:
    fill(shop)
    crawl(store, night_settings, catalog)
    objects = {key for key in digests(store) if key.startswith("images/")}
    shop.hits.clear()
    _, shards, night = crawl(store, night_settings, catalog, NEXT)
    asked = [hit for hit in shop.hits if hit.path.startswith(("/img", "/item"))]
    assert len(asked) == 9
    assert {hit.status for hit in asked} == {304}
    assert (shards[0].kept, shards[0].unchanged, shards[0].listings) == (0, 6, 3)
    assert (night.changed, night.images_new, night.images_unchanged) == (False, 0, 6)
    assert {key for key in digests(store) if key.startswith("images/")} == objects
    old, new = listings(store), listings(store, NEXT)
    assert new["changed"].to_list() == [False] * 3
    same = ["listing_id", "url", "title", "price", "image_urls", "style_code", "verdict"]
    assert new.select(same).equals(old.select(same))
    seen = read_table(store, keys.seen(NEXT, "market"), schemas.SEEN)
    assert seen["night"].unique().to_list() == [NIGHT]
    third = dt.date(2026, 11, 25)
    assert not crawl(store, night_settings, catalog, third)[2].changed, "the third night still knows"


def test_what_is_new_on_the_second_night_is_all_that_is_downloaded(shop, store, night_settings, catalog) -> None:
    fill(shop, 3)
    crawl(store, night_settings, catalog)
    shop.picture("/img/0-0.png", 99)
    fill_again = shop.picture("/img/new.jpg", 77)
    shop.item("/item/new", "M41108", name="Speedy 30 Monogram", sku="N", image=fill_again)
    _, _, night = crawl(store, night_settings, catalog, NEXT)
    assert (night.changed, night.images_new, night.images_unchanged, night.listings) == (True, 2, 5, 4)


def test_pages_and_pictures_without_validators_are_recognised_by_content(shop, store, night_settings, catalog) -> None:
    shop.picture("/img/a.jpg", 1, etag=False)
    shop.item("/item/a", "M41108", name="Speedy 30 Monogram", image="/img/a.jpg")
    shop.pages["/item/a"].etag = False
    crawl(store, night_settings, catalog)
    _, shards, night = crawl(store, night_settings, catalog, NEXT)
    assert (shards[0].kept, shards[0].unchanged, night.changed) == (0, 1, False)


def test_a_picture_that_left_the_store_is_fetched_again(shop, store, night_settings, catalog) -> None:
    fill(shop, 1)
    crawl(store, night_settings, catalog)
    row = fetches(store).row(0, named=True)
    store.delete(keys.raw_image(row["sha256"], "jpg"))
    crawl(store, night_settings, catalog, NEXT)
    assert store.exists(keys.raw_image(row["sha256"], "jpg"))


def test_running_every_step_again_leaves_the_same_objects_and_asks_nothing(
    shop, store, night_settings, catalog
) -> None:
    fill(shop)
    first = crawl(store, night_settings, catalog)
    before = digests(store)
    shop.hits.clear()
    plan, shards, night = crawl(store, night_settings, catalog)
    assert digests(store) == before
    assert shop.hits == []
    assert (plan, night) == (first[0], first[2])
    assert all(shard.reused for shard in shards)
    assert [shard.kept for shard in shards] == [shard.kept for shard in first[1]]
    again = crawl_shard(store, night_settings, catalog, NIGHT, "market.000", again=True)
    assert (again.reused, again.kept) == (False, 6)
    assert len(shop.hits) > 9


def test_a_shard_that_died_before_its_fetch_table_is_crawled_whole(shop, store, night_settings, catalog) -> None:
    fill(shop)
    crawl(store, night_settings, catalog)
    store.delete(keys.fetches(NIGHT, "market", "market.000"))
    assert crawl_shard(store, night_settings, catalog, NIGHT, "market.000").kept == 6


def bomb(side: int) -> bytes:
    """A PNG of side x side pixels in a few kilobytes."""
    buffer = io.BytesIO()
    Image.new("1", (8, 8)).save(buffer, "PNG")
    small = buffer.getvalue()
    header = b"IHDR" + side.to_bytes(4, "big") * 2 + b"\x01\x00\x00\x00\x00"
    start = small[:8] + (13).to_bytes(4, "big") + header + zlib.crc32(header).to_bytes(4, "big")
    return start + small[8 + 25 :]


def test_bad_pages_and_pictures_are_recorded_and_harm_nothing_else(shop, store, night_settings, catalog) -> None:
    fill(shop, 1)
    limits = night_settings.images.model_copy(update={"max_pixels": 39_000_000})
    settings = night_settings.model_copy(update={"images": limits})
    pages = {
        "/img/page.jpg": shop.Reply(b"<!doctype html><html><body>This bag is in our new shop.</body></html>"),
        "/img/words.jpg": shop.Reply(b"just some words, no picture at all " * 10, content_type="image/jpeg"),
        "/img/bomb.png": shop.Reply(bomb(6400), content_type="image/png"),
        "/img/endless.jpg": shop.Reply(endless=True, content_type="image/jpeg"),
        "/img/inward.jpg": shop.Reply(status=302, headers={"Location": "http://169.254.169.254/latest"}),
        "/img/port.jpg": shop.Reply(status=302, headers={"Location": "http://127.0.0.1:9/x.jpg"}),
        "/img/optout.jpg": shop.Reply(shop.pages["/img/0-0.png"].body, headers={"X-Robots-Tag": "noai"}),
        "/item/broken": shop.Reply(
            b'<html><script type="application/ld+json">{"@type": "Product", oops</script></html>'
        ),
        "/item/pdf": shop.Reply(b"%PDF-1.7 \x00\x00", content_type="application/pdf"),
        "/item/empty": shop.Reply(b"<!doctype html><html><body>sold</body></html>"),
    }
    shop.pages |= pages
    images = [*(path for path in pages if path.startswith("/img")), "/img/none.jpg", "/img/0-0.png"]
    shop.item("/item/full", "M42226", name="Louis Vuitton Petit Noe Monogram", image=images)
    shop.queries["M42226"] += ["/item/broken", "/item/pdf", "/item/empty", "/item/gone"]
    _, shards, night = crawl(store, settings, catalog)
    assert (shards[1].listings, shards[1].kept, shards[1].refused) == (5, 1, 12)
    reasons = dict(fetches(store).filter(pl.col("shard") == "market.001").select("image_url", "reason").iter_rows())
    expected = {
        "/img/page.jpg": "not_an_image",
        "/img/words.jpg": "not_an_image",
        "/img/bomb.png": "too_many_pixels",
        "/img/endless.jpg": "too_large: more than",
        "/img/inward.jpg": "address: 169.254.169.254:80",
        "/img/port.jpg": "address: 127.0.0.1:9",
        "/img/optout.jpg": "opt_out: noai",
        "/img/none.jpg": "http_status: 404",
    }
    for path, reason in expected.items():
        assert reasons[shop.url + path].startswith(reason), path
    assert reasons[f"{shop.url}/img/0-0.png"] is None
    pages_refused = listings(store).filter(pl.col("verdict") == "refused")
    by_path = {row["url"].removeprefix(shop.url): row["reason"] for row in pages_refused.iter_rows(named=True)}
    assert by_path["/item/broken"].startswith("not_understood: json_ld_invalid: ")
    assert by_path["/item/pdf"] == "not_understood: not_html: content type application/pdf"
    assert by_path["/item/empty"] == "not_understood: no_product"
    assert by_path["/item/gone"] == "http_status: 404"
    kept = [item.ref for item in store.list_objects(Bucket.RAW, "pages/")]
    assert len(kept) == 3
    assert pages["/item/empty"].body in [zstandard.ZstdDecompressor().decompress(store.get(ref)) for ref in kept]
    manifest = store.get_json(keys.night_manifest(NIGHT))
    assert manifest["refused"]["not_an_image"] == 2
    assert sum(manifest["refused"].values()) == night.refused == 12
    shop.hits.clear()
    _, shards, night = crawl(store, settings, catalog, NEXT)
    assert (night.changed, night.refused, shards[1].refused) == (False, 12, 12)
    assert [path for path in shop.paths(200) if path.startswith("/img")] == ["/img/endless.jpg"], (
        "refused without a body"
    )
    again = fetches(store, NEXT).filter(pl.col("shard") == "market.001")
    assert dict(again.select("image_url", "reason").iter_rows()) == reasons


def test_the_same_picture_twice_is_asked_for_once_and_the_same_listing_twice_is_one(
    shop, store, night_settings, catalog
) -> None:
    image = shop.picture("/img/a.jpg", 1)
    shop.item("/item/a", "M41108", name="Speedy 30 Monogram", sku="S1", image=[image, image, "/img/gone.jpg"])
    shop.item("/item/b", "M41108", name="Speedy 30 Monogram", sku="S2", image=[image, "/img/gone.jpg"])
    shop.item("/item/a?ref=mail", "M41108", name="Speedy 30 Monogram", sku="S1", image=[image])
    shop.item("/item/c", "M41108", name="Petit Noé Monogram", sku="m41108", image=[])
    _, shards, _ = crawl(store, night_settings, catalog)
    assert (shards[0].kept, shards[0].duplicate, shards[0].refused) == (1, 1, 3)
    assert shop.paths().count("/img/a.jpg") == shop.paths().count("/img/gone.jpg") == 1
    assert fetches(store).filter(pl.col("verdict") == "duplicate_url")["sha256"].null_count() == 0
    rows = {row["url"].removeprefix(shop.url): row for row in listings(store).iter_rows(named=True)}
    assert rows["/item/a?ref=mail"]["reason"].startswith("duplicate_listing: S1")
    assert rows["/item/c"]["style_code"] == "M42226", "the title counts, not the query"
    assert rows["/item/c"]["listing_id"] not in ("m41108", "M41108"), "a style code is no listing's identifier"
    assert listings(store).select("source", "listing_id").is_duplicated().sum() == 0


def test_a_listing_that_two_shards_find_is_asked_for_once_a_night(shop, store, night_settings, catalog) -> None:
    fill(shop)
    shop.queries["m40156"] = ["/item/0"]  # the search for another product shows it, too
    _, shards, _ = crawl(store, night_settings, catalog)
    assert [(shard.listings, shard.kept) for shard in shards] == [(3, 6), (0, 0)]
    assert (shop.paths().count("/item/0"), shop.paths().count("/img/0-0.png")) == (1, 1)
    before = digests(store)
    _, again, _ = crawl(store, night_settings, catalog)
    assert all(shard.reused for shard in again)
    assert digests(store) == before


def test_a_spent_budget_is_recorded_in_the_rows(shop, store, night_settings, catalog) -> None:
    fill(shop)
    short = night_settings.crawl.model_copy(update={"max_requests": 12})  # six a shard
    settings = night_settings.model_copy(update={"crawl": short})
    plan, shards, night = crawl(store, settings, catalog)
    assert plan.requests == 12
    assert len([hit for hit in shop.hits]) <= 12
    assert shards[0].kept < 6
    assert store.get_json(keys.night_manifest(NIGHT))["refused"]["request_budget"] > 0
    assert night.changed


def test_a_shop_that_is_down_fails_the_night_and_a_later_try_heals_it(shop, store, night_settings, catalog) -> None:
    fill(shop)
    shop.robots("User-agent: *\nDisallow: /search")
    with pytest.raises(
        CrawlError,
        match=r"2 of 2 pages of results could not be read, such as http.*/search.* \(robots: disallowed by Disallow",
    ):
        crawl(store, night_settings, catalog)
    assert not store.exists(keys.night_manifest(NIGHT))
    shop.robots("")
    _, shards, _ = crawl(store, night_settings, catalog)
    assert (shards[0].reused, shards[0].kept) == (False, 6)


def test_a_missing_shard_is_named_and_the_rest_of_the_night_counts(shop, store, night_settings, catalog) -> None:
    fill(shop)
    plan_night(store, night_settings, catalog, NIGHT)
    with pytest.raises(CrawlError, match="no shard of night 2026-11-23 is crawled"):
        close_night(store, night_settings, NIGHT)
    crawl_shard(store, night_settings, catalog, NIGHT, "market.000")
    assert close_night(store, night_settings, NIGHT).images_new == 6
    assert store.get_json(keys.night_manifest(NIGHT))["missing_shards"] == ["market.001"]


def test_a_plan_grows_but_never_moves_a_product(shop, store, night_settings, catalog) -> None:
    assert plan_night(store, night_settings, catalog, NIGHT, ["M42226"]).shards == ("market.000",)
    assert plan_night(store, night_settings, catalog, NIGHT).shards == ("market.000", "market.001")
    assert plan_night(store, night_settings, catalog, NIGHT, ["M42226"]).shards == ("market.000",)
    shards = store.get_json(keys.plan(NIGHT))["shards"]
    assert [shard["products"] for shard in shards] == [["M42226"], ["M41108"]]
    assert sum(sum(shard["requests"]) for shard in shards) <= night_settings.crawl.max_requests


def test_what_is_missing_is_named_with_its_remedy(shop, store, night_settings, catalog) -> None:
    with pytest.raises(CrawlError, match="style code 'M00000' is not in the catalog"):
        plan_night(store, night_settings, catalog, NIGHT, ["M00000"])
    with pytest.raises(CrawlError, match="night 2026-11-23 has no plan"):
        crawl_shard(store, night_settings, catalog, NIGHT, "market.000")
    plan_night(store, night_settings, catalog, NIGHT)
    with pytest.raises(CrawlError, match=r"has no shard 'market\.777'"):
        crawl_shard(store, night_settings, catalog, NIGHT, "market.777")
    crawl_settings = night_settings.crawl
    for change, message in (
        ({"loopback_hosts": ()}, "crawl.contact"),
        ({"sources": {}}, "crawl.sources"),
        ({"max_requests": 1}, "crawl.max_requests"),
    ):
        settings = night_settings.model_copy(update={"crawl": crawl_settings.model_copy(update=change)})
        with pytest.raises(CrawlError, match=message):
            plan_night(store, settings, catalog, NEXT)


def test_naming_the_package_imports_nothing_heavy() -> None:
    heavy = "{'polars', 'numpy', 'PIL', 'bs4', 'requests', 'lxml'}"
    code = f"import sys, lvbag.crawl; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


# ------------------------------------------------------------------ crawling again, and being interrupted


class Killed(BaseException):
    """A process that ends here and now."""


def kill_at(store: Store, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """End the crawl in the moment in which it would write this object."""

    def killing(real: Callable[..., object]) -> Callable[..., object]:
        def write(self: Store, ref: Ref, *args: object) -> object:
            if ref.key.startswith(key):
                raise Killed
            return real(self, ref, *args)

        return write

    for name in ("put", "upload"):
        monkeypatch.setattr(Store, name, killing(getattr(Store, name)))


def test_a_kill_between_the_tables_of_a_second_try_loses_nothing(
    shop, store, night_settings, catalog, monkeypatch
) -> None:
    plan_night(store, night_settings, catalog, NIGHT)
    shop.reply = lambda path: shop.Reply(b"", 404)
    with pytest.raises(CrawlError):
        crawl_shard(store, night_settings, catalog, NIGHT, "market.000")  # which leaves tables without a listing
    del shop.reply
    fill(shop)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_at(store, patch, "fetches/")
        crawl_shard(store, night_settings, catalog, NIGHT, "market.000")
    shop.hits.clear()
    result = crawl_shard(store, night_settings, catalog, NIGHT, "market.000")
    assert (result.reused, result.listings, result.kept) == (False, 3, 6)
    assert not any(path.startswith(("/img", "/item")) for path in shop.paths())


def test_a_new_crawl_that_is_killed_does_not_count_as_done_and_goes_on(
    shop, store, night_settings, catalog, monkeypatch
) -> None:
    fill(shop, 2)
    crawl(store, night_settings, catalog)
    fill(shop, 3)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_at(store, patch, "fetches/")
        crawl_shard(store, night_settings, catalog, NIGHT, "market.000", again=True)
    shop.hits.clear()
    result = crawl_shard(store, night_settings, catalog, NIGHT, "market.000")
    assert (result.reused, result.listings) == (False, 3)
    assert shop.paths() == [], "everything stood in the journal"


def test_a_plan_does_not_change_when_the_night_itself_was_curated(shop, store, night_settings, catalog) -> None:
    plan_night(store, night_settings, catalog, NIGHT)
    before = digests(store)
    rows = pl.DataFrame({"sha256": ["a", "b"], "style_code": ["M41108"] * 2, "verdict": ["kept"] * 2})
    buffer = io.BytesIO()
    rows.write_parquet(buffer)
    store.put(keys.curated_images(NIGHT, 0), buffer.getvalue())
    plan_night(store, night_settings, catalog, NIGHT)
    assert digests(store) == before
    plan_night(store, night_settings, catalog, NEXT)
    first = store.get_json(keys.plan(NEXT))["shards"][0]
    assert first["products"] == ["M42226"], "the next night counts them, and begins with the product that has none"


def test_two_plans_at_once_lose_no_shard(shop, store, night_settings, catalog, monkeypatch) -> None:
    real = Store.compare_and_swap
    by_hand: list[str] = []

    def slow(self: Store, ref, *args: object) -> object:
        if ref == keys.plan(NIGHT) and not by_hand:
            by_hand.append("")
            by_hand[0] = plan_by_hand(self, night_settings, catalog, NIGHT, "market", ["M41108"])
        return real(self, ref, *args)

    monkeypatch.setattr(Store, "compare_and_swap", slow)
    plan_night(store, night_settings, catalog, NIGHT)
    names = {shard["name"] for shard in store.get_json(keys.plan(NIGHT))["shards"]}
    assert names == {"market.000", "market.001", by_hand[0]}


def test_a_shard_whose_lease_ran_out_stops_before_it_does_harm(shop, store, night_settings, catalog) -> None:
    fill(shop)
    plan_night(store, night_settings, catalog, NIGHT)
    stolen = []

    def steal(progress: object) -> None:
        if not stolen:
            stolen.append(store.delete(lease_ref(NIGHT, "source market")))
            time.sleep(night_settings.crawl.lease_s)  # it cannot renew what is no longer there

    with pytest.raises(CrawlError, match="the lease of source market ran out"):
        crawl_shard(store, night_settings, catalog, NIGHT, "market.000", on_progress=steal)
    result = crawl_shard(store, night_settings, catalog, NIGHT, "market.000")
    assert (result.listings, result.kept) == (3, 6)


def test_half_a_surrogate_pair_in_a_page_ends_nothing(shop, store, night_settings, catalog) -> None:
    good = shop.picture("/img/a.jpg", 1)
    shop.item("/item/odd", "M41108", name="Speedy 30 Monogram \ud800", sku="\udfff", image=["/img/\ud800.jpg", good])
    _, shards, _ = crawl(store, night_settings, catalog)
    assert (shards[0].listings, shards[0].kept) == (1, 1)


def test_a_page_that_breaks_its_parser_is_kept_and_ends_nothing(
    shop, store, night_settings, catalog, monkeypatch
) -> None:
    fill(shop)
    real = SchemaOrgSource.read_item

    def read_item(self, page):
        return 1 / 0 if page.url.endswith("/item/1") else real(self, page)

    monkeypatch.setattr(SchemaOrgSource, "read_item", read_item)
    _, shards, _ = crawl(store, night_settings, catalog)
    assert (shards[0].listings, shards[0].kept) == (3, 4)
    assert "not_understood: parser_error: ZeroDivisionError" in listings(store)["reason"].to_list()
    assert len(list(store.list_objects(Bucket.RAW, "pages/"))) == 1


def test_a_shard_that_never_ends_still_gives_its_rows_to_the_night(
    shop, store, night_settings, catalog, monkeypatch
) -> None:
    fill(shop)
    plan_night(store, night_settings, catalog, NIGHT)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_at(store, patch, "fetches/")
        crawl_shard(store, night_settings, catalog, NIGHT, "market.000")
    crawl_shard(store, night_settings, catalog, NIGHT, "market.001")
    night = close_night(store, night_settings, NIGHT)
    assert (night.listings, night.images_new) == (3, 6)
    manifest = store.get_json(keys.night_manifest(NIGHT))
    assert manifest["missing_shards"] == ["market.000"]
    assert any("market.000.partial" in key for key in manifest["tables"])
    assert fetches(store)["sha256"].n_unique() == 6
    shop.hits.clear()
    assert crawl_shard(store, night_settings, catalog, NIGHT, "market.000").kept == 6, "it goes on"
    assert shop.paths() == []
    again = close_night(store, night_settings, NIGHT)
    assert (again.listings, again.images_new) == (3, 6)
    assert fetches(store).height == 6, "no row stands twice"
    assert store.get_json(keys.night_manifest(NIGHT))["missing_shards"] == []


def test_what_a_killed_shard_has_in_its_journal_is_not_taken_by_the_next_one(
    shop, store, night_settings, catalog, monkeypatch
) -> None:
    fill(shop)
    shop.queries["M42226"] = ["/item/1"]  # the second shard's product finds it, too
    plan_night(store, night_settings, catalog, NIGHT)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_at(store, patch, "listings/")
        crawl_shard(store, night_settings, catalog, NIGHT, "market.000")
    shop.hits.clear()
    assert crawl_shard(store, night_settings, catalog, NIGHT, "market.001").listings == 0
    assert "/item/1" not in shop.paths()
    assert crawl_shard(store, night_settings, catalog, NIGHT, "market.000").listings == 3
    found = listings(store)
    assert found["listing_id"].n_unique() == found.height == 3
