"""Where secrets stand that should stand nowhere: everything that a machine has written is read, tables row by row."""

from __future__ import annotations

import base64
import io
import json
import sqlite3
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import polars as pl
import zstandard

Secrets = Mapping[str, str]
"""By a name that may be shown."""


def leaks(secrets: Secrets, folder: Path, keepers: Iterable[str] = ()) -> list[str]:
    """`secret in file` for every find below a folder; `keepers` are files that are there to keep them."""
    forms = {name: _forms(value) for name, value in secrets.items()}
    kept = {folder / name for name in keepers}
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path not in kept:
            shown = path.relative_to(folder)
            for where, data in _pieces(path):
                found += [f"{name} in {shown}{where}" for name, known in forms.items() if any(f in data for f in known)]
    return found


def _forms(value: str) -> set[bytes]:
    """How a value may be written down."""
    return {
        value.encode(),
        quote(value, safe="").encode(),
        json.dumps(value)[1:-1].encode(),
        base64.b64encode(value.encode()).rstrip(b"="),
    }


def _pieces(path: Path) -> Iterator[tuple[str, bytes]]:
    """A file's content, unpacked where it is packed."""
    data = path.read_bytes()
    if data.startswith(b"SQLite format 3\0"):
        yield from _rows(path)
    elif path.name.endswith(("-wal", "-shm")):
        return  # read with its database
    elif data.startswith(b"PAR1"):
        rows = pl.read_parquet(io.BytesIO(data)).iter_rows()
        yield "", b"\0".join(_bytes(value) for row in rows for value in row)
    elif data.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield "", b"\0".join(archive.read(name) for name in archive.namelist())
    elif data.startswith(b"\x28\xb5\x2f\xfd"):
        yield "", zstandard.ZstdDecompressor().decompressobj().decompress(data)
    else:
        yield "", data


def _rows(path: Path) -> Iterator[tuple[str, bytes]]:
    """Each value of a database, whole: in the file itself a long one is in pieces."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in database.execute(f'SELECT * FROM "{table}"'):
                yield f" ({table})", b"\0".join(_bytes(value) for value in row)


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
