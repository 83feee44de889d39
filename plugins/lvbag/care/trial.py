"""Trying a version before it comes back: it must open, answer with numbers, and be about as good as its record says.

The pictures are those of the newest snapshot's test part that the version can know. They may be few, and other than
those it was measured on, so a version is refused only when chance does not explain how little it gets right.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from PIL import Image

from lvbag import schemas
from lvbag.care.errors import CareError
from lvbag.curate import newest_snapshot
from lvbag.images import ImageRefused, decode
from lvbag.infer import open_classifier, open_detector
from lvbag.infer.in_use import MODEL_FILE
from lvbag.registry import fetch_file, load_version, rollback
from lvbag.registry.records import UNCROPPED, VersionRecord
from lvbag.settings import Settings, home_dir
from lvbag.store import Bucket, ModelKind, ObjectMissing, Ref, Store, keys
from lvbag.store.keys import version_name
from lvbag.store.tables import read_table

log = logging.getLogger(__name__)

PICTURES = {ModelKind.CLASSIFIER: 64, ModelKind.DETECTOR: 16}
"""At most; a detector sees whole photographs at a larger size."""

BY_CHANCE = 0.001
"""A sound version gets so few right less often than this: then it is refused."""

Row = dict[str, Any]
Rows = list[Row]
"""Of `schemas.MANIFEST`."""


@dataclass(frozen=True)
class Trial:
    """What a version did: `right` of `pictures`, and all of it as a sentence. Without pictures only loading counts."""

    kind: ModelKind
    version: int
    pictures: int
    right: int
    said: str


def roll_back(  # noqa: PLR0917 - the registry's order, with the settings
    store: Store, settings: Settings, kind: ModelKind, number: int, at: dt.datetime, by: str, why: str
) -> Trial:
    """Try an old version and make it the champion again.

    Raises `CareError` with what was found when it does not stand the trial, `ModelError` when it does not open or
    answers with no numbers, and what `lvbag.registry.rollback` raises; the champion stays then.
    """
    trial = try_version(store, settings, kind, number)
    rollback(store, kind, number, at, by, why)
    return trial


def try_version(store: Store, settings: Settings, kind: ModelKind, number: int) -> Trial:
    """Open a version, its digest checked, and let it answer; raises as `roll_back`. Changes nothing."""
    record = load_version(store, kind, number)
    attempt = _try_classifier if kind is ModelKind.CLASSIFIER else _try_detector
    trial = attempt(store, settings, record)
    log.info("care.trial kind=%s version=%d right=%d of=%d", kind, number, trial.right, trial.pictures)
    return trial


def least_share(recorded: float | None, chance: float) -> float:
    """Half-way from chance to what the record says; chance itself where that says nothing, or less."""
    return chance if recorded is None else max(chance, (recorded + chance) / 2)


def so_few_by_chance(right: int, pictures: int, share: float) -> float:
    """How often a version that gets this share right would get so few or fewer (binomial distribution)."""
    return sum(math.comb(pictures, n) * share**n * (1 - share) ** (pictures - n) for n in range(right + 1))


# ------------------------------------------------------------------ the two kinds


def _try_classifier(store: Store, settings: Settings, record: VersionRecord) -> Trial:
    model = open_classifier(_file(store, record), record)
    model.classify([_blank(record)], 1)
    snapshot, rows = _test_rows(store, pl.col("style_code").is_in(pl.Series(record.model.classes).implode()))
    images, kept = _pictures(rows, lambda row: _crop(store, settings, row), PICTURES[record.kind])
    if not images:
        return _only_loaded(record, snapshot, "of a product that it knows")
    answers = [best.style_code for (best,) in model.classify(images, 1)]
    right = sum(answer == row["style_code"] for answer, row in zip(answers, kept, strict=True))
    least = least_share(record.metrics.get("top1"), 1 / len(record.model.classes))
    said = f"{right} of {len(images)} test pictures of snapshot {snapshot} named right"
    return _judged(record, Trial(record.kind, record.version, len(images), right, said), least, "top1")


def _try_detector(store: Store, settings: Settings, record: VersionRecord) -> Trial:
    model = open_detector(_file(store, record), record, settings.detector)
    model.detect([_blank(record)])
    # only what a detector has let pass is known to show a bag
    snapshot, rows = _test_rows(store, pl.col("detector") != UNCROPPED)
    images, _ = _pictures(rows, lambda row: _original(store, settings, row), PICTURES[record.kind])
    if not images:
        return _only_loaded(record, snapshot, "in which a detector has found a bag")
    right = sum(bool(model.detect([image])[0]) for image in images)
    least = least_share(record.metrics.get("recall"), 0.0)
    said = f"a bag found in {right} of {len(images)} test pictures of snapshot {snapshot}"
    return _judged(record, Trial(record.kind, record.version, len(images), right, said), least, "recall")


def _judged(record: VersionRecord, trial: Trial, least: float, figure: str) -> Trial:
    """The trial itself; raises `CareError` when its answers are too bad for what was recorded."""
    if so_few_by_chance(trial.right, trial.pictures, least) >= BY_CHANCE:
        return trial
    recorded = record.metrics.get(figure)
    expected = "nothing" if recorded is None else f"{figure} {recorded:.3f}"
    raise CareError(
        f"{record.kind} version {version_name(record.version)} does not come back: {trial.said}, while its record says "
        f"{expected}; the champion stays. Look at `lvbag registry verify {record.version} --kind {record.kind}` and "
        "bring another version back, or train again"
    )


def _only_loaded(record: VersionRecord, snapshot: str | None, which: str) -> Trial:
    found = f"snapshot {snapshot} has no test picture {which}" if snapshot else "there is no snapshot"
    said = f"only loading was checked, and that it answers with numbers: {found}"
    return Trial(record.kind, record.version, 0, 0, said)


# ------------------------------------------------------------------ pictures


def _file(store: Store, record: VersionRecord) -> Path:
    return fetch_file(store, record.kind, record.version, MODEL_FILE, home_dir() / "cache")


def _blank(record: VersionRecord) -> Image.Image:
    side_px = record.model.image_side_px
    return Image.new("RGB", (side_px, side_px), (255, 255, 255))


def _test_rows(store: Store, which: pl.Expr) -> tuple[str | None, Rows]:
    """The newest snapshot, and its test pictures of which this is true, in an order that no product rules."""
    snapshot = newest_snapshot(store)
    if snapshot is None:
        return None, []
    manifest = read_table(store, keys.snapshot(snapshot, "manifest.parquet"), schemas.MANIFEST)
    return snapshot, manifest.filter((pl.col("split") == "test") & which).sort("sha256").to_dicts()


def _pictures(rows: Rows, read: Callable[[Row], Image.Image | None], most: int) -> tuple[list[Image.Image], Rows]:
    """The first pictures that still stand, and their rows."""
    images: list[Image.Image] = []
    kept: Rows = []
    for row in rows:
        if len(images) == most:
            break
        image = read(row)
        if image is not None:
            images.append(image)
            kept.append(row)
    return images, kept


def _crop(store: Store, settings: Settings, row: Row) -> Image.Image | None:
    """A crop as cleaning stored it; None where it is not there any more, as it was."""
    ref = keys.crop(row["detector"], row["sha256"])
    try:
        data = store.get(ref)
    except ObjectMissing:  # taken down
        return None
    if hashlib.sha256(data).hexdigest() != row["crop_sha256"]:
        _leave_out(store, ref, "it is not the crop that the snapshot names")
        return None
    return _decoded(store, settings, ref, data)


def _original(store: Store, settings: Settings, row: Row) -> Image.Image | None:
    """A photograph as fetched; None where it was taken down."""
    found = next(iter(store.list_objects(Bucket.RAW, keys.raw_images_of(row["sha256"]))), None)
    return None if found is None else _decoded(store, settings, found.ref, store.get(found.ref))


def _decoded(store: Store, settings: Settings, ref: Ref, data: bytes) -> Image.Image | None:
    try:
        # the least side is a rule for photographs; a crop of a slim bag may be narrower
        return decode(data, settings.images.model_copy(update={"min_side_px": 1}))
    except ImageRefused as error:
        _leave_out(store, ref, str(error))
        return None


def _leave_out(store: Store, ref: Ref, why: str) -> None:
    """A damaged picture speaks against the store (`lvbag verify`), not against the version that is tried."""
    log.warning("care.trial picture left out uri=%s: %s", store.uri(ref), why)
