"""Duplicates in any folder of pictures, by the rule of the nightly curation: no store, no crawl, no labels.

Files are compared, nothing is written, moved or deleted. Links that lead out of the folder are not followed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lvbag.curate.duplicates.linking import near_limits, pack
from lvbag.curate.duplicates.placing import REFERENCE, Candidate, Placed, References, place
from lvbag.curate.errors import CurateError
from lvbag.images import ImageRefused, Look, look
from lvbag.settings import CurateSettings, ImageSettings

EXACT = "exact"

_WORKERS = 2
_CHUNK = 64


@dataclass(frozen=True)
class FileAnswer:
    """What a file is among the others; names are relative to the folder, with slashes.

    `cluster` is the sha256 of the cluster's first picture, `representative` the file of its best one. `rule` is None
    for a representative, `exact` for the same bytes, `near…` for a copy. Refused files have `refused` alone;
    `unreadable` ones could not even be read.
    """

    file: str
    cluster: str | None = None
    representative: str | None = None
    distance64: int | None = None
    distance256: int | None = None
    colour: float | None = None
    rule: str | None = None
    refused: str | None = None
    unreadable: bool = False


def find_duplicates(
    folder: Path, images: ImageSettings, curate: CurateSettings, on_progress: Callable[[int, int], None] | None = None
) -> list[FileAnswer]:
    """One answer a file below a folder, by name; raises `CurateError` where there is no such folder.

    `on_progress` is told how many of how many files were looked at.
    """
    if not folder.is_dir():
        raise CurateError(f"{folder} is no folder; name one with pictures in it")
    files = sorted(_files(folder), key=lambda path: path.relative_to(folder).as_posix())
    seen: dict[str, Look] = {}
    answers: dict[str, FileAnswer] = {}
    for done, (path, found) in enumerate(_look_at_all(files, images), start=1):
        name = path.relative_to(folder).as_posix()
        if isinstance(found, FileAnswer):
            answers[name] = FileAnswer(name, refused=found.refused, unreadable=found.unreadable)
        else:
            seen[name] = found
        if on_progress:
            on_progress(done, len(files))
    answers |= _answers(seen, curate)
    return [answers[path.relative_to(folder).as_posix()] for path in files]


def _answers(seen: dict[str, Look], curate: CurateSettings) -> dict[str, FileAnswer]:
    """The answers of the pictures that could be looked at, by file."""
    first: dict[str, str] = {}  # the first file by name with these bytes
    for name in sorted(seen):
        first.setdefault(seen[name].sha256, name)
    looks = [seen[name] for name in first.values()]
    candidates = [Candidate(one.sha256, "", one.width * one.height, one.quality.blur) for one in looks]
    nothing = References(REFERENCE.to_frame(), pack([]))
    placed = place(candidates, pack([one.print for one in looks]), nothing, near_limits(curate), "near")
    by_digest = {one.sha256: where for one, where in zip(looks, placed, strict=True)}
    return {
        name: _answer(name, one.sha256, by_digest[one.sha256], first, is_first=first[one.sha256] == name)
        for name, one in seen.items()
    }


def _answer(name: str, sha256: str, where: Placed, first: dict[str, str], is_first: bool) -> FileAnswer:
    rule = EXACT if where.representative == sha256 and not is_first else where.rule
    representative = first[where.representative]
    return FileAnswer(
        name, where.cluster, representative, where.distance64, where.distance256, round(where.colour, 3), rule
    )


# ------------------------------------------------------------------ files


def _files(folder: Path) -> Iterator[Path]:
    """The files below a folder, those in folders that cannot be listed left out; a link only where it stays inside."""
    root = folder.resolve()
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent) / name
            if path.is_symlink() and not path.resolve().is_relative_to(root):
                continue
            yield path


def _look_at_all(files: Sequence[Path], limits: ImageSettings) -> Iterator[tuple[Path, Look | FileAnswer]]:
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="look") as pool:
        for start in range(0, len(files), _CHUNK):
            chunk = files[start : start + _CHUNK]
            yield from zip(chunk, pool.map(lambda path: _look_at(path, limits), chunk), strict=True)


def _look_at(path: Path, limits: ImageSettings) -> Look | FileAnswer:
    try:
        if not path.is_file():
            return FileAnswer(path.name, refused="not_a_file")
        with path.open("rb") as file:
            data = file.read(limits.max_bytes + 1)  # one more, so that what is too large is seen to be
        return look(data, limits)
    except ImageRefused as refusal:
        return FileAnswer(path.name, refused=refusal.reason)
    except OSError as error:
        return FileAnswer(path.name, refused=f"unreadable: {error.strerror or error}", unreadable=True)
