"""`lvbag takedown`, `lvbag verify` and `lvbag gc` as a person and as a machine read them."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from care_frames import FIRST, SECOND, everything, finish, offer, pictures
from typer.testing import CliRunner, Result

import lvbag.commands.care
from curate.curate_frames import digest
from lvbag.cli import app
from lvbag.errors import LvbagError
from lvbag.settings import Settings
from lvbag.store import Store, keys
from lvbag.tombstones import read_tombstones
from store_env import name_store


@pytest.fixture(autouse=True)
def machine(store: Store, chosen: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings by environment, as a person has them; a terminal wide enough for addresses."""
    monkeypatch.setenv("LVBAG_HOME", str(tmp_path / "home"))
    name_store(monkeypatch, chosen.store)
    monkeypatch.setenv("LVBAG_IMAGES__MIN_SIDE_PX", "32")
    monkeypatch.setattr("lvbag.terminal.console._width", 200)
    config = tmp_path / "home" / "config"
    config.mkdir(parents=True)
    (config / "lvbag.yaml").write_text("{}", encoding="utf-8")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def said(*arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run(*arguments, "--json").stdout.splitlines()]


def test_a_takedown_shows_first_and_does_it_when_told(store: Store, chosen: Settings) -> None:
    offer(store, FIRST, range(16)).close()
    snapshot = finish(store, chosen, FIRST)
    before = everything(store)

    shown = run("takedown", "--listing", "shop/l3")

    assert shown.exit_code == 0, shown.output
    assert everything(store) == before
    for text in ("listing shop/l3: would go", "raw images", f"{snapshot} (2)", "Nothing was changed", "Titles, prices"):
        assert text in shown.stdout
    *objects, summary = said("takedown", "--listing", "shop/l3", "--why", "asked", "--yes")
    assert sorted(row["kind"] for row in objects) == ["crop", "crop", "raw image", "raw image"]
    assert (summary["dry_run"], summary["removed"]["raw_images"]) == (False, 2)
    assert not store.exists(keys.raw_image(digest(pictures(3)[0]), "jpg"))
    assert ("shop", "l3") in read_tombstones(store).listings


def test_what_a_page_says_is_no_markup_for_the_terminal(store: Store, chosen: Settings) -> None:
    shop = offer(store, FIRST, range(12))
    shop.listing("[red]x[/red]", pictures(3), style_code="M41108")
    shop.close()
    finish(store, chosen, FIRST)
    shown = run("takedown", "--listing", "shop/l3", "--only-this")
    assert "shop/[red]x[/red] shows it as well" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name one thing to take down"),
        (("--listing", "shop/1", "--image", "0" * 64), "name one thing to take down"),
        (("--listing", "shop/nobody"), "no night has met listing shop/nobody"),
        (("--listing", "shop/l3", "--yes"), "say why"),
    ],
)
def test_a_takedown_that_says_too_little_is_refused(
    store: Store, chosen: Settings, arguments: tuple[str, ...], message: str
) -> None:
    offer(store, FIRST, range(4)).close()
    result = run("takedown", *arguments)
    assert isinstance(result.exception, LvbagError)
    assert message in str(result.exception)
    assert read_tombstones(store).listings == frozenset()


def test_verify_ends_with_status_one_when_something_is_wrong(store: Store, chosen: Settings) -> None:
    offer(store, FIRST, range(12)).close()
    finish(store, chosen, FIRST)
    assert run("verify").exit_code == 0
    assert said("verify", "--what", "raw,crops") == [{"checked": {"raw": 24, "crops": 24}, "findings": 0}]
    store.delete(keys.raw_image(digest(pictures(3)[0]), "jpg"))
    result = run("verify", "--all", "--what", "raw")
    assert result.exit_code == 1
    assert "raw_missing" in result.stdout
    finding, summary = said("verify", "--what", "raw", "--all")
    assert (finding["kind"], summary["findings"]) == ("raw_missing", 1)
    assert finding["uri"].endswith(f"{digest(pictures(3)[0])}.jpg")
    assert finding["remedy"]
    assert run("verify", "--all", "--sample", "3").exit_code == 2


def test_garbage_is_shown_with_its_reason_and_removed_when_told(
    store: Store, chosen: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, night in enumerate((FIRST, SECOND, SECOND + dt.timedelta(days=1))):
        offer(store, night, range(12 + 2 * number)).close()
        finish(store, chosen, night)

    class Later(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:
            return dt.datetime.now(tz) + dt.timedelta(days=40)

    assert run("gc").stdout.endswith("0 objects, 0.0 MB would go. Nothing was changed; give --yes to remove them.\n")
    monkeypatch.setattr(lvbag.commands.care, "dt", type("Clock", (), {"datetime": Later, "UTC": dt.UTC}))
    before = everything(store)
    shown = run("gc", "--keep-snapshots", "1")
    assert everything(store) == before
    for text in ("snapshot: ", "no night among the newest", "… and ", "stays: one of the newest 1", "would go"):
        assert text in shown.stdout
    rows = said("gc", "--keep-snapshots", "1")
    objects = [row for row in rows if "uri" in row]
    assert sum(row["objects"] for row in rows if "objects" in row) == len(objects) > 0
    done = said("gc", "--keep-snapshots", "1", "--yes")
    assert sum(done[-1]["removed"].values()) == len(objects)
    assert len(before) - len(everything(store)) == len(objects)
