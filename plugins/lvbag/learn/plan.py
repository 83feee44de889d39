"""Whether a snapshot holds enough new training images to be worth a training."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lvbag.learn.results import Readiness
from lvbag.registry import champion, load_version
from lvbag.settings import Settings
from lvbag.store import ModelKind, ObjectMissing, Store, keys

if TYPE_CHECKING:
    import polars as pl

log = logging.getLogger(__name__)


def enough_new(store: Store, settings: Settings, snapshot: str, force: bool = False) -> Readiness:
    """Compare a snapshot's training images with those of the champion's snapshot (`train.min_new_images`)."""
    alias = champion(store, ModelKind.CLASSIFIER)
    known = load_version(store, ModelKind.CLASSIFIER, alias.version).data if alias else None
    fresh = _train_images(store, snapshot)
    new = len(fresh - _train_images(store, known, missing_ok=True)) if known else len(fresh)
    readiness = judge_new(snapshot, known, new, settings.train.min_new_images, force)
    log.info("train.ready snapshot=%s ready=%s new=%d why=%s", snapshot, readiness.ready, new, readiness.why)
    return readiness


def judge_new(snapshot: str, champion_snapshot: str | None, new: int, least: int, force: bool) -> Readiness:
    """The decision itself: forced, no champion yet, or at least `least` new training images."""
    if force:
        return Readiness(True, "asked for by hand", new)
    if champion_snapshot is None:
        return Readiness(True, "there is no champion yet", new)
    if champion_snapshot == snapshot:
        return Readiness(False, f"the champion was trained on this very snapshot {snapshot}", new)
    sentence = f"{new} training images are new since the champion's snapshot {champion_snapshot}"
    if new < least:
        return Readiness(False, f"only {sentence}; train.min_new_images asks for {least}", new)
    return Readiness(True, f"{sentence} (train.min_new_images asks for {least})", new)


def _train_images(store: Store, snapshot: str, missing_ok: bool = False) -> set[str]:
    from lvbag import schemas
    from lvbag.store.tables import read_table
    from lvbag.tombstones import read_holes

    try:
        manifest: pl.DataFrame = read_table(store, keys.snapshot(snapshot, "manifest.parquet"), schemas.MANIFEST)
    except ObjectMissing:
        if missing_ok:
            return set()  # collected as garbage since: then everything is new
        raise
    return set(manifest.filter(manifest["split"] == "train")["sha256"]) - read_holes(store, snapshot)
