"""Find bags in pictures with the detector's ONNX file (ultralytics YOLO, exported without suppression).

Pictures are prepared exactly as ultralytics prepares them in training: shrunk or enlarged without smoothing so that
the longer side fits, centred on grey 114, RGB in 0 to 1. The network answers (batch, 4 + classes, anchors): centre,
width and height in pixels of its input, and a score a class
(https://docs.ultralytics.com/modes/export; the same layout for YOLOv8 and YOLO11).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from lvbag.infer.onnx_session import ModelError, OnnxSession, open_session
from lvbag.registry.records import VersionRecord
from lvbag.settings import DetectorSettings

GREY = 114
MAX_CANDIDATES = 1000
"""Boxes of a picture that enter suppression, the most confident first: an untrained network has thousands."""


@dataclass(frozen=True)
class Detection:
    """A box in a picture: left, top, right, bottom as shares of its width and height (0 to 1, inside the picture).

    `confidence` is the score of the class `name` (0 to 1).
    """

    x0: float
    y0: float
    x1: float
    y1: float
    confidence: float
    name: str


@dataclass(frozen=True)
class Letterbox:
    """How a picture lies in the network's square: its size there and its offset, in pixels of the square."""

    width: int
    height: int
    left: int
    top: int


class Detector:
    """An open detector. Not bound to a picture size; the same pictures give the same boxes on the same machine."""

    def __init__(self, session: OnnxSession, side_px: int, classes: tuple[str, ...], settings: DetectorSettings):
        self._session = session
        self._side_px = side_px
        self._classes = classes
        self._settings = settings

    @property
    def classes(self) -> tuple[str, ...]:
        """What the boxes may be called."""
        return self._classes

    @property
    def side_px(self) -> int:
        """Of the square that the network looks at."""
        return self._side_px

    def detect(self, images: Sequence[Image.Image]) -> list[list[Detection]]:
        """The boxes of each RGB picture, most confident first; an empty list where nothing reaches the working point.

        Boxes below `detector.confidence` do not count; of boxes that overlap by more than `detector.iou`
        (intersection over union, whatever their classes) the most confident stays. Raises `ModelError` when the
        network's answer does not have the shape that its record promises, or is no number.
        """
        if not images:
            return []
        places = [letterbox_of(image.width, image.height, self._side_px) for image in images]
        batch = np.stack([_prepare(image, place, self._side_px) for image, place in zip(images, places, strict=True)])
        output = self._session.run(batch)
        if output.ndim != 3 or output.shape[1] != 4 + len(self._classes):
            raise ModelError(
                f"{self._session.name} answers with shape {output.shape}; a detector of the classes "
                f"{', '.join(self._classes)} exported without NMS answers (batch, {4 + len(self._classes)}, anchors)"
            )
        if not np.isfinite(output).all():
            raise ModelError(
                f"{self._session.name} answers with what is no number; roll back to another version, or train again"
            )
        return [self._read(answer, place) for answer, place in zip(output, places, strict=True)]

    def _read(self, answer: npt.NDArray[np.float32], place: Letterbox) -> list[Detection]:
        scores = answer[4:].max(axis=0)
        found = np.flatnonzero(scores >= self._settings.confidence)
        found = found[np.argsort(-scores[found], kind="stable")][:MAX_CANDIDATES]
        boxes = to_shares(answer[:4, found].T, place)
        kept = suppress(boxes, self._settings.iou)  # before they are cut to the picture, as ultralytics does it
        names = answer[4:, found].argmax(axis=0)
        detections = []
        for i in kept:
            x0, y0, x1, y1 = np.clip(boxes[i], 0.0, 1.0).tolist()
            if x1 > x0 and y1 > y0:  # else it lies on the grey beside the picture
                detections.append(Detection(x0, y0, x1, y1, float(scores[found[i]]), self._classes[int(names[i])]))
        return detections


def open_detector(path: Path, record: VersionRecord, settings: DetectorSettings) -> Detector:
    """Open the ONNX file of a detector version; `record` tells its classes and the side of its input in pixels.

    Raises `ModelError` when the file cannot be opened or takes another size than the record says.
    """
    session = open_session(path)
    side_px = record.model.image_side_px
    if session.side_px not in (None, side_px):
        raise ModelError(
            f"{path} takes pictures of {session.side_px} px, the record of detector version {record.version} says "
            f"{side_px}; train it again or roll back to another version"
        )
    return Detector(session, side_px, record.model.classes, settings)


def letterbox_of(width: int, height: int, side_px: int) -> Letterbox:
    """Where a picture of this size lies in a square of `side_px` (the rounding is that of ultralytics' `LetterBox`)."""
    scale = min(side_px / width, side_px / height)
    inner_width, inner_height = max(round(width * scale), 1), max(round(height * scale), 1)
    return Letterbox(
        width=inner_width,
        height=inner_height,
        left=max(0, round((side_px - inner_width) / 2 - 0.1)),
        top=max(0, round((side_px - inner_height) / 2 - 0.1)),
    )


def to_shares(boxes: npt.NDArray[np.float32], place: Letterbox) -> npt.NDArray[np.float64]:
    """Boxes (n, 4) as centre x, centre y, width, height in the square's pixels to x0, y0, x1, y1 as shares.

    A box may reach over the picture's edge: below 0 or above 1.
    """
    centre, half = boxes[:, :2].astype(np.float64), boxes[:, 2:].astype(np.float64) / 2
    corners = np.hstack([centre - half, centre + half])
    offset = np.array([place.left, place.top, place.left, place.top], np.float64)
    size = np.array([place.width, place.height, place.width, place.height], np.float64)
    shares: npt.NDArray[np.float64] = (corners - offset) / size
    return shares


def suppress(boxes: npt.NDArray[np.float64], iou: float) -> list[int]:
    """Indices of the boxes (n, 4; x0, y0, x1, y1; best first) that no better box overlaps by more than `iou`."""
    area = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1)
    open_boxes = np.arange(len(boxes))
    kept: list[int] = []
    while len(open_boxes):
        best, rest = open_boxes[0], open_boxes[1:]
        kept.append(int(best))
        low = np.maximum(boxes[best, :2], boxes[rest, :2])
        high = np.minimum(boxes[best, 2:], boxes[rest, 2:])
        shared = np.prod(np.maximum(high - low, 0), axis=1)
        open_boxes = rest[shared <= iou * (area[best] + area[rest] - shared)]
    return kept


def _prepare(image: Image.Image, place: Letterbox, side_px: int) -> npt.NDArray[np.float32]:
    """The picture in the network's square: (3, side, side) float32 in 0 to 1."""
    square = np.full((side_px, side_px, 3), GREY, np.uint8)
    if image.size == (place.width, place.height):
        inner = image
    else:
        # samples the same points as OpenCV's linear resize, which ultralytics trains with: PIL's own resize averages
        # when it shrinks and shows the network sharper edges of another kind
        step_x, step_y = image.width / place.width, image.height / place.height
        inner = image.transform(
            (place.width, place.height),
            Image.Transform.AFFINE,
            (step_x, 0.0, 0.0, 0.0, step_y, 0.0),
            Image.Resampling.BILINEAR,
        )
    square[place.top : place.top + place.height, place.left : place.left + place.width] = np.asarray(inner)
    return np.ascontiguousarray(square.transpose(2, 0, 1), np.float32) / np.float32(255)
