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
    temperature: float = Field(default=1.0, gt=0.0)  # a classifier's scores are divided by it before softmax


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


class Bootstrap(Record):
    """The gain in top-1 when the test set's listings are drawn anew, the photos of a listing always together.

    `cells` is all that it depends on: listings by how many test images they have and how many more of these the
    challenger gets right than the champion, so that anybody can compute it again.
    """

    listings: int = Field(ge=1)
    draws: int = Field(ge=1)
    low: float  # of the interval that holds 95 % of the draws' gains
    high: float
    p: float = Field(ge=0.0, le=1.0)  # share of the draws in which the challenger gains nothing, one-sided
    cells: tuple[tuple[int, int, int], ...]  # images of a listing, gain in images, listings


class Confusion(Record):
    """A product that is taken for another one."""

    truth: str
    predicted: str
    images: int = Field(ge=1)  # test images on which it happens
    examples: tuple[str, ...] = ()  # sha256 of some of them, those with the surest wrong answers first


class Measured(Record):
    """One version on the evaluation's test set. What earlier releases did not measure is empty or null."""

    version: int
    metrics: dict[str, float]  # classifier: top1, top5, macro_accuracy …; detector: map50, map50_95, recall …
    versus_champion: Pairs | None = None  # null for the champion, without one, and for detectors
    versus_champion_shared: Pairs | None = None  # the same where the champion knows the product
    bootstrap: Bootstrap | None = None
    bootstrap_shared: Bootstrap | None = None
    right: dict[str, int] = {}  # test images that it gets right, by product; see `Evaluation.products`
    confusions: tuple[Confusion, ...] = ()  # the most frequent ones
    seen_in_training: int | None = None  # test images that stand in the training part of its own snapshot


class Evaluation(Record):
    """Champion and challengers, measured on the same test set in the same process."""

    kind: ModelKind
    key: str
    data: str  # snapshot or label set whose test part was used
    test_images: int = Field(ge=0)
    classes: int = Field(ge=0)
    champion: Measured | None
    challengers: tuple[Measured, ...]
    products: dict[str, int] = {}  # of a classifier: test images by product
    shared_images: int | None = None  # test images of products that the champion knows; null without one


class RuleResult(Record):
    """One rule of the gate: a sentence that a person reads, and whether it holds."""

    rule: str
    passed: bool
    required: bool  # a rule that is only shown does not refuse
    sentence: str
    figures: dict[str, float] = {}  # what the sentence says, as numbers


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
