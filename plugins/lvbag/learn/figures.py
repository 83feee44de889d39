"""The pictures in a version's folder: confusion of products and the course of the training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

NAMED_PRODUCTS = 40
"""With more products than this their names would not be readable."""
_NO_TIME = {"Software": None}
"""Leaves matplotlib's version out of the file, so that equal figures give equal bytes."""


def draw_confusion(path: Path, counts: npt.NDArray[np.int64], products: Sequence[str]) -> None:
    """True product down, answer across, as a PNG file; rows are shares of the product's test images."""
    figure, axes = _axes(5 + 0.12 * min(len(products), 100))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    drawn = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if len(products) <= NAMED_PRODUCTS:
        axes.set_xticks(range(len(products)), products, rotation=90, fontsize=7)
        axes.set_yticks(range(len(products)), products, fontsize=7)
    axes.set_xlabel("answered")
    axes.set_ylabel("true product")
    axes.set_title(f"{int(counts.trace())} of {int(counts.sum())} test images right")
    figure.colorbar(drawn, ax=axes, label="share of the product's test images", fraction=0.046)
    figure.savefig(path, dpi=110, metadata=_NO_TIME)


def draw_curve(
    path: Path,
    loss: Sequence[float],
    score: Sequence[float | None],
    score_name: str = "val top-1",
    *,
    rates: Sequence[float] = (),
) -> None:
    """Loss, a score and the learning rate by epoch, as a PNG file; score and rates may be empty, scores be missing."""
    figure, axes = _axes(6)
    epochs = range(1, len(loss) + 1)
    axes.plot(epochs, loss, color="tab:red", label="loss")
    axes.set_xlabel("epoch")
    axes.set_ylabel("loss", color="tab:red")
    if score:
        right = axes.twinx()
        known = [(epoch, value) for epoch, value in zip(epochs, score, strict=True) if value is not None]
        right.plot(*zip(*known, strict=True), color="tab:blue", marker=".")
        right.set_ylabel(score_name, color="tab:blue")
        right.set_ylim(0, 1)
    if rates:
        above = axes.inset_axes((0.0, 1.02, 1.0, 0.18), sharex=axes)
        above.plot(epochs, rates, color="tab:green")
        above.set_ylabel("rate", color="tab:green")
        above.tick_params(labelbottom=False)
    figure.savefig(path, dpi=110, metadata=_NO_TIME)


def _axes(side_in: float):  # type: ignore[no-untyped-def]
    from matplotlib.figure import Figure

    figure = Figure(figsize=(side_in, side_in * 0.85), layout="constrained")
    return figure, figure.subplots()
