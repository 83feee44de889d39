"""Pictures that lie in folders: read with the same limits as those that come over the network."""

from __future__ import annotations

import stat
from pathlib import Path

from lvbag.images.decoding import ImageRefused, check_bytes
from lvbag.settings import ImageSettings


def read_file(path: Path, limits: ImageSettings) -> bytes:
    """The bytes of a file, never more than `images.max_bytes` of them; raises `ImageRefused`, also `unreadable: …`."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise ImageRefused(f"unreadable: {_kind(found.st_mode)}")
        check_bytes(found.st_size, limits)
        with path.open("rb") as file:
            data = file.read(limits.max_bytes + 1)
    except OSError as error:
        raise ImageRefused(f"unreadable: {error.strerror or type(error).__name__}") from None
    except ValueError as error:  # a NUL in the name
        raise ImageRefused(f"unreadable: {error}") from None
    check_bytes(len(data), limits)  # it grew, or does not tell its size
    return data


def _kind(mode: int) -> str:
    return "a folder, name the files in it" if stat.S_ISDIR(mode) else "not a regular file"
