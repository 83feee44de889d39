"""Import a CVAT YOLO 1.1 export: read it, check it, keep it as it came.

An image with a defective label is left out altogether: trained on without that box, the bag in it would be learnt as
background. Everything left out is a defect with file, line and reason in `labels.json`.

A label set is named by what was read of it. The same labels exported or packed again are the same set; other boxes,
pictures or another merging of classes are another one.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lvbag.images import ImageRefused, decode, fingerprint
from lvbag.labels.exports import Export, open_export, packed
from lvbag.labels.grouping import Print, group_near
from lvbag.labels.records import (
    Defect,
    DefectKind,
    LabelError,
    LabelIndex,
    LabelledBox,
    LabelledImage,
    LabelSet,
)
from lvbag.labels.sets import EXPORT_NAME, INDEX_NAME
from lvbag.labels.yolo import Paths, Row, decode_text, lines, parse_data, parse_names, parse_rows
from lvbag.settings import ImageSettings, Settings
from lvbag.store import Store, json_bytes, keys

log = logging.getLogger(__name__)

LISTS = ("train", "valid", "val", "test")
"""Keys of `obj.data` that name lists of images. The lists' own split is not kept: lvbag splits by near-duplicates."""
_SHOWN_DEFECTS = 20


def import_labels(store: Store, settings: Settings, path: Path) -> LabelSet:
    """Read a CVAT YOLO 1.1 export (zip archive or folder), check it and keep it under `keys.labels(<name>, …)`.

    Classes are merged by `detector.class_map`. Raises `LabelError` when it is no such export, when a class with boxes
    is missing in the map, or when not one usable box is left; single defects are listed in `labels.json`, written last.
    """
    path = Path(path)
    with open_export(path) as export:
        index = read_export(export, path, settings)
        data = json_bytes(index.model_dump(mode="json"))
        name = hashlib.sha256(data).hexdigest()[:12]
        if not store.exists(keys.labels(name, INDEX_NAME)):
            with packed(path, export) as archive:
                store.upload(keys.labels(name, EXPORT_NAME), archive, "application/zip")
            store.put(keys.labels(name, INDEX_NAME), data, "application/json")
    store.put_json(keys.newest_label_set(), {"label_set": name})
    boxes = sum(len(image.boxes) for image in index.images)
    for defect in index.defects[:_SHOWN_DEFECTS]:
        log.warning("labels.defect set=%s %s", name, defect)
    log.info(
        "labels.import done set=%s images=%d boxes=%d classes=%s defects=%d",
        *(name, len(index.images), boxes, ",".join(index.classes), len(index.defects)),
    )
    uri = store.uri(keys.labels(name, INDEX_NAME))
    return LabelSet(name, uri, len(index.images), boxes, index.classes, len(index.defects))


def read_export(export: Export, path: Path, settings: Settings) -> LabelIndex:
    """Everything usable in an export, and what is wrong with the rest; writes nothing."""
    layout = _read_layout(export, path)
    found = _Found(layout.defects)
    limits = settings.images.model_copy(update={"min_side_px": 1})  # a rule for the crawl; what people labelled counts
    for image in layout.images:
        _read_image(export, layout, image, limits, found)
    if not any(rows for _, rows in found.images):
        first = f" The first defect: {layout.defects[0]}." if layout.defects else ""
        raise LabelError(
            f"{path} holds no usable box in {len(layout.images)} images ({len(layout.defects)} defects).{first} "
            "Export from CVAT as YOLO 1.1 with 'Save images' on"
        )
    classes, merged = _merge(layout.names, found, settings.detector.class_map, path)
    groups = group_near([print_ for print_, _ in found.images])
    images = tuple(
        _labelled(print_, rows, merged, groups[print_.sha256])
        for print_, rows in sorted(found.images, key=lambda item: item[0].path)
    )
    return LabelIndex(classes=classes, images=images, defects=tuple(sorted(layout.defects, key=_order)))


@dataclass
class _Layout:
    paths: Paths
    names: list[str]
    images: list[str]
    defects: list[Defect]


@dataclass
class _Found:
    defects: list[Defect]
    images: list[tuple[Print, list[Row]]] = field(default_factory=list)

    def refuse(self, file: str, kind: DefectKind, message: str, line: int = 0) -> None:
        self.defects.append(Defect(file=file, line=line, kind=kind, message=message))


# ------------------------------------------------------------------ the export's own tables


def _read_layout(export: Export, path: Path) -> _Layout:
    """Names and images of the export, from `obj.data` where there is one."""
    data_file, names_file = _shallowest(export, "obj.data"), _shallowest(export, "obj.names")
    anchor = data_file or names_file
    if anchor is None:
        raise LabelError(f"{path} holds neither obj.data nor obj.names; export it from CVAT as YOLO 1.1")
    paths = Paths(export.files, anchor.rpartition("/")[0] + "/" if "/" in anchor else "")
    data = parse_data(decode_text(export.read(data_file))) if data_file else {}
    tables = _Tables(export, paths, anchor, data, list(export.defects))
    names = _read_names(tables, names_file, path)
    listed = _read_lists(tables)
    return _Layout(paths, names, paths.images() if listed is None else listed, tables.defects)


@dataclass
class _Tables:
    """`obj.data` and where it stands; `defects` gathers what is wrong with what it says."""

    export: Export
    paths: Paths
    file: str
    data: Mapping[str, str]
    defects: list[Defect]

    def text(self, name: str) -> str:
        return decode_text(self.export.read(name))

    def defect(self, kind: DefectKind, message: str, file: str | None = None, line: int = 0) -> None:
        self.defects.append(Defect(file=file or self.file, line=line, kind=kind, message=message))


def _shallowest(export: Export, name: str) -> str | None:
    found = [file for file in export.files if file.rpartition("/")[2].lower() == name]
    return min(found, key=lambda file: (file.count("/"), file), default=None)


def _read_names(tables: _Tables, beside: str | None, path: Path) -> list[str]:
    """Class names by number, from the file that `obj.data` names, else from `beside`."""
    named = tables.data.get("names")
    file = tables.paths.find(named) if named else None
    if named and file is None and beside:
        tables.defect("missing-names", f"names = {named} is not in the export; {beside} serves instead")
    file = file or beside
    if file is None:
        raise LabelError(f"{path}: {tables.file} names no file with class names that is in the export: names = {named}")
    names = parse_names(tables.text(file))
    if not names:
        raise LabelError(f"{path}: {file} is empty; it must hold a class name a line")
    claimed = tables.data.get("classes", str(len(names)))
    if claimed != str(len(names)):
        tables.defect("class-count", f"classes = {claimed}, but {file} holds {len(names)} names, which count")
    return names


def _read_lists(tables: _Tables) -> list[str] | None:
    """The listed images that are there; None when the export has no list, so that every image counts."""
    files = []
    for key in (key for key in LISTS if key in tables.data):
        if file := tables.paths.find(tables.data[key]):
            files.append(file)
        else:
            tables.defect("missing-list", f"{key} = {tables.data[key]} is not in the export")
    if not files:
        return None
    listed: set[str] = set()
    for file in dict.fromkeys(files):
        for number, line in lines(tables.text(file)):
            image = tables.paths.find(line)
            if image is None:
                tables.defect("missing-image", f"{line} is not in the export", file, number)
            elif image in listed:
                tables.defect("listed-twice", f"{line} is listed already", file, number)
            else:
                listed.add(image)
    for image in tables.paths.images():
        if image not in listed:
            tables.defect("unlisted-image", "stands in no list; left out", image)
    return sorted(listed)


# ------------------------------------------------------------------ one image


def _read_image(export: Export, layout: _Layout, image: str, limits: ImageSettings, found: _Found) -> None:
    label_file = layout.paths.label_of(image)
    if label_file is None:
        found.refuse(image, "missing-label", "has no label file; left out (an empty one says that there is no bag)")
        return
    rows, defects = parse_rows(decode_text(export.read(label_file)), label_file, len(layout.names))
    if defects:
        found.defects.extend(defects)
        return
    data = export.read(image)
    try:
        picture = decode(data, limits)
    except ImageRefused as error:
        found.refuse(image, "undecodable", str(error))
        return
    prints = fingerprint(picture)
    digest = hashlib.sha256(data).hexdigest()
    print_ = Print(image, digest, *picture.size, int(prints.phash64), bytes(prints.phash256))
    found.images.append((print_, rows))


def _labelled(print_: Print, rows: list[Row], merged: Mapping[int, int], group: str) -> LabelledImage:
    boxes = tuple(LabelledBox(x0=r.x0, y0=r.y0, x1=r.x1, y1=r.y1, label=merged[r.index]) for r in rows)
    return LabelledImage(
        path=print_.path, sha256=print_.sha256, width=print_.width, height=print_.height, group=group, boxes=boxes
    )


def _merge(
    names: list[str], found: _Found, class_map: Mapping[str, str], path: Path
) -> tuple[tuple[str, ...], dict[int, int]]:
    """The detector's classes (of boxes that are there, sorted), and which of them each class number becomes."""
    used = sorted({row.index for _, rows in found.images for row in rows})
    for index in used:
        if names[index] not in class_map:
            raise LabelError(
                f"{path}: class {names[index]!r} is not in the setting detector.class_map "
                f"(it knows {', '.join(sorted(class_map))}); add it there with the detector class it belongs to"
            )
    classes = tuple(sorted({class_map[names[index]] for index in used}))
    return classes, {index: classes.index(class_map[names[index]]) for index in used}


def _order(defect: Defect) -> tuple[str, int, str, str]:
    return defect.file, defect.line, defect.kind, defect.message
