"""What cleaning would make of picture files: the same decoding, detector and rules, and nothing is stored."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from PIL import Image

from lvbag.curate.errors import CurateError
from lvbag.curate.opening import open_file, open_version
from lvbag.curate.reasons import KEPT, REFUSED, rule_of
from lvbag.curate.rules import judge, text_beside
from lvbag.images import ImageRefused, decode, read_file
from lvbag.infer import Detection, Detector
from lvbag.infer.bag_names import for_classes
from lvbag.infer.in_use import detector_in_use
from lvbag.infer.own_words import SUFFIX
from lvbag.settings import Settings
from lvbag.store import Store, keys

log = logging.getLogger(__name__)

CHUNK_FILES = 8
"""Pictures that are open at once."""


@dataclass(frozen=True)
class ChosenDetector:
    """An open detector, and what it is called: `detector 0003`, or a file's name."""

    name: str
    detector: Detector


@dataclass(frozen=True)
class FileVerdict:
    """What cleaning says of a file. With `unreadable` (why it does not decode) nothing else is known.

    `boxes` are those at the working point (`detector.confidence`) or above it, most confident first; `best` is the
    most confident bag, also below it. `image` is the decoded picture, for whoever draws.
    """

    path: Path
    boxes: tuple[Detection, ...] = ()
    best: Detection | None = None
    reason: str | None = None
    unreadable: str | None = None
    image: Image.Image | None = None

    @property
    def verdict(self) -> str:
        """`kept` or `refused`."""
        return KEPT if self.reason is None and self.unreadable is None else REFUSED

    @property
    def rule(self) -> str | None:
        """The name of the rule that refused it."""
        return None if self.reason is None else rule_of(self.reason)


def choose_detector(store: Store, settings: Settings, wanted: str | None) -> ChosenDetector:
    """The detector in use, a version by its number, or a file by its path.

    Raises `CurateError` (none is in use, neither number nor file) and what opening raises.
    """
    if wanted is not None and not wanted.isdigit():
        return ChosenDetector(Path(wanted).name, open_file(Path(wanted), settings))
    name = detector_in_use(store, settings) if wanted is None else keys.version_name(int(wanted))
    opened = open_version(store, settings, name)
    if opened is None:
        raise CurateError(
            "there is no champion detector yet: import labels and run `lvbag train-detector`, or name a file with "
            f"--detector FILE{SUFFIX} or the setting detector.bootstrap"
        )
    return ChosenDetector(f"detector {name}", opened)


def judge_files(paths: Iterable[Path], detector: Detector, settings: Settings) -> Iterator[FileVerdict]:
    """The verdict on each file, in order; a few pictures are held at a time, however many there are."""
    of_bags = settings.model_copy(update={"detector": for_classes(settings.detector, detector.classes)})
    todo = iter(paths)
    while chunk := list(islice(todo, CHUNK_FILES)):
        yield from _judge_chunk([_open(path, settings) for path in chunk], detector, of_bags)


def files_of(paths: Sequence[Path]) -> Iterator[Path]:
    """The files named, and in place of a folder the files below it, sorted; hidden ones are left out."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for parent, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            yield from (Path(parent) / name for name in sorted(names) if not name.startswith("."))


def _open(path: Path, settings: Settings) -> FileVerdict:
    try:
        return FileVerdict(path, image=decode(read_file(path, settings.images), settings.images))
    except ImageRefused as refused:
        log.info("curate.judging unreadable file=%s reason=%s", path, refused.reason)
        return FileVerdict(path, unreadable=refused.reason)


def _judge_chunk(opened: Sequence[FileVerdict], detector: Detector, settings: Settings) -> Iterator[FileVerdict]:
    found = iter(detector.detect([one.image for one in opened if one.image is not None]))
    for one in opened:
        if one.image is None:
            yield one
            continue
        boxes = next(found)
        verdict = judge(boxes, settings.curate, settings.detector, text_beside(one.image))
        sure = tuple(box for box in boxes if box.confidence >= settings.detector.confidence)
        yield FileVerdict(one.path, sure, verdict.best, verdict.reason, image=one.image)
