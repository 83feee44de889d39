"""`lvbag dataset suspicious` as a person and as a machine read it."""

from __future__ import annotations

import json
from pathlib import Path
from unittest.mock import create_autospec

import pytest
from typer.testing import CliRunner, Result

import lvbag.learn
from lvbag.commands.dataset import dataset_app
from lvbag.learn import SuspicionResult
from lvbag.store import Store, keys
from review.review_frames import NIGHT, sha
from review.suspicion_frames import SNAPSHOT, write_suspicions
from store_env import own_home


@pytest.fixture(autouse=True)
def looked_at(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest snapshot's labels were judged: two of three look wrong."""
    own_home(monkeypatch, tmp_path, store.settings)
    monkeypatch.setattr("lvbag.terminal.console._width", 160)
    store.put_json(keys.snapshot_of_night(NIGHT), {"snapshot": SNAPSHOT})
    write_suspicions(store, [(1, 0.3, True), (2, 0.1, True), (3, 0.9, False)])
    result = SuspicionResult(SNAPSHOT, "s3://x", 3, 3, 2, 2, 0.5, True, 0.1)
    double = create_autospec(lvbag.learn.find_suspicions, return_value=result)
    monkeypatch.setattr(lvbag.learn, "find_suspicions", double, raising=False)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(dataset_app, ["suspicious", *arguments])


def test_the_most_suspicious_labels_are_told_first() -> None:
    *labels, summary = [json.loads(line) for line in run("--json").stdout.splitlines()]
    assert [(row["rank"], row["sha256"]) for row in labels] == [(1, sha(2)), (2, sha(1))]
    assert (labels[0]["style_code"], labels[0]["predicted"], labels[0]["probability"]) == ("M41108", "M40156", 0.75)
    assert (summary["snapshot"], summary["suspicious"], summary["asked"]) == (SNAPSHOT, 2, 2)
    assert len(run("--json", "--limit", "1").stdout.splitlines()) == 2


def test_people_are_told_where_to_decide_and_that_nothing_is_changed() -> None:
    shown = run(SNAPSHOT).stdout
    (line,) = [line for line in shown.splitlines() if sha(2) in line]
    assert line.split() == ["1", sha(2), "M41108", "M40156", "75%"]
    assert f"2 of 3 judged labels of {SNAPSHOT} look wrong; the networks name 50.0% as labelled" in shown
    assert "`lvbag review list --kind suspicious_label` asks about 2; nothing is changed by itself" in shown


def test_without_a_snapshot_it_says_how_to_get_one(store: Store) -> None:
    store.delete(keys.snapshot_of_night(NIGHT))
    result = run()
    assert result.exit_code == 1
    assert "there is no snapshot yet" in str(result.exception)
