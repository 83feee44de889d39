"""Crawl and curate by hand, from the shell, against a small market of photographs and a real store."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import create_autospec

import pytest
from PIL import Image, ImageDraw
from typer.testing import CliRunner

from lvbag.cli import app
from lvbag.demo.configuration import write_configuration
from lvbag.demo.market import Market
from lvbag.demo.server import MarketServer
from lvbag.errors import LvbagError
from lvbag.services import machine
from lvbag.services.airflow_client import AirflowClient
from lvbag.settings import Settings
from lvbag.store import Store
from store_env import name_store

Run = Callable[..., str]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two products, 30 pictures each that no hash takes for one another."""
    folder = tmp_path_factory.mktemp("photos")
    rng = random.Random(5)
    for product, colour in (("Blue Tote", (40, 60, 160)), ("Red Clutch", (170, 40, 40))):
        (folder / product).mkdir()
        for number in range(30):
            image = Image.new("RGB", (220, 200), "white")
            draw = ImageDraw.Draw(image)
            for _ in range(14):
                x, y = rng.randrange(200), rng.randrange(180)
                shade = tuple(min(255, max(0, part + rng.randrange(-60, 90))) for part in colour)
                draw.rectangle((x, y, x + rng.randrange(20, 120), y + rng.randrange(20, 120)), fill=shade)
            image.save(folder / product / f"{number}.jpg")
    return folder


@pytest.fixture
def lvbag(
    photos: Path, tmp_path: Path, store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Run]:
    """The command line in a home of its own, with the market's configuration."""
    monkeypatch.setenv("LVBAG_HOME", str(tmp_path))
    name_store(monkeypatch, settings.store)

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    with MarketServer(Market(0, night=2, photos=photos), tmp_path / "market") as server:
        (tmp_path / "config").mkdir()
        write_configuration(tmp_path, server.port, photos)
        yield run


def rows(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_night_by_hand_ends_with_a_snapshot_and_a_funnel(lvbag: Run) -> None:
    crawled = rows(lvbag("crawl", "night", "--night", "2026-11-23", "--json"))
    assert crawled[-1]["images_new"] == 60
    again = rows(lvbag("crawl", "night", "--night", "2026-11-23", "--json"))
    assert all(row["reused"] for row in again[:-1])

    curated = rows(lvbag("curate", "run", "--night", "2026-11-23", "--json"))
    snapshot = next(row for row in curated if "snapshot" in row)
    assert (snapshot["products"], snapshot["changed"]) == (2, True)

    assert snapshot["snapshot"] in lvbag("dataset", "list")
    assert rows(lvbag("dataset", "show", "--json"))[0]["snapshot"] == snapshot["snapshot"]
    assert f"# Snapshot {snapshot['snapshot']}" in lvbag("dataset", "show")
    funnel = rows(lvbag("night", "--json"))[0]
    assert funnel["night"] == "2026-11-23"
    assert "images fetched" in lvbag("night", "2026-11-23")


def test_before_anything_ran_each_command_says_what_to_do_first(lvbag: Run) -> None:
    for arguments, message in (
        (("night",), "no night has a report yet"),
        (("dataset", "show"), "no snapshot yet"),
        (("train",), "crawl and curate a night first"),
        (("train-detector",), "lvbag labels import"),
    ):
        with pytest.raises(LvbagError, match=message):
            lvbag(*arguments)
    assert lvbag("dataset", "list", "--json") == ""


def test_a_night_that_is_no_day_is_refused(lvbag: Run) -> None:
    result = CliRunner().invoke(app, ["crawl", "night", "--night", "yesterday"])
    assert result.exit_code == 2
    assert "YYYY-MM-DD" in result.output


def test_importing_labels_tells_airflow_when_it_is_up(
    lvbag: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = tmp_path / "export"
    (export / "obj_train_data").mkdir(parents=True)
    (export / "obj.names").write_text("BigBag\n")
    (export / "obj.data").write_text("classes = 1\ntrain = data/train.txt\nnames = data/obj.names\nbackup = backup/\n")
    (export / "train.txt").write_text("data/obj_train_data/a.jpg\n")
    (export / "obj_train_data" / "a.txt").write_text("0 0.5 0.5 0.4 0.4\n")
    Image.new("RGB", (200, 160), "brown").save(export / "obj_train_data" / "a.jpg")
    airflow = create_autospec(AirflowClient, instance=True)
    monkeypatch.setattr(machine, "airflow_client", lambda home: airflow)

    (imported,) = rows(lvbag("labels", "import", str(export), "--json"))

    assert (imported["images"], imported["boxes"]) == (1, 1)
    airflow.emit_asset_event.assert_called_once_with("labels", {"labels": imported["name"]})
    monkeypatch.setattr(machine, "airflow_client", lambda home: None)
    assert "Airflow was told" not in lvbag("labels", "import", str(export))


def test_the_markets_labels_can_be_written_and_imported(lvbag: Run, tmp_path: Path) -> None:
    written = lvbag("demo", "labels", str(tmp_path / "labels.zip"), "--share", "0.05").strip()
    (imported,) = rows(lvbag("labels", "import", written, "--json"))
    assert imported["images"] > 20
    assert imported["boxes"] > 10
    assert imported["defects"] == 0
