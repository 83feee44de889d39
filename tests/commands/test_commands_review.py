"""`lvbag review`, over the queue of a night in a real store."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from curate.curate_frames import Shop
from lvbag.cli import app
from lvbag.errors import LvbagError
from lvbag.review import read_history
from lvbag.settings import Settings
from lvbag.store import Store
from review.review_frames import NIGHT, judged, sha, write_images
from store_env import name_store

Run = Callable[..., str]
ITEM = f"confidence:{sha(1)}"


@pytest.fixture
def lvbag(tmp_path: Path, store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("LVBAG_HOME", str(tmp_path))
    name_store(monkeypatch, settings.store)
    write_images(store, [judged(1, 0.35), judged(2, 0.4)])
    shop = Shop(store, NIGHT)
    shop.listing("l9", [], style_code=None, title="[red]a bag")
    shop.close()

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["review", *arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    return run


def items(text: str) -> list[str]:
    return [json.loads(line)["item"] for line in text.splitlines()]


def test_the_list_shows_what_is_open_most_uncertain_first(lvbag: Run) -> None:
    assert items(lvbag("list", "--json")) == [ITEM, f"confidence:{sha(2)}", "unlabelled:shop/l9"]
    assert items(lvbag("list", "--json", "--limit", "1", "--night", "2026-11-23")) == [ITEM]
    assert items(lvbag("list", "--json", "--kind", "unlabelled")) == ["unlabelled:shop/l9"]
    text = lvbag("list", "--limit", "2")
    assert "3 open, 0 decided, 1 more not shown" in text
    assert "[red]a bag" in lvbag("list", "--kind", "unlabelled"), "titles come from strangers and are no markup"


def test_a_decision_takes_an_item_off_the_list_and_an_undo_brings_it_back(lvbag: Run, store: Store) -> None:
    said = json.loads(lvbag("decide", ITEM, "refuse", "--why", "a shoe", "--by", "ana", "--json"))
    assert (said["item"], said["verdict"], said["who"], said["why"]) == (ITEM, "refuse", "ana", "a shoe")
    assert ITEM not in items(lvbag("list", "--json"))
    assert ITEM in items(lvbag("list", "--json", "--all"))
    assert "decided: refuse by ana" in lvbag("list", "--all")
    assert "now counts: what the machine decided" in lvbag("undo", ITEM, "--by", "bo", "--why", "no shoe")
    assert ITEM in items(lvbag("list", "--json"))
    assert [(one.verdict.value, one.who) for one in read_history(store)[ITEM]] == [("refuse", "ana"), ("undo", "bo")]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((ITEM, "relabel", "--why", "x"), "relabel needs the product"),
        ((ITEM, "relabel", "--product", "nonsense", "--why", "x"), "'nonsense' is no product of catalog.csv"),
        ((ITEM, "keep", "--why", " "), "say why"),
        ((ITEM, "undo", "--why", "x"), "is answered by keep, refuse, relabel, not by undo"),
        ((f"confidence:{sha(9)}", "keep", "--why", "x"), "there is no item confidence:"),
        (("unlabelled:shop/l9", "keep", "--why", "x"), "is answered by refuse, relabel"),
    ],
)
def test_what_cannot_be_decided_so_is_told_and_nothing_is_written(
    lvbag: Run, store: Store, arguments: tuple[str, ...], says: str
) -> None:
    with pytest.raises(LvbagError, match=says):
        lvbag("decide", *arguments)
    assert read_history(store) == {}


def test_an_export_that_was_filled_in_is_imported(lvbag: Run, store: Store, tmp_path: Path) -> None:
    path = tmp_path / "queue.csv"
    assert "3 items in" in lvbag("export", str(path))
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    rows[0]["verdict"] = "keep"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    assert "1 decisions added, 0 stood already, 2 rows without a verdict" in lvbag("import", str(path), "--by", "ana")
    assert json.loads(lvbag("import", str(path), "--json")) == {
        **{"rows": 3, "filled": 1, "added": 0, "unchanged": 1},
        "bad": [],
    }
    assert [one.who for one in read_history(store)[ITEM]] == ["ana"]
