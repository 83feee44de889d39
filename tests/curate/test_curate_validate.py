"""Validation with the real Great Expectations and a real store."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lvbag import schemas
from lvbag.curate import CurateError, data_docs, validate_night
from lvbag.curate.expectations import expectations
from lvbag.settings import CurateSettings, ImageSettings, Settings
from lvbag.store import Bucket, Store, keys
from lvbag.store.tables import read_table, write_table

NIGHT = dt.date(2026, 11, 23)


def sha(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def picture(number: int, **changes: Any) -> dict[str, Any]:
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
        "reason": None,
        "width": 800,
        "height": 600,
        "phash64": number,
        "phash256": bytes(32),
        "thumb": bytes(192),
        "fingerprint": "1",
        "brightness": 0.7,
        "contrast": 0.25,
        "blur": 300.0,
        "entropy": 6.0,
        "white_share": 0.9,
        "cluster": digest,
        "representative": digest,
        "distance64": 0,
        "distance256": 0,
        "distance_colour": 0.0,
        **changes,
    }


def listing(number: int, **changes: Any) -> dict[str, Any]:
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
        "seller": None,
        "image_urls": [f"https://shop.test/{number}.jpg"],
        "style_code": "M41108",
        "match_confidence": 1.0,
        "match_reason": "style code",
        "etag": None,
        "last_modified": None,
        "changed": True,
        "verdict": "kept",
        "reason": None,
        "fetched_at": dt.datetime(2026, 11, 23, 2, tzinfo=dt.UTC),
        **changes,
    }


def put_night(store: Store, pictures: list[dict[str, Any]], listings: list[dict[str, Any]]) -> None:
    near = pl.DataFrame(pictures, schema=schemas.STAGE_NEAR)
    write_table(store, keys.stage(NIGHT, "near"), near, schemas.STAGE_NEAR)
    shards = sorted({row["shard"] for row in listings})
    for shard in shards:
        frame = pl.DataFrame([row for row in listings if row["shard"] == shard], schema=schemas.LISTINGS)
        write_table(store, keys.listings(NIGHT, "shop", shard), frame, schemas.LISTINGS)


def validated(store: Store) -> dict[str, tuple[str, str | None]]:
    frame = read_table(store, keys.stage(NIGHT, "validate"), schemas.STAGE_VALIDATE)
    return {digest: (verdict, reason) for digest, verdict, reason in frame["sha256", "verdict", "reason"].iter_rows()}


def digests(store: Store, prefix: str = "") -> dict[str, str]:
    return {
        str(item.ref): hashlib.sha256(store.get(item.ref)).hexdigest()
        for bucket in (Bucket.CURATED, Bucket.REPORTS)
        for item in store.list_objects(bucket, prefix)
    }


def test_rows_that_fail_are_refused_with_the_value_seen_and_the_rest_is_kept(store: Store, settings: Settings) -> None:
    pictures = [picture(number) for number in range(16)]
    pictures[1] |= {"width": 90, "height": 400}
    pictures[2] |= {"width": 2000, "height": 400}
    pictures[3] |= {"contrast": 0.001}
    pictures[4] |= {"entropy": 0.1}
    pictures[5] |= {"style_code": "M99999"}
    pictures[14] |= {"verdict": "refused", "reason": "near_duplicate: 3 bits", "contrast": 0.0}
    pictures[15] |= {"verdict": "refused", "reason": "truncated", "width": None, "height": None, "contrast": None}
    listings = [listing(number) for number in range(14)]
    listings[6] |= {"price": -1.0}
    listings[7] |= {"currency": "€"}
    listings[8] |= {"url": "javascript:alert(1)"}
    listings[9] |= {"title": None}
    listings += [listing(10, shard="001"), listing(11, shard="001", style_code="M41109")]
    put_night(store, pictures, listings)

    generous = settings.model_copy(update={"curate": settings.curate.model_copy(update={"max_refused_share": 0.9})})
    result = validate_night(store, generous, NIGHT)

    found = validated(store)
    expected = {
        1: "expectation: image_side: 90",
        2: "expectation: image_aspect: 5",
        3: "expectation: image_contrast: 0.001",
        4: "expectation: image_entropy: 0.1",
        5: "expectation: image_product: M99999",
        6: "expectation: listing_price: -1",
        7: "expectation: listing_currency: €",
        8: "expectation: listing_url: javascript:alert(1)",
        9: "expectation: listing_title: null",
        11: "expectation: one_listing_one_product: 2",
        14: "near_duplicate: 3 bits",
        15: "truncated",
    }
    assert {n: found[sha(n)][1] for n in range(16) if found[sha(n)][0] == "refused"} == expected
    assert all(found[sha(n)] == ("kept", None) for n in (0, 10, 12, 13))
    assert (result.rows, result.kept, result.quarantined) == (16, 4, False)
    assert result.refused["expectation: image_side"] == 1 and sum(result.refused.values()) == 12
    assert not list(store.list_objects(Bucket.CURATED, keys.quarantine_prefix(NIGHT)))


def test_data_docs_are_uploaded_equal_on_a_rerun_and_load_nothing_from_elsewhere(
    store: Store, settings: Settings
) -> None:
    pictures = [picture(number) for number in range(8)]
    listings = [listing(number) for number in range(8)]
    listings[0] |= {"currency": '<img src=x onerror="alert(1)">'}
    put_night(store, pictures, listings)

    result = validate_night(store, settings, NIGHT)
    first = digests(store)
    leftover = keys.data_doc(NIGHT, "validations/old.html")
    store.put(leftover, b"from an earlier run")
    assert validate_night(store, settings, NIGHT) == result

    assert digests(store) == first
    pages = [item.ref for item in store.list_objects(Bucket.REPORTS, keys.data_docs_prefix(NIGHT))]
    assert result.data_docs == store.uri(keys.data_doc(NIGHT, "index.html"))
    assert {page.key.rsplit("/", 1)[-1] for page in pages} >= {"index.html", "images.html", "listings.html"}
    for page in pages:
        if page.key.endswith(".html"):
            text = store.get(page).decode()
            assert "Content-Security-Policy" in text
            assert "<script" not in text and "<img src=x" not in text
            assert 'src="http' not in text and '<link rel="stylesheet" href="http' not in text
    index = store.get(keys.data_doc(NIGHT, "index.html")).decode()
    for line in index.split('href="')[1:]:
        target = line.split('"')[0]
        if target.startswith(("validations/", "expectations/")):
            assert store.exists(keys.data_doc(NIGHT, target))
    assert index.count('href="validations/') == 3
    assert index.count("what was seen (holds)") == 2 and index.count("what was seen (fails)") == 1


def test_a_night_with_too_many_failures_is_quarantined_whole_and_released_when_the_limit_allows_it(
    store: Store, settings: Settings
) -> None:
    pictures = [picture(number, contrast=0.0 if number < 3 else 0.2) for number in range(5)]
    pictures.append(picture(5, verdict="refused", reason="truncated"))
    put_night(store, pictures, [listing(number) for number in range(6)])

    result = validate_night(store, settings, NIGHT)

    why = "quarantined: 3 of 5 pictures fail, curate.max_refused_share is 0.5"
    found = validated(store)
    assert result.quarantined and result.kept == 0
    assert result.refused == {"quarantined": 5, "truncated": 1}
    assert all(found[sha(n)] == ("refused", why) for n in range(5))
    assert found[sha(5)] == ("refused", "truncated")
    assert read_table(store, keys.quarantine(NIGHT, "near"), schemas.STAGE_NEAR).height == 6
    assert read_table(store, keys.quarantine(NIGHT, "listings"), schemas.LISTINGS).height == 6

    generous = settings.model_copy(update={"curate": settings.curate.model_copy(update={"max_refused_share": 0.6})})
    released = validate_night(store, generous, NIGHT)

    assert (released.quarantined, released.kept) == (False, 2)
    assert not list(store.list_objects(Bucket.CURATED, keys.quarantine_prefix(NIGHT)))


@pytest.mark.parametrize(
    ("pictures", "listings", "why"),
    [
        (
            [picture(0), picture(1)],
            [
                *(listing(n) for n in range(2)),
                *(listing(n, title=None, verdict="refused", reason="not_understood: no_product") for n in range(2, 6)),
                *(listing(n, title=None, verdict="refused", reason="http_status: 503") for n in range(6, 9)),
            ],
            "quarantined: night_understood: 0.3333",
        ),
        ([picture(0), picture(1, sha256=sha(0))], [listing(0), listing(1)], f"quarantined: image_once: {sha(0)}"),
        ([picture(0)], [], "quarantined: night_understood: 0"),
    ],
    ids=["most listings not understood", "the same picture twice", "no listings at all"],
)
def test_a_broken_batch_is_quarantined(
    store: Store, settings: Settings, pictures: list[dict[str, Any]], listings: list[dict[str, Any]], why: str
) -> None:
    put_night(store, pictures, listings)
    result = validate_night(store, settings, NIGHT)
    assert result.quarantined
    assert set(validated(store).values()) == {("refused", why)}


@pytest.mark.parametrize("pictures", [[], [picture(0, verdict="refused", reason="known: 2026-11-22")]])
def test_a_night_that_keeps_nothing_passes_without_data_docs(
    store: Store, settings: Settings, pictures: list[dict[str, Any]]
) -> None:
    put_night(store, pictures, [])
    store.put(keys.data_doc(NIGHT, "index.html"), b"from an earlier run")
    result = validate_night(store, settings, NIGHT)
    assert (result.rows, result.kept, result.quarantined, result.data_docs) == (len(pictures), 0, False, "")
    assert list(digests(store)) == [str(keys.stage(NIGHT, name)) for name in ("near", "validate")]


def test_a_night_without_its_table_is_an_error_that_names_the_step_to_run(store: Store, settings: Settings) -> None:
    with pytest.raises(CurateError, match=r"near.parquet does not exist; run `near`"):
        validate_night(store, settings, NIGHT)


def test_every_expectation_has_a_name_of_its_own_a_reason_and_a_real_check() -> None:
    import great_expectations.expectations as gxe

    declared = expectations(CurateSettings(), ImageSettings(), ["M41108"])
    assert len({one.name for one in declared}) == len(declared)
    assert all(one.why and hasattr(gxe, one.check) for one in declared)


def test_settled_pages_lose_clock_identifiers_and_folder_and_keep_crawled_values() -> None:
    page = (
        "<head></head><body>"
        '<div id=x-collapse-body-4d80f10a-1f5e-4390-a79a-871ac9c3bddb><a href="#x-collapse-body-4d80f10a-1f5e-4390-'
        'a79a-871ac9c3bddb">/tmp/abc/images.parquet</a><span>20261201T101112.131415Z</span>'
        "https://shop.test/4d80f10a-1f5e-4390-a79a-871ac9c3bddb</body>"
    )
    text = data_docs.settled(page, NIGHT, "/tmp/abc")
    assert 'id=x-collapse-body-0><a href="#x-collapse-body-0">images.parquet</a>' in text
    assert "<span>20261123T000000.000000Z</span>" in text
    assert "https://shop.test/4d80f10a-1f5e-4390-a79a-871ac9c3bddb" in text


def test_pictures_that_no_page_shows_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    (tmp_path / "page.html").write_text('<head></head><body><img src="static/shown.png"></body>')
    for name in ("shown.png", "unused.gif"):
        (tmp_path / "static" / name).write_bytes(b"x")
    data_docs.settle(tmp_path, NIGHT, tmp_path)
    assert sorted(path.name for path in (tmp_path / "static").iterdir()) == ["shown.png"]
