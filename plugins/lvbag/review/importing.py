"""Decisions from a file that was exported and filled in: all rows, or none."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lvbag.catalog import Catalog
from lvbag.review.borders import PICTURE
from lvbag.review.decisions import Decision, Verdict, standing
from lvbag.review.errors import ReviewError
from lvbag.review.items import ItemId, parse_id
from lvbag.review.kinds import check_answer
from lvbag.review.ledger import decide, make_decision, read_history
from lvbag.review.queue import list_entries, missing
from lvbag.review.sheets import SheetRow, read_rows
from lvbag.settings import Settings
from lvbag.store import Store


@dataclass(frozen=True)
class BadRow:
    """A row that is no decision, and why; `line` counts from 1."""

    line: int
    why: str


@dataclass(frozen=True)
class ImportResult:
    """`rows` of the file, those with a verdict (`filled`), and what came of these; `unchanged`: decided so already."""

    rows: int
    filled: int
    added: int
    unchanged: int
    bad: tuple[BadRow, ...] = ()


@dataclass(frozen=True)
class _Answer:
    line: int
    item: ItemId
    verdict: Verdict
    product: str | None
    why: str


def import_decisions(  # noqa: PLR0917 - what is read, and by whom
    store: Store, settings: Settings, catalog: Catalog, path: Path, who: str, at: dt.datetime, skip_bad: bool = False
) -> ImportResult:
    """Write a decision for each row with a verdict that is not decided so already.

    Raises `ReviewError` naming every bad row and writes nothing, unless `skip_bad`. The same file again adds nothing.
    """
    rows = read_rows(path)
    filled = [row for row in rows if "verdict" in row.cells]
    answers, bad = _read(filled, catalog, who, at)
    current, unknown = _known(store, settings, answers)
    bad = tuple(sorted((*bad, *unknown), key=lambda row: row.line))
    if bad and not skip_bad:
        listed = "".join(f"\n  line {row.line}: {row.why}" for row in bad)
        raise ReviewError(
            f"{path}: {len(bad)} of {len(filled)} rows with a verdict are no decisions, so nothing was written "
            f"(--skip-bad writes the others):{listed}"
        )
    wrong = {row.line for row in bad}
    new = [one for one in answers if one.line not in wrong and not _is_decided(one, current.get(str(one.item)))]
    for one in new:
        decide(store, one.item, one.verdict, one.product, who, at, one.why)
    return ImportResult(len(rows), len(filled), len(new), len(filled) - len(new) - len(bad), bad)


def _read(
    rows: Sequence[SheetRow], catalog: Catalog, who: str, at: dt.datetime
) -> tuple[list[_Answer], tuple[BadRow, ...]]:
    """The rows as answers, and those that are none; an item may stand in one row only."""
    answers: list[_Answer] = []
    bad: list[BadRow] = []
    lines: dict[ItemId, int] = {}
    for row in rows:
        try:
            answer = _answer(row, catalog)
            make_decision(answer.item, answer.verdict, answer.product, who, at, answer.why, None)
            if answer.item in lines:
                raise ReviewError(f"{answer.item} stands in line {lines[answer.item]} already; leave one of them")
        except ReviewError as error:
            bad.append(BadRow(row.line, str(error)))
            continue
        lines[answer.item] = row.line
        answers.append(answer)
    return answers, tuple(bad)


def _answer(row: SheetRow, catalog: Catalog) -> _Answer:
    cells = row.cells
    allowed = [one.value for one in Verdict if one is not Verdict.UNDO]
    said = cells["verdict"].lower()
    if said not in allowed:
        raise ReviewError(
            f"verdict {cells['verdict'][:100]!r} is none of {', '.join(allowed)}; to take a decision back there is "
            "`lvbag review undo`"
        )
    item = parse_id(cells.get("item", ""))
    verdict, product = Verdict(said), cells.get("product")
    check_answer(item.kind, verdict, product, catalog)
    return _Answer(row.line, item, verdict, product, cells.get("why", ""))


def _known(
    store: Store, settings: Settings, answers: Sequence[_Answer]
) -> tuple[dict[str, Decision | None], list[BadRow]]:
    """What is decided about every item that there is, and the answers to items that there are not."""
    if not answers:
        return {}, []
    pictures = [one.item.sha256 for one in answers if one.item.kind == PICTURE and one.item.sha256 is not None]
    current = {item: standing(decisions) for item, decisions in read_history(store).items()}
    for entry in list_entries(store, settings, by_hand=pictures):
        current.setdefault(str(entry.item.id), None)
    unknown = [one for one in answers if str(one.item) not in current]
    return current, [BadRow(one.line, missing(str(one.item))) for one in unknown]


def _is_decided(answer: _Answer, current: Decision | None) -> bool:
    if current is None or (answer.verdict, answer.product) != (current.verdict, current.style_code):
        return False
    return answer.why in ("", current.why)
