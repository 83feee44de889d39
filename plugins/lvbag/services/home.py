"""Where the embedded machine keeps its state: every path below one home folder, and which home is up.

The pointer `.run/current` in the project names the home that is up, so that every other command (`lvbag status`,
`lvbag classify`, Airflow's tasks) finds it without being told (`lvbag.settings.home_dir`). One machine is up below
`.run` at a time. A home elsewhere stands for itself: it has no pointer, and `LVBAG_HOME` names it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lvbag import settings as lvbag_settings
from lvbag.services.errors import ServiceError


@dataclass(frozen=True)
class Home:
    """The paths below one home folder."""

    root: Path

    @property
    def store_data(self) -> Path:
        """The object store's objects."""
        return self.root / "s3"

    @property
    def airflow(self) -> Path:
        """AIRFLOW_HOME: its database, task logs and the password file."""
        return self.root / "airflow"

    @property
    def secrets(self) -> Path:
        """The generated secrets (mode 0600)."""
        return self.root / "secrets.json"

    @property
    def records(self) -> Path:
        """One JSON file a running service."""
        return self.root / "run"

    def log(self, service: str) -> Path:
        """Where a service's output goes."""
        return self.root / "logs" / f"{service}.log"

    def make(self) -> None:
        """Create the folders, readable by their owner alone: logs and data may hold what is nobody else's business."""
        for folder in (self.root, self.store_data, self.airflow, self.records, self.root / "logs"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    part.replace(path)


def pointer() -> Path:
    """The file that names the home that is up."""
    return lvbag_settings.PROJECT_ROOT / ".run" / "current"


def current_home() -> Path | None:
    """The home that the pointer names, or None."""
    path = pointer()
    return Path(path.read_text(encoding="utf-8").strip()) if path.is_file() else None


def is_pointed_at(root: Path) -> bool:
    """Whether the pointer is for this home: only those below `.run` share it."""
    return root.parent == pointer().parent


def set_current(root: Path) -> None:
    """Say that this home is up; does nothing for a home that stands for itself."""
    if not is_pointed_at(root):
        return
    pointer().parent.mkdir(parents=True, exist_ok=True)
    write_private(pointer(), f"{root}\n")


def clear_current(root: Path) -> None:
    """Say that this home is not up any more; another home's pointer is left alone."""
    if current_home() == root:
        pointer().unlink(missing_ok=True)


@contextlib.contextmanager
def locked(root: Path) -> Iterator[None]:
    """Only one `up` or `down` of a project (or of a home elsewhere) at a time; a second one is told who is at work."""
    path = pointer().with_name("lock") if is_pointed_at(root) else root / "lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = file.read().strip() or "unknown"
            raise ServiceError(
                f"another `lvbag up` or `lvbag down` is at work (process {owner}); wait until it has finished or end "
                "it with Ctrl-C where it runs"
            ) from None
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield
