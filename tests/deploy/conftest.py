"""The compose file resolved once, with secrets as `make secrets` makes them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lvbag.settings import PROJECT_ROOT
from stack_files import Service, resolved


@pytest.fixture(scope="session")
def env_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stack") / ".env"
    subprocess.run([sys.executable, str(PROJECT_ROOT / "docker" / "make_secrets.py"), str(path)], check=True)
    return path


@pytest.fixture(scope="session")
def secrets(env_file: Path) -> dict[str, str]:
    lines = [line for line in env_file.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


@pytest.fixture(scope="session")
def services(secrets: dict[str, str]) -> dict[str, Service]:
    return resolved(secrets)
