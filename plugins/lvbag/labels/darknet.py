"""The tables of a darknet export (CVAT's YOLO 1.1): `obj.data`, class names, lists of images.

An unpacked folder without `obj.data` counts as well when it holds the class names (`obj.names`, `classes.txt`).
"""

from __future__ import annotations

from pathlib import Path

from lvbag.labels.exports import Export
from lvbag.labels.layouts import Layout, Tables, shallowest
from lvbag.labels.records import LabelError
from lvbag.labels.yolo import lines, parse_data, parse_names, trailing_escape

LISTS = ("train", "valid", "val", "test")
"""Keys of `obj.data` that name lists of images. The lists' own split is not kept: lvbag splits by near-duplicates."""


def read_darknet(export: Export, path: Path) -> Layout | None:
    """Names and images of a darknet export; None when it is none. Raises `LabelError` when names are missing."""
    data_file = shallowest(export, lambda name: name == "obj.data")
    names_file = shallowest(export, lambda name: name == "obj.names") or shallowest(
        export, lambda name: name == "classes.txt" or name.endswith(".names")
    )
    anchor = data_file or names_file
    if anchor is None:
        return None
    tables = Tables(export, anchor)
    data = parse_data(tables.text(data_file)) if data_file else {}
    names = _read_names(tables, data, names_file, path)
    images = _read_lists(tables, data)
    found = {image: "" for image in tables.paths.images()} if images is None else images
    return Layout(tables.paths, names, found, tables.defects)


def _read_names(tables: Tables, data: dict[str, str], beside: str | None, path: Path) -> list[str]:
    """Class names by number, from the file that `obj.data` names, else from `beside`."""
    named = data.get("names")
    file = tables.paths.find(named) if named else None
    if named and file is None and beside:
        tables.defect("missing-names", f"names = {named} is not in the export; {beside} serves instead")
    file = file or beside
    if file is None:
        raise LabelError(f"{path}: {tables.file} names no file with class names that is in the export: names = {named}")
    names = parse_names(tables.text(file))
    if not names:
        raise LabelError(f"{path}: {file} is empty; it must hold a class name a line")
    claimed = data.get("classes", str(len(names)))
    if claimed != str(len(names)):
        tables.defect("class-count", f"classes = {claimed}, but {file} holds {len(names)} names, which count")
    return names


def _read_lists(tables: Tables, data: dict[str, str]) -> dict[str, str] | None:
    """The listed images that are there, with the list each stands in; None when the export has no list."""
    files: dict[str, str] = {}
    for key in (key for key in LISTS if key in data):
        if file := tables.paths.find(data[key]):
            files.setdefault(file, key)
        else:
            tables.defect("missing-list", f"{key} = {data[key]} is not in the export")
    if not files:
        return None
    listed: dict[str, str] = {}
    for file, subset in files.items():
        read_list(tables, file, subset, listed)
    for image in tables.paths.images():
        if image not in listed:
            tables.defect("unlisted-image", "stands in no list; left out", image)
    return dict(sorted(listed.items()))


def read_list(tables: Tables, file: str, subset: str, listed: dict[str, str]) -> None:
    """Add the images of a list, a path a line, to `listed`; what is not there or listed already is a defect."""
    for number, line in lines(tables.text(file)):
        image = tables.paths.find(line)
        if image is None and (shorter := trailing_escape(line)) is not None:
            image = tables.paths.find(shorter)
            if image is not None:
                tables.defect(
                    "escaped-newline", f"{line} ends in a backslash and an n; left out of the name", file, number
                )
        if image is None:
            tables.defect("missing-image", f"{line} is not in the export", file, number)
        elif listed.get(image, subset) != subset:
            tables.defect("listed-twice", f"{line} is listed in {listed[image]} already", file, number)
        elif image in listed:
            tables.defect("listed-twice", f"{line} is listed already", file, number)
        else:
            listed[image] = subset
