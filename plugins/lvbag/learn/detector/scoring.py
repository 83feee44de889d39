"""Measure a detector on labelled pictures, through the very code that curation detects with."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image

from lvbag.infer import Detector, open_detector
from lvbag.labels.records import LabelledBox
from lvbag.learn.detector.data import Labels
from lvbag.learn.detector.scores import Found, Truth, detection_figures
from lvbag.registry.records import VersionRecord
from lvbag.settings import DetectorSettings

FLOOR = 0.001
"""Average precision needs every box, not only those at the working point (ultralytics and COCO take them from here)."""
BATCH = 16


def measure_detector(
    path: Path, record: VersionRecord, settings: DetectorSettings, labels: Labels, part: str, *, most: int | None = None
) -> dict[str, float]:
    """`detection_figures` of an ONNX file on one part; recall and precision are at `detector.confidence`.

    `most`: of a larger part so many pictures are measured, evenly spread over it.
    """
    detector = open_detector(path, record, for_measuring(settings))
    images = labels.part(part)
    if most is not None and len(images) > most:
        images = [images[place * len(images) // most] for place in range(most)]
    pictures = ((labels.picture(image), image.boxes) for image in images)
    return measure_pictures(detector, pictures, labels.index.classes, settings.confidence)


def measure_pictures(
    detector: Detector,
    pictures: Iterable[tuple[Image.Image, Sequence[LabelledBox]]],
    names: Sequence[str],
    confidence: float,
) -> dict[str, float]:
    """`detection_figures` of an open detector (`for_measuring`) on pictures with their boxes, a few at a time.

    `names` are the classes of the boxes, by number.
    """
    found: list[list[Found]] = []
    truths: list[list[Truth]] = []
    waiting = iter(pictures)
    while some := list(itertools.islice(waiting, BATCH)):
        for boxes in detector.detect([picture for picture, _ in some]):
            found.append([Found((box.x0, box.y0, box.x1, box.y1), box.name, box.confidence) for box in boxes])
        truths += [[Truth((box.x0, box.y0, box.x1, box.y1), names[box.label]) for box in boxes] for _, boxes in some]
    return detection_figures(found, truths, names, confidence)


def for_measuring(settings: DetectorSettings) -> DetectorSettings:
    """The settings with which a detector reports every box that its figures need."""
    return settings.model_copy(update={"confidence": FLOOR})
