"""The maps of products in a night's report: what they show, how large they are, and what a takedown finds in them."""

from __future__ import annotations

import base64
import datetime as dt
import io
import re

import numpy as np
import polars as pl
import pytest
from curate_frames import digest, jpeg, photo
from PIL import Image

from lvbag import schemas
from lvbag.care.reports import reports_with
from lvbag.curate import report_night
from lvbag.curate.reports.outlier_maps import MAX_BYTES, SIZE, chosen_products, night_outliers, shown_rows
from lvbag.outliers import MODEL, SCORES
from lvbag.settings import Settings
from lvbag.store import Store, keys
from lvbag.store.tables import write_table

EARLIER, NIGHT = dt.date(2026, 11, 22), dt.date(2026, 11, 23)
MAP = re.compile(r'<img alt="Map[^>]*src="data:image/jpeg;base64,([^"]+)">')


def table(store: Store | None, code: str, count: int, odd: int = 2, night: dt.date = NIGHT) -> pl.DataFrame:
    """Judged pictures of a product, the first `odd` of them odd; their crops are stored."""
    rows = []
    rng = np.random.default_rng(len(code) + count)
    for number in range(count):
        crop = jpeg(photo(1000 * len(code) + number, (90, 70)))
        sha256 = digest(code.encode() + crop)
        if store is not None:
            store.put(keys.crop("0001", sha256), crop)
        rows.append(
            {
                "night": night,
                "source": "shop",
                "listing_id": f"{code}-{number}&",
                "image_url": "https://shop.test/a.jpg",
                "sha256": sha256,
                "format": "jpg",
                "style_code": code,
                "detector": "0001",
                "crop_sha256": digest(crop),
                "distance_z": 8.0 - number,
                "reconstruction_z": 0.0,
                "score": 8.0 - number if number < odd else 0.5,
                "rank": number + 1,
                "x": rng.normal(),
                "y": rng.normal(),
            }
        )
    return pl.DataFrame(rows, schema=schemas.OUTLIERS)


def write(store: Store, *tables: pl.DataFrame) -> None:
    write_table(store, keys.outliers(NIGHT, SCORES), pl.concat(tables).sort("sha256"), schemas.OUTLIERS)
    store.put_json(keys.outliers(NIGHT, MODEL), {"key": "k", "night": NIGHT.isoformat()})


def test_a_map_shows_every_picture_and_frames_the_odd_ones(store: Store, settings: Settings) -> None:
    write(store, table(store, "M1", 25), table(store, "M22", 22, odd=0, night=EARLIER))
    found = night_outliers(store, settings, NIGHT)
    assert found is not None
    assert (found.judged, found.products, found.odd) == (47, 2, 2)
    (one,) = found.maps
    assert (one.style_code, one.judged, one.new) == ("M1", 25, 25), "no map where the night brought nothing"
    assert [(odd.number, odd.listing, odd.score) for odd in one.odd] == [(1, "shop/M1-0&", 8.0), (2, "shop/M1-1&", 7.0)]
    image = Image.open(io.BytesIO(one.jpeg))
    assert image.size == SIZE
    red = np.asarray(image.convert("RGB")).astype(int)
    assert ((red - (200, 40, 44)).__abs__().max(axis=2) < 40).sum() > 200, "frames are drawn"
    assert night_outliers(store, settings, NIGHT) == found


def test_a_map_stays_small_and_shows_all_odd_ones_of_many(store: Store, settings: Settings) -> None:
    rows = table(store, "M1", 200, odd=5)
    write(store, rows)
    found = night_outliers(store, settings, NIGHT)
    assert found is not None
    assert len(found.maps[0].jpeg) <= MAX_BYTES
    shown = shown_rows(rows.with_columns((pl.col("score") > 2.5).alias("odd")))
    assert shown.height == 140
    assert shown["odd"].sum() == 5
    assert shown["score"][-1] == 8.0


def test_the_products_with_the_oddest_pictures_come_first_and_only_so_many(settings: Settings) -> None:
    rows = pl.concat([table(None, "M1", 5, odd=0), table(None, "M22", 5, odd=1), table(None, "M333", 5, odd=2)])
    marked = rows.with_columns((pl.col("score") > 7.5).alias("odd"))
    assert chosen_products(marked, NIGHT, settings.outliers) == ["M22", "M333", "M1"]
    two = settings.outliers.model_copy(update={"maps": 2})
    assert chosen_products(marked, NIGHT, two) == ["M22", "M333"]


def test_the_page_holds_the_maps_and_a_takedown_finds_their_listings(store: Store, settings: Settings) -> None:
    write(store, table(store, "<b>M1</b>", 25))
    page = store.get(_report(store, settings)).decode()
    (data,) = MAP.findall(page)
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == SIZE
    assert "2 are odd" in page
    assert "&lt;b&gt;M1&lt;/b&gt; · 25 pictures" in page
    assert "<b>M1" not in page
    assert reports_with(store, [EARLIER], [("shop", "<b>M1</b>-24&")]) == [NIGHT], "also pictures of earlier nights"
    assert reports_with(store, [EARLIER], [("shop", "another")]) == []


def test_a_picture_that_is_gone_leaves_a_gap(store: Store, settings: Settings) -> None:
    rows = table(store, "M1", 25)
    write(store, rows)
    store.delete(keys.crop("0001", rows["sha256"][24]))
    found = night_outliers(store, settings, NIGHT)
    assert found is not None
    assert "shop/M1-24&" not in found.maps[0].listings
    assert len(found.maps[0].listings) == 24


@pytest.mark.parametrize("enabled", [True, False])
def test_a_night_that_nobody_looked_at_says_so_unless_that_is_switched_off(
    store: Store, settings: Settings, enabled: bool
) -> None:
    chosen = settings.model_copy(update={"outliers": settings.outliers.model_copy(update={"enabled": enabled})})
    images = schemas.IMAGES.to_frame()
    write_table(store, keys.curated_images(NIGHT, 0), images, schemas.IMAGES)
    page = store.get(_report(store, chosen)).decode()
    assert ("Nobody looked for pictures that are unlike" in page) is enabled
    assert "Unlike the others of their product" not in page


def _report(store: Store, settings: Settings) -> keys.Ref:
    report_night(store, settings, NIGHT)
    return keys.night_report(NIGHT)
