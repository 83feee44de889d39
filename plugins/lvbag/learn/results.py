"""What the steps of learning return to DAGs, pages and the command line: names and counts, no data."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True)
class Readiness:
    """Whether there is enough new to train, and why in a sentence; `new_images` counts new training images."""

    ready: bool
    why: str
    new_images: int


@dataclass(frozen=True)
class TrainingResult:
    """The version that a training owns; `reused` when it stood already. `seconds` is what this call took."""

    version: int
    reused: bool
    seconds: float


@dataclass(frozen=True)
class EvaluationResult:
    """An evaluation in the store, and the versions that it measured on one test set."""

    key: str
    champion: int | None
    challengers: tuple[int, ...]


@dataclass(frozen=True)
class SuspicionResult:
    """What is suspicious in a snapshot's labels: `uri` is the table of scores.

    `images` were looked at, the labels of `judged` were judged, `suspicious` of them taken for wrong, and people are
    `asked` about so many. `top1` is that of the networks on what they have not seen. `reused`: it stood already.
    """

    snapshot: str
    uri: str
    images: int
    judged: int
    suspicious: int
    asked: int
    top1: float | None
    reused: bool
    seconds: float
    note: str = ""


@dataclass(frozen=True)
class OutlierResult:
    """What was found odd on a night: `uri` is the table of scores, empty where nothing was looked at (`note` says why).

    `images` were looked at, those of `products` were `judged`, and people are asked about `odd`. `reused`: it stood
    already.
    """

    night: dt.date
    uri: str
    images: int
    judged: int
    odd: int
    products: int
    reused: bool
    seconds: float
    note: str = ""
