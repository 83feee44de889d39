"""Corpora that grow: kept pictures of a market in frames, as curation leaves them, for the pure part of a snapshot."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from lvbag import schemas
from lvbag.curate.snapshots.draft import Draft, draft_snapshot
from lvbag.curate.snapshots.material import COLUMNS
from lvbag.curate.snapshots.members import candidates
from lvbag.curate.snapshots.splits import Home
from lvbag.settings import CurateSettings

START = dt.date(2026, 11, 1)
SETTINGS = CurateSettings(min_images=6, max_seller_listings=3, shard_images=10)


def sha(number: int) -> str:
    return hashlib.sha256(b"picture %d" % number).hexdigest()


@dataclass(frozen=True)
class Shot:
    """A kept picture. `cluster` and `crop_cluster` are numbers of their first pictures."""

    number: int
    product: int = 0
    listing: int = 0
    seller: int | None = None
    cluster: int | None = None
    crop_cluster: int | None = None
    pixels: int = 10_000
    night: int = 0

    def row(self) -> dict[str, object]:
        return {
            "night": START + dt.timedelta(days=self.night),
            "source": "shop",
            "listing_id": f"l{self.listing}",
            "image_url": f"https://shop.test/{self.number}.jpg",
            "sha256": sha(self.number),
            "format": "jpg",
            "style_code": f"M{self.product:05d}",
            "seller_key": None if self.seller is None else f"seller{self.seller}",
            "width": self.pixels // 100,
            "height": 100,
            "blur": 50.0,
            "cluster": sha(self.number if self.cluster is None else self.cluster),
            "crop_cluster": sha(self.number if self.crop_cluster is None else self.crop_cluster),
            "detector": "0001",
            "crop_sha256": sha(-1 - self.number),
            "crop_width": 256,
            "crop_height": 192,
        }


def frame(shots: Sequence[Shot]) -> pl.DataFrame:
    """The shots as kept rows (`material.COLUMNS`)."""
    schema = {name: schemas.IMAGES[name] for name in COLUMNS}
    return pl.DataFrame([shot.row() for shot in shots], schema=schema)


def draft(
    shots: Sequence[Shot],
    homes: Sequence[Home] = (),
    near: Sequence[tuple[int, int]] = (),
    settings: CurateSettings = SETTINGS,
) -> Draft:
    """The snapshot that would stand; `near` are pairs of near-duplicates that no cluster knows of."""
    kept = frame(shots)
    ties: dict[str, set[str]] = {}
    for one, other in near:
        ties.setdefault(sha(one), set()).add(sha(other))
        ties.setdefault(sha(other), set()).add(sha(one))
    return draft_snapshot(kept, candidates(kept, settings.min_images), ties, homes, settings)


@dataclass
class Corpus:
    """A corpus and everything that was ever decided on it."""

    shots: list[Shot] = field(default_factory=list)
    near: list[tuple[int, int]] = field(default_factory=list)
    homes: dict[str, Home] = field(default_factory=dict)
    ever: dict[str, tuple[str, str]] = field(default_factory=dict)

    def build(self) -> Draft | None:
        """Build the snapshot that now stands, and remember where everything is; None while there are too few images."""
        if candidates(frame(self.shots), SETTINGS.min_images)["style_code"].n_unique() < 2:
            return None
        made = draft(self.shots, list(self.homes.values()), self.near)
        self.homes = dict(made.homes)
        return made


def straddling(manifest: pl.DataFrame, shots: Sequence[Shot], near: Sequence[tuple[int, int]]) -> list[str]:
    """What stands in two splits and must not; sellers are not looked at."""
    crops = {sha(shot.number): shot.row()["crop_cluster"] for shot in shots}
    rows = manifest.with_columns(pl.col("sha256").replace_strict(crops, return_dtype=pl.String).alias("crop_cluster"))
    split = dict(rows.select("sha256", "split").iter_rows())
    found = [
        f"{column} {value}"
        for column in ("cluster", "crop_cluster", "listing_id", "group")
        for value, count in rows.group_by(column).agg(pl.col("split").n_unique()).iter_rows()
        if count > 1
    ]
    for one, other in near:
        if split.get(sha(one), "") != split.get(sha(other), "") and {sha(one), sha(other)} <= split.keys():
            found.append(f"pair {one} {other}")
    return found
