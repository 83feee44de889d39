"""`lvbag curate outliers` on a night with too few pictures to judge: no process is needed to say so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lvbag.cli import app
from lvbag.settings import Settings
from lvbag.store import Store, keys
from review.review_frames import NIGHT, judged, write_images
from store_env import own_home


def test_it_says_what_it_did_and_writes_the_report_again(
    tmp_path: Path, store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_home(monkeypatch, tmp_path, settings.store)
    write_images(store, [{**judged(number, 0.9), "crop_sha256": f"{number:064x}"} for number in range(1, 4)])

    def run() -> dict[str, object]:
        command = ["curate", "outliers", "--night", NIGHT.isoformat(), "--json"]
        result = CliRunner().invoke(app, command, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        said: dict[str, object] = json.loads(result.stdout)
        return said

    first = run()
    assert (first["images"], first["judged"], first["reused"]) == (3, 0, False)
    assert "no product has 20 kept pictures" in str(first["note"])
    assert "No product has enough pictures yet" in store.get(keys.night_report(NIGHT)).decode()
    assert run()["reused"] is True
