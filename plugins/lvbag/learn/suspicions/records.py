"""What the process that looks for suspicious labels is told, and what a snapshot's `run.json` says of it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, ValidationError

from lvbag.learn.classifier.recipe import ClassifierRecipe
from lvbag.learn.jobs import Job, Start
from lvbag.store import CorruptObject, Store, keys
from lvbag.store.remedies import remedy
from lvbag.suspicions import RUN

ROWS_NAME = "rows.parquet"
"""In the job's folder: the pictures, `schemas.SUSPICIONS` up to `fold`, `decided` and `judged`."""


class SuspicionJob(Job):
    """Train a network without each fold, and ask it about the labels of that fold."""

    snapshot: str
    key: str
    recipe_name: str
    recipe: ClassifierRecipe
    start: Start | None
    folds: int
    seed: int = 0


class SuspicionRun(BaseModel):
    """How a snapshot's labels were looked at; written last, so the scores stand once this does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str  # digest of everything that the scores follow from
    snapshot: str
    recipe: str
    folds: int
    images: int = 0  # that were looked at
    judged: int = 0  # of products with enough pictures in the other folds
    suspicious: int = 0
    top1: float | None = None  # of the networks, each on the fold that it has not seen
    seconds: float = 0.0
    note: str = ""  # why nothing was judged


def read_run(store: Store, snapshot: str) -> SuspicionRun | None:
    """What a snapshot's `run.json` says, None where there is none; raises `CorruptObject`."""
    ref = keys.suspicions(snapshot, RUN)
    if not store.exists(ref):
        return None
    try:
        return SuspicionRun.model_validate(store.get_json(ref))
    except ValidationError as error:
        raise CorruptObject(f"{store.uri(ref)} does not tell of suspicious labels ({error}); {remedy(ref)}") from None
