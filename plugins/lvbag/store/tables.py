"""Parquet tables in the store, each with a schema that it must fit exactly.

A table that does not fit is refused with the column's name, when it is written and when it is read. Equal frames give
equal bytes, so a step that runs twice leaves the same object.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl

from lvbag.errors import LvbagError
from lvbag.schemas import ADDED_LATER
from lvbag.store.client import CorruptObject, ObjectInfo, Store
from lvbag.store.keys import Ref
from lvbag.store.remedies import remedy

_ROW_GROUP = 2_000

_UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)
"""What polars raises for bytes that are no table; a panic is a `BaseException`, which no `except Exception` sees."""


class SchemaError(LvbagError):
    """A table does not fit its schema."""


def write_table(store: Store, ref: Ref, frame: pl.DataFrame, schema: pl.Schema) -> ObjectInfo:
    """Check a frame against its schema and write it; raises `SchemaError` naming the column."""
    check_schema(frame, schema, store.uri(ref))
    return store.put(ref, parquet_bytes(frame), "application/vnd.apache.parquet")


def write_pieces(store: Store, ref: Ref, pieces: Iterable[pl.DataFrame], schema: pl.Schema) -> ObjectInfo:
    """Write one table of many pieces, in their order, without ever holding it whole; raises `SchemaError`."""
    with tempfile.TemporaryDirectory(prefix="lvbag-table-") as name:
        parts: list[Path] = []
        for piece in pieces:
            check_schema(piece, schema, store.uri(ref))
            parts.append(Path(name) / f"{len(parts):06d}.arrow")
            piece.write_ipc(parts[-1], compression="lz4")
        whole = Path(name) / "table.parquet"
        lazy = pl.scan_ipc(parts) if parts else schema.to_frame().lazy()
        lazy.sink_parquet(whole, compression="zstd", statistics=True, row_group_size=_ROW_GROUP)
        return store.upload(ref, whole, "application/vnd.apache.parquet")


def read_table(store: Store, ref: Ref, schema: pl.Schema) -> pl.DataFrame:
    """Read a table and check it; raises `CorruptObject` (no Parquet) and `SchemaError` (does not fit)."""
    return _checked(store, ref, _parsed(store, ref, store.get_sound(ref), None), schema)


def read_columns(store: Store, ref: Ref, schema: pl.Schema, columns: Sequence[str]) -> pl.DataFrame:
    """Some columns of a table, in this order, the others never unpacked; raises as `read_table`."""
    data = store.get_sound(ref)
    try:
        there = set(pl.read_parquet_schema(io.BytesIO(data)))
    except _UNREADABLE as error:
        raise CorruptObject(_unreadable(store, ref, error)) from None
    wanted = pl.Schema({name: schema[name] for name in columns})
    frame = _parsed(store, ref, data, [name for name in columns if name in there])
    return _checked(store, ref, frame, wanted)


def _parsed(store: Store, ref: Ref, data: bytes, columns: list[str] | None) -> pl.DataFrame:
    try:
        return pl.read_parquet(io.BytesIO(data), columns=columns)
    except _UNREADABLE as error:
        raise CorruptObject(_unreadable(store, ref, error)) from None


def _unreadable(store: Store, ref: Ref, error: BaseException) -> str:
    said = " ".join(str(error).split())
    return f"{store.uri(ref)} is not a readable Parquet table ({said[:200]}); {remedy(ref)}"


def _checked(store: Store, ref: Ref, frame: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """A table as it was read, fit for its schema."""
    frame = _with_later_columns(frame, schema)
    try:
        check_schema(frame, schema, store.uri(ref))
    except SchemaError as error:
        raise SchemaError(f"{error}; {remedy(ref)}") from None
    return frame


def _with_later_columns(frame: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """A table of an earlier release, with nulls in the columns that have come since."""
    missing = [name for name in schema if name not in frame.columns]
    if not missing or not set(missing) <= ADDED_LATER or not set(frame.columns) <= set(schema):
        return frame
    return frame.with_columns(pl.lit(None, schema[name]).alias(name) for name in missing).select(list(schema))


def read_tables(store: Store, refs: Iterable[Ref], schema: pl.Schema) -> pl.DataFrame:
    """All tables one below the other, in the order given; an empty frame with the schema where there are none."""
    frames = [read_table(store, ref, schema) for ref in refs]
    return pl.concat(frames) if frames else schema.to_frame()


def parquet_bytes(frame: pl.DataFrame) -> bytes:
    """The frame as Parquet; the same bytes for equal frames."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd", statistics=True)
    return buffer.getvalue()


def check_schema(frame: pl.DataFrame, schema: pl.Schema, what: str) -> None:
    """Columns, their order and their types must be the schema's; raises `SchemaError` naming the first that differs."""
    actual = frame.schema
    for name, wanted in schema.items():
        if name not in actual:
            raise SchemaError(f"{what}: column {name!r} is missing")
        if actual[name] != wanted:
            raise SchemaError(f"{what}: column {name!r} has type {actual[name]}, expected {wanted}")
    for name in actual:
        if name not in schema:
            raise SchemaError(f"{what}: column {name!r} is not in the schema")
    if list(actual) != list(schema):
        raise SchemaError(f"{what}: columns stand in the order {list(actual)}, expected {list(schema)}")
