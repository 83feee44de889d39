"""Small services for the tests of the machine."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil

from lvbag.services import processes
from lvbag.services.processes import ServiceSpec


def sleeper(name: str = "sleeper", code: str = "import time; time.sleep(600)", **options: object) -> ServiceSpec:
    return ServiceSpec(name=name, command=(sys.executable, "-c", code), **options)  # type: ignore[arg-type]


def marked(home: Path) -> list[psutil.Process]:
    """All processes that carry the home's mark."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(processes.MARK) == str(home) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found
