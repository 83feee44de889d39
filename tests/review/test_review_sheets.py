"""Files of the queue: what is exported, and rows that come back as decisions."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from review_frames import AT, NIGHT, decision, judged, sha, write_images

from curate.curate_frames import Shop
from lvbag.catalog import Catalog, Product
from lvbag.review import ReviewError, export_entries, import_decisions, list_entries, read_history
from lvbag.review.importing import ImportResult
from lvbag.review.ledger import write_decision
from lvbag.review.sheets import ANSWERS, COLUMNS, guarded, read_rows, unguarded
from lvbag.settings import Settings
from lvbag.store import Store

CATALOG = Catalog((Product("M41108", "Neverfull", "neverfull", "", "", ()),))
TITLE = '=HYPERLINK("http://evil.test","a bag")'


@pytest.fixture
def night(store: Store) -> None:
    write_images(store, [judged(1, 0.35), judged(2, 0.36), judged(3, 0.33, "no_bag: best confidence 0.33")])
    shop = Shop(store, NIGHT)
    shop.listing("l9", [], style_code=None, title=TITLE)
    shop.close()


def filled(path: Path, answers: dict[str, dict[str, str]]) -> Path:
    """An exported CSV with these cells written into the rows of these items."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter=";")  # as some spreadsheets save it
        writer.writeheader()
        writer.writerows({**row, **answers.get(row["item"], {})} for row in rows)
    return path


def load(store: Store, settings: Settings, path: Path, **how: bool) -> ImportResult:
    return import_decisions(store, settings, CATALOG, path, "ana", AT, **how)


def decisions(store: Store) -> list[tuple[str, str, str | None]]:
    everything = read_history(store).items()
    return [(item, one.verdict.value, one.style_code) for item, found in everything for one in found]


def export(store: Store, settings: Settings, path: Path) -> Path:
    export_entries(store, list_entries(store, settings), path)
    return path


@pytest.mark.usefixtures("night")
def test_every_item_is_exported_with_its_newest_decision_and_no_cell_is_a_formula(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    write_decision(store, decision(f"confidence:{sha(1)}", "keep"))
    write_decision(store, decision(f"confidence:{sha(1)}", "refuse", 1, who="=bo"))
    path = export(store, settings, tmp_path / "queue.csv")
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = {row["item"]: row for row in csv.DictReader(file)}
    assert set(rows) == {*(f"confidence:{sha(n)}" for n in (1, 2, 3)), "unlabelled:shop/l9"}
    first = rows[f"confidence:{sha(1)}"]
    assert (first["decided"], first["decided_by"], first["verdict"]) == ("refuse", "'=bo", "")
    assert first["picture"].startswith("s3://")
    assert rows["unlabelled:shop/l9"]["title"] == f"'{TITLE}"
    assert not [cell for row in rows.values() for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]
    whole = [json.loads(line) for line in export(store, settings, tmp_path / "q.jsonl").read_text().splitlines()]
    assert {row["title"] for row in whole} == {None, TITLE}, "a program reads texts as they are"
    with pytest.raises(ReviewError, match=r"queue.csv exists, and may hold answers"):
        export(store, settings, path)
    with pytest.raises(ReviewError, match=r"must end in \.csv or \.jsonl"):
        export(store, settings, tmp_path / "queue.xlsx")


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@a", "\t=1", "plain", "", "'quoted", "a=b"])
def test_a_guarded_cell_reads_as_it_was(text: str) -> None:
    assert unguarded(guarded(text)) == text
    assert guarded(text)[:1] not in {*"=+-@", "\t"} or text == ""


@pytest.mark.usefixtures("night")
def test_filled_rows_become_decisions_and_the_same_file_again_adds_nothing(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    path = export(store, settings, tmp_path / "queue.csv")
    assert load(store, settings, path) == ImportResult(rows=4, filled=0, added=0, unchanged=0)
    filled(
        path,
        {
            f"confidence:{sha(1)}": {"verdict": " Refuse ", "why": "-- no bag"},
            f"confidence:{sha(2)}": {"verdict": "keep"},
            "unlabelled:shop/l9": {"verdict": "relabel", "product": "M41108", "why": "seen inside"},
        },
    )
    assert load(store, settings, path) == ImportResult(rows=4, filled=3, added=3, unchanged=0)
    said = [
        (f"confidence:{sha(1)}", "refuse", None),
        (f"confidence:{sha(2)}", "keep", None),
        ("unlabelled:shop/l9", "relabel", "M41108"),
    ]
    assert decisions(store) == said
    assert load(store, settings, path) == ImportResult(rows=4, filled=3, added=0, unchanged=3)
    assert decisions(store) == said
    again = export(store, settings, tmp_path / "again.csv")
    assert load(store, settings, again).added == 0, "what is decided stands in columns that decide nothing"


BAD = [
    {"item": f"confidence:{sha(1)}", "verdict": "refuse"},
    {"item": f"confidence:{sha(1)}", "verdict": "keep"},
    {"item": f"confidence:{sha(2)}", "verdict": "maybe"},
    {"item": f"confidence:{sha(2)}", "verdict": "undo"},
    {"item": f"confidence:{sha(2)}", "verdict": "relabel", "product": "M4110"},
    {"item": f"confidence:{sha(2)}", "verdict": "keep", "product": "M41108"},
    {"item": "unlabelled:shop/l9", "verdict": "keep"},
    {"item": f"confidence:{sha(77)}", "verdict": "keep"},
    {"item": f"smell:{sha(2)}", "verdict": "keep"},
    {"verdict": "keep"},
    {"item": f"confidence:{sha(3)}", "verdict": "keep", "why": "x" * 2001},
]


@pytest.mark.usefixtures("night")
def test_every_bad_row_is_named_and_nothing_is_written_unless_they_may_be_skipped(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in BAD), encoding="utf-8")
    with pytest.raises(ReviewError) as caught:
        load(store, settings, path)
    lines = str(caught.value).splitlines()
    assert "10 of 11 rows with a verdict are no decisions, so nothing was written" in lines[0]
    reasons = (
        "stands in line 1 already",
        "verdict 'maybe' is none of keep, refuse, relabel",
        "there is `lvbag review undo`",
        "'M4110' is no product of catalog.csv; did you mean M41108?",
        "a product goes with relabel, not with keep",
        "an item of kind unlabelled is answered by refuse, relabel, not by keep",
        f"there is no item confidence:{sha(77)} (any more)",
        "there is no kind 'smell' of items",
        "'' names no item",
        "why: String should have at most 2000 characters",
    )
    assert len(lines) == 11
    for number, (line, reason) in enumerate(zip(lines[1:], reasons, strict=True), start=2):
        assert line.startswith(f"  line {number}: ")
        assert reason in line
    assert decisions(store) == []
    result = load(store, settings, path, skip_bad=True)
    assert (result.added, [row.line for row in result.bad]) == (1, list(range(2, 12)))
    assert decisions(store) == [(f"confidence:{sha(1)}", "refuse", None)]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.csv", "item,why\n", "column 'verdict' is missing"),
        ("a.csv", 'item,verdict\n"x,keep', r"a\.csv:2: not CSV"),
        ("a.jsonl", '{"item": "x"}\n[]\n', r"a\.jsonl:2: a row is an object"),
        ("a.jsonl", "{", r"a\.jsonl:1: not JSON"),
        ("a.csv", b"item,verdict\n\xff,keep", "is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, text: str | bytes, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(ReviewError, match=says):
        read_rows(path)


def test_an_export_has_the_columns_that_are_filled_in() -> None:
    assert COLUMNS[-3:] == ANSWERS == ("verdict", "product", "why")
