"""The queue as a file for a spreadsheet (CSV) or a program (JSON lines), and the rows of such a file.

The columns of `ANSWERS` are empty in an export; a row whose `verdict` somebody fills becomes a decision. What was
decided before stands in columns of its own, so that giving a file back unread decides nothing.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lvbag.review.errors import ReviewError
from lvbag.review.items import Item
from lvbag.review.queue import Entry
from lvbag.store import Store

ANSWERS = ("verdict", "product", "why")
COLUMNS = (
    *("item", "kind", "night", "uncertainty", "machine", "reason", "numbers", "style_code", "title", "picture"),
    *("decided", "decided_product", "decided_by", "decided_at", "decided_why"),
    *ANSWERS,
)

_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""A cell that begins so is a formula to a spreadsheet, and titles come from strangers."""
_GUARD = "'"
_SUFFIXES = (".csv", ".jsonl")
_MAX_BYTES = 200_000_000


@dataclass(frozen=True)
class SheetRow:
    """A row of a file: `line` is where it ends, counted from 1; `cells` are those that are not empty."""

    line: int
    cells: Mapping[str, str]


def export_entries(store: Store, entries: Iterable[Entry], path: Path, overwrite: bool = False) -> int:
    """Write one row an item; returns how many. Raises `ReviewError` where the file may not be overwritten."""
    kind = _kind(path)
    if path.exists() and not overwrite:
        raise ReviewError(f"{path} exists, and may hold answers; name another file, or say --overwrite")
    rows = [_row(store, entry) for entry in entries]
    text = _csv_text(rows) if kind == ".csv" else "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    try:
        # the mark at the start tells spreadsheets that it is UTF-8
        path.write_bytes(text.encode("utf-8-sig" if kind == ".csv" else "utf-8"))
    except OSError as error:
        raise ReviewError(f"{path} cannot be written: {error.strerror}") from None
    return len(rows)


def read_rows(path: Path) -> list[SheetRow]:
    """The rows of a CSV or JSON lines file; raises `ReviewError` naming the line where it cannot be read."""
    kind = _kind(path)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ReviewError(f"{path} is larger than {_MAX_BYTES // 1_000_000} MB; import it in pieces")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ReviewError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ReviewError(f"{path} is not UTF-8 ({error}); save it as CSV in UTF-8") from None
    return list(_csv_rows(path, text) if kind == ".csv" else _json_rows(path, text))


def guarded(cell: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"{_GUARD}{cell}" if cell.startswith(_FORMULA) else cell


def unguarded(cell: str) -> str:
    """The text that `guarded` was given."""
    return cell[1:] if cell.startswith(_GUARD) and cell[1:].startswith(_FORMULA) else cell


# ------------------------------------------------------------------ writing


def item_row(store: Store, item: Item) -> dict[str, Any]:
    """An item in plain values, as sheets and JSON tell it; `reason` is the machine's."""
    return {
        "item": str(item.id),
        "kind": item.id.kind,
        "night": item.night.isoformat(),
        "uncertainty": item.uncertainty,
        "machine": item.machine,
        "reason": item.why,
        "numbers": dict(item.numbers),
        "style_code": item.style_code,
        "title": item.title,
        "picture": None if item.picture is None else store.uri(item.picture),
    }


def _row(store: Store, entry: Entry) -> dict[str, Any]:
    decision = entry.decision
    return item_row(store, entry.item) | {
        "decided": None if decision is None else decision.verdict.value,
        "decided_product": None if decision is None else decision.style_code,
        "decided_by": None if decision is None else decision.who,
        "decided_at": None if decision is None else decision.at.isoformat(),
        "decided_why": None if decision is None else decision.why,
        **dict.fromkeys(ANSWERS),
    }


def _csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    writer.writerows([_cell(row[name]) for name in COLUMNS] for row in rows)
    return buffer.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return "; ".join(f"{name}={number:g}" for name, number in value.items())
    return guarded(value) if isinstance(value, str) else str(value)


# ------------------------------------------------------------------ reading


def _kind(path: Path) -> str:
    if path.suffix.lower() not in _SUFFIXES:
        raise ReviewError(f"{path}: the name must end in {' or '.join(_SUFFIXES)}, which says how it is written")
    return path.suffix.lower()


def _csv_rows(path: Path, text: str) -> Iterator[SheetRow]:
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)  # spreadsheets of some countries write semicolons
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for name in ("item", "verdict"):
            if name not in (reader.fieldnames or ()):
                raise ReviewError(f"{path}: column {name!r} is missing; export the queue and fill in that file")
        for row in reader:
            texts = {name: value for name, value in row.items() if isinstance(name, str) and value}
            cells = {name: unguarded(value.strip()) for name, value in texts.items()}
            yield SheetRow(reader.line_num, {name: value for name, value in cells.items() if value})
    except csv.Error as error:
        raise ReviewError(f"{path}:{reader.reader.line_num}: not CSV: {error}") from None


def _json_rows(path: Path, text: str) -> Iterator[SheetRow]:
    for line, content in enumerate(text.split("\n"), start=1):
        if not content.strip():
            continue
        try:
            row = json.loads(content)
        except ValueError as error:
            raise ReviewError(f"{path}:{line}: not JSON: {error}") from None
        if not isinstance(row, dict):
            raise ReviewError(f"{path}:{line}: a row is an object with `item` and `verdict`")
        texts = {name: value.strip() for name, value in row.items() if isinstance(value, str)}
        yield SheetRow(line, {name: value for name, value in texts.items() if value})
