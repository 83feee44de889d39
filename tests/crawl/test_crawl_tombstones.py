"""What was taken down is not asked for again, and its bytes are stored under no other address."""

from __future__ import annotations

import datetime as dt
import hashlib

import polars as pl
import pytest
from crawl_shop import fill, jpeg
from hypothesis import given
from hypothesis import strategies as st

from lvbag import schemas
from lvbag.care import Reason, listing_target, plan_takedown, take_down
from lvbag.catalog import Catalog
from lvbag.crawl import NightResult, close_night, crawl_shard, plan_night
from lvbag.crawl.journal import open_journal
from lvbag.crawl.run import ShardRun
from lvbag.settings import Settings
from lvbag.store import Bucket, CorruptObject, Store, keys
from lvbag.store.tables import read_tables
from lvbag.tombstones import (
    Tombstone,
    Tombstones,
    normal_url,
    read_tombstones,
    seller_key,
    tombstone_ref,
    write_tombstone,
)

NIGHT, NEXT = dt.date(2026, 11, 23), dt.date(2026, 11, 24)
AT = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)


def crawl(store: Store, settings: Settings, catalog: Catalog, night: dt.date = NIGHT) -> NightResult:
    for shard in plan_night(store, settings, catalog, night).shards:
        crawl_shard(store, settings, catalog, night, shard)
    return close_night(store, settings, night)


def bury(store: Store, kind: str = "listing", key: str = "x", **everything: object) -> None:
    gone = Tombstones(**{name: frozenset(values) for name, values in everything.items()})  # type: ignore[call-overload]
    assert write_tombstone(store, Tombstone(kind, key, gone, "asked for", "a test", AT))


def rows(store: Store, night: dt.date, what: str) -> dict[str, str | None]:
    """Reasons by path: of listings or of fetches."""
    prefix, schema, url = {
        "listings": (keys.listings_prefix(night), schemas.LISTINGS, "url"),
        "fetches": (keys.fetches_prefix(night), schemas.FETCHES, "image_url"),
    }[what]
    frame = read_tables(store, [item.ref for item in store.list_objects(Bucket.RAW, prefix)], schema)
    return {"/" + row[0].split("/", 3)[3]: row[1] for row in frame.select(url, "reason").iter_rows()}


def test_a_listing_that_was_taken_down_costs_no_request(shop, store, night_settings, catalog) -> None:
    fill(shop)
    crawl(store, night_settings, catalog)
    bury(store, listings=[("market", "S1")])
    shop.hits.clear()
    night = crawl(store, night_settings, catalog, NEXT)

    assert not [path for path in shop.paths() if path.startswith(("/item/1", "/img/1-"))], "known to an earlier night"
    assert rows(store, NEXT, "listings") == {"/item/0": None, "/item/1": "taken_down: listing", "/item/2": None}
    assert (night.images_unchanged, night.refused) == (4, 1)


def test_an_address_that_was_taken_down_costs_no_request_however_it_is_spelt(
    shop, store, night_settings, catalog
) -> None:
    fill(shop)
    spelt = shop.url.replace("http", "HTTP")
    bury(store, "url", urls=[f"{spelt}/item/0#top", f"{shop.url}/img/1-%30.png"])
    crawl(store, night_settings, catalog)

    assert not {"/item/0", "/img/0-0.png", "/img/0-1.png", "/img/1-0.png"} & set(shop.paths())
    assert rows(store, NIGHT, "listings")["/item/0"] == "taken_down: url"
    assert rows(store, NIGHT, "fetches") == {
        "/img/1-0.png": "taken_down: url",
        **dict.fromkeys(("/img/1-1.png", "/img/2-0.png", "/img/2-1.png")),
    }


def test_a_seller_who_is_known_only_from_the_page_is_refused_before_the_pictures(
    shop, store, night_settings, catalog
) -> None:
    fill(shop, 2, seller="Anna B.")
    bury(store, "seller", sellers=[seller_key("market", " anna  b. ")])
    crawl(store, night_settings, catalog)

    assert "/item/0" in shop.paths()
    assert not [path for path in shop.paths() if path.startswith("/img")]
    assert set(rows(store, NIGHT, "listings").values()) == {"taken_down: seller"}
    frame = read_tables(
        store, [item.ref for item in store.list_objects(Bucket.RAW, keys.listings_prefix(NIGHT))], schemas.LISTINGS
    )
    told = frame.select("title", "price", "seller", "sku")
    assert told.null_count().row(0) == (2, 2, 2, 2), "nothing of what the page said is written down"


def test_bytes_that_were_taken_down_are_stored_from_no_address_and_asked_for_once(
    shop, store, night_settings, catalog
) -> None:
    fill(shop, 1)
    shop.pages["/img/0-0.png"].etag = False  # nothing but its bytes tells the picture
    gone = hashlib.sha256(jpeg(0)).hexdigest()
    bury(store, "image", images=[gone])
    crawl(store, night_settings, catalog)

    assert rows(store, NIGHT, "fetches") == {"/img/0-0.png": "taken_down: image", "/img/0-1.png": None}
    assert not list(store.list_objects(Bucket.RAW, f"images/{gone[:2]}/{gone}"))
    shop.hits.clear()
    crawl(store, night_settings, catalog, NEXT)
    assert shop.paths().count("/img/0-0.png") == 0, "the next night knows what is there"
    assert rows(store, NEXT, "fetches")["/img/0-0.png"] == "taken_down: image"


def test_a_picture_that_an_earlier_night_fetched_is_not_asked_for_after_its_takedown(
    shop, store, night_settings, catalog
) -> None:
    fill(shop, 1)
    crawl(store, night_settings, catalog)
    gone = hashlib.sha256(jpeg(1)).hexdigest()
    bury(store, "image", images=[gone])
    store.purge(keys.raw_image(gone, "jpg"))
    for night in (NEXT, NEXT + dt.timedelta(days=1)):
        shop.hits.clear()
        crawl(store, night_settings, catalog, night)
        assert shop.paths().count("/img/0-1.png") == 0
        assert rows(store, night, "fetches") == {"/img/0-0.png": None, "/img/0-1.png": "taken_down: image"}
        assert not store.exists(keys.raw_image(gone, "jpg"))


def test_a_shard_that_goes_on_after_a_takedown_does_not_write_down_what_its_first_try_had(
    shop, store, night_settings, catalog, monkeypatch
) -> None:
    fill(shop)

    def stop(run: ShardRun) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("lvbag.crawl.shard._commit", stop)
    plan = plan_night(store, night_settings, catalog, NIGHT)
    with pytest.raises(KeyboardInterrupt):
        crawl_shard(store, night_settings, catalog, NIGHT, plan.shards[0])
    monkeypatch.undo()
    with open_journal(store, NIGHT, "market", plan.shards[0]) as journal:
        assert len(list(journal.unmet("picture"))) == 6
    bury(store, listings=[("market", "S1")], images=[hashlib.sha256(jpeg(20)).hexdigest()])
    shop.queries["M41108"].remove("/item/0")  # the second try does not meet everything that the first one had
    shop.queries["M41108"].remove("/item/1")
    bury(store, "url", urls=[f"{shop.url}/img/0-0.png"])
    crawl(store, night_settings, catalog)

    assert rows(store, NIGHT, "listings")["/item/1"] == "taken_down: listing"
    assert {path: why for path, why in rows(store, NIGHT, "fetches").items() if why} == {
        "/img/0-0.png": "taken_down: url",
        "/img/1-0.png": "taken_down: listing",
        "/img/1-1.png": "taken_down: listing",
        "/img/2-0.png": "taken_down: image",
    }


def test_a_takedown_of_what_a_night_has_crawled_ends_all_requests_for_it(shop, store, night_settings, catalog) -> None:
    fill(shop)
    crawl(store, night_settings, catalog)
    plan = plan_takedown(store, listing_target("market/S1"))
    assert (plan.removed.raw_images, plan.found.nights) == (2, {NIGHT})
    take_down(store, night_settings, plan, Reason("asked for", "a test", AT))
    gone = {hashlib.sha256(jpeg(seed)).hexdigest() for seed in (10, 11)}
    shop.picture("/img/copied.png", 10)  # the same bytes in another listing
    shop.item("/item/new", "M41108", name="Speedy 30 Monogram", sku="N", image=["/img/copied.png", "/img/0-0.png"])
    shop.hits.clear()

    crawl(store, night_settings, catalog, NEXT)

    assert not [path for path in shop.paths() if path.startswith(("/item/1", "/img/1-"))]
    reasons = rows(store, NEXT, "fetches")
    assert (reasons["/img/copied.png"], reasons["/img/0-0.png"]) == ("taken_down: image", None)
    assert not [ref for sha256 in gone for ref in store.list_objects(Bucket.RAW, keys.raw_images_of(sha256))]
    assert plan_takedown(store, listing_target("market/S1")).removed.is_empty


def test_a_tombstone_that_cannot_be_read_stops_the_crawl(shop, store, night_settings, catalog) -> None:
    fill(shop)
    store.put_json(tombstone_ref("image", "x"), {"kind": "picture", "key": "x"})
    with pytest.raises(CorruptObject, match="is no tombstone; restore it from a backup"):
        crawl(store, night_settings, catalog)
    assert not [path for path in shop.paths() if path.startswith(("/item", "/img"))]


def test_the_same_tombstone_twice_is_one_and_keeps_its_first_reason(store: Store) -> None:
    gone = Tombstones(listings=frozenset({("shop", "1")}), urls=frozenset({"https://shop.test/1"}))
    first = Tombstone("listing", "shop/1", gone, "the seller asked", "anna", AT)
    again = Tombstone("listing", "shop/1", gone, "once more", "bert", AT + dt.timedelta(days=1))
    assert (write_tombstone(store, first), write_tombstone(store, again)) == (True, False)
    assert store.get_json(first.ref)["why"] == "the seller asked"
    wider = Tombstone("listing", "shop/1", Tombstones(images=frozenset({"a" * 64})), "and its photo", "anna", AT)
    assert write_tombstone(store, wider)
    assert read_tombstones(store) == Tombstones(gone.listings, frozenset(), gone.urls, frozenset({"a" * 64}))


def test_rows_are_struck_by_every_column_that_names_what_was_taken_down() -> None:
    gone = Tombstones(
        frozenset({("shop", "1")}), frozenset({"seller"}), frozenset({"https://shop.test/a"}), frozenset({"f" * 64})
    )
    frame = pl.DataFrame(
        {
            "source": ["shop", "other", "shop", "shop", "shop", "shop"],
            "listing_id": ["1", "1", "2", "2", "2", "2"],
            "seller_key": [None, None, "seller", None, None, None],
            "picture_url": [None, None, None, "http://SHOP.test:80/a#x", None, "https://shop.test/A"],
            "sha256": ["0" * 64, "0" * 64, "0" * 64, "0" * 64, "f" * 64, "0" * 64],
        }
    )
    assert gone.strikes(frame).to_list() == [True, False, True, True, True, False]
    assert Tombstones().strikes(frame).to_list() == [False] * 6
    assert gone.strikes(frame.clear()).to_list() == []


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://Shop.Test/a", "http://shop.test:80/a#b", True),
        ("https://shop.test", "https://shop.test./", True),
        ("https://shop.test:443/a", "https://shop.test/a", True),
        ("https://shop.test/%7Ea%2f", "https://shop.test/~a%2F", True),
        ("https://shop.test/é", "https://shop.test/%c3%a9", True),
        ("https://shop.test/a b", "https://shop.test/a%20b", True),
        ("https://shop.test/a", "https://shop.test/A", False),
        ("https://shop.test/a?x=1", "https://shop.test/a?x=2", False),
        ("https://shop.test:8443/a", "https://shop.test/a", False),
        ("https://shop.test/a/", "https://shop.test/a", False),
        ("file:///a/b#1", "file:///a/b", True),
    ],
)
def test_two_spellings_of_an_address_are_one(one: str, other: str, same: bool) -> None:
    assert (normal_url(one) == normal_url(other)) is same


@given(st.one_of(st.text(), st.text().map(lambda path: f"https://shop.test/{path}")))
def test_a_normal_address_stays_as_it_is(url: str) -> None:
    assert normal_url(normal_url(url)) == normal_url(url)
