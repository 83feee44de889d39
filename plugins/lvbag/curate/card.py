"""What a snapshot says of itself: `stats.json` for machines, `card.md` for people."""

from __future__ import annotations

import polars as pl
from pydantic import BaseModel, ConfigDict

from lvbag.curate.splits import SPLITS
from lvbag.settings import CurateSettings


class ProductStats(BaseModel):
    """Images of a product by split, and how many groups and listings they come from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    style_code: str
    images: int
    train: int
    val: int
    test: int
    groups: int
    listings: int


class SnapshotStats(BaseModel):
    """`stats.json`. `refused` counts what all nights refused, by rule; pictures met again on a later night excepted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    snapshot: str
    images: int
    products: tuple[ProductStats, ...]
    splits: dict[str, int]
    groups: int
    nights: dict[str, int]
    sources: dict[str, int]
    detectors: tuple[str, ...]
    refused: dict[str, int]
    group_conflicts: int


def snapshot_stats(name: str, manifest: pl.DataFrame, refused: dict[str, int]) -> SnapshotStats:
    """Counts of a snapshot's manifest."""
    listing = pl.struct("source", "listing_id")
    products = manifest.group_by("style_code").agg(
        pl.len().alias("images"),
        *((pl.col("split") == split).sum().alias(split) for split in SPLITS),
        pl.col("group").n_unique().alias("groups"),
        listing.n_unique().alias("listings"),
    )
    return SnapshotStats(
        snapshot=name,
        images=manifest.height,
        products=tuple(ProductStats.model_validate(row) for row in products.sort("style_code").iter_rows(named=True)),
        splits={split: manifest.filter(pl.col("split") == split).height for split in SPLITS},
        groups=manifest["group"].n_unique(),
        nights=_count(manifest["night"].cast(pl.String).alias("night")),
        sources=_count(manifest["source"]),
        detectors=tuple(manifest["detector"].unique().sort()),
        refused=refused,
        group_conflicts=refused.get("group_conflict", 0),
    )


def card_text(stats: SnapshotStats, settings: CurateSettings) -> str:
    """The card in Markdown."""
    none = stats.detectors == ("none",)
    detectors = "none: images passed uncropped" if none else ", ".join(stats.detectors)
    listings = sum(product.listings for product in stats.products)
    lines = [
        f"# Snapshot {stats.snapshot}",
        "",
        f"{stats.images} images of {len(stats.products)} products, {listings} listings.",
        "",
        "| | images | share |",
        "|---|---:|---:|",
        *(f"| {split} | {count} | {count / stats.images:.1%} |" for split, count in stats.splits.items()),
        "",
        f"- Detector versions that cropped them: {detectors}",
        f"- Sources: {_listed(stats.sources)}",
        f"- Nights: {_listed(stats.nights)}",
        "",
        "## How it was split",
        "",
        f"Images of one listing or one near-duplicate cluster form a group; there are {stats.groups}. A group is in "
        "one split only and stays there in every later snapshot. Groups were dealt product by product towards "
        f"{settings.test_share:.0%} test and {settings.val_share:.0%} val. A product takes part from "
        f"{settings.min_images} kept images on. One image of a near-duplicate cluster is kept: at most "
        f"{settings.near_max_distance64} of 64 and {settings.near_max_distance256} of 256 bits of perceptual hash and "
        f"a mean CIELAB distance of {settings.near_max_colour:g} from its representative.",
        "",
        "## What was refused on all nights",
        "",
        *(_table("rule", stats.refused) or ["Nothing."]),
        "",
        "## Products",
        "",
        "| style code | images | train | val | test | groups |",
        "|---|---:|---:|---:|---:|---:|",
        *(f"| {p.style_code} | {p.images} | {p.train} | {p.val} | {p.test} | {p.groups} |" for p in stats.products),
        "",
        "## Files",
        "",
        "`manifest.parquet` one row an image; `shards/*.tar` crops as WebDataset (`<sha256>.jpg`, `<sha256>.cls`); "
        "`splits.parquet` every image that ever had a place; `stats.json`; `preview.jpg`.",
        "",
    ]
    return "\n".join(lines)


def _count(values: pl.Series) -> dict[str, int]:
    return dict(sorted(values.value_counts().iter_rows()))


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in counts.items())


def _table(title: str, counts: dict[str, int]) -> list[str]:
    if not counts:
        return []
    return [f"| {title} | images |", "|---|---:|", *(f"| {name} | {count} |" for name, count in counts.items())]
