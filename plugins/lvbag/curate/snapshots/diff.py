"""Two snapshots side by side: what came in, what left, and what it means for the mix. Reads, writes nothing."""

from __future__ import annotations

import polars as pl
from pydantic import BaseModel, ConfigDict

from lvbag.curate.errors import CurateError
from lvbag.curate.snapshots.changes import SnapshotDrift, measure_drift, measured, read_manifest
from lvbag.curate.snapshots.groups import SPLITS
from lvbag.curate.snapshots.material import MEASURES, read_images
from lvbag.store import ObjectMissing, Store


class Changed(BaseModel):
    """An image that is in both snapshots with another split or style code."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: str
    before: str
    now: str


class SnapshotDiff(BaseModel):
    """From snapshot `a` to snapshot `b`.

    `images` and each of `splits` hold the counts of both. `added` and `removed` name images; `moved` must be empty, or
    test images have been trained on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    a: str
    b: str
    images: tuple[int, int]
    splits: dict[str, tuple[int, int]]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    moved: tuple[Changed, ...]
    relabelled: tuple[Changed, ...]
    drift: SnapshotDrift


def diff_snapshots(store: Store, a: str, b: str) -> SnapshotDiff:
    """Tell two snapshots apart; raises `CurateError` where there is no such snapshot."""
    one, other = _manifest(store, a), _manifest(store, b)
    everything = pl.concat([one["sha256"], other["sha256"]]).unique()
    images = read_images(store, everything, ("sha256", "crop_cluster", "width", "height", *MEASURES))
    one, other = measured(one, images), measured(other, images)
    both = one.join(other, on="sha256", suffix="_now").sort("sha256")
    return SnapshotDiff(
        a=a,
        b=b,
        images=(one.height, other.height),
        splits={s: (one.filter(split=s).height, other.filter(split=s).height) for s in SPLITS},
        added=tuple(other.join(one, on="sha256", how="anti")["sha256"].sort()),
        removed=tuple(one.join(other, on="sha256", how="anti")["sha256"].sort()),
        moved=_changed(both, "split"),
        relabelled=_changed(both, "style_code"),
        drift=measure_drift(a, one, other),
    )


def _manifest(store: Store, name: str) -> pl.DataFrame:
    try:
        return read_manifest(store, name)
    except ObjectMissing:
        raise CurateError(f"there is no snapshot {name}; `lvbag dataset list` names them") from None


def _changed(both: pl.DataFrame, column: str) -> tuple[Changed, ...]:
    rows = both.filter(pl.col(column) != pl.col(f"{column}_now")).select("sha256", column, f"{column}_now")
    return tuple(Changed(sha256=sha256, before=before, now=now) for sha256, before, now in rows.iter_rows())
