"""Tables in the store: long ones in pieces, and those of earlier releases."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from lvbag import schemas
from lvbag.store import Bucket, CorruptObject, Ref, Store
from lvbag.store.tables import SchemaError, read_columns, read_table, write_pieces, write_table

REF = Ref(Bucket.RAW, "fetches/table.parquet")
SCHEMA = pl.Schema({"number": pl.Int64(), "text": pl.String()})


def piece(start: int, count: int) -> pl.DataFrame:
    numbers = range(start, start + count)
    return pl.DataFrame({"number": numbers, "text": [f"row {n}" for n in numbers]}, schema=SCHEMA)


def test_a_table_written_in_pieces_reads_whole_and_is_the_same_object_twice(store: Store) -> None:
    first = write_pieces(store, REF, (piece(start, 700) for start in range(0, 25_000, 700)), SCHEMA)
    frame = read_table(store, REF, SCHEMA)
    assert frame.equals(piece(0, frame.height))
    assert frame.height == 25_200
    assert write_pieces(store, REF, (piece(start, 700) for start in range(0, 25_000, 700)), SCHEMA).etag == first.etag


def test_a_table_of_no_pieces_is_empty_and_a_wrong_piece_is_refused(store: Store) -> None:
    write_pieces(store, REF, (), SCHEMA)
    assert read_table(store, REF, SCHEMA).equals(SCHEMA.to_frame())
    with pytest.raises(SchemaError, match="column 'text' is missing"):
        write_pieces(store, REF, [piece(0, 1).drop("text")], SCHEMA)


def test_columns_that_came_later_read_as_null_and_others_must_be_there(store: Store) -> None:
    night = dt.date(2026, 11, 23)
    row = {"night": night, "source": "shop", "listing_id": "7"}
    old = pl.DataFrame([row], schema=schemas.LISTINGS).drop("brand", "sku", "gtin", "condition", "availability")
    write_table(store, REF, old, old.schema)
    (found,) = read_table(store, REF, schemas.LISTINGS).to_dicts()
    assert (found["listing_id"], found["brand"], found["availability"]) == ("7", None, None)
    write_table(store, REF, old.drop("title"), old.drop("title").schema)
    with pytest.raises(SchemaError, match="column 'title' is missing"):
        read_table(store, REF, schemas.LISTINGS)


def test_some_columns_of_a_table_come_in_the_order_asked_for_and_later_ones_as_null(store: Store) -> None:
    row = {"night": dt.date(2026, 11, 23), "sha256": "7" * 64, "verdict": "kept"}
    old = pl.DataFrame([row], schema=schemas.IMAGES).drop("rule", "crop_phash64")
    write_table(store, REF, old, old.schema)
    found = read_columns(store, REF, schemas.IMAGES, ["rule", "verdict", "crop_phash64", "sha256"])
    assert found.columns == ["rule", "verdict", "crop_phash64", "sha256"]
    assert found.row(0) == (None, "kept", None, "7" * 64)
    assert read_table(store, REF, schemas.IMAGES).columns == list(schemas.IMAGES)
    with pytest.raises(SchemaError, match="column 'verdict' is missing"):
        write_table(store, REF, old.drop("verdict"), old.drop("verdict").schema)
        read_columns(store, REF, schemas.IMAGES, ["verdict"])


def test_what_is_no_table_is_named_with_the_remedy(store: Store) -> None:
    store.put(REF, b"PAR1 but nothing else")
    for read in (lambda: read_table(store, REF, SCHEMA), lambda: read_columns(store, REF, SCHEMA, ["text"])):
        with pytest.raises(
            CorruptObject, match=r"fetches/table.parquet is not a readable Parquet table.*restore it from a backup"
        ):
            read()
