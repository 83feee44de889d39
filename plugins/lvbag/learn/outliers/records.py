"""What the autoencoder's process is told, and what a night's `model.json` says of it."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, ConfigDict, ValidationError

from lvbag.learn.jobs import Job
from lvbag.nights import nights_in
from lvbag.outliers import MODEL, WEIGHTS
from lvbag.store import Bucket, CorruptObject, Store, keys
from lvbag.store.remedies import remedy

ROWS_NAME = "rows.parquet"
"""In the job's folder: the pictures, `schemas.OUTLIERS` up to `crop_sha256` and `decided`."""


class OutlierJob(Job):
    """Train the autoencoder of one night and judge its pictures; `start` is the night whose weights it goes on from."""

    night: dt.date
    key: str
    start: dt.date | None
    start_sha256: str | None
    seed: int = 0


class OutlierModel(BaseModel):
    """What a night's autoencoder is; written last, so the night's scores stand once this does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str  # digest of everything that the scores follow from
    night: dt.date
    start: dt.date | None = None  # the night whose weights were carried on; None: from scratch
    weights_sha256: str | None = None  # None where there was nothing to train
    images: int = 0  # that were looked at
    judged: int = 0
    products: int = 0  # whose pictures were judged
    steps: int = 0
    loss: float | None = None
    note: str = ""  # why nothing was judged


def read_model(store: Store, night: dt.date) -> OutlierModel | None:
    """What a night's `model.json` says, None where there is none; raises `CorruptObject`."""
    ref = keys.outliers(night, MODEL)
    if not store.exists(ref):
        return None
    try:
        return OutlierModel.model_validate(store.get_json(ref))
    except ValidationError as error:
        raise CorruptObject(f"{store.uri(ref)} does not describe an autoencoder ({error}); {remedy(ref)}") from None


def newest_weights(store: Store, before: dt.date | None = None, standing: bool = False) -> tuple[dt.date, str] | None:
    """The last night, of those before a day, that left an autoencoder's weights, and their digest.

    `standing`: of those whose weights are still there; old ones are collected as garbage, and their records stay.
    """
    for night in reversed(nights_in(store.list_folders(Bucket.CURATED, keys.outliers_prefix()))):
        model = read_model(store, night) if before is None or night < before else None
        if model is None or model.weights_sha256 is None:
            continue
        if not standing or store.exists(keys.outliers(night, WEIGHTS)):
            return night, model.weights_sha256
    return None
