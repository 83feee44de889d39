"""The text files of a YOLO 1.1 (darknet) export, as CVAT writes them: pure parsers, no reading of files.

An export holds `obj.data` (`key = value` lines), `obj.names` (a class a line), lists of images such as `train.txt`
(`data/obj_train_data/photo.jpg`), and beside each image a text of the same name with `class cx cy width height` rows,
the last four as shares of the picture's width and height (https://docs.cvat.ai/docs/dataset_management/formats/format-yolo/).
Rows of polygons and of turned boxes (`class x1 y1 x2 y2 …`) count as the box around them, as ultralytics reads them for
detection.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from lvbag.labels.records import Defect, DefectKind

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".avif", ".bmp")
MENDED: frozenset[DefectKind] = frozenset({"escaped-newline"})
"""Defects of a label file that leave no doubt about its boxes: the image stays."""
EDGE_SLACK = 0.01
"""Share of the picture by which a box may reach out: rounding and a hand that slipped; it is cut at the edge."""


@dataclass(frozen=True)
class Row:
    """One usable row of a label file: class number of the names file, box as shares of width and height."""

    index: int
    x0: float
    y0: float
    x1: float
    y1: float


def decode_text(data: bytes) -> str:
    """The text of a file; UTF-8 with or without a mark, else Latin-1, which reads any bytes."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines that are not blank with their number from 1, whatever ends them, without spaces at both ends."""
    unified = text.replace("\r\n", "\n").replace("\r", "\n")
    for number, line in enumerate(unified.split("\n"), 1):
        if stripped := line.strip():
            yield number, stripped


def parse_data(text: str) -> dict[str, str]:
    """`obj.data`: values by key, in the file's order."""
    values = {}
    for _, line in lines(text):
        key, equals, value = line.partition("=")
        if equals:
            values[key.strip().lower()] = value.strip()
    return values


def parse_names(text: str) -> list[str]:
    """`obj.names`: class names by number. Names may hold spaces, commas and percent signs."""
    return [line for _, line in lines(text)]


def trailing_escape(line: str) -> str | None:
    """The line without a backslash and an `n` at its end, where somebody wrote them instead of a line end."""
    shorter = line
    while shorter.endswith("\\n"):
        shorter = shorter[:-2].rstrip()
    return shorter if shorter != line and shorter else None


def parse_rows(text: str, file: str, classes: int, keypoints: int = 0) -> tuple[list[Row], list[Defect]]:
    """A label file: its usable boxes and what is wrong with the other lines. Empty text is legal: no bag there.

    `keypoints`: so many numbers follow a box and are not read. A backslash and an `n` that stand for a line end are a
    defect (`MENDED`), and their rows are read.
    """
    rows, defects = [], []
    for number, line in lines(text):
        if "\\n" in line:
            message = "a backslash and an n stand where a line should end; read as line ends"
            defects.append(Defect(file=file, line=number, kind="escaped-newline", message=message))
        for part in filter(None, (part.strip() for part in line.split("\\n"))):
            outcome = _parse_row(part, classes, keypoints)
            if isinstance(outcome, Row):
                rows.append(outcome)
            else:
                kind, message = outcome
                defects.append(Defect(file=file, line=number, kind=kind, message=message))
    return rows, defects


def _parse_row(line: str, classes: int, keypoints: int) -> Row | tuple[DefectKind, str]:
    shown = line[:80]
    parts = line.split()
    try:
        index, numbers = int(parts[0]), [float(part) for part in parts[1:]]
    except (ValueError, IndexError):
        return "bad-row", f"{shown!r} is not 'class cx cy width height'"
    if not all(math.isfinite(value) for value in numbers):
        return "bad-row", f"{shown!r} holds a number that is none"
    if len(numbers) == 4 + keypoints:
        cx, cy, width, height = numbers[:4]
    elif len(numbers) >= 6 and len(numbers) % 2 == 0 and not keypoints:
        cx, cy, width, height = _around(numbers)
    else:
        return "bad-row", f"{shown!r} is not 'class cx cy width height'"
    if not 0 <= index < classes:
        return "unknown-class", f"class {index}, but the names file has {classes}: 0 to {classes - 1}"
    if width <= 0 or height <= 0:
        return "box-empty", f"{shown!r} has no area"
    x0, y0, x1, y1 = cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2
    if min(x0, y0) < -EDGE_SLACK or max(x1, y1) > 1 + EDGE_SLACK:
        return "box-outside", f"{shown!r} reaches out of the picture"
    row = Row(index, _clip(x0), _clip(y0), _clip(x1), _clip(y1))
    return row if row.x0 < row.x1 and row.y0 < row.y1 else ("box-empty", f"{shown!r} has no area inside the picture")


def _around(polygon: list[float]) -> tuple[float, float, float, float]:
    """Centre and size of the box around a polygon's corners, x and y by turns."""
    xs, ys = polygon[::2], polygon[1::2]
    return (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2, max(xs) - min(xs), max(ys) - min(ys)


def _clip(value: float) -> float:
    return round(min(1.0, max(0.0, value)), 6)


class Paths:
    """Finds the file that a path in an export means: lists are written for another machine or folder."""

    def __init__(self, files: Iterable[str], root: str) -> None:
        """`files` are the names inside the export; `root` is the folder of `obj.data`, `""` at the top."""
        self.root = root
        self._files = set(files)
        self._by_name: dict[str, list[str]] = {}
        for name in sorted(self._files):
            self._by_name.setdefault(name.rpartition("/")[2], []).append(name)

    def find(self, path: str) -> str | None:
        """The export's file that shares the longest end with the path; None when there is none, or no single one.

        `data/` at the front of CVAT's paths is the folder of `obj.data` itself, whatever it is called here. Doubled
        slashes, backslashes, `./`, absolute paths of the machine that wrote the list and names that are written as in
        an address (`%20`) are understood.
        """
        found = self._find(path)
        return found if found is not None or "%" not in path else self._find(unquote(path))

    def below(self, folder: str) -> list[str]:
        """The images below a folder that shares its end with the path; none when there is no such folder."""
        parts = [part for part in folder.replace("\\", "/").split("/") if part not in ("", ".", "..")]
        images = self.images()
        for start in range(len(parts)):
            prefix = self.root + "/".join(parts[start:]) + "/"
            if found := [image for image in images if image.startswith(prefix)]:
                return found
        return images if not parts else []

    def _find(self, path: str) -> str | None:
        parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".")]
        if not parts or ".." in parts:
            return None
        for candidate in (parts, parts[1:] if parts[0] == "data" else []):
            name = self.root + "/".join(candidate)
            if candidate and name in self._files:
                return name
        return self._longest_common_end(parts)

    def _longest_common_end(self, parts: list[str]) -> str | None:
        lengths = {name: _common_end(parts, name.split("/")) for name in self._by_name.get(parts[-1], ())}
        best = [name for name, length in lengths.items() if length == max(lengths.values())]
        return best[0] if len(best) == 1 else None

    def label_of(self, image: str) -> str | None:
        """The label file of an image: beside it, or in `labels/` where the image stands in `images/`."""
        stem = image.rpartition(".")[0] + ".txt"
        if stem in self._files:
            return stem
        head, found, tail = f"/{stem}".rpartition("/images/")
        swapped = f"{head}/labels/{tail}"[1:] if found else ""
        return swapped if swapped in self._files else None

    def images(self) -> list[str]:
        """Every image below the root."""
        return sorted(n for n in self._files if n.startswith(self.root) and n.lower().endswith(IMAGE_SUFFIXES))


def _common_end(left: list[str], right: list[str]) -> int:
    count = 0
    for a, b in zip(reversed(left), reversed(right), strict=False):
        if a != b:
            break
        count += 1
    return count
