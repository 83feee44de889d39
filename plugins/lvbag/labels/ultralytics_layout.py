"""The layout that ultralytics trains on: `data.yaml`, `images/…` and `labels/…`
(https://docs.ultralytics.com/datasets/detect).

`train`, `val` and `test` name folders, lists of images, single images, or several of these; paths are those of the
machine that wrote them. A `data.yaml` names classes as a list or by number.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from lvbag.labels.darknet import read_list
from lvbag.labels.exports import Export
from lvbag.labels.layouts import Layout, Tables, shallowest
from lvbag.labels.records import LabelError
from lvbag.labels.yolo import IMAGE_SUFFIXES

SUBSETS = ("train", "val", "valid", "test")
_MAX_BYTES = 1024**2
"""Of a `data.yaml`; one with a thousand classes is a hundredth of that."""


def read_ultralytics(export: Export, path: Path) -> Layout | None:
    """Names and images of an ultralytics data set; None when it is none. Raises `LabelError` when it names nothing."""
    file = shallowest(export, lambda name: name in ("data.yaml", "data.yml", "dataset.yaml")) or shallowest(
        export, lambda name: name.endswith((".yaml", ".yml"))
    )
    if file is None:
        return None
    tables = Tables(export, file)
    values = _read_yaml(tables, path)
    if values is None or "names" not in values:
        return None
    names = _read_names(tables, values, path)
    listed: dict[str, str] = {}
    for subset in SUBSETS:
        entries = values.get(subset) or []
        for entry in [entries] if isinstance(entries, str) else entries:
            _read_entry(tables, str(values.get("path") or ""), str(entry), subset, listed)
    for image in tables.paths.images():
        if image not in listed:
            tables.defect("unlisted-image", "stands in no subset; left out", image)
    return Layout(tables.paths, names, dict(sorted(listed.items())), tables.defects, _keypoints(values))


def _read_yaml(tables: Tables, path: Path) -> dict[str, Any] | None:
    if tables.export.files[tables.file] > _MAX_BYTES:
        raise LabelError(f"{path}: {tables.file} has more than {_MAX_BYTES} bytes, which is no data.yaml")
    try:
        values = yaml.safe_load(tables.text(tables.file))
    except (yaml.YAMLError, RecursionError) as error:
        raise LabelError(f"{path}: {tables.file} is not YAML: {str(error)[:300]}; write it again") from None
    return values if isinstance(values, dict) else None


def _read_names(tables: Tables, values: dict[str, Any], path: Path) -> list[str]:
    names = values["names"]
    by_number = dict(enumerate(names)) if isinstance(names, list) else names
    if not isinstance(by_number, dict) or not by_number:
        raise LabelError(f"{path}: {tables.file}: names must be a list of class names, or names by number")
    try:
        numbers = sorted(int(number) for number in by_number)
    except (TypeError, ValueError):
        raise LabelError(f"{path}: {tables.file}: names are not numbered: {list(by_number)[:5]}") from None
    if numbers != list(range(len(numbers))):
        raise LabelError(f"{path}: {tables.file}: class numbers must be 0 to {len(numbers) - 1}, they are {numbers}")
    found = [str(name) for _, name in sorted(by_number.items(), key=lambda item: int(item[0]))]
    claimed = values.get("nc", len(found))
    if claimed != len(found):
        tables.defect("class-count", f"nc: {claimed}, but there are {len(found)} names, which count")
    return found


def _read_entry(tables: Tables, root: str, entry: str, subset: str, listed: dict[str, str]) -> None:
    """A folder, a list or a single image."""
    if entry.lower().endswith(".txt"):
        if file := tables.paths.find(f"{root}/{entry}") or tables.paths.find(entry):
            read_list(tables, file, subset, listed)
            return
    elif entry.lower().endswith(IMAGE_SUFFIXES):
        if image := tables.paths.find(f"{root}/{entry}") or tables.paths.find(entry):
            listed.setdefault(image, subset)
            return
    elif images := tables.paths.below(f"{root}/{entry}") or tables.paths.below(entry):
        for image in images:
            if image in listed:
                tables.defect("listed-twice", f"{image} is in {listed[image]} already; {subset} names it again")
            listed.setdefault(image, subset)
        return
    tables.defect("missing-list", f"{subset}: {entry} is not in the export")


def _keypoints(values: dict[str, Any]) -> int:
    """How many numbers of keypoints follow each box (`kpt_shape`: points, numbers a point)."""
    shape = values.get("kpt_shape")
    if isinstance(shape, list) and len(shape) == 2 and all(isinstance(value, int) and value > 0 for value in shape):
        return int(shape[0] * shape[1])
    return 0
