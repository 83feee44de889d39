"""The detector that cleaning uses, opened: a version of the registry with its digest checked, or a file."""

from __future__ import annotations

import re
from pathlib import Path

from lvbag.curate.errors import CurateError
from lvbag.infer import Detector, open_detector
from lvbag.infer.bag_names import bag_names
from lvbag.infer.own_words import open_detector_file
from lvbag.registry import fetch_file, load_version
from lvbag.settings import DetectorSettings, Settings, home_dir
from lvbag.store import ModelKind, Store

NO_DETECTOR = "none"
"""Stands for a version where there is no champion."""

REPORTED_CONFIDENCE = 0.05
"""Detections from here on are looked at, so that a refusal says how far below the working point the best one was."""

_VERSION = re.compile(r"[0-9]{4,}")


def open_version(store: Store, settings: Settings, detector: str) -> Detector | None:
    """A version such as `0003`, None for `none`; reports boxes below the working point as well.

    Raises `CurateError` (no such name), `RegistryError` (no such version), `CorruptObject` (its file was changed) and
    `ModelError` (it does not open, or knows no bags).
    """
    if detector == NO_DETECTOR:
        return None
    if not _VERSION.fullmatch(detector):
        raise CurateError(f"detector {detector!r} is no version such as 0003, nor {NO_DETECTOR!r}")
    record = load_version(store, ModelKind.DETECTOR, int(detector))
    path = fetch_file(store, ModelKind.DETECTOR, int(detector), "model.onnx", home_dir() / "cache")
    opened = open_detector(path, record, _reporting(settings.detector))
    bag_names(opened.classes, settings.detector)  # before a night is judged by it
    return opened


def open_file(path: Path, settings: Settings) -> Detector:
    """An ONNX file that tells its classes and size itself; raises `ModelError`."""
    opened = open_detector_file(path, _reporting(settings.detector))
    bag_names(opened.classes, settings.detector)
    return opened


def _reporting(settings: DetectorSettings) -> DetectorSettings:
    return settings.model_copy(update={"confidence": min(REPORTED_CONFIDENCE, settings.confidence)})
