"""Every kind of source in a whole shard: against a real server, a real folder and a real store."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import polars as pl
import pytest
from crawl_shop import jpeg

from lvbag import schemas
from lvbag.crawl import CrawlError, close_night, crawl_shard, not_understood, plan_by_hand, plan_night, rehearse
from lvbag.crawl.summary import read_summary, read_watermarks
from lvbag.source_settings import (
    EbayApiSettings,
    EbayHtmlSettings,
    FolderSettings,
    GoogleImagesSettings,
    SchemaOrgSettings,
)
from lvbag.store import Bucket, keys
from lvbag.store.tables import read_tables

NIGHT = dt.date(2026, 11, 23)
NEXT = dt.date(2026, 11, 24)


def with_source(settings, **sources):
    return settings.model_copy(update={"crawl": settings.crawl.model_copy(update={"sources": sources})})


def rows(store, prefix, schema) -> pl.DataFrame:
    return read_tables(store, [item.ref for item in store.list_objects(Bucket.RAW, prefix)], schema)


def crawl(store, settings, catalog, night=NIGHT):
    plan = plan_night(store, settings, catalog, night)
    shards = [crawl_shard(store, settings, catalog, night, shard) for shard in plan.shards]
    return shards, close_night(store, settings, night)


# ------------------------------------------------------------------ a partner's folder


def test_a_partners_folder_is_read_with_its_labels_and_nothing_outside_of_it(
    store, night_settings, catalog, tmp_path: Path
) -> None:
    folder = tmp_path / "partner"
    (folder / "photos").mkdir(parents=True)
    for number in range(3):
        (folder / "photos" / f"{number}.jpg").write_bytes(jpeg(number))
    (tmp_path / "secret.jpg").write_bytes(jpeg(9))
    (folder / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    (folder / "listings.csv").write_text(
        "file,listing_id,title,style_code\n"
        "photos/0.jpg,A,a bag,M41108\nphotos/1.jpg,A,a bag,M41108\nphotos/2.jpg,B,Louis Vuitton Petit Noé Monogram,\n"
        "../secret.jpg,C,Louis Vuitton Speedy 30 Monogram,\nlink.jpg,D,Louis Vuitton Speedy 30 Monogram,\n"
    )
    settings = with_source(night_settings, partner=FolderSettings(kind="folder", path=str(folder)))
    (shard,), night = crawl(store, settings, catalog)
    assert (shard.shard, shard.kept) == ("partner.000", 3)
    listings = {row["listing_id"]: row for row in rows(store, keys.listings_prefix(NIGHT), schemas.LISTINGS).to_dicts()}
    assert (listings["A"]["style_code"], listings["A"]["match_reason"]) == ("M41108", "labelled M41108 by the source")
    assert listings["B"]["style_code"] == "M42226"
    fetches = rows(store, keys.fetches_prefix(NIGHT), schemas.FETCHES)
    assert fetches.filter(pl.col("verdict") == "kept").height == 3
    assert jpeg(9) not in [store.get(item.ref) for item in store.list_objects(Bucket.RAW, "images/")]
    assert night.changed
    _, again = crawl(store, settings, catalog, NEXT)
    assert (again.changed, again.images_unchanged) == (False, 3)


# ------------------------------------------------------------------ an API with a key


class EbayApi:
    """The Browse API as far as we use it: tokens that run out, pages, a call counter."""

    def __init__(self, shop) -> None:
        self.shop, self.items, self.tokens, self.calls, self.valid = shop, [], 0, [], set()
        shop.reply = self.reply
        shop.post = self.token

    def token(self, path: str, headers: dict[str, str], body: bytes):
        assert path == "/identity/v1/oauth2/token"
        assert headers["Authorization"].startswith("Basic ")
        assert b"grant_type=client_credentials" in body
        self.tokens += 1
        self.valid = {f"Bearer token-{self.tokens}"}
        answer = {"access_token": f"token-{self.tokens}", "expires_in": 7200, "token_type": "Application Access Token"}
        return self.shop.Reply(json.dumps(answer).encode(), content_type="application/json")

    def reply(self, path: str):
        parts = urlsplit(path)
        if not parts.path.startswith("/buy/browse/v1/item_summary/search"):
            return self.shop.pages.get(parts.path, self.shop.Reply(b"", 404))
        self.calls.append(path)
        if self.shop.headers.get("Authorization") not in self.valid:
            return self.shop.Reply(b'{"errors": [{"message": "Invalid access token"}]}', 401)
        query = parse_qs(parts.query)
        start, limit = int(query.get("offset", ["0"])[0]), int(query["limit"][0])
        shown = self.items[start : start + limit]
        answer: dict[str, object] = {"total": len(self.items), "limit": limit, "offset": start}
        if shown:
            answer["itemSummaries"] = shown
        if start + limit < len(self.items):
            answer["next"] = f"{self.shop.url}{parts.path}?q=x&limit={limit}&offset={start + limit}"
        return self.shop.Reply(json.dumps(answer).encode(), content_type="application/json")

    def item(self, number: int) -> None:
        image = self.shop.picture(f"/img/{number}/s-l1600.jpg", number)
        self.items.insert(  # newest first
            0,
            {
                "itemId": f"v1|{184105770000 + number}|0",
                "title": f"Louis Vuitton Speedy 30 Monogram {number}",
                "image": {"imageUrl": f"{self.shop.url}{image}"},
                "price": {"value": "500.00", "currency": "USD"},
                "itemWebUrl": f"https://www.ebay.com/itm/{184105770000 + number}",
                "seller": {"username": "anna"},
            },
        )


@pytest.fixture
def api(shop, night_settings):
    api = EbayApi(shop)
    source = EbayApiSettings(
        kind="ebay_api",
        permission=EbayApiSettings.SENTENCE,
        client_id="id",
        client_secret="sesame-client",
        endpoint=shop.url,
        page_size=2,
        daily_calls=20,
    )
    api.settings = with_source(night_settings, ebay=source)
    return api


def test_an_api_is_paged_with_a_token_that_is_renewed_and_its_pictures_are_fetched(api, shop, store, catalog) -> None:
    for number in range(5):
        api.item(number)
    shards, _ = crawl(store, api.settings, catalog)
    assert sum(shard.kept for shard in shards) == 5
    assert api.tokens >= 1
    api.valid = {"nobody's"}  # the service forgets the token in the middle of a night
    api.item(5)
    shards, night = crawl(store, api.settings, catalog, NEXT)
    assert night.images_new == 1
    written = b"".join(store.get(item.ref) for item in store.list_objects(Bucket.RAW))
    assert b"sesame-client" not in written
    assert b"token-1" not in written


def test_the_next_night_asks_an_api_only_for_what_is_new(api, store, catalog) -> None:
    api.item(0)
    crawl(store, api.settings, catalog)
    assert not any("itemStartDate" in call for call in api.calls)
    marks = read_watermarks(store, "ebay", NEXT)
    assert "Louis Vuitton M41108" in marks
    api.calls.clear()
    crawl(store, api.settings, catalog, NEXT)
    assert api.calls
    assert all("itemStartDate" in call for call in api.calls)


def test_a_search_that_left_something_behind_moves_no_watermark(api, shop, store, catalog) -> None:
    api.item(0)
    shop.pages["/img/0/s-l1600.jpg"] = shop.Reply(b"", 503)
    crawl(store, api.settings, catalog)
    assert read_watermarks(store, "ebay", NEXT).get("Louis Vuitton M41108") is None


def test_a_shard_that_was_limited_or_challenged_moves_no_watermark(api, shop, store, catalog) -> None:
    for number in range(2):
        api.item(number)
    name = plan_by_hand(store, api.settings, catalog, NIGHT, "ebay", ["M41108"], 1)
    crawl_shard(store, api.settings, catalog, NIGHT, name)
    assert read_summary(store, NIGHT, "ebay", name).completed == {}
    words = "<title>Pardon Our Interruption</title>Pardon Our Interruption. Something made us think you were a bot."
    shop.pages["/img/0/s-l1600.jpg"] = shop.Reply(f"<html><body>{words}</body></html>".encode())
    for shard in plan_night(store, api.settings, catalog, NEXT).shards:
        with contextlib.suppress(CrawlError):  # the second finds that its host was left alone
            crawl_shard(store, api.settings, catalog, NEXT, shard)
    close_night(store, api.settings, NEXT)
    assert read_watermarks(store, "ebay", dt.date(2026, 11, 25)).get("Louis Vuitton M41108") is None


def test_the_calls_of_a_night_are_bounded(api, store, catalog) -> None:
    for number in range(5):
        api.item(number)
    entry = api.settings.crawl.sources["ebay"].model_copy(update={"daily_calls": 3})
    crawl(store, with_source(api.settings, ebay=entry), catalog)
    listings = rows(store, keys.listings_prefix(NIGHT), schemas.LISTINGS)
    assert len(api.calls) + api.tokens <= 3
    assert any("daily_calls: 3 calls" in reason for reason in listings["reason"].drop_nulls())


# ------------------------------------------------------------------ pages that are not understood


def test_a_source_that_changed_its_pages_fails_its_shard_and_keeps_every_page(
    shop, store, night_settings, catalog
) -> None:
    new_markup = "<div class='brand-new-card'>a bag</div>" * 3
    announced = '<script type="application/ld+json">{"@type": "ItemList", "numberOfItems": 3}</script>'
    shop.results = lambda query, page: shop.Reply(
        f"<!doctype html><html><body>{announced}{new_markup}</body></html>".encode(), etag=False
    )
    plan = plan_night(store, night_settings, catalog, NIGHT)
    for _ in range(2):
        with pytest.raises(CrawlError, match=r"pages of results could not be read, such as .*announces 3 results"):
            crawl_shard(store, night_settings, catalog, NIGHT, plan.shards[0])
    kept = list(store.list_objects(Bucket.RAW, f"pages/night={NIGHT}/market/"))
    assert len(kept) == 1, "one page, kept as it came"
    alarm = not_understood(store, NIGHT)
    assert set(alarm) == {"market"}
    assert "pages of results could not be read, such as" in alarm["market"]
    with pytest.raises(CrawlError):
        close_night(store, night_settings, NIGHT)


def test_one_odd_page_among_good_ones_is_reported_and_fails_nothing(shop, store, night_settings, catalog) -> None:
    for number in range(3):
        shop.item(f"/item/{number}", "M41108", name=f"Speedy 30 Monogram {number}", sku=f"S{number}", image=[])
    good = shop.results
    odd = '<script type="application/ld+json">{"@type": "ItemList", "numberOfItems": 9}</script>'
    shop.results = lambda query, page: (
        shop.Reply(f"<!doctype html><html><body>{odd}</body></html>".encode(), etag=False)
        if "monogram" in query
        else good(query, page)
    )
    _, night = crawl(store, night_settings, catalog)
    manifest = store.get_json(keys.night_manifest(NIGHT))
    assert night.listings == 3
    assert not_understood(store, NIGHT) == {}
    assert manifest["failed_shards"] == {}
    assert manifest["pages_of_results"] == {"read": 4, "failed": 1}
    summary = read_summary(store, NIGHT, "market", "market.000")
    assert summary is not None
    assert summary.failure is None


def test_a_page_of_results_that_opts_out_is_followed_or_left_alone(shop, store, night_settings, catalog) -> None:
    shop.item("/item/0", "M41108", name="Speedy 30 Monogram", sku="S0", image=[])
    good = shop.results

    def results(query: str, page: int):
        reply = good(query, page)
        reply.headers = {"X-Robots-Tag": "noindex" if "M41108" in query else "noai"}
        return reply

    shop.results = results
    shards, _ = crawl_all(store, night_settings, catalog)
    assert shards["market.000"].listings == 1, "noindex forbids the page, not its links"
    listings = rows(store, keys.listings_prefix(NIGHT), schemas.LISTINGS)
    assert any(reason == "search_failed: opt_out: noai" for reason in listings["reason"].drop_nulls())


def crawl_all(store, settings, catalog):
    plan = plan_night(store, settings, catalog, NIGHT)
    shards = {}
    for shard in plan.shards:
        try:
            shards[shard] = crawl_shard(store, settings, catalog, NIGHT, shard)
        except CrawlError as error:
            shards[shard] = error
    return shards, close_night(store, settings, NIGHT)


# ------------------------------------------------------------------ cards, sitemaps, shards by hand


def test_cards_that_say_everything_need_no_item_page(shop, store, night_settings, catalog) -> None:
    picture = shop.picture("/img/a.jpg", 1)
    card = (
        '<div itemscope itemtype="https://schema.org/Product"><a itemprop="url" href="/item/a">'
        '<span itemprop="name">Louis Vuitton Speedy 30 Monogram</span></a>'
        f'<img itemprop="image" src="{picture}"><div itemprop="offers" itemscope itemtype="https://schema.org/Offer">'
        '<meta itemprop="price" content="450"><meta itemprop="priceCurrency" content="EUR"></div></div>'
    )
    shop.results = lambda query, page: shop.Reply(
        f"<!doctype html><html><body>{card}</body></html>".encode(), etag=False
    )
    source = SchemaOrgSettings(search_url=f"{shop.url}/search?q={{query}}", details=False)
    shards, _ = crawl(store, with_source(night_settings, market=source), catalog)
    assert shards[0].kept == 1
    assert "/item/a" not in shop.paths()
    listings = rows(store, keys.listings_prefix(NIGHT), schemas.LISTINGS)
    assert listings.filter(pl.col("price") == 450.0).height >= 1


def test_a_shop_with_a_sitemap_is_read_whole(shop, store, night_settings, catalog) -> None:
    for number in range(3):
        image = shop.picture(f"/img/{number}.jpg", number)
        shop.item(
            f"/item/{number}", "-", name=f"Louis Vuitton Speedy 30 Monogram {number}", sku=str(number), image=image
        )
    locs = "".join(f"<url><loc>{shop.url}{path}</loc></url>" for path in ("/item/0", "/item/1", "/item/2", "/about"))
    space = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
    shop.pages["/sitemap.xml"] = shop.Reply(
        f'<?xml version="1.0"?><urlset {space}>{locs}</urlset>'.encode(), content_type="application/xml"
    )
    source = SchemaOrgSettings(sitemap_url=f"{shop.url}/sitemap.xml", sitemap_pattern="/item/")
    (shard,), _ = crawl(store, with_source(night_settings, market=source), catalog)
    assert (shard.listings, shard.kept) == (3, 3)
    assert "/about" not in shop.paths()
    shop.pages["/sitemap.xml"].body = shop.pages["/sitemap.xml"].body.replace(
        b"</loc></url>", b"</loc><lastmod>2001-01-01</lastmod></url>", 2
    )
    shop.hits.clear()
    _, night = crawl(store, with_source(night_settings, market=source), catalog, NEXT)
    assert [path for path in shop.paths() if path.startswith("/item/")] == ["/item/2"], "the rest is older"
    assert not night.changed


def test_a_shard_by_hand_takes_so_many_listings_and_counts_in_the_night(shop, store, night_settings, catalog) -> None:
    for number in range(5):
        shop.item(f"/item/{number}", "M41108", name=f"Speedy 30 Monogram {number}", sku=f"S{number}", image=[])
    name = plan_by_hand(store, night_settings, catalog, NIGHT, "market", ["M41108"], 2)
    assert name == plan_by_hand(store, night_settings, catalog, NIGHT, "market", ["M41108"], 2)
    assert crawl_shard(store, night_settings, catalog, NIGHT, name).listings == 2
    assert close_night(store, night_settings, NIGHT).listings == 2
    shards, night = crawl(store, night_settings, catalog)
    assert night.listings == 5, "the night's own shard takes the rest"
    assert sum(path.startswith("/item/") for path in shop.paths()) == 5, "and asks for no page again"
    assert shards[0].listings == 3
    with pytest.raises(CrawlError, match="there is no source 'nowhere'"):
        plan_by_hand(store, night_settings, catalog, NIGHT, "nowhere")


def test_a_rehearsal_names_the_requests_and_makes_none(shop, night_settings, catalog) -> None:
    urls = [request.url.removeprefix(shop.url) for request in rehearse(night_settings, catalog, "market", ["M41108"])]
    assert urls == [
        "/robots.txt",
        "/search?q=Louis%20Vuitton%20M41108",
        "/search?q=Louis%20Vuitton%20speedy%2030%20monogram",
    ]
    assert shop.hits == []


@pytest.mark.parametrize("kind", [EbayHtmlSettings, EbayApiSettings, GoogleImagesSettings])
def test_a_kind_that_needs_permission_stays_off_until_the_sentence_is_said(kind) -> None:
    name = kind.model_fields["kind"].annotation.__args__[0]
    with pytest.raises(ValueError, match="needs a permission that only you can confirm"):
        kind(kind=name)
    with pytest.raises(ValueError, match="needs a permission"):
        kind(kind=name, permission="yes")
    assert kind(kind=name, enabled=False).enabled is False
    assert kind(kind=name, permission=kind.SENTENCE).enabled


def test_two_sources_at_one_host_never_ask_it_at_the_same_time(shop, store, night_settings, catalog) -> None:
    for number in range(8):
        image = shop.picture(f"/img/{number}.jpg", number)
        shop.item(f"/item/{number}", "M41108", name=f"Speedy 30 Monogram {number}", sku=f"S{number}", image=image)
    inside, most, lock = 0, 0, threading.Lock()
    answer = shop.reply

    def reply(path: str):
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        time.sleep(0.005)
        with lock:
            inside -= 1
        return answer(path)

    shop.reply = reply
    entry = night_settings.crawl.sources["market"]
    settings = with_source(night_settings, one=entry, two=entry)
    plan = plan_night(store, settings, catalog, NIGHT)
    assert plan.shards == ("one.000", "two.000", "one.001", "two.001"), "sources by turns"
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda shard: crawl_shard(store, settings, catalog, NIGHT, shard), plan.shards))
    assert most == 1
    assert sum(result.kept for result in done) == 16, "each source has its own eight"
    assert shop.connections <= 4 * 2, "a connection a shard, not one a request"
