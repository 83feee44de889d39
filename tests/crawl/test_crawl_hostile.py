"""A hostile server in a whole night: each attack ends as it should, in bounded time and memory; the rest goes on."""

from __future__ import annotations

import datetime as dt
import email.utils
import gzip
import itertools
import socket
import time
import tracemalloc
import zlib

import polars as pl
import pytest
from crawl_shop import jpeg

from lvbag import schemas
from lvbag.crawl import close_night, crawl_shard, plan_night
from lvbag.store import Bucket, keys
from lvbag.store.tables import read_tables

NIGHT = dt.date(2026, 11, 23)


def http_date(seconds_from_now: float) -> str:
    at = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds_from_now)
    return email.utils.format_datetime(at, usegmt=True)


@pytest.fixture
def attacks(shop, other_shop):
    """Pictures of one listing by path, with what each must end as (None: kept)."""
    reply = shop.Reply
    asked = itertools.count()

    def busy():
        return reply(jpeg(1)) if next(asked) else reply(b"", 429, headers={"Retry-After": http_date(2)})

    bomb = zlib.compressobj(9, wbits=31)
    shop.pages |= {
        "/drip.jpg": reply(jpeg(2), drip_s=0.2),
        "/endless.jpg": reply(endless=True),
        "/gzip.jpg": reply(gzip.compress(bytes(40_000_000)), headers={"Content-Encoding": "gzip"}),
        "/deflate.jpg": reply(
            bomb.compress(bytes(40_000_000)) + bomb.flush(), headers={"Content-Encoding": "gzip, gzip, gzip"}
        ),
        "/metadata.jpg": reply(b"", 302, headers={"Location": "http://169.254.169.254/latest/meta-data/"}),
        "/inside.jpg": reply(b"", 302, headers={"Location": "http://inside.example/x.jpg"}),
        "/loop.jpg": reply(b"", 302, headers={"Location": "/loop.jpg"}),
        "/file.jpg": reply(b"", 302, headers={"Location": "file:///etc/passwd"}),
        "/short.jpg": reply(jpeg(3), length=99_999),
        "/busy.jpg": busy,
        "/cookies.jpg": reply(jpeg(4), headers={"Set-Cookie": "a=b; Max-Age=99999999"}),
        "/page.jpg": reply(b"<!doctype html><html><body>not a picture</body></html>", content_type="image/jpeg"),
        "/svg.jpg": reply(
            b'<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>', content_type="image/png"
        ),
        "/good.jpg": reply(jpeg(5)),
    }
    other_shop.pages |= {
        "/robots.txt": reply(b"", 500),
        "/hidden.jpg": reply(jpeg(6)),
    }
    return {
        "/drip.jpg": "timeout: not complete after",
        "/endless.jpg": "too_large: more than",
        "/gzip.jpg": "too_large: more than",
        "/deflate.jpg": "no_answer: ",
        "/metadata.jpg": "address: 169.254.169.254:80",
        "/inside.jpg": "address: inside.example:80 is 10.0.0.7",
        "/loop.jpg": "redirects: more than",
        "/file.jpg": "bad_url: scheme 'file'",
        "/short.jpg": "no_answer: ",
        "/busy.jpg": None,
        "/cookies.jpg": None,
        "/page.jpg": "not_an_image",
        "/svg.jpg": "",  # refused, whatever the words
        f"{other_shop.url}/hidden.jpg": "robots_unreachable: the answer was 500",
        "/good.jpg": None,
    }


def test_every_attack_ends_as_it_should_and_the_night_goes_on(
    shop, other_shop, store, night_settings, catalog, attacks, monkeypatch
) -> None:
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *a, **k: real("10.0.0.7" if host == "inside.example" else host, *a, **k)
    )
    shop.item("/item/evil", "M41108", name="Speedy 30 Monogram", sku="E", image=list(attacks))
    shop.item("/item/evil-2", "M41108", name="../../etc/passwd Speedy 30 Monogram", sku="../../x", image=[])
    shop.item("/item/good", "M42226", name="Petit Noé Monogram", sku="G", image=shop.picture("/img/g.jpg", 9))
    hosts = (shop.netloc, other_shop.netloc)
    crawl = night_settings.crawl.model_copy(update={"loopback_hosts": hosts, "total_timeout_s": 1.5, "retries": 1})
    settings = night_settings.model_copy(update={"crawl": crawl})
    began = time.monotonic()
    tracemalloc.start()
    plan = plan_night(store, settings, catalog, NIGHT)
    for shard in plan.shards:
        crawl_shard(store, settings, catalog, NIGHT, shard)
    night = close_night(store, settings, NIGHT)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert time.monotonic() - began < 60
    assert peak < 40_000_000, "less than one bomb unpacked"
    refs = [item.ref for item in store.list_objects(Bucket.RAW, keys.fetches_prefix(NIGHT))]
    rows = read_tables(store, refs, schemas.FETCHES)
    reasons = {url.removeprefix(shop.url): reason for url, reason in rows.select("image_url", "reason").iter_rows()}
    for path, expected in attacks.items():
        if expected is None:
            assert reasons[path] is None, path
        else:
            assert (reasons[path] or "-").startswith(expected), (path, reasons[path])
    assert reasons["/img/g.jpg"] is None
    assert night.images_new == 4
    assert rows.filter(pl.col("verdict") == "kept").height == 4
    assert "/hidden.jpg" not in other_shop.paths()
    assert all("Cookie" not in hit.headers for hit in shop.hits)
    first, second = [hit.at for hit in shop.hits if hit.path == "/busy.jpg"]
    assert second - first >= 0.9, "it waited for the date that was named"
    assert not any(".." in item.ref.key or "passwd" in item.ref.key for item in store.list_objects(Bucket.RAW))
