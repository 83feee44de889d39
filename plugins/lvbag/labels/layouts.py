"""What every layout of an export comes down to: class names by number, images, and the subset each is listed in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from lvbag.labels.exports import Export
from lvbag.labels.records import Defect, DefectKind
from lvbag.labels.yolo import Paths, decode_text


@dataclass
class Layout:
    """`images`: each with the name of its subset, empty where the export has none.

    `keypoints`: numbers that follow the box in a row of a label file, and are not read.
    """

    paths: Paths
    names: list[str]
    images: dict[str, str]
    defects: list[Defect]
    keypoints: int = 0


@dataclass
class Tables:
    """The export's own tables and the file they begin with; `defects` gathers what is wrong with what they say."""

    export: Export
    file: str
    paths: Paths = field(init=False)
    defects: list[Defect] = field(init=False)

    def __post_init__(self) -> None:
        root = self.file.rpartition("/")[0]
        self.paths = Paths(self.export.files, f"{root}/" if root else "")
        self.defects = list(self.export.defects)

    def text(self, name: str) -> str:
        """The text of a file of the export."""
        return decode_text(self.export.read(name))

    def defect(self, kind: DefectKind, message: str, file: str | None = None, line: int = 0) -> None:
        """Note what is wrong, in the first table unless another file is named."""
        self.defects.append(Defect(file=file or self.file, line=line, kind=kind, message=message))


def shallowest(export: Export, wanted: Callable[[str], bool]) -> str | None:
    """The file nearest to the top whose name, in small letters, is wanted; None when there is none."""
    found = [file for file in export.files if wanted(file.rpartition("/")[2].lower())]
    return min(found, key=lambda file: (file.count("/"), file), default=None)
