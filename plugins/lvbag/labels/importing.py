"""Import an export of labels (CVAT's YOLO 1.1, darknet, ultralytics): read it, check it, keep it as it came.

An image with a defective label is left out altogether: trained on without that box, the bag in it would be learnt as
background. Everything left out is a defect with file, line and reason in `labels.json`.

A label set is named by what was read of it. The same labels exported or packed again are the same set; other boxes,
pictures or another merging of classes are another one.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from lvbag.images import ImageRefused, decode, fingerprint
from lvbag.labels.belief import Belief, Labelled, judge_labels
from lvbag.labels.box_features import Box, small_picture
from lvbag.labels.darknet import read_darknet
from lvbag.labels.exports import Export, open_export, packed
from lvbag.labels.grouping import Print, group_near
from lvbag.labels.layouts import Layout
from lvbag.labels.records import (
    Defect,
    DefectKind,
    LabelError,
    LabelIndex,
    LabelledBox,
    LabelledImage,
    LabelReport,
    LabelSet,
)
from lvbag.labels.sampling import Sample
from lvbag.labels.sets import EXPORT_NAME, INDEX_NAME
from lvbag.labels.ultralytics_layout import read_ultralytics
from lvbag.labels.yolo import MENDED, Row, decode_text, parse_rows
from lvbag.settings import ImageSettings, LabelSettings, Settings
from lvbag.store import Store, json_bytes, keys

log = logging.getLogger(__name__)

_SHOWN_DEFECTS = 20
_COPY_DISTANCE256 = 16
"""Bits of the 256-bit pHash up to which two pictures are one photo, framed alike: their boxes can be compared."""


def import_labels(store: Store, settings: Settings, path: Path) -> LabelSet:
    """Read an export (zip archive or folder), check it and keep it under `keys.labels(<name>, …)`.

    Classes are merged by `detector.class_map`. Raises `LabelError` when it is no such export, when a class with boxes
    is missing in the map, when not one usable box is left, or when its labels cannot be believed (`belief`); single
    defects are listed in `labels.json`, written last.
    """
    path = Path(path)
    with open_export(path) as export:
        index, belief = read_export(export, path, settings)
        if belief.why:
            raise LabelError(f"{path} is refused: {belief.why}. Look at its boxes, and have them drawn again")
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


def check_labels(settings: Settings, path: Path) -> LabelReport:
    """What an import of this export would say; writes nothing. Raises `LabelError` when it is no export at all."""
    path = Path(path)
    with open_export(path) as export:
        layout = _read_layout(export, path)
        found = _read_images(export, layout, settings)
        try:
            index, belief = _index(layout, found, path, settings)
        except LabelError as error:
            defects = tuple(sorted(layout.defects, key=_order))
            return LabelReport(len(found.images), _box_count(found), tuple(layout.names), defects, str(error))
    return LabelReport(
        images=len(index.images),
        boxes=_box_count(found),
        classes=index.classes,
        defects=index.defects,
        why=belief.why or None,
        fit=belief.fit,
        same_boxes=belief.same_boxes,
        agreement=belief.agreement,
    )


def read_export(export: Export, path: Path, settings: Settings) -> tuple[LabelIndex, Belief]:
    """Everything usable in an export, what is wrong with the rest, and whether it can be believed; writes nothing."""
    layout = _read_layout(export, path)
    return _index(layout, _read_images(export, layout, settings), path, settings)


def _read_layout(export: Export, path: Path) -> Layout:
    """The first layout that fits: obj.data of a darknet export, a data.yaml, class names beside the images."""
    readers = (read_darknet, read_ultralytics)
    if not any(name.rpartition("/")[2].lower() == "obj.data" for name in export.files):
        readers = (read_ultralytics, read_darknet)
    for reader in readers:
        if (layout := reader(export, path)) is not None:
            return layout
    raise LabelError(
        f"{path} holds neither obj.data nor obj.names, classes.txt or a data.yaml with names; export it from CVAT "
        "as YOLO 1.1, or as an ultralytics data set"
    )


def _read_images(export: Export, layout: Layout, settings: Settings) -> _Found:
    found = _Found(layout.defects)
    limits = settings.images.model_copy(update={"min_side_px": 1})  # a rule for the crawl; what people labelled counts
    shared = _shared_labels(layout, found)
    for image in layout.images:
        if image not in shared:
            _read_image(export, layout, image, limits, found)
    return found


def _index(layout: Layout, found: _Found, path: Path, settings: Settings) -> tuple[LabelIndex, Belief]:
    if not any(rows for _, rows in found.images):
        first = f" The first defect: {layout.defects[0]}." if layout.defects else ""
        raise LabelError(
            f"{path} holds no usable box in {len(layout.images)} images ({len(layout.defects)} defects).{first} "
            "Export from CVAT as YOLO 1.1 with 'Save images' on"
        )
    classes, merged = _merge(layout.names, found, settings.detector.class_map, path)
    groups = group_near([print_ for print_, _ in found.images])
    _note_copies_in_two_subsets(layout, found, groups)
    images = tuple(
        _labelled(print_, rows, merged, groups[print_.sha256])
        for print_, rows in sorted(found.images, key=lambda item: item[0].path)
    )
    index = LabelIndex(classes=classes, images=images, defects=tuple(sorted(layout.defects, key=_order)))
    return index, _believe(layout, found, groups, settings.labels)


def _believe(layout: Layout, found: _Found, groups: Mapping[str, str], settings: LabelSettings) -> Belief:
    pictures = [
        Labelled(pixels, tuple((row.x0, row.y0, row.x1, row.y1) for row in rows), groups[print_.sha256])
        for print_, rows, pixels in found.sample.pictures()
    ]
    belief = judge_labels(pictures, _copies(found, groups), settings)
    lost = 1 - len(found.images) / max(1, len(layout.images))
    if len(layout.images) >= settings.min_judged and lost > settings.max_left_out:
        why = (
            f"defects leave out {lost:.0%} of {len(layout.images)} images, labels.max_left_out is "
            f"{settings.max_left_out:.0%}"
        )
        return replace(belief, why="; ".join(filter(None, (belief.why, why))))
    return belief


def _copies(found: _Found, groups: Mapping[str, str]) -> list[tuple[list[Box], list[Box]]]:
    """The boxes on both of each pair of copies of one photo: each copy with the first of its group."""
    firsts: dict[str, tuple[Print, list[Row]]] = {}
    pairs = []
    for print_, rows in sorted(found.images, key=lambda item: (item[0].sha256, item[0].path)):
        first, its_rows = firsts.setdefault(groups[print_.sha256], (print_, rows))
        bits = (int.from_bytes(first.phash256) ^ int.from_bytes(print_.phash256)).bit_count()
        if print_ is not first and bits <= _COPY_DISTANCE256:
            pairs.append(([_box(row) for row in its_rows], [_box(row) for row in rows]))
    return pairs


def _note_copies_in_two_subsets(layout: Layout, found: _Found, groups: Mapping[str, str]) -> None:
    first: dict[str, str] = {}
    for print_, _ in sorted(found.images, key=lambda item: item[0].path):
        earlier = first.setdefault(groups[print_.sha256], print_.path)
        here, there = layout.images[print_.path], layout.images[earlier]
        if here != there:
            message = f"is in {here}, and shows the same photo as {earlier} in {there}; subsets are split again"
            found.refuse(print_.path, "in-two-subsets", message)


def _shared_labels(layout: Layout, found: _Found) -> set[str]:
    """Images whose label file is another image's as well: whose boxes they are cannot be told."""
    owners: dict[str, list[str]] = {}
    for image in layout.images:
        if label := layout.paths.label_of(image):
            owners.setdefault(label, []).append(image)
    shared = set()
    for label, images in owners.items():
        if len(images) > 1:
            found.refuse(label, "shared-label", f"is the label file of {' and '.join(images)}; all are left out")
            shared.update(images)
    return shared


def _box_count(found: _Found) -> int:
    return sum(len(rows) for _, rows in found.images)


def _box(row: Row) -> Box:
    return row.x0, row.y0, row.x1, row.y1


@dataclass
class _Found:
    defects: list[Defect]
    images: list[tuple[Print, list[Row]]] = field(default_factory=list)
    sample: Sample = field(default_factory=Sample)

    def refuse(self, file: str, kind: DefectKind, message: str, line: int = 0) -> None:
        self.defects.append(Defect(file=file, line=line, kind=kind, message=message))


# ------------------------------------------------------------------ one image


def _read_image(export: Export, layout: Layout, image: str, limits: ImageSettings, found: _Found) -> None:
    label_file = layout.paths.label_of(image)
    if label_file is None:
        found.refuse(image, "missing-label", "has no label file; left out (an empty one says that there is no bag)")
        return
    text = decode_text(export.read(label_file))
    rows, defects = parse_rows(text, label_file, len(layout.names), layout.keypoints)
    found.defects.extend(defects)
    if any(defect.kind not in MENDED for defect in defects):
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
    if rows:
        found.sample.offer(print_, rows, lambda: small_picture(picture))


def _labelled(print_: Print, rows: list[Row], merged: Mapping[int, int], group: str) -> LabelledImage:
    boxes = tuple(LabelledBox(x0=r.x0, y0=r.y0, x1=r.x1, y1=r.y1, label=merged[r.index]) for r in rows)
    return LabelledImage(
        path=print_.path, sha256=print_.sha256, width=print_.width, height=print_.height, group=group, boxes=boxes
    )


def _merge(
    names: list[str], found: _Found, class_map: Mapping[str, str], path: Path
) -> tuple[tuple[str, ...], dict[int, int]]:
    """The detector's classes (of boxes that are there, sorted), and which of them each class number becomes.

    Large and small letters are the same: tools write `backpack` and `BackPack`.
    """
    known = {name.casefold(): merged for name, merged in class_map.items()}
    used = sorted({row.index for _, rows in found.images for row in rows})
    for index in used:
        if names[index].casefold() not in known:
            raise LabelError(
                f"{path}: class {names[index]!r} is not in the setting detector.class_map "
                f"(it knows {', '.join(sorted(class_map))}); add it there with the detector class it belongs to"
            )
    classes = tuple(sorted({known[names[index].casefold()] for index in used}))
    return classes, {index: classes.index(known[names[index].casefold()]) for index in used}


def _order(defect: Defect) -> tuple[str, int, str, str]:
    return defect.file, defect.line, defect.kind, defect.message
