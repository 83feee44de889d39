"""A project of its own for each test, so that no test touches the machine that a developer has up."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lvbag import settings as lvbag_settings
from lvbag.services import machine, processes
from lvbag.services.home import Home

REAL_ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with the real configuration, DAGs and plugins."""
    for name in ("LVBAG_HOME", "LVBAG_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    shutil.copytree(REAL_ROOT / "config", tmp_path / "config")
    for name in ("dags", "plugins"):
        (tmp_path / name).symlink_to(REAL_ROOT / name)
    monkeypatch.setattr(lvbag_settings, "PROJECT_ROOT", tmp_path)
    return tmp_path


@pytest.fixture
def home(project: Path) -> Iterator[Path]:
    """A home that is down when the test ends, whatever happened."""
    root = project / ".run" / "local"
    yield root
    processes.stop_all(Home(root), lambda _: None)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def store_up(home: Path, said: list[str]) -> Callable[..., machine.Machine]:
    def start(**options: object) -> machine.Machine:
        return machine.up(home, airflow=False, say=said.append, **options)  # type: ignore[arg-type]

    return start
