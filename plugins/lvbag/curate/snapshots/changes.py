"""How one snapshot differs from another, as plain numbers with a line each on what they mean. Pure but for reading.

Mixes of products and sources are compared by the Jensen-Shannon divergence (base 2: 0 the same, 1 nothing in common).
Quality measures are compared by the population stability index over the tenths of the earlier snapshot. A snapshot
holds nearly all of the one before it, so beside the whole stands the median of what came in.
"""

from __future__ import annotations

import math

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict

from lvbag import schemas
from lvbag.curate.snapshots.groups import SPLITS
from lvbag.curate.snapshots.material import MEASURES
from lvbag.store import Store, keys
from lvbag.store.tables import read_table

MEASURED = ("megapixels", *MEASURES)

ENOUGH = 100
"""Below this many images on either side an index over tenths is mostly chance, and nothing is said of it."""

LITTLE, MUCH = 0.1, 0.25
"""The usual marks of the population stability index."""

SMALL_MIX, LARGE_MIX = 0.01, 0.05
"""Marks of the divergence of mixes: 0.01 is a tenth that became 18 %, 0.05 a tenth that became 31 %."""

_FLOOR = 1e-4
"""An empty tenth counts as this share, or the index would be infinite."""


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MeasureDrift(_Frozen):
    """A quality measure: medians then and now and of the images that came in (None: none did), and the index."""

    measure: str
    before: float | None
    now: float | None
    added: float | None
    psi: float | None
    verdict: str


class SplitChanges(_Frozen):
    """Images of a split by what happened to them.

    `replaced` are those of `removed` for which a copy came in; `moved` ones lie in another split than before, which
    must never happen.
    """

    split: str
    added: int
    removed: int
    replaced: int
    relabelled: int
    recropped: int
    moved: int


class SnapshotDrift(_Frozen):
    """From the snapshot `before` to another one."""

    before: str
    changes: tuple[SplitChanges, ...]
    entered: tuple[str, ...]
    left: tuple[str, ...]
    products_jsd: float
    sources_jsd: float
    measures: tuple[MeasureDrift, ...]
    verdicts: tuple[str, ...]


def read_manifest(store: Store, name: str) -> pl.DataFrame:
    """A snapshot's manifest; raises `ObjectMissing` where there is no such snapshot."""
    return read_table(store, keys.snapshot(name, "manifest.parquet"), schemas.MANIFEST)


def measured(manifest: pl.DataFrame, images: pl.DataFrame) -> pl.DataFrame:
    """A manifest with the clusters of its crops and `MEASURED` from the curated rows; null where there is no row."""
    columns = images.select(
        "sha256",
        "crop_cluster",
        (pl.col("width").cast(pl.Int64) * pl.col("height") / 1e6).alias("megapixels"),
        *MEASURES,
    )
    return manifest.join(columns, on="sha256", how="left", maintain_order="left")


def measure_drift(before: str, earlier: pl.DataFrame, now: pl.DataFrame) -> SnapshotDrift:
    """Compare two manifests that were `measured`; `before` is the earlier one's name."""
    was, is_now = set(earlier["style_code"]), set(now["style_code"])
    changes = split_changes(earlier, now)
    added = now.join(earlier, on="sha256", how="anti")
    products_jsd = divergence(earlier["style_code"], now["style_code"])
    sources_jsd = divergence(earlier["source"], now["source"])
    measures = tuple(_measure(name, earlier[name], now[name], added[name]) for name in MEASURED)
    return SnapshotDrift(
        before=before,
        changes=changes,
        entered=tuple(sorted(is_now - was)),
        left=tuple(sorted(was - is_now)),
        products_jsd=products_jsd,
        sources_jsd=sources_jsd,
        measures=measures,
        verdicts=(
            _moved(changes),
            f"products: {_mix(products_jsd)}",
            f"sources: {_mix(sources_jsd)}",
            f"quality: {_quality(measures)}",
        ),
    )


def split_changes(earlier: pl.DataFrame, now: pl.DataFrame) -> tuple[SplitChanges, ...]:
    """What happened to the images, counted in the split where they are, or were when they left."""
    added, removed = now.join(earlier, on="sha256", how="anti"), earlier.join(now, on="sha256", how="anti")
    both = earlier.join(now, on="sha256", suffix="_now")
    copies = pl.concat([added["cluster"], added["crop_cluster"]]).drop_nulls().unique().implode()
    replaced = pl.col("cluster").is_in(copies) | pl.col("crop_cluster").is_in(copies).fill_null(value=False)
    return tuple(
        SplitChanges(
            split=split,
            added=added.filter(pl.col("split") == split).height,
            removed=removed.filter(pl.col("split") == split).height,
            replaced=removed.filter((pl.col("split") == split) & replaced).height,
            relabelled=both.filter(pl.col("style_code") != pl.col("style_code_now"), split_now=split).height,
            recropped=both.filter(pl.col("crop_sha256") != pl.col("crop_sha256_now"), split_now=split).height,
            moved=both.filter(pl.col("split_now") != split, split=split).height,
        )
        for split in SPLITS
    )


def divergence(one: pl.Series, other: pl.Series) -> float:
    """Jensen-Shannon divergence in bits between the shares of values in two columns; 0 where either is empty."""
    if one.is_empty() or other.is_empty():
        return 0.0
    shares = [dict(column.value_counts(normalize=True, name="share").iter_rows()) for column in (one, other)]
    total = 0.0
    for value in sorted(shares[0].keys() | shares[1].keys()):
        pair = [share.get(value, 0.0) for share in shares]
        total += sum(share * math.log2(2 * share / sum(pair)) for share in pair if share) / 2
    return round(max(0.0, total), 6)


def stability_index(earlier: pl.Series, now: pl.Series) -> float | None:
    """Population stability index over the tenths of the earlier values; None where there are too few to say."""
    old, new = earlier.drop_nulls().to_numpy(), now.drop_nulls().to_numpy()
    if min(len(old), len(new)) < ENOUGH:
        return None
    edges = np.unique(np.quantile(old, np.linspace(0.1, 0.9, 9)))
    tenths = [
        np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1) / len(values)
        for values in (old, new)
    ]
    was, is_now = (np.maximum(share, _FLOOR) for share in tenths)
    return round(float(np.sum((is_now - was) * np.log(is_now / was))), 4)


def _measure(name: str, earlier: pl.Series, now: pl.Series, added: pl.Series) -> MeasureDrift:
    psi = stability_index(earlier, now)
    if psi is None:
        verdict = f"too few images to say (fewer than {ENOUGH})"
    else:
        verdict = "stable" if psi < LITTLE else "shifted a little" if psi < MUCH else "shifted"
    return MeasureDrift(
        measure=name, before=_median(earlier), now=_median(now), added=_median(added), psi=psi, verdict=verdict
    )


def _median(values: pl.Series) -> float | None:
    median = values.median()
    return round(float(median), 4) if isinstance(median, int | float) else None


def _mix(value: float) -> str:
    words = "the same mix" if value < SMALL_MIX else "a shifted mix" if value < LARGE_MIX else "another mix"
    return f"{words} (divergence {value:.4f})"


def _moved(changes: tuple[SplitChanges, ...]) -> str:
    moved = sum(change.moved for change in changes)
    return f"MOVED between splits: {moved} images" if moved else "no image moved to another split"


def _quality(measures: tuple[MeasureDrift, ...]) -> str:
    if all(one.psi is None for one in measures):
        return measures[0].verdict
    shifted = [f"{one.measure} {one.verdict}" for one in measures if one.psi is not None and one.psi >= LITTLE]
    return ", ".join(shifted) or "stable"
