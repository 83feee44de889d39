"""Figures of a detector's boxes: average precision as COCO defines it, recall and precision at the working point.

Average precision is the mean of the precision at 101 recalls from 0 to 1; mAP50 takes matches at an IoU of 0.50,
mAP50-95 the mean over 0.50, 0.55 … 0.95 (Lin et al. 2014, https://cocodataset.org/#detection-eval).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

IOUS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True)
class Found:
    """One box of a detector: x0, y0, x1, y1 in 0 to 1, its class and confidence."""

    box: tuple[float, float, float, float]
    label: str
    confidence: float


@dataclass(frozen=True)
class Truth:
    """One labelled box: x0, y0, x1, y1 in 0 to 1, and its class."""

    box: tuple[float, float, float, float]
    label: str


def detection_figures(
    found: Sequence[Sequence[Found]], truths: Sequence[Sequence[Truth]], classes: Sequence[str], confidence: float
) -> dict[str, float]:
    """`map50`, `map50_95` (means over the classes that are labelled), and at `confidence` `recall` and `precision`.

    Both sequences hold a list a picture, in the same order.
    """
    labelled = [name for name in classes if any(truth.label == name for picture in truths for truth in picture)]
    precisions = np.array([_average_precisions(found, truths, name) for name in labelled]).reshape(-1, len(IOUS))
    hits = boxes = answers = 0
    for name in labelled:
        matched, _, total = _matches(found, truths, name, confidence)
        hits += int(matched[:, 0].sum())
        boxes += total
    answers = sum(item.confidence >= confidence for picture in found for item in picture)
    return {
        "map50": float(precisions[:, 0].mean()) if labelled else 0.0,
        "map50_95": float(precisions.mean()) if labelled else 0.0,
        "recall": hits / boxes if boxes else 0.0,
        "precision": hits / answers if answers else 0.0,
        "test_images": float(len(truths)),
        "test_boxes": float(sum(len(picture) for picture in truths)),
        "classes": float(len(classes)),
    }


def _average_precisions(found: Sequence[Sequence[Found]], truths: Sequence[Sequence[Truth]], label: str) -> list[float]:
    """Of one class, at each IoU of `IOUS`."""
    matched, confidences, total = _matches(found, truths, label, 0.0)
    order = np.argsort(-confidences, kind="stable")
    hits = matched[order].cumsum(axis=0)
    precision = hits / np.arange(1, len(order) + 1)[:, None]
    recall = hits / total
    return [_area(recall[:, column], precision[:, column]) for column in range(len(IOUS))]


def _area(recall: npt.NDArray[np.float64], precision: npt.NDArray[np.float64]) -> float:
    """Mean at the 101 recalls of the best precision that is reached at that recall or beyond."""
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, RECALLS, side="left")
    return float(np.where(at < len(envelope), np.append(envelope, 0.0)[at], 0.0).mean())


def _matches(
    found: Sequence[Sequence[Found]], truths: Sequence[Sequence[Truth]], label: str, confidence: float
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64], int]:
    """For each box of the class (boxes, IoUs) whether it matches a labelled one, its confidence; how many are labelled.

    A labelled box is matched once: the most confident box takes the one that it overlaps best.
    """
    rows: list[npt.NDArray[np.bool_]] = []
    confidences: list[float] = []
    total = 0
    for boxes, picture in zip(found, truths, strict=True):
        wanted = np.array([truth.box for truth in picture if truth.label == label], np.float64).reshape(-1, 4)
        total += len(wanted)
        free = np.ones((len(wanted), len(IOUS)), np.bool_)
        own = [item for item in boxes if item.label == label and item.confidence >= confidence]
        for item in sorted(own, key=lambda item: -item.confidence):
            rows.append(_take(free, _overlaps(np.array(item.box), wanted)))
            confidences.append(item.confidence)
    matched = np.array(rows, np.bool_).reshape(-1, len(IOUS))
    return matched, np.array(confidences, np.float64), total


def _take(free: npt.NDArray[np.bool_], overlaps: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Whether the box matches at each IoU; what it takes is no longer free."""
    taken = np.zeros(len(IOUS), np.bool_)
    for column, least in enumerate(IOUS):
        candidates = np.where(free[:, column], overlaps, 0.0)
        if candidates.size and candidates.max() >= least:
            free[int(candidates.argmax()), column] = False
            taken[column] = True
    return taken


def _overlaps(box: npt.NDArray[np.float64], others: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Intersection over union of one box with each of the others."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    shared = np.prod(np.maximum(high - low, 0.0), axis=1)
    areas = np.prod(others[:, 2:] - others[:, :2], axis=1)
    union = np.prod(box[2:] - box[:2]) + areas - shared
    overlaps: npt.NDArray[np.float64] = shared / np.maximum(union, 1e-12)
    return overlaps
