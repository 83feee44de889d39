"""`lvbag dataset` and `lvbag diff`, over snapshots of two nights in a real store."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from lvbag import schemas
from lvbag.cli import app
from lvbag.curate.snapshots.changes import measure_drift, measured
from lvbag.curate.snapshots.stats import ProductStats, SnapshotStats
from lvbag.errors import LvbagError
from lvbag.settings import Settings
from lvbag.store import Store, keys
from lvbag.store.tables import write_table
from lvbag.tombstones import add_holes
from store_env import name_store

Run = Callable[..., str]
OLD, NEW = "2026-11-23-0123456789ab", "2026-11-24-ba9876543210"
CODES = ("M40156", "[red]M41108")


@pytest.fixture
def lvbag(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("LVBAG_HOME", str(tmp_path))
    name_store(monkeypatch, settings.store)

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    return run


def manifest(count: int) -> pl.DataFrame:
    rows = [
        {
            "sha256": f"{number:064x}",
            "style_code": CODES[number % 2],
            "label": number % 2,
            "split": ("train", "train", "val", "test")[number // 2 % 4],
            "group": f"g{number}",
            "cluster": f"{number:064x}",
            "night": dt.date(2026, 11, 23),
            "source": "shop",
            "listing_id": f"l{number}",
        }
        for number in range(count)
    ]
    return pl.DataFrame(rows, schema=schemas.MANIFEST)


def write_snapshot(store: Store, name: str, table: pl.DataFrame, before: tuple[str, pl.DataFrame] | None) -> None:
    counts = dict(table["split"].value_counts().iter_rows())
    product = {"images": 1, "train": 1, "val": 0, "test": 0, "groups": 1, "listings": 1}
    none = schemas.IMAGES.to_frame()
    stats = SnapshotStats(
        snapshot=name,
        images=table.height,
        products=tuple(ProductStats(style_code=code, **product) for code in CODES),
        splits=counts,
        groups=table.height,
        nights={"2026-11-23": table.height},
        sources={"shop": table.height},
        detectors=("none",),
        refused={},
        group_conflicts=0,
        drift=None if before is None else measure_drift(before[0], measured(before[1], none), measured(table, none)),
    )
    store.put_json(keys.snapshot(name, "stats.json"), stats.model_dump(mode="json"))
    store.put(keys.snapshot(name, "card.md"), f"# Snapshot {name}\n\n{'word ' * 60}[bold]\n".encode())
    write_table(store, keys.snapshot(name, "manifest.parquet"), table, schemas.MANIFEST)


@pytest.fixture
def snapshots(store: Store) -> None:
    old, new = manifest(40), manifest(56)
    corrected = pl.when(pl.col("listing_id") == "l0").then(pl.lit(CODES[1])).otherwise("style_code")
    new = new.with_columns(style_code=corrected)
    new = new.filter(pl.col("listing_id") != "l2")
    write_snapshot(store, OLD, old, None)
    write_snapshot(store, NEW, new, (OLD, old))
    store.put_json(keys.snapshot("2026-11-25-unfinished00", "stats.json"), {})
    for night, name in (("2026-11-23", OLD), ("2026-11-24", NEW), ("2026-11-25", NEW)):
        store.put_json(keys.snapshot_of_night(dt.date.fromisoformat(night)), {"snapshot": name})


@pytest.mark.usefixtures("snapshots")
def test_the_list_has_a_line_a_snapshot_with_counts_and_where_it_stands(lvbag: Run, store: Store) -> None:
    add_holes(store, OLD, ["0" * 64], "asked to", dt.datetime(2026, 11, 25, tzinfo=dt.UTC))
    old, new = (json.loads(line) for line in lvbag("dataset", "list", "--json").splitlines())
    assert (old["snapshot"], old["night"], old["newest"], old["taken_down"]) == (OLD, "2026-11-23", False, 1)
    assert (new["snapshot"], new["night"], new["newest"], new["taken_down"]) == (NEW, "2026-11-25", True, 0)
    assert (new["nights"], new["images"], new["products"]) == (["2026-11-24", "2026-11-25"], 55, 2)
    assert new["train"] + new["val"] + new["test"] == 55
    assert new["bytes"] > 1000
    assert new["champion"] is None
    text = lvbag("dataset", "list")
    assert NEW in text
    assert "newest" in text
    assert "unfinished" not in text


@pytest.mark.usefixtures("snapshots")
def test_a_snapshots_card_is_shown_as_it_is_and_its_statistics_as_json(lvbag: Run, store: Store) -> None:
    assert f"# Snapshot {NEW}" in lvbag("dataset", "show")
    shown = lvbag("dataset", "show", OLD)
    assert "word " * 59 in shown, "lines of a table must not be broken"
    assert "[bold]" in shown
    add_holes(store, OLD, ["0" * 64], "asked to", dt.datetime(2026, 11, 25, tzinfo=dt.UTC))
    assert "1 images were taken down since" in lvbag("dataset", "show", OLD)
    stats = json.loads(lvbag("dataset", "show", OLD, "--json"))
    assert (stats["snapshot"], stats["images"], stats["taken_down"]) == (OLD, 40, 1)
    with pytest.raises(LvbagError, match="there is no snapshot nothing; `lvbag dataset list` names them"):
        lvbag("dataset", "show", "nothing")


@pytest.mark.usefixtures("snapshots")
@pytest.mark.parametrize("command", [("dataset", "diff"), ("diff",)])
def test_two_snapshots_are_told_apart_in_words_and_as_json(lvbag: Run, command: tuple[str, ...]) -> None:
    found = json.loads(lvbag(*command, OLD, NEW, "--json"))
    assert (found["images"], len(found["added"]), found["moved"]) == ([40, 55], 16, [])
    assert found["removed"] == [f"{2:064x}"]
    assert found["relabelled"] == [{"sha256": "0" * 64, "before": CODES[0], "now": CODES[1]}]
    assert found["splits"]["test"] == [10, 14]
    assert found["drift"]["before"] == OLD
    text = lvbag(*command, OLD, NEW)
    assert "no image moved to another split" in text
    assert f"relabelled  {'0' * 64}  {CODES[0]} -> {CODES[1]}" in text
    with pytest.raises(LvbagError, match="there is no snapshot nothing"):
        lvbag(*command, OLD, "nothing")
