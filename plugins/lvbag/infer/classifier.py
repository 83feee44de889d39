"""Name the product in a picture with the classifier's ONNX file.

Pictures go in exactly as in training: `lvbag.images.square`, then 0 to 1, then the record's mean and standard
deviation. The network answers (batch, classes) with one score a product; divided by the record's temperature, softmax
makes them probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from lvbag.images import square
from lvbag.infer.onnx_session import BATCH, ModelError, OnnxSession, open_session
from lvbag.registry.records import ModelSpec, VersionRecord


@dataclass(frozen=True)
class Prediction:
    """A product and how likely the picture shows it: probability 0 to 1 among all products of the classifier."""

    style_code: str
    probability: float


class Classifier:
    """An open classifier. The same pictures give the same answers on the same machine."""

    def __init__(self, session: OnnxSession, spec: ModelSpec) -> None:
        self._session = session
        self._spec = spec
        self._mean = np.asarray(spec.mean, np.float32)
        self._std = np.asarray(spec.std, np.float32)

    @property
    def classes(self) -> tuple[str, ...]:
        """Style codes in the order of the outputs."""
        return self._spec.classes

    def classify(self, images: Sequence[Image.Image], top: int = 5) -> list[list[Prediction]]:
        """The `top` most likely products of each RGB picture, best first (all, where the classifier knows fewer).

        Products with equal probability keep the order of the classes. Raises `ModelError` as `probabilities` does.
        """
        rows = self.probabilities(images)
        best = np.argsort(-rows, axis=1, kind="stable")[:, : max(top, 0)]
        return [
            [Prediction(self.classes[int(i)], float(row[i])) for i in order]
            for row, order in zip(rows, best, strict=True)
        ]

    def probabilities(self, images: Sequence[Image.Image]) -> npt.NDArray[np.float64]:
        """The probability of each product (n, classes), rows summing to 1, in the order of `classes`.

        Raises `ModelError` when the network answers with another shape than its record says, or with no numbers.
        """
        rows = [self._run(images[start : start + BATCH]) for start in range(0, len(images), BATCH)]
        return np.concatenate(rows) if rows else np.zeros((0, len(self.classes)))

    def _run(self, images: Sequence[Image.Image]) -> npt.NDArray[np.float64]:
        scores = self._session.run(np.stack([self._prepare(image) for image in images])).astype(np.float64)
        if scores.shape != (len(images), len(self.classes)):
            raise ModelError(
                f"{self._session.name} answers with shape {scores.shape}; its record names {len(self.classes)} "
                "products; roll back to another version, or train again"
            )
        if not np.isfinite(scores).all():
            raise ModelError(
                f"{self._session.name} answers with what is no number; roll back to another version, or train again"
            )
        return softmax(scores / self._spec.temperature)

    def _prepare(self, image: Image.Image) -> npt.NDArray[np.float32]:
        """(3, side, side) float32."""
        pixels = square(image, self._spec.image_side_px).astype(np.float32) / np.float32(255)
        return ((pixels - self._mean) / self._std).transpose(2, 0, 1)


def open_classifier(path: Path, record: VersionRecord) -> Classifier:
    """Open the ONNX file of a classifier version; `record` tells its products and how pictures go in.

    Raises `ModelError` when the file cannot be opened or takes another size than the record says.
    """
    session = open_session(path)
    side_px = record.model.image_side_px
    if session.side_px not in (None, side_px):
        raise ModelError(
            f"{path} takes pictures of {session.side_px} px, the record of classifier version {record.version} says "
            f"{side_px}; roll back to another version, or train again"
        )
    return Classifier(session, record.model)


def softmax(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Scores (n, classes) to probabilities, each row summing to 1."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
