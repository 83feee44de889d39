"""The night's report: the funnel adds up, the page stands alone and escapes what shops write."""

from __future__ import annotations

import datetime as dt
import re

import polars as pl
import pytest
from curate_frames import Shop, all_digests, curate_uncropped, jpeg, photo, small, write_images

from lvbag import schemas
from lvbag.curate import CurateError, build_snapshot, load_funnel, mark_exact, quarantined_sources, report_night
from lvbag.curate.validation.statistics import NightStatistics, SourceStatistics, write_statistics
from lvbag.settings import Settings
from lvbag.store import Store, keys
from lvbag.store.tables import read_table, write_table

NIGHT = dt.date(2026, 11, 23)


def night_with_everything(store: Store, settings: Settings) -> None:
    image = photo(1, (320, 240))
    shop = Shop(store, NIGHT)
    for seed in range(12):
        pictures = [jpeg(photo(100 + 2 * seed + n)) for n in range(2)]
        shop.listing(f"l{seed}", pictures, style_code=("M40156", "M41108")[seed % 2])
    shop.listing("again", [jpeg(photo(100))], style_code="M40156", verdict="duplicate_url")
    shop.listing("<b>evil</b>", [jpeg(image), jpeg(image, 50), b"no picture"])
    shop.listing("sold", [], listing_verdict="refused")
    shop.failed_fetch("l0", "http_404: <script>alert(1)</script>")
    shop.close()
    curate_uncropped(store, settings, NIGHT)
    near = read_table(store, keys.stage(NIGHT, "near"), schemas.STAGE_NEAR)
    first = near.filter(pl.col("verdict") == "kept").head(1)["sha256"][0]
    fails = pl.col("sha256") == first
    validated = near.with_columns(
        pl.when(fails & (pl.col("verdict") == "kept")).then(pl.lit("refused")).otherwise("verdict").alias("verdict"),
        pl.when(fails & (pl.col("verdict") == "kept"))
        .then(pl.lit("expectation: sharp enough: 3.1"))
        .otherwise("reason")
        .alias("reason"),
    )
    write_table(store, keys.stage(NIGHT, "validate"), validated, schemas.STAGE_VALIDATE)
    write_images(store, NIGHT, validated)


def test_the_funnel_adds_up_from_listings_to_splits(store: Store, settings: Settings) -> None:
    chosen = small(settings)
    night_with_everything(store, chosen)
    snapshot = build_snapshot(store, chosen, NIGHT, (0,))
    result = report_night(store, chosen, NIGHT)
    assert result.funnel == load_funnel(store, NIGHT)
    assert list(result.funnel) == list(load_funnel(store, NIGHT))
    assert result.funnel == {
        "listings found": 15,
        "listings refused: sold_out": 1,
        "listings kept": 14,
        "images found": 29,
        "images fetched": 27,
        "images unchanged": 0,
        "images at a known address": 1,
        "refused by the crawl: http_404": 1,
        "refused by look-up: duplicate_exact": 1,
        "refused by near duplicates: duplicate_near": 1,
        "refused by near duplicates: not_an_image": 1,
        "refused by validation: expectation: sharp enough": 1,
        "images kept": 24,
        "of this night in train": snapshot.train,
        "of this night in val": snapshot.val,
        "of this night in test": snapshot.test,
        "of this night waiting for more of their product": 0,
        "snapshot train": snapshot.train,
        "snapshot val": snapshot.val,
        "snapshot test": snapshot.test,
    }


def test_the_page_stands_alone_shows_examples_and_escapes_what_shops_write(store: Store, settings: Settings) -> None:
    chosen = small(settings)
    night_with_everything(store, chosen)
    snapshot = build_snapshot(store, chosen, NIGHT, (0,))
    store.put(keys.data_doc(NIGHT, "index.html"), b"<html></html>")
    report_night(store, chosen, NIGHT)
    page = store.get(keys.night_report(NIGHT)).decode()
    assert "<script" not in page
    assert "<b>evil" not in page
    assert "&lt;script&gt;" in page
    assert 'href="../../data-docs/night=2026-11-23/index.html"' in page
    assert snapshot.snapshot in page
    assert "no detector champion: images passed uncropped" in page
    assert page.count('src="data:image/jpeg;base64,') == 3  # exact, near, validation; what is no picture has none
    assert not re.search(r'(src|href)="(?!data:|\.\./)', page)


def test_reporting_again_leaves_the_same_bytes(store: Store, settings: Settings) -> None:
    chosen = small(settings)
    night_with_everything(store, chosen)
    build_snapshot(store, chosen, NIGHT, (0,))
    report_night(store, chosen, NIGHT)
    before = all_digests(store)
    report_night(store, chosen, NIGHT)
    assert all_digests(store) == before


def test_a_night_that_stopped_half_way_is_reported_as_far_as_it_came(store: Store, settings: Settings) -> None:
    shop = Shop(store, NIGHT)
    shop.listing("a", [jpeg(photo(1))])
    shop.close()
    mark_exact(store, settings, NIGHT)
    funnel = report_night(store, settings, NIGHT).funnel
    assert funnel["images kept"] == 1
    assert "snapshot train" not in funnel
    page = store.get(keys.night_report(NIGHT)).decode()
    assert "Not done: near duplicates, validation, cleaning, comparison of crops." in page
    assert "No snapshot stands after this night." in page


def test_a_source_that_was_set_aside_and_what_was_noted_stand_above_everything_else(
    store: Store, settings: Settings
) -> None:
    shop = Shop(store, NIGHT)
    shop.listing("a", [jpeg(photo(1)), jpeg(photo(2))])
    shop.close()
    curate_uncropped(store, settings, NIGHT)
    near = read_table(store, keys.stage(NIGHT, "near"), schemas.STAGE_NEAR)
    refused = near.with_columns(pl.lit("refused").alias("verdict"), pl.lit("quarantined: 2 of 2 fail").alias("reason"))
    write_table(store, keys.stage(NIGHT, "validate"), refused, schemas.STAGE_VALIDATE)
    write_images(store, NIGHT, refused)
    sources = {
        "shop": SourceStatistics(listings=1, pictures=2, quarantined="rows_refused: 1.0"),
        "other": SourceStatistics(listings=1),
    }
    write_statistics(store, NightStatistics(night=NIGHT, sources=sources, notes=("source_present: third: 0",)))
    assert report_night(store, settings, NIGHT).funnel["refused by validation: quarantined"] == 2
    page = store.get(keys.night_report(NIGHT)).decode()
    assert "Source shop was set aside whole: rows_refused: 1.0." in page
    assert "Worth a look: source_present: third: 0: " in page
    assert "Source other" not in page
    assert quarantined_sources(store, NIGHT) == {"shop": "rows_refused: 1.0"}


def test_a_night_without_report_is_an_error_that_says_what_to_do(store: Store) -> None:
    with pytest.raises(CurateError, match=r"has no report .*; curate this night first"):
        load_funnel(store, NIGHT)


def test_a_night_on_which_nothing_changed_says_so(store: Store, settings: Settings) -> None:
    shop = Shop(store, NIGHT)
    shop.listing("same", [jpeg(photo(1))], style_code="M40156", verdict="unchanged")
    shop.close()
    result = report_night(store, small(settings), NIGHT)
    assert result.funnel["images unchanged"] == 1
    page = store.get(keys.night_report(NIGHT)).decode()
    assert "Nothing changed, so there was nothing to curate." in page
    assert "Not done" not in page


def test_what_the_crawl_did_not_understand_is_told_first(store: Store, settings: Settings) -> None:
    chosen = small(settings)
    night_with_everything(store, chosen)
    manifest = {
        "failed_shards": {"shop.001": "3 of 3 pages of results could not be read"},
        "missing_shards": ["shop.002"],
        "hosts_given_up": {"evil.example": "challenge: <b>captcha</b>"},
        "pages_of_results": {"read": 9, "failed": 3},
        "dropped": {"fewer_words": 60},
    }
    store.put_json(keys.night_manifest(NIGHT), manifest)
    funnel = report_night(store, chosen, NIGHT).funnel
    assert list(funnel.items())[:2] == [("pages of results not read", 3), ("results left out: fewer_words", 60)]
    page = store.get(keys.night_report(NIGHT)).decode()
    for words in (
        "Shard shop.001 failed: 3 of 3 pages of results could not be read.",
        "shop.002 did not end",
        "evil.example was left alone for the night: challenge: &lt;b&gt;captcha&lt;/b&gt;.",
        "3 of 9 pages of results could not be read",
    ):
        assert words in page, words
    assert "<b>captcha</b>" not in page
