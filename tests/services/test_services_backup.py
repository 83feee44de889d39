"""What docs/operate.md says of the embedded machine: its folder is its backup, and its secrets can be changed."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

from lvbag.services import machine
from lvbag.services.home import Home
from lvbag.settings import reload_settings
from lvbag.store import Bucket, Ref, Store

PICTURE = Ref(Bucket.RAW, "images/aa/picture.jpg")


def test_a_copy_of_the_folder_brings_back_objects_and_database(
    home: Path, store_up: Callable[..., machine.Machine], tmp_path: Path
) -> None:
    store_up()
    Store(reload_settings().store).put(PICTURE, b"a picture", "image/jpeg")
    with contextlib.closing(sqlite3.connect(Home(home).airflow / "airflow.db")) as database, database:
        database.execute("CREATE TABLE dag_run (run_id text)")
        database.execute("INSERT INTO dag_run VALUES ('a night')")
    keys = reload_settings().store.secret_key
    machine.down(home, lambda _: None)
    subprocess.run(["cp", "--archive", str(home), str(tmp_path / "kept")], check=True)

    shutil.rmtree(home)
    subprocess.run(["cp", "--archive", str(tmp_path / "kept"), str(home)], check=True)
    store_up()

    settings = reload_settings()
    assert settings.store.secret_key == keys
    assert Store(settings.store).get(PICTURE) == b"a picture"
    with contextlib.closing(sqlite3.connect(Home(home).airflow / "airflow.db")) as database:
        assert database.execute("SELECT run_id FROM dag_run").fetchall() == [("a night",)]


def test_the_stores_secret_is_changed_by_hand_while_it_is_down(
    home: Path, store_up: Callable[..., machine.Machine]
) -> None:
    store_up()
    Store(reload_settings().store).put(PICTURE, b"a picture", "image/jpeg")
    machine.down(home, lambda _: None)
    secrets = json.loads(Home(home).secrets.read_text())
    Home(home).secrets.write_text(json.dumps(secrets | {"store_secret_key": "another-secret-of-this-store"}))
    store_up()
    settings = reload_settings().store
    assert settings.secret_key.get_secret_value() == "another-secret-of-this-store"
    assert Store(settings).get(PICTURE) == b"a picture"
