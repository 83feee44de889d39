"""What the tests of the production stack read: the compose file as it stands, and as compose resolves it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import compose as compose_package  # type: ignore[import-untyped]
import yaml

from lvbag.settings import PROJECT_ROOT

COMPOSE = PROJECT_ROOT / "docker-compose.yaml"
BIN = Path(sys.executable).parent
COMPOSE_BINARY = Path(compose_package.__file__).parent / "docker-compose"
"""Not the script in `bin`, which returns 0 whatever compose returned."""

Service = dict[str, Any]


def raw() -> dict[str, Any]:
    """The file, its anchors resolved and its variables not."""
    found: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    return found


def required_variables() -> set[str]:
    """The variables without which compose is to refuse."""
    return set(re.findall(r"\$\{(\w+):\?", COMPOSE.read_text(encoding="utf-8")))


def run_compose(*arguments: str, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run `docker-compose` over the file, with these variables and none of a person's `.env`."""
    command = [str(COMPOSE_BINARY), "--env-file", "/dev/null", "--file", str(COMPOSE), *arguments]
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/tmp"), **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def resolved(variables: dict[str, str]) -> dict[str, Service]:
    """The services of all profiles as compose understands them."""
    done = run_compose("--profile", "*", "config", "--format", "json", variables=variables)
    assert done.returncode == 0, done.stderr
    services: dict[str, Service] = json.loads(done.stdout)["services"]
    return services
