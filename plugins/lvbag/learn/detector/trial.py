"""A detector measured on a label set that need not be in the store: any version or file, on anybody's boxes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from lvbag.images import decode
from lvbag.infer import Detector, open_detector
from lvbag.infer.own_words import open_detector_file
from lvbag.labels.exports import Export, open_export
from lvbag.labels.importing import read_export
from lvbag.labels.records import LabelIndex, LabelledBox
from lvbag.learn.detector.scoring import for_measuring, measure_pictures
from lvbag.learn.errors import LearnError
from lvbag.registry import champion, fetch_file, load_version
from lvbag.settings import Settings, home_dir
from lvbag.store import ModelKind, Store


@dataclass(frozen=True)
class Trial:
    """Figures of a detector on a label set: all of its pictures, whatever parts it has.

    `map50`, `map50_95`: average precision (COCO); `recall`, `precision` at `confidence`, the working point; `why`: why
    an import of this label set would be refused, None where it would not.
    """

    detector: str
    labels: str
    images: int
    boxes: int
    map50: float
    map50_95: float
    recall: float
    precision: float
    confidence: float
    why: str | None


def try_detector(store: Store, settings: Settings, detector: str | None, path: Path) -> Trial:
    """Measure a version's number, an .onnx file, or the champion (None) on an export of labels; writes nothing.

    Labels that cannot be believed are measured all the same, and the answer says so. A detector of one class finds
    whatever the labels call a bag. Raises `LabelError`, `RegistryError`, `ModelError` and `LearnError`.
    """
    name, opened = _open(store, settings, detector)
    with open_export(path) as export:
        index, belief = read_export(export, path, settings)
        names = index.classes
        if len(opened.classes) == 1:
            index, names = _of_one_class(index), opened.classes
        strangers = [wanted for wanted in names if wanted not in opened.classes]
        if strangers:
            raise LearnError(
                f"detector {name} knows {', '.join(opened.classes)}, the labels say {', '.join(names)}; merge classes "
                "with the setting detector.class_map"
            )
        figures = measure_pictures(opened, _pictures(export, index, settings), names, settings.detector.confidence)
    return Trial(
        detector=name,
        labels=str(path),
        images=len(index.images),
        boxes=sum(len(image.boxes) for image in index.images),
        map50=figures["map50"],
        map50_95=figures["map50_95"],
        recall=figures["recall"],
        precision=figures["precision"],
        confidence=settings.detector.confidence,
        why=belief.why or None,
    )


def _open(store: Store, settings: Settings, detector: str | None) -> tuple[str, Detector]:
    chosen = for_measuring(settings.detector)
    if detector is not None and not detector.isdecimal():
        return Path(detector).name, open_detector_file(Path(detector), chosen)
    if detector is None:
        alias = champion(store, ModelKind.DETECTOR)
        if alias is None:
            raise LearnError("there is no detector champion to measure; name a version or an .onnx file")
    number = alias.version if detector is None and alias else int(str(detector))
    record = load_version(store, ModelKind.DETECTOR, number)
    file = fetch_file(store, ModelKind.DETECTOR, number, "model.onnx", home_dir() / "cache")
    return f"{number:04d}", open_detector(file, record, chosen)


def _of_one_class(index: LabelIndex) -> LabelIndex:
    images = tuple(
        image.model_copy(update={"boxes": tuple(box.model_copy(update={"label": 0}) for box in image.boxes)})
        for image in index.images
    )
    return index.model_copy(update={"images": images})


def _pictures(
    export: Export, index: LabelIndex, settings: Settings
) -> Iterator[tuple[Image.Image, tuple[LabelledBox, ...]]]:
    limits = settings.images.model_copy(update={"min_side_px": 1})  # as in the import
    for image in index.images:
        data = export.read(image.path)
        if hashlib.sha256(data).hexdigest() != image.sha256:
            raise LearnError(f"{image.path} changed while it was read; nothing may write into the export")
        yield decode(data, limits), image.boxes
