"""What the registry writes down, as plain data: versions, evaluations, decisions, events.

These models are the JSON that stands in the models bucket; a file that does not fit raises `RegistryError` with
its key.
"""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from lvbag.store.keys import ModelKind

UNCROPPED = "none"
"""Stands for a detector version where cleaning had no detector: the pictures are whole."""


SCRATCH = "scratch"
"""A training that started from nothing but chance."""


class Record(BaseModel):
    """A record never changes after it was written, and unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelSpec(Record):
    """What is needed to use a version: network, input and answers."""

    architecture: str  # timm or ultralytics name
    image_side_px: int = Field(ge=1)  # the input is (batch, 3, side, side) float32
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)  # of RGB in 0 to 1, subtracted first
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)  # divided by after
    classes: tuple[str, ...]  # style codes, or detector classes, in the order of the outputs


class VersionRecord(Record):
    """`config.json` of a version: its commit mark, written last, with the digest of every other file."""

    kind: ModelKind
    version: int = Field(ge=1)
    created_at: dt.datetime
    data: str  # snapshot (classifier) or label set (detector) that it was trained on
    recipe: str
    recipe_sha256: str
    seed: int
    training_key: str
    parent: int | None  # the champion when it was trained
    start: str = SCRATCH  # or `detector 0003`, `weights yolo11n (sha256 …)`, `weights of timm from the hub`
    detector: str | None  # of a classifier: the detector versions that cropped its snapshot, joined by "+"
    code_version: str
    model: ModelSpec
    metrics: dict[str, float]  # on the validation and test part of its own data, when it was trained
    files: dict[str, str] = {}  # name to sha256, filled in by `publish_version`


class Pairs(Record):
    """Test images by who got them right; what McNemar's test needs."""

    both: int = Field(ge=0)
    only_champion: int = Field(ge=0)
    only_challenger: int = Field(ge=0)
    neither: int = Field(ge=0)


class Measured(Record):
    """One version on the evaluation's test set."""

    version: int
    metrics: dict[str, float]  # classifier: top1, top5, macro_accuracy …; detector: map50, map50_95, recall …
    versus_champion: Pairs | None = None  # null for the champion, without one, and for detectors


class Evaluation(Record):
    """Champion and challengers, measured on the same test set in the same process."""

    kind: ModelKind
    key: str
    data: str  # snapshot or label set whose test part was used
    test_images: int = Field(ge=0)
    classes: int = Field(ge=0)
    champion: Measured | None
    challengers: tuple[Measured, ...]


class RuleResult(Record):
    """One rule of the gate: a sentence that a person reads, and whether it holds."""

    rule: str
    passed: bool
    required: bool  # a rule that is only shown does not refuse
    sentence: str


class Decision(Record):
    """Why a challenger was promoted or refused, with all figures."""

    kind: ModelKind
    challenger: int
    champion: int | None
    evaluation: str
    promoted: bool
    rules: tuple[RuleResult, ...]
    summary: str


class Champion(Record):
    """`champion.json`: the alias."""

    version: int
    since: dt.datetime
    event: str  # the history event that set it
    nonce: str


class Event(Record):
    """One line of the history: `history/<time>-<event>.json`."""

    kind: ModelKind
    event: Literal["promoted", "refused", "rolled_back"]
    at: dt.datetime
    by: str
    version: int
    previous: int | None
    decision: Decision | None = None
    why: str
