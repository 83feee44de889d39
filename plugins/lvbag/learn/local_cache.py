"""Files that a machine keeps so that nothing is fetched or decoded twice: up to a size, the least recently used go.

An entry is a file or a folder that appears whole (it is made beside its place and renamed) while a lock is held, so two
processes that want the same one make it once. Space is reserved before it is written to: a full disk is an error with
the folder and the bytes in it, never a torn map. An entry that is removed while another process has it open stays with
that process.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from lvbag.learn.errors import LearnError

log = logging.getLogger(__name__)

SPARE_BYTES = 500 * 10**6
"""Left free on the disk for everything else."""
GB = 10**9


@dataclass(frozen=True)
class _Entry:
    """An entry, or one that some process is making."""

    place: Path
    size: int
    used_at: float
    in_the_making: bool


@dataclass(frozen=True)
class LocalCache:
    """A folder of entries `<room>/<name>` that together take `limit_gb` at most (setting `train.cache_gb`)."""

    folder: Path
    limit_gb: float

    def obtain(self, room: str, name: str, size: int, make: Callable[[Path], None]) -> Path:
        """The entry; where there is none, `make(path)` makes it, of `size` bytes.

        Raises `LearnError` where it does not fit; whatever `make` raises leaves no entry.
        """
        place = self.folder / room / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if self._used(place):
            return place
        with self._locked(room, name):
            if self._used(place):  # another process made it while this one waited
                return place
            making = place.parent / f".{name}"
            _remove(making)
            self._make_room(size, making)
            try:
                make(making)
                making.rename(place)
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                    raise self._full(size, str(error.strerror)) from None
                raise
            finally:
                _remove(making)
        return place

    def find(self, room: str, name: str) -> Path | None:
        """The entry, None where there is none."""
        place = self.folder / room / name
        return place if self._used(place) else None

    def drop(self, room: str, pattern: str, but: str = "") -> None:
        """Remove the entries of a room whose names fit a pattern, all `but` one."""
        for place in (self.folder / room).glob(pattern):
            if place.name != but:
                _remove(place)

    def _used(self, place: Path) -> bool:
        try:
            os.utime(place)
        except FileNotFoundError:
            return False
        return True

    @contextmanager
    def _locked(self, room: str, name: str) -> Iterator[None]:
        """One process at a time, on this machine; a process that ends, however it does, lets go."""
        path = self.folder / "locks" / f"{room}-{name}"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _make_room(self, size: int, making: Path) -> None:
        """Remove entries, the least recently used first, until one of this size fits."""
        if size > self.limit_gb * GB:
            raise self._full(size, f"setting train.cache_gb allows {self.limit_gb:g} GB")
        entries = sorted(self._entries(making), key=lambda entry: entry.used_at)
        total = sum(entry.size for entry in entries)
        for entry in entries:
            if total + size <= self.limit_gb * GB and self._free() >= size:
                break
            if not entry.in_the_making:
                log.info("cache.remove entry=%s MB=%d", entry.place.relative_to(self.folder), entry.size // 10**6)
                _remove(entry.place)
                total -= entry.size
        if self._free() < size:
            raise self._full(size, f"{self._free()} are free there beside {SPARE_BYTES} that stay free")

    def _entries(self, making: Path) -> Iterator[_Entry]:
        for place in self.folder.glob("*/*"):
            room = place.parent.name
            if room == "locks" or place == making:
                continue
            with suppress(FileNotFoundError):  # another process was faster
                is_whole = not place.name.startswith(".")
                in_the_making = not is_whole and self._is_locked(room, place.name[1:])
                yield _Entry(place, _size(place), place.lstat().st_mtime if is_whole else 0.0, in_the_making)

    def _is_locked(self, room: str, name: str) -> bool:
        """Whether somebody is making it; what a process that was killed left behind is not."""
        try:
            with (self.folder / "locks" / f"{room}-{name}").open("r") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def _free(self) -> int:
        return max(0, shutil.disk_usage(self.folder).free - SPARE_BYTES)

    def _full(self, size: int, why: str) -> LearnError:
        return LearnError(
            f"no room for {size} bytes in {self.folder}: {why}; free space there, set LVBAG_HOME to a folder on a "
            "larger disk, change train.cache_gb (0 keeps pictures in memory), or take a smaller image_side_px"
        )


def open_cache(folder: Path, limit_gb: float) -> LocalCache | None:
    """The cache of trainings and evaluations below a machine's cache folder; None where the setting allows none."""
    return LocalCache(folder / "training", limit_gb) if limit_gb else None


def reserve(path: Path, size: int) -> None:
    """Make a file of so many bytes that has its place on the disk; raises `OSError` where there is none."""
    with path.open("wb") as file:
        if size:
            os.posix_fallocate(file.fileno(), 0, size)


def _remove(place: Path) -> None:
    if place.is_dir():
        shutil.rmtree(place, ignore_errors=True)
    else:
        place.unlink(missing_ok=True)


def _size(place: Path) -> int:
    if place.is_dir():
        return sum(path.lstat().st_size for path in place.iterdir())
    return place.lstat().st_size
