"""The detector that cleaning uses, opened: a version or a kept file with its digest checked, or any file."""

from __future__ import annotations

from pathlib import Path

from lvbag.infer import Detector
from lvbag.infer.bag_names import bag_names
from lvbag.infer.in_use import open_named
from lvbag.infer.own_words import open_detector_file
from lvbag.registry.records import UNCROPPED
from lvbag.settings import DetectorSettings, Settings
from lvbag.store import Store

NO_DETECTOR = UNCROPPED
"""Stands for a version where there is no champion, and no file that takes its place."""

REPORTED_CONFIDENCE = 0.05
"""Detections from here on are looked at, so that a refusal says how far below the working point the best one was."""


def open_version(store: Store, settings: Settings, detector: str) -> Detector | None:
    """A version such as `0003` or a kept file, None for `none`; reports boxes below the working point as well.

    Raises what `lvbag.infer.in_use.open_named` raises.
    """
    return open_named(store, _reporting(settings.detector), detector)


def open_file(path: Path, settings: Settings) -> Detector:
    """An ONNX file that tells its classes and size itself; raises `ModelError`."""
    opened = open_detector_file(path, _reporting(settings.detector))
    bag_names(opened.classes, settings.detector)
    return opened


def _reporting(settings: DetectorSettings) -> DetectorSettings:
    return settings.model_copy(update={"confidence": min(REPORTED_CONFIDENCE, settings.confidence)})
