"""What several people labelled, put together: one export, and how far they agree where two had the same picture.

People agree on a picture when every box of one has a box of the other that overlaps it by `AGREED`, and none is left
over. Of pictures on which they agree the first person's boxes are taken; the others are left out and named, to be
looked at again.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lvbag.labels.belief import overlap
from lvbag.labels.box_features import Box
from lvbag.labels.exports import open_export
from lvbag.labels.importing import read_export
from lvbag.labels.records import Defect, LabelError, LabelledImage
from lvbag.settings import Settings

AGREED = 0.5
"""Overlap (intersection over union) from which two boxes mean the same: COCO's and CVAT's usual threshold."""
_FOLDER = "obj_train_data"


@dataclass(frozen=True)
class Disagreement:
    """A picture that two people labelled differently: the exports, how many boxes each has, the mean best overlap."""

    image: str
    one: str
    other: str
    boxes: tuple[int, int]
    overlap: float


@dataclass(frozen=True)
class Merged:
    """What was written, and how far people agree.

    `images` are in the merged export; of `twice` pictures in several exports people agree on `agreed`; `overlap` is
    the mean best overlap of boxes on them, None where no picture was given twice. `defects` are those of all exports.
    """

    file: str
    images: int
    twice: int
    agreed: int
    overlap: float | None
    disagreements: tuple[Disagreement, ...]
    defects: tuple[Defect, ...]


@dataclass(frozen=True, eq=False)
class _Part:
    name: str
    path: Path
    classes: tuple[str, ...]
    images: dict[str, LabelledImage]


def merge_labels(settings: Settings, paths: Sequence[Path], target: Path) -> Merged:
    """Read exports of label work and write one YOLO 1.1 export of them all.

    Classes are merged by `detector.class_map`. Raises `LabelError` where an export cannot be read, exports have other
    classes, or the target stands already.
    """
    if target.exists():
        raise LabelError(f"{target} stands already; name another file")
    parts, defects = [], []
    for path in paths:
        with open_export(path) as export:
            index, _ = read_export(export, path, settings)  # belief is asked of the whole, when it is imported
        parts.append(_Part(str(path), path, index.classes, {_key(image): image for image in index.images}))
        defects += [defect.model_copy(update={"file": f"{path.name}: {defect.file}"}) for defect in index.defects]
    classes = tuple(sorted({name for part in parts for name in part.classes}))
    owners: dict[str, list[_Part]] = {}
    for part in parts:
        for key in part.images:
            owners.setdefault(key, []).append(part)
    disagreements, overlaps = [], []
    for key, theirs in owners.items():
        for other in theirs[1:]:
            found = _compare(key, theirs[0], other)
            overlaps.append(found.overlap)
            if not _agree(theirs[0].images[key], other.images[key]):
                disagreements.append(found)
    left_out = {found.image for found in disagreements}
    taken = {key: theirs[0] for key, theirs in owners.items() if key not in left_out}
    _write(target, classes, taken)
    twice = sum(len(theirs) > 1 for theirs in owners.values())
    return Merged(
        file=str(target),
        images=len(taken),
        twice=twice,
        agreed=twice - len(left_out),
        overlap=sum(overlaps) / len(overlaps) if overlaps else None,
        disagreements=tuple(disagreements),
        defects=tuple(defects),
    )


def _key(image: LabelledImage) -> str:
    """A picture's digest: tools that write pictures anew change the bytes and keep the name that `select` gave."""
    stem = Path(image.path).stem
    return stem if len(stem) == 64 and set(stem) <= set("0123456789abcdef") else image.sha256


def _compare(key: str, one: _Part, other: _Part) -> Disagreement:
    mine, theirs = _boxes(one.images[key]), _boxes(other.images[key])
    return Disagreement(key, one.name, other.name, (len(mine), len(theirs)), _mean_overlap(mine, theirs))


def _agree(one: LabelledImage, other: LabelledImage) -> bool:
    mine, theirs = _boxes(one), _boxes(other)
    free = list(theirs)
    for box in mine:
        best = max(free, key=lambda candidate: overlap(box, candidate), default=None)
        if best is None or overlap(box, best) < AGREED:
            return False
        free.remove(best)
    return not free


def _mean_overlap(mine: Sequence[Box], theirs: Sequence[Box]) -> float:
    best = [max((overlap(box, other) for other in theirs), default=0.0) for box in mine]
    best += [max((overlap(box, other) for other in mine), default=0.0) for box in theirs]
    return sum(best) / len(best) if best else 1.0


def _boxes(image: LabelledImage) -> list[Box]:
    return [(box.x0, box.y0, box.x1, box.y1) for box in image.boxes]


def _write(target: Path, classes: tuple[str, ...], taken: dict[str, _Part]) -> None:
    """The export, in a name of its own until it is whole."""
    part_file = target.with_name(f"{target.name}.part")
    names = []
    with zipfile.ZipFile(part_file, "w", zipfile.ZIP_STORED) as archive:
        for part in dict.fromkeys(taken.values()) if taken else ():
            with open_export(part.path) as export:
                for key in sorted(key for key, owner in taken.items() if owner is part):
                    image = part.images[key]
                    name = f"{key}{Path(image.path).suffix}"
                    archive.writestr(f"{_FOLDER}/{name}", export.read(image.path))
                    archive.writestr(f"{_FOLDER}/{key}.txt", _rows(image, part.classes, classes))
                    names.append(name)
        archive.writestr("train.txt", "".join(f"data/{_FOLDER}/{name}\n" for name in names))
        archive.writestr("obj.names", "".join(f"{name}\n" for name in classes))
        archive.writestr(
            "obj.data", f"classes = {len(classes)}\ntrain = data/train.txt\nnames = data/obj.names\nbackup = backup/\n"
        )
    part_file.replace(target)


def _rows(image: LabelledImage, own: tuple[str, ...], classes: tuple[str, ...]) -> str:
    return "".join(
        f"{classes.index(own[box.label])} {(box.x0 + box.x1) / 2:.6f} {(box.y0 + box.y1) / 2:.6f} "
        f"{box.x1 - box.x0:.6f} {box.y1 - box.y0:.6f}\n"
        for box in image.boxes
    )
