"""Which of the kept pictures stand in a snapshot, and what splitting has to know of them. Pure, no store."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping

import polars as pl

from lvbag.curate.duplicates.linking import Limits, near_pairs, pack_columns
from lvbag.curate.duplicates.preference import Preferred, best
from lvbag.curate.duplicates.references import crop_pixels
from lvbag.curate.snapshots.groups import Home, Member
from lvbag.curate.snapshots.material import PRINTS
from lvbag.curate.snapshots.splits import find_shops

Ties = Mapping[str, set[str]]
"""Near-duplicates of each picture, by sha256."""


def candidates(kept: pl.DataFrame, min_images: int) -> pl.DataFrame:
    """The rows of the products that have enough different pictures; `spare` marks what stands behind a better copy."""
    first = best_copies(kept)["sha256"].implode()
    rows = kept.with_columns((~pl.col("sha256").is_in(first)).alias("spare"))
    return rows.filter((~pl.col("spare")).sum().over("style_code") >= min_images)


def best_copies(rows: pl.DataFrame) -> pl.DataFrame:
    """One row of each near-duplicate cluster, and of those one of each cluster of crops: the best
    (`lvbag.curate.duplicates.preference`)."""
    whole = _best_of(rows, "cluster", pl.col("width").cast(pl.Int64) * pl.col("height"))
    return _best_of(whole, "crop_cluster", crop_pixels())


def find_ties(prints: Iterable[tuple[pl.DataFrame, Limits]]) -> Ties:
    """Which pictures are near-duplicates of one another, by any of these fingerprints (`material.current_prints`).

    Clusters do not say it all: two nights may have been curated side by side, and a picture that took its cluster's
    best place may be near to another one.
    """
    ties: dict[str, set[str]] = defaultdict(set)
    for table, limits in prints:
        names = table["sha256"].to_list()
        packed = pack_columns(*(table[name] for name in PRINTS))
        for one, other in near_pairs(packed, packed, limits):
            if one != other:
                ties[names[one]].add(names[other])
                ties[names[other]].add(names[one])
    return ties


def standing(rows: pl.DataFrame, ties: Ties, known: Container[str]) -> pl.DataFrame:
    """What of some rows stands in a snapshot: the best copies, none of them near to another.

    Of two that are near the one that has a place stays (`known`), of two that have or lack one the larger: a night that
    is curated late may have given a place to a copy. One that goes leaves its cluster to the next best.
    """
    while True:
        chosen = best_copies(rows)
        beside = _beside_others(chosen, ties, known)
        if not beside:
            return chosen
        rows = rows.filter(~pl.col("sha256").is_in(pl.Series(beside, dtype=pl.String).implode()))


def _beside_others(rows: pl.DataFrame, ties: Ties, known: Container[str]) -> list[str]:
    size = (pl.col("width").cast(pl.Int64) * pl.col("height")).fill_null(0)
    turns = sorted((sha256 not in known, -pixels, sha256) for sha256, pixels in rows.select("sha256", size).iter_rows())
    kept: set[str] = set()
    for _, _, sha256 in turns:
        if kept.isdisjoint(ties.get(sha256, ())):
            kept.add(sha256)
    return [sha256 for sha256 in rows["sha256"] if sha256 not in kept]


def find_members(rows: pl.DataFrame, ties: Ties) -> list[Member]:
    """The rows of `candidates` as splitting sees them."""
    columns = rows.select(
        "sha256", "style_code", "source", "listing_id", "cluster", "crop_cluster", "seller_key", "spare"
    )
    return [
        Member(sha, style, (source, listing), cluster, tuple(sorted(ties.get(sha, ()))), crops, seller, spare)
        for sha, style, source, listing, cluster, crops, seller, spare in columns.iter_rows()
    ]


def shops_of(kept: pl.DataFrame, homes: Iterable[Home], max_listings: int) -> frozenset[str]:
    """Sellers with more kept listings than that, counted over all products, nights, and places ever given."""
    stated = kept.filter(pl.col("seller_key").is_not_null()).select("seller_key", "source", "listing_id").unique()
    now = ((seller, (source, listing)) for seller, source, listing in stated.iter_rows())
    before = ((home.seller, home.listing) for home in homes if home.seller is not None)
    return find_shops(itertools.chain(now, before), max_listings)


def _best_of(rows: pl.DataFrame, name: str, pixels: pl.Expr) -> pl.DataFrame:
    several = rows.filter(pl.col(name).is_not_null() & (pl.len().over(name) > 1)).sort(name, "sha256")
    columns = several.select(name, "sha256", pixels.fill_null(0), pl.col("blur").fill_null(0.0))
    worse: list[str] = []
    for _, found in itertools.groupby(columns.iter_rows(), key=lambda row: row[0]):
        copies = [Preferred(sha256, size, blur) for _, sha256, size, blur in found]
        chosen = best(copies)
        worse += [copy.sha256 for number, copy in enumerate(copies) if number != chosen]
    return rows.filter(~pl.col("sha256").is_in(pl.Series(worse, dtype=pl.String).implode()))
