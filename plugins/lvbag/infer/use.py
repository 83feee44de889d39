"""Photos in, products out: what `lvbag classify` and a page do with the two champions.

The bag is found by the champion detector, cut out with the margin and size of the stored crops that the classifier was
trained on, and named by the champion classifier. Without a detector, where it finds nothing, or where the classifier
learned from whole pictures, the whole picture is named, and the answer says so.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from lvbag.errors import LvbagError
from lvbag.images import ImageRefused, decode
from lvbag.infer.bag_names import bag_names
from lvbag.infer.classifier import Classifier, Prediction, open_classifier
from lvbag.infer.cropping import Box, crop_box, shrink
from lvbag.infer.detector import Detector
from lvbag.infer.in_use import MODEL_FILE, detector_in_use, open_named
from lvbag.registry import champion, load_version
from lvbag.registry.files import fetch_recorded
from lvbag.registry.records import UNCROPPED
from lvbag.settings import Settings, home_dir
from lvbag.store import ModelKind, Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PhotoAnswer:
    """What was seen in one photo. With an `error` there are no predictions; the other photos are not affected.

    `box` is null when the whole picture was named, and `note` says why.
    """

    file: str
    version: int  # of the classifier
    detector: int | None  # version; null when none was asked, or the file of detector.bootstrap
    predictions: tuple[Prediction, ...] = ()
    box: Box | None = None
    box_confidence: float | None = None
    note: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class Champions:
    """The models in use, opened, with their version numbers."""

    classifier: Classifier
    version: int
    detector: Detector | None
    detector_version: int | None
    no_detector: str | None  # why there is none, in words
    bag_classes: tuple[str, ...] = ()  # those of the detector's classes that are bags


def classify_photos(store: Store, settings: Settings, paths: Sequence[Path], top: int = 5) -> Iterator[PhotoAnswer]:
    """Name the bag in each photo, in the order given, each as soon as it is seen; `top` products each.

    Raises, at once, `LvbagError` when there is no champion classifier, `CorruptObject` when a champion's file was
    changed, and `ModelError` when a model does not open; what is wrong with a photo stands in its own answer instead.
    """
    champions = open_champions(store, settings)
    return (_answer(path, champions, settings, top) for path in paths)


def open_champions(store: Store, settings: Settings) -> Champions:
    """Fetch both champions by alias into the cache of this machine, digests checked, and open them."""
    current = champion(store, ModelKind.CLASSIFIER)
    if current is None:
        raise LvbagError(
            "there is no champion classifier yet: run the DAG lvbag_train (or `lvbag train`) after a night's snapshot, "
            "or bring a version up with `lvbag registry rollback VERSION --why …`"
        )
    record = load_version(store, ModelKind.CLASSIFIER, current.version)
    classifier = open_classifier(fetch_recorded(store, record, MODEL_FILE, home_dir() / "cache"), record)
    if record.detector in (None, UNCROPPED):
        # A crop would show it bags larger than it has ever seen them.
        return Champions(classifier, current.version, None, None, "the classifier was trained on whole pictures")
    name = detector_in_use(store, settings)
    detector = open_named(store, settings.detector, name)
    if detector is None:
        return Champions(classifier, current.version, None, None, "there is no champion detector")
    version = int(name) if name.isdecimal() else None
    return Champions(
        classifier, current.version, detector, version, None, bag_names(detector.classes, settings.detector)
    )


def _answer(path: Path, champions: Champions, settings: Settings, top: int) -> PhotoAnswer:
    try:
        image = decode(path.read_bytes(), settings.images)
    except ImageRefused as refused:
        return _failed(path, champions, f"no picture that can be used ({refused.reason})")
    except OSError as error:
        return _failed(path, champions, f"cannot be read ({error.strerror or error})")
    box, confidence, note = _find(image, champions)
    side_px = settings.curate.crop_side_px
    seen = shrink(image, side_px) if box is None else crop_box(image, box, settings.curate.crop_margin, side_px)
    (predictions,) = champions.classifier.classify([seen], top)
    return PhotoAnswer(
        file=str(path), version=champions.version, detector=champions.detector_version,
        predictions=tuple(predictions), box=box, box_confidence=confidence, note=note,
    )  # fmt: skip


def _find(image: Image.Image, champions: Champions) -> tuple[Box | None, float | None, str | None]:
    if champions.detector is None:
        return None, None, f"{champions.no_detector}: the whole picture was named"
    (found,) = champions.detector.detect([image])
    best = next((box for box in found if box.name in champions.bag_classes), None)
    if best is None:
        return None, None, "no bag found: the whole picture was named"
    return (best.x0, best.y0, best.x1, best.y1), best.confidence, None


def _failed(path: Path, champions: Champions, why: str) -> PhotoAnswer:
    log.warning("infer.photo refused file=%s: %s", path, why)
    return PhotoAnswer(file=str(path), version=champions.version, detector=champions.detector_version, error=why)
