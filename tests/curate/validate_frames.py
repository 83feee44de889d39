"""Nights for validation: rows that hold every expectation, to be spoilt one by one, and statistics of usual nights."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from lvbag import schemas
from lvbag.curate.validation.statistics import MEASURES, Measure, NightStatistics, SourceStatistics, write_statistics
from lvbag.settings import Settings
from lvbag.store import Bucket, Store, keys
from lvbag.store.tables import read_table, write_table

NIGHT = dt.date(2026, 11, 23)
Row = dict[str, Any]


def sha(number: int | str) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def picture(number: int | str, **changes: Any) -> Row:
    digest = sha(number)
    return {
        "night": NIGHT,
        "source": "shop",
        "listing_id": f"l{number}",
        "image_url": f"https://shop.test/{number}.jpg",
        "position": 0,
        "sha256": digest,
        "format": "jpg",
        "style_code": "M41108",
        "first_night": NIGHT,
        "verdict": "kept",
        "width": 800,
        "height": 600,
        "phash64": 1,
        "phash256": bytes(32),
        "flip64": 1,
        "flip256": bytes(32),
        "thumb": bytes(192),
        "fingerprint": "1",
        "brightness": 0.7,
        "contrast": 0.25,
        "blur": 300.0,
        "entropy": 6.0,
        "white_share": 0.9,
        "chroma": 9.0,
        "cluster": digest,
        "representative": digest,
        "distance64": 0,
        "distance256": 0,
        "distance_colour": 0.0,
        **changes,
    }


def listing(number: int | str, **changes: Any) -> Row:
    return {
        "night": NIGHT,
        "source": "shop",
        "shard": "000",
        "listing_id": f"l{number}",
        "url": f"https://shop.test/item/{number}",
        "query": "M41108",
        "title": "Louis Vuitton Speedy 30 M41108",
        "price": 700.0,
        "currency": "EUR",
        "image_urls": [f"https://shop.test/{number}.jpg"],
        "style_code": "M41108",
        "match_confidence": 1.0,
        "match_reason": "style code",
        "changed": True,
        "verdict": "kept",
        "fetched_at": dt.datetime(2026, 11, 23, 2, tzinfo=dt.UTC),
        **changes,
    }


def fetch(number: int | str, **changes: Any) -> Row:
    return {
        "night": NIGHT,
        "source": "shop",
        "shard": "000",
        "listing_id": f"l{number}",
        "image_url": f"https://shop.test/{number}.jpg",
        "position": 0,
        "verdict": "kept",
        "http_status": 200,
        "bytes": 40_000,
        "format": "jpg",
        "sha256": sha(number),
        "fetched_at": dt.datetime(2026, 11, 23, 2, 30, tzinfo=dt.UTC),
        **changes,
    }


def put_night(
    store: Store,
    pictures: Sequence[Row],
    listings: Sequence[Row],
    fetches: Sequence[Row] | None = None,
    night: dt.date = NIGHT,
) -> None:
    """Write what the crawl and the steps before validation leave; without `fetches`, one for each picture."""
    if fetches is None:
        fetches = [
            fetch(0, **{name: row[name] for name in ("source", "listing_id", "image_url", "position", "sha256")})
            for row in pictures
        ]
    near = pl.DataFrame([row | {"night": night} for row in pictures], schema=schemas.STAGE_NEAR)
    write_table(store, keys.stage(night, "near"), near, schemas.STAGE_NEAR)
    for rows, schema, key in ((listings, schemas.LISTINGS, keys.listings), (fetches, schemas.FETCHES, keys.fetches)):
        for source, shard in sorted({(row["source"], row["shard"]) for row in rows}):
            mine = [row | {"night": night} for row in rows if (row["source"], row["shard"]) == (source, shard)]
            write_table(store, key(night, source, shard), pl.DataFrame(mine, schema=schema), schema)


def validated(store: Store, night: dt.date = NIGHT) -> dict[str, tuple[str, str | None]]:
    """Verdict and reason by sha256."""
    frame = read_table(store, keys.stage(night, "validate"), schemas.STAGE_VALIDATE)
    return {digest: (verdict, reason) for digest, verdict, reason in frame["sha256", "verdict", "reason"].iter_rows()}


def digests(store: Store) -> dict[str, str]:
    """Every object that validation may write, with the digest of its bytes."""
    return {
        str(item.ref): hashlib.sha256(store.get(item.ref)).hexdigest()
        for bucket in (Bucket.CURATED, Bucket.REPORTS)
        for item in store.list_objects(bucket)
    }


def with_bounds(settings: Settings, **bounds: Any) -> Settings:
    """The same settings with other bounds under `curate`."""
    return settings.model_copy(update={"curate": settings.curate.model_copy(update=bounds)})


def usual(
    rng: np.random.Generator | None = None,
    listings: int = 200,
    products: Sequence[float] = (0.5, 0.3, 0.2),
    **changes: Any,
) -> SourceStatistics:
    """A source on a usual night; drawn anew from the same place where there is a generator."""

    def drawn(count: int) -> dict[str, int]:
        counts = [round(count * share) for share in products] if rng is None else rng.multinomial(count, products)
        return {f"M{number}": int(count) for number, count in enumerate(counts) if count}

    centre = {name: 0.5 for name in MEASURES}
    sd = 0.2
    values: Row = {
        "listings": listings,
        "missing_prices": listings // 50 if rng is None else int(rng.binomial(listings, 0.02)),
        "pages_read": listings,
        "fetches": 3 * listings,
        "pictures": 3 * listings,
        "new_pictures": listings,
        "same_picture": 1 + listings // 100,
        "rows": listings,
        "kept": listings,
        "products": drawn(listings),
        "classes": drawn(listings),
        "shown_listings": listings,
        "measures": {
            name: Measure(mean=value if rng is None else float(rng.normal(value, sd, listings).mean()), sd=sd)
            for name, value in centre.items()
        },
    }
    return SourceStatistics(**(values | changes))


def put_history(store: Store, nights: int, *, before: dt.date = NIGHT, **sources: SourceStatistics) -> None:
    """Leave statistics of as many nights before a night, each with these sources."""
    for back in range(1, nights + 1):
        write_statistics(store, NightStatistics(night=before - dt.timedelta(days=back), sources=sources))
