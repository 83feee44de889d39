"""What a snapshot will hold: the decision, from what is kept to the manifest and its name. Pure, no store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from lvbag import schemas
from lvbag.curate.errors import CurateError
from lvbag.curate.reasons import rule_of
from lvbag.curate.snapshots.groups import Home
from lvbag.curate.snapshots.members import Ties, find_members, shops_of, standing
from lvbag.curate.snapshots.splits import assign
from lvbag.settings import CurateSettings


@dataclass(frozen=True)
class Draft:
    """What a snapshot will hold: `manifest` fits `schemas.MANIFEST`, `homes` are all places ever given.

    `refused`: by rule, what splitting refused; `replaced`: kept pictures that stand behind a copy; `torn`:
    sellers whose listings lie in several splits; `shops`: sellers with too many listings to be kept together.
    """

    name: str
    manifest: pl.DataFrame
    homes: Mapping[str, Home]
    refused: Mapping[str, int]
    replaced: int
    torn: int
    shops: int


def draft_snapshot(
    kept: pl.DataFrame, rows: pl.DataFrame, ties: Ties, previous: Iterable[Home], settings: CurateSettings
) -> Draft:
    """Decide what a snapshot holds; pure. `rows` are the `members.candidates` of everything that is `kept`."""
    known = {home.sha256: home for home in previous}
    shops = shops_of(kept, known.values(), settings.max_seller_listings)
    members = find_members(rows, ties)
    answer = assign(members, known.values(), settings.test_share, settings.val_share, shops)
    # a better copy that was refused does not take its place from the one that stands there
    placed = rows.filter(pl.col("sha256").is_in(pl.Series(list(answer.homes), dtype=pl.String).implode()))
    chosen = standing(placed, ties, known)
    manifest = manifest_table(chosen, answer.homes, settings.shard_images)
    if manifest.is_empty():
        reasons = "; ".join(f"{sha256}: {reason}" for sha256, reason in list(answer.conflicts.items())[:3])
        raise CurateError(f"each of {rows.height} images would tie two splits together, so none is left ({reasons})")
    spare = {member.sha256 for member in members if member.spare}
    refused: dict[str, int] = {}
    for sha256, reason in answer.conflicts.items():
        if sha256 not in spare:
            refused[rule_of(reason)] = refused.get(rule_of(reason), 0) + 1
    return Draft(
        snapshot_id(manifest),
        manifest,
        known | {sha256: answer.homes[sha256] for sha256 in manifest["sha256"]},
        refused,
        len(answer.homes) - manifest.height,
        len(answer.torn),
        len(shops),
    )


def manifest_table(rows: pl.DataFrame, homes: Mapping[str, Home], shard_images: int) -> pl.DataFrame:
    """The rows of `schemas.MANIFEST` for the pictures that have a home, sorted by sha256."""
    placed = pl.DataFrame(
        [(home.sha256, home.group, home.split) for home in homes.values()],
        schema={"sha256": pl.String(), "group": pl.String(), "split": pl.String()},
        orient="row",
    )
    manifest = (
        rows.join(placed, on="sha256", how="inner")
        .sort("sha256")
        .with_columns(
            (pl.col("style_code").rank("dense") - 1).alias("label"),
            pl.col("image_url").alias("picture_url"),
            pl.col("crop_width").alias("width"),
            pl.col("crop_height").alias("height"),
            (pl.int_range(pl.len()) // shard_images).alias("shard"),
        )
    )
    return manifest.select(pl.col(name).cast(kind) for name, kind in schemas.MANIFEST.items())


def snapshot_id(manifest: pl.DataFrame) -> str:
    """`<night of the newest picture>-<12 hex of the content's digest>`; equal content has the same name.

    The content is every column of the manifest, the digests of the crops among them.
    """
    digest = hashlib.sha256()
    for row in manifest.iter_rows():
        digest.update((json.dumps(row, default=str, ensure_ascii=False) + "\n").encode())
    newest = max(manifest["night"].to_list())
    return f"{newest.isoformat()}-{digest.hexdigest()[:12]}"
