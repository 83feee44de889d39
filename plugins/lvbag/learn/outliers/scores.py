"""How odd each picture is among those of its product, from an autoencoder's codes and errors. Pure numpy.

Two numbers say it. *Reconstruction*: what the network could not redraw, against what is usual in the product.
*Distance*: how far the product's nearest pictures are beside the nearest of other products, again against what is usual
in the product. The distance alone tells rare pictures from usual ones; beside the others' it tells which belong
elsewhere, which is what people are asked (`bench/outliers.py` compares the two).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

NEIGHBOURS = 5
SHRINKAGE = 0.2
"""Of what differs within products, so much is taken to be the same in all directions: few pictures tell it roughly."""
REFERENCE = 4_000
"""Pictures of other products to which a product's are compared at most, spread evenly."""
RECONSTRUCTION_WEIGHT = 0.25
RECONSTRUCTION_LIMIT = 4.0
"""What is hard to redraw is odd, but so is every busy background: it adds at most one deviation to the score."""
_TINY = 1e-6


@dataclass(frozen=True)
class Scores:
    """One number a picture (n,); NaN for a picture of a product that is too small to be judged."""

    distance: Floats
    distance_z: Floats
    reconstruction_z: Floats
    score: Floats
    x: Floats
    y: Floats


def score(codes: Floats, errors: Floats, labels: Ints, min_images: int) -> Scores:
    """Scores of n pictures: `codes` (n, d) of the latent space, `errors` (n,) of reconstruction, `labels` (n,)."""
    directions = _directions(codes, labels)
    columns = {name: np.full(len(labels), np.nan) for name in Scores.__dataclass_fields__}
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        if len(own) < min_images:
            continue
        others = _spread(np.flatnonzero(labels != label), REFERENCE)
        distance = nearness(directions[own], directions[others])
        distance_z, reconstruction_z = robust_z(distance), robust_z(np.log(errors[own] + _TINY))
        columns["distance"][own], columns["distance_z"][own] = distance, distance_z
        columns["reconstruction_z"][own] = reconstruction_z
        hard = np.clip(reconstruction_z, 0.0, RECONSTRUCTION_LIMIT)
        columns["score"][own] = distance_z + RECONSTRUCTION_WEIGHT * hard
        columns["x"][own], columns["y"][own] = plane(codes[own]).T
    return Scores(**columns)


def nearness(own: Floats, others: Floats) -> Floats:
    """Log of the mean distance to the nearest of its own (n, d) over that to the nearest others (m, d); (n,).

    Without others, the log of the first alone.
    """
    near = np.log(_mean_nearest(_distances(own, own), leave_out_itself=True) + _TINY)
    if len(others):
        near -= np.log(_mean_nearest(_distances(own, others), leave_out_itself=False) + _TINY)
    return near


def robust_z(values: Floats) -> Floats:
    """Deviations from the median, in multiples of the scaled median absolute deviation; zeros where none deviate."""
    apart = values - np.median(values)
    spread = 1.4826 * float(np.median(np.abs(apart)))
    if spread < _TINY:
        spread = float(apart.std())
    return apart / spread if spread >= _TINY else np.zeros_like(apart)


def plane(codes: Floats) -> Floats:
    """The two directions in which codes (n, d) differ most, as places (n, 2); the same codes give the same places."""
    centred = codes - codes.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    directions = directions[:2]
    largest = np.abs(directions).argmax(axis=1)
    signs = np.sign(directions[np.arange(len(directions)), largest])  # a decomposition leaves the sign open
    places = np.zeros((len(codes), 2))
    places[:, : len(directions)] = centred @ (directions * signs[:, None]).T
    return places


def ranks(scores: Floats, labels: Ints, decided: npt.NDArray[np.bool_], names: list[str]) -> Ints:
    """Place within the product, 1 for the oddest of those that nobody has decided about; 0 for a decided one.

    Equal scores stand in the order of `names`.
    """
    found = np.zeros(len(scores), np.int64)
    before: dict[int, int] = {}
    for row in sorted(range(len(scores)), key=lambda at: (-scores[at], names[at])):
        if not decided[row]:
            found[row] = before[labels[row]] = before.get(labels[row], 0) + 1
    return found


def _directions(codes: Floats, labels: Ints) -> Floats:
    """Codes around their mean, in units of what differs within a product, and of length one.

    What differs between two photos of one product (ground, size, light) then counts little, and what tells products
    apart much; the length alone would tell the contrast of a picture.
    """
    centred = codes - codes.mean(axis=0)
    within = centred.copy()
    for label in np.unique(labels):
        within[labels == label] -= within[labels == label].mean(axis=0)
    scatter = within.T @ within / len(codes)
    mean = np.trace(scatter) / len(scatter) + _TINY
    scatter = (1 - SHRINKAGE) * scatter + SHRINKAGE * mean * np.eye(len(scatter))
    whole = np.linalg.solve(np.linalg.cholesky(scatter), centred.T).T
    lengths = np.linalg.norm(whole, axis=1, keepdims=True)
    directions: Floats = whole / np.maximum(lengths, _TINY)
    return directions


def _distances(one: Floats, other: Floats) -> Floats:
    squares = (one**2).sum(1)[:, None] + (other**2).sum(1)[None] - 2 * one @ other.T
    distances: Floats = np.sqrt(np.maximum(squares, 0.0))
    return distances


def _mean_nearest(distances: Floats, leave_out_itself: bool) -> Floats:
    if leave_out_itself:
        np.fill_diagonal(distances, np.inf)
    count = min(NEIGHBOURS, distances.shape[1] - leave_out_itself)
    nearest: Floats = np.partition(distances, count - 1, axis=1)[:, :count].mean(axis=1)
    return nearest


def _spread(rows: Ints, most: int) -> Ints:
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]
