"""`lvbag curate reclean`, over a night that an earlier detector cleaned."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from curate.test_curate_clean_again import put_night
from detector_files import publish_colour_detector
from lvbag.cli import app
from lvbag.curate import clean_part, mark_crops
from lvbag.settings import Settings
from lvbag.store import Store, keys
from store_env import own_home

NIGHT = dt.date(2026, 11, 23)


def test_it_says_what_it_would_do_does_it_and_has_nothing_left(
    tmp_path: Path, store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_home(monkeypatch, tmp_path, settings.store)
    first = keys.version_name(publish_colour_detector(store, tmp_path / "first"))
    put_night(store, [(250, 0, 0), (80, 0, 40)])
    clean_part(store, settings, NIGHT, 0, first)
    mark_crops(store, settings, NIGHT, (0,))
    publish_colour_detector(store, tmp_path / "second", strength=1.5)

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["curate", "reclean", *arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    job = json.loads(run("--dry-run", "--json"))
    assert (job["night"], job["detector"], job["pictures"]) == ("2026-11-23", "0002", 1)
    assert json.loads(run("--dry-run", "--json", "--all", "--night", "2026-11-23"))["pictures"] == 2
    part = json.loads(run("--json").splitlines()[0])
    assert (part["judged"], part["changed"], part["kept"]) == (1, 1, 2)
    assert "Nothing to judge again" in run()
