"""Damaged objects: a step that reads one names it and what to do, and has written and deleted nothing until then."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Mapping
from urllib.parse import quote, unquote

import polars as pl
import pytest
from curate_frames import Shop, jpeg, photo
from faulty_nights import (
    FIRST,
    REMEDY,
    SECOND,
    STEPS,
    Nights,
    at,
    close_shop,
    curate_unchecked,
    curate_whole,
    differences,
    fresh,
    tags,
)

from cutting_store import Cut, CuttingStore
from lvbag import schemas
from lvbag.curate import mark_exact, mark_near
from lvbag.errors import LvbagError
from lvbag.images.fingerprints import VERSION
from lvbag.store import Bucket, CorruptObject, Ref, Store, StoreUnavailable, keys
from lvbag.store.tables import parquet_bytes, read_table, write_table

Damage = Callable[[bytes], bytes]


def name_of(table: pl.DataFrame) -> str:
    """A column that every table has."""
    return "sha256" if "sha256" in table.columns else "source"


def without_a_column(data: bytes) -> bytes:
    table = pl.read_parquet(io.BytesIO(data))
    return parquet_bytes(table.drop(name_of(table)))


def with_another_type(data: bytes) -> bytes:
    table = pl.read_parquet(io.BytesIO(data))
    return parquet_bytes(table.with_columns(pl.int_range(pl.len()).alias(name_of(table))))


DAMAGES: Mapping[str, Mapping[str, Damage]] = {
    "parquet": {
        "empty": lambda _: b"",
        "cut short": lambda data: data[: len(data) // 2],
        "a column is missing": without_a_column,
        "a column has another type": with_another_type,
        "another table": lambda _: parquet_bytes(pl.DataFrame({"a": [1]})),
    },
    "json": {
        "empty": lambda _: b"",
        "cut short": lambda data: data[: len(data) // 2],
        "a list": lambda _: b"[]",
        "a text": lambda _: b'"text"',
    },
}


def tables_read_by(nights: Nights, step: str) -> list[Ref]:
    """The tables and texts that a step was seen to ask for, and that were there."""
    found = []
    for asked in nights.requests[step]:
        method, path = asked.split(" ", 1)
        bucket, _, key = unquote(path.split("?")[0]).lstrip("/").partition("/")
        ref = Ref(Bucket(bucket.rsplit("-", 1)[1]), key)
        if method == "GET" and ref in nights.before[step] and key.endswith((".parquet", ".json")):
            found.append(ref)
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("step", STEPS)
def test_a_step_names_a_damaged_table_and_the_remedy_and_changes_nothing(nights: Nights, step: str) -> None:
    read = tables_read_by(nights, step)
    assert read
    for number, ref in enumerate(read):
        kinds = list(DAMAGES[ref.key.rsplit(".", 1)[1]].items())
        for kind, damage in (kinds[number % len(kinds)], kinds[(number + 2) % len(kinds)]):
            nights.begin(step)
            nights.store.put(ref, damage(nights.before[step][ref]))
            before = tags(nights.store)
            with pytest.raises(LvbagError, match=REMEDY) as caught:
                STEPS[step](nights.store, nights.settings)
            assert nights.store.uri(ref) in str(caught.value), kind
            assert differences(tags(nights.store), before) == {}, (ref, kind)


@pytest.mark.parametrize("step", STEPS)
def test_a_single_bit_that_turned_over_in_a_table_is_noticed(nights: Nights, proxy: CuttingStore, step: str) -> None:
    store = Store(at(nights.settings, proxy.endpoint, retries=0).store)
    nights.begin(step)
    before = tags(nights.store)
    for ref in tables_read_by(nights, step):
        nights.store.put(ref, nights.before[step][ref])  # conditional puts leave no digest
        proxy.begin(Cut("flipped", once=False, path=f"GET /{store.bucket(ref.bucket)}/{quote(ref.key)}"))
        with pytest.raises(LvbagError, match=REMEDY) as caught:
            STEPS[step](store, nights.settings)
        assert store.uri(ref) in str(caught.value)
        assert differences(tags(nights.store), before) == {}, ref


def test_a_damaged_crop_is_named_and_no_snapshot_is_seen(nights: Nights) -> None:
    nights.begin("snapshot")
    crops = [ref for ref in nights.before["snapshot"] if ref.key.startswith(keys.crops_prefix())]
    nights.store.put(crops[-1], b"not the crop")
    with pytest.raises(CorruptObject, match=REMEDY) as caught:
        STEPS["snapshot"](nights.store, nights.settings)
    assert nights.store.uri(crops[-1]) in str(caught.value)
    assert nights.wrong_so_far("snapshot") == {str(crops[-1]): "neither"}
    assert not nights.store.exists(keys.snapshot_of_night(SECOND))


def test_curating_the_earlier_night_again_heals_all_that_it_had_written(nights: Nights) -> None:
    nights.begin("exact")
    pointer = keys.snapshot_of_night(FIRST)
    name = nights.store.get_json(pointer)["snapshot"]
    healed = [keys.stage(FIRST, stage) for stage in schemas.STAGES]
    healed += [keys.cleaned(FIRST, 0), keys.curated_images(FIRST, 0), keys.statistics(FIRST), pointer]
    for ref in healed:
        assert ref in nights.before["exact"]
        nights.store.put(ref, b"damaged")
    nights.store.delete(keys.snapshot(name, "manifest.parquet"))  # as the error about a damaged one says
    curate_whole(nights.store, nights.settings, FIRST)
    STEPS["exact"](nights.store, nights.settings)
    assert nights.wrong("exact") == {}


def test_damaged_fingerprints_that_were_taken_again_are_taken_once_more(
    nights: Nights, caplog: pytest.LogCaptureFixture
) -> None:
    nights.begin("near")
    for ref in (keys.curated_images(FIRST, part) for part in range(4)):
        table = read_table(nights.store, ref, schemas.IMAGES)
        write_table(nights.store, ref, table.with_columns(fingerprint=pl.lit("0")), schemas.IMAGES)
    mark_near(nights.store, nights.settings, SECOND)
    before = tags(nights.store)
    ref = keys.refreshed(VERSION, FIRST)
    whole = nights.store.get(ref)
    for damage in DAMAGES["parquet"].values():
        nights.store.put(ref, damage(whole))
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            mark_near(nights.store, nights.settings, SECOND)
        assert nights.store.uri(ref) in caplog.text
        assert differences(tags(nights.store), before) == {}


def test_a_picture_whose_bytes_the_store_spoilt_may_come_again_on_a_later_night(store_endpoint: str) -> None:
    settings = fresh(store_endpoint)
    store = Store(settings.store)
    data = jpeg(photo(1))
    shop = Shop(store, FIRST)
    (sha256,) = shop.listing("a", [data])
    close_shop(shop)
    store.put(keys.raw_image(sha256, "jpg"), data[:-9])
    curate_unchecked(store, settings, FIRST)
    assert (
        read_table(store, keys.curated_images(FIRST, 0), schemas.IMAGES)["reason"].str.starts_with("raw_corrupt").all()
    )
    shop = Shop(store, SECOND)
    shop.listing("a", [data])
    close_shop(shop)
    mark_exact(store, settings, SECOND)
    assert mark_near(store, settings, SECOND).kept == 1


def test_a_reader_that_panics_over_damaged_bytes_is_an_error_of_ours(
    nights: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    nights.begin("near")

    def panics(*_: object, **__: object) -> None:
        raise pl.exceptions.PanicException("assertion failed: offset + length <= self.length")

    monkeypatch.setattr(pl, "read_parquet", panics)
    with pytest.raises(CorruptObject, match=r"exact.parquet is not a readable Parquet table \(assertion failed"):
        STEPS["near"](nights.store, nights.settings)


def test_a_server_that_is_no_store_is_named(nights: Nights, proxy: CuttingStore) -> None:
    proxy.begin(Cut("instead", once=False, instead=b"HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n<p>welcome</b>"))
    store = Store(at(nights.settings, proxy.endpoint, retries=0).store)
    with pytest.raises(StoreUnavailable, match=r"no XML .* check that store.endpoint is an S3 store"):
        list(store.list_objects(Bucket.RAW))
