"""The pictures and boxes of a label set: which part of the split each belongs to, and where they come from."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from lvbag.images import decode
from lvbag.labels import read_labels
from lvbag.labels.exports import Export, open_export
from lvbag.labels.records import LabelIndex, LabelledImage
from lvbag.labels.sets import EXPORT_NAME
from lvbag.learn.errors import LearnError
from lvbag.settings import ImageSettings, Settings
from lvbag.store import CorruptObject, Store, keys

PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class Labels:
    """An open label set: what was read of it, its split by group, and its pictures."""

    name: str
    index: LabelIndex
    parts: Mapping[str, str]  # group to part
    export: Export
    limits: ImageSettings

    def part(self, name: str) -> list[LabelledImage]:
        """The pictures of `train`, `val` or `test`, sorted by path."""
        return [image for image in self.index.images if self.parts[image.group] == name]

    def picture(self, image: LabelledImage) -> Image.Image:
        """A picture in RGB; raises `CorruptObject` when the kept export was changed."""
        data = self.export.read(image.path)
        if hashlib.sha256(data).hexdigest() != image.sha256:
            raise CorruptObject(f"label set {self.name}: {image.path} is not the picture that was imported")
        return decode(data, self.limits)


@contextmanager
def open_labels(store: Store, settings: Settings, name: str) -> Iterator[Labels]:
    """Fetch a label set; raises `LabelError` when there is none, `LearnError` when it is too small to be split."""
    index = read_labels(store, name)
    parts = split_groups(index.images, settings.detector.val_share, settings.detector.test_share)
    empty = [part for part in PARTS if part not in parts.values()]
    if empty:
        raise LearnError(
            f"label set {name} has {len(parts)} groups of pictures, too few for a {' and a '.join(empty)} part; "
            "label at least three different photos with a bag"
        )
    limits = settings.images.model_copy(update={"min_side_px": 1})  # as in the import
    with tempfile.TemporaryDirectory(prefix="lvbag-labels-") as folder:
        path = store.download(keys.labels(name, EXPORT_NAME), Path(folder) / EXPORT_NAME)
        with open_export(path) as export:
            yield Labels(name, index, parts, export, limits)


def split_groups(images: Sequence[LabelledImage], val_share: float, test_share: float) -> dict[str, str]:
    """The part of every group of near-duplicates.

    A group's digest decides, so that a picture stays in its part when more are labelled later. Where a part would have
    no picture with a bag, the group whose digest comes nearest moves into it.
    """
    groups = sorted({image.group for image in images})
    parts = {group: _part_of(_place(group), val_share, test_share) for group in groups}
    boxed = {image.group for image in images if image.boxes}
    for part in ("test", "val", "train"):
        sources = [group for group in sorted(boxed, key=_place) if _can_give(parts, boxed, group)]
        if not any(parts[group] == part for group in boxed) and sources:
            parts[sources[0]] = part
    return parts


def _part_of(place: float, val_share: float, test_share: float) -> str:
    if place < test_share:
        return "test"
    return "val" if place < test_share + val_share else "train"


def _can_give(parts: Mapping[str, str], boxed: set[str], group: str) -> bool:
    """Whether the group's part keeps another picture with a bag."""
    return sum(parts[other] == parts[group] for other in boxed) > 1


def _place(group: str) -> float:
    """A number in 0 to 1 that follows from the group alone and is spread evenly."""
    return int(hashlib.sha256(f"detector/{group}".encode()).hexdigest()[:12], 16) / 16**12
