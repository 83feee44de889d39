"""What a label set is, as plain data: the boxes that were read, and what was wrong with the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from lvbag.errors import LvbagError

DefectKind = Literal[
    "class-count",  # obj.data names another number of classes than the names file holds
    "missing-names",  # the names file that obj.data points to is not in the export; another one served
    "missing-list",  # a list of images that obj.data points to is not in the export
    "missing-image",  # a listed image is not in the export
    "listed-twice",  # an image stands in the lists a second time
    "in-two-subsets",  # the same photo, or a near-duplicate, stands in another subset as well
    "unlisted-image",  # an image of the export stands in no list
    "missing-label",  # an image has no label file; an empty one would say that there is no bag
    "shared-label",  # two images of one name share the label file
    "escaped-newline",  # a backslash and an n instead of a line end
    "bad-row",  # a line of a label file is not five numbers
    "unknown-class",  # a class number without a name
    "box-outside",  # a box that reaches out of the picture
    "box-empty",  # a box without width or height
    "undecodable",  # an image that is none, or is too large
    "unsafe-name",  # a file name that leads out of the export
]


class LabelError(LvbagError):
    """An export of labels that cannot be used."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Defect(_Record):
    """One thing that is wrong in an export: the file inside it, the line (from 1; 0 for the whole file), what it is."""

    file: str
    line: int
    kind: DefectKind
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.kind}: {self.message}"


class LabelledBox(_Record):
    """A box as shares of the picture's width and height, 0 to 1, and its class as an index of `LabelIndex.classes`."""

    x0: float
    y0: float
    x1: float
    y1: float
    label: int


class LabelledImage(_Record):
    """A picture of the export. Without boxes it is background: there is no bag in it."""

    path: str  # inside the export
    sha256: str  # of the file
    width: int  # pixels, after EXIF orientation
    height: int
    group: str  # sha256 of the first of its near-duplicates; a group stays in one part of the split
    boxes: tuple[LabelledBox, ...]


class LabelIndex(_Record):
    """`labels.json`: everything that training reads of a label set, sorted by path."""

    classes: tuple[str, ...]  # of the detector, after merging
    images: tuple[LabelledImage, ...]
    defects: tuple[Defect, ...]


@dataclass(frozen=True)
class LabelSet:
    """An imported label set: its name, where its `labels.json` stands, and counts. The defects stand in that file."""

    name: str
    uri: str
    images: int
    boxes: int
    classes: tuple[str, ...]
    defects: int


@dataclass(frozen=True)
class LabelReport:
    """What `lvbag labels check` says: counts of what is usable, defects, and why the set would be refused (None: ok).

    `classes` are the detector's, or the export's own where they cannot be merged; `fit`, `same_boxes` and `agreement`
    are the figures of `belief`, None where there was too little to judge.
    """

    images: int
    boxes: int
    classes: tuple[str, ...]
    defects: tuple[Defect, ...]
    why: str | None
    fit: float | None = None
    same_boxes: float | None = None
    agreement: float | None = None
