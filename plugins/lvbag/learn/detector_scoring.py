"""Measure a detector on a part of a label set, through the very code that curation detects with."""

from __future__ import annotations

from pathlib import Path

from lvbag.infer import open_detector
from lvbag.learn.detection_scores import Found, Truth, detection_figures
from lvbag.learn.detector_data import Labels
from lvbag.registry.records import VersionRecord
from lvbag.settings import DetectorSettings

FLOOR = 0.001
"""Average precision needs every box, not only those at the working point (ultralytics and COCO take them from here)."""
BATCH = 16


def measure_detector(
    path: Path, record: VersionRecord, settings: DetectorSettings, labels: Labels, part: str
) -> dict[str, float]:
    """`detection_figures` of an ONNX file on one part; recall and precision are at `detector.confidence`."""
    detector = open_detector(path, record, settings.model_copy(update={"confidence": FLOOR}))
    names = labels.index.classes
    found: list[list[Found]] = []
    truths: list[list[Truth]] = []
    images = labels.part(part)
    for start in range(0, len(images), BATCH):
        some = images[start : start + BATCH]
        for image, boxes in zip(some, detector.detect([labels.picture(image) for image in some]), strict=True):
            found.append([Found((box.x0, box.y0, box.x1, box.y1), box.name, box.confidence) for box in boxes])
            truths.append([Truth((box.x0, box.y0, box.x1, box.y1), names[box.label]) for box in image.boxes])
    return detection_figures(found, truths, names, settings.confidence)
