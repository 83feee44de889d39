"""`make secrets`: written once, for its owner alone, and never the same twice."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

from cryptography.fernet import Fernet

from lvbag.settings import PROJECT_ROOT
from stack_files import COMPOSE

SCRIPT = PROJECT_ROOT / "docker" / "make_secrets.py"


def make(path: Path) -> str:
    # -I: nothing but Python itself, as on a machine without lvbag's environment
    return subprocess.run(
        [sys.executable, "-I", "-S", str(SCRIPT), str(path)], capture_output=True, text=True, check=True
    ).stdout


def test_the_file_is_its_owners_alone(env_file: Path) -> None:
    assert stat.S_IMODE(env_file.stat().st_mode) == 0o600


def test_a_file_that_stands_is_never_touched(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    make(path)
    before = path.read_bytes()
    assert "kept" in make(path)
    assert path.read_bytes() == before


def test_two_machines_share_no_secret(tmp_path: Path, secrets: dict[str, str]) -> None:
    make(tmp_path / ".env")
    text = (tmp_path / ".env").read_text()
    assert not [name for name, value in secrets.items() if name != "COMPOSE_PROFILES" and value in text]


def test_secrets_are_what_their_readers_take(secrets: dict[str, str]) -> None:
    Fernet(secrets["AIRFLOW_FERNET_KEY"])
    for name, value in secrets.items():
        if name.startswith("STORE_"):
            assert 8 <= len(value) <= 40, "MinIO and its continuations take no longer ones"
        if name != "COMPOSE_PROFILES" and not name.endswith("_USER"):
            assert len(value) >= 20
        assert value.isascii()
        assert not set(value) & set("$#'\" \\@:/"), f"{name} goes into addresses and through compose as it is"


def test_git_and_images_leave_it_out() -> None:
    assert ".env" in (PROJECT_ROOT / ".gitignore").read_text().splitlines()
    assert ".env" in (PROJECT_ROOT / ".dockerignore").read_text().splitlines()
    assert COMPOSE.is_file()
