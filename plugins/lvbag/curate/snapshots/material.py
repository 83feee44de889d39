"""What a snapshot is made of: the kept pictures of all nights up to one, and their fingerprints by today's method.

Reading only. What was taken down is left out here, whatever the tables say, and what people decided is applied.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import polars as pl

from lvbag import schemas
from lvbag.curate.duplicates.refresh import with_current_prints
from lvbag.curate.errors import CurateError
from lvbag.curate.reasons import KEPT, KNOWN, count_refused
from lvbag.curated import curated_tables
from lvbag.review import apply_decisions, read_decided
from lvbag.settings import ImageSettings
from lvbag.store import CorruptObject, Ref, Store, keys
from lvbag.store.tables import read_columns
from lvbag.tombstones import read_tombstones

log = logging.getLogger(__name__)

MEASURES = ("brightness", "contrast", "blur", "entropy", "white_share", "chroma")
"""The quality measures that are compared between snapshots, beside the size in megapixels."""

PRINTS = ("phash64", "phash256", "thumb", "flip64", "flip256")
"""The columns of a fingerprint, in the order in which `linking.pack_columns` takes them."""

COLUMNS = (
    *("night", "source", "listing_id", "image_url", "sha256", "format", "style_code", "seller_key"),
    *("width", "height", "fingerprint", *PRINTS, *MEASURES, "cluster", "box", "detector"),
    *("crop_sha256", "crop_width", "crop_height", *(f"crop_{name}" for name in PRINTS), "crop_cluster"),
)

_NEEDED = ("style_code", "cluster", "detector", "crop_sha256", "crop_width", "crop_height")


@dataclass(frozen=True)
class Material:
    """`kept`: one row a picture, `COLUMNS`, sorted by sha256; `struck`: the same of those that were taken down.

    `dropped`: the same of those that people refused; `relabelled`: how many of those that stay have another product by
    people. `refused`: what all nights refused, by rule.
    """

    kept: pl.DataFrame
    struck: pl.DataFrame
    dropped: pl.DataFrame
    relabelled: int
    refused: dict[str, int]

    @property
    def everything(self) -> pl.DataFrame:
        """All that was ever kept: what has left still says where its copies belong."""
        return pl.concat([self.kept, self.struck, self.dropped])


def read_material(store: Store, night: dt.date, parts: Sequence[int]) -> Material:
    """Everything kept up to a night; of the night itself these parts only, for others are left-overs of an earlier run.

    Raises `CurateError` where a part is missing, `CorruptObject` where a decision of a person cannot be read.
    """
    kept: list[pl.DataFrame] = []
    refused: dict[str, int] = {}
    for ref in _tables(store, night, parts):
        table = read_columns(store, ref, schemas.IMAGES, [*COLUMNS, "verdict", "reason"])
        kept.append(_kept(store, ref, table))
        for rule, count in count_refused(table).items():
            refused[rule] = refused.get(rule, 0) + count
    refused.pop(KNOWN, None)  # the same picture every night again: no refusal of the data set
    whole = pl.concat([schemas.IMAGES.to_frame().select(COLUMNS), *kept])
    whole = whole.unique("sha256", keep="first", maintain_order=True).sort("sha256")
    struck = read_tombstones(store).strikes(whole)
    reviewed = apply_decisions(whole.filter(~struck), read_decided(store))
    return Material(reviewed.kept, whole.filter(struck), reviewed.dropped, reviewed.relabelled, refused)


def read_images(store: Store, sha256: Collection[str], columns: Sequence[str]) -> pl.DataFrame:
    """These columns, sha256 among them, of some pictures: the first kept row each, whichever night judged them."""
    wanted = pl.Series(list(sha256), dtype=pl.String).implode()
    found = [schemas.IMAGES.to_frame().select([*columns, "verdict"])]
    for refs in curated_tables(store).values():
        for ref in refs:
            table = read_columns(store, ref, schemas.IMAGES, [*columns, "verdict"])
            found.append(table.filter(pl.col("sha256").is_in(wanted)))
    whole = pl.concat(found).sort(pl.col("verdict") != KEPT, maintain_order=True)
    return whole.unique("sha256", keep="first", maintain_order=True).sort("sha256").drop("verdict")


def current_prints(store: Store, limits: ImageSettings, rows: pl.DataFrame, of_crops: bool) -> pl.DataFrame:
    """sha256 and `PRINTS` of the rows' pictures, or crops; those that cannot be had any more are left out."""
    prefix = "crop_" if of_crops else ""
    found = with_current_prints(store, limits, rows, of_crops)
    prints = found.select("sha256", *(pl.col(f"{prefix}{name}").alias(name) for name in PRINTS))
    if prints.height < rows.height:
        log.warning("curate.prints missing=%d of=%d crops=%s", rows.height - prints.height, rows.height, of_crops)
    # a fingerprint without a mirrored view is compared upright only
    return prints.with_columns(pl.coalesce("flip64", "phash64"), pl.coalesce("flip256", "phash256"))


def _tables(store: Store, night: dt.date, parts: Sequence[int]) -> list[Ref]:
    tables = curated_tables(store)
    own = {ref.key for ref in tables.get(night, [])}
    wanted = [keys.curated_images(night, part) for part in sorted(parts)]
    for ref in wanted:
        if ref.key not in own:
            raise CurateError(f"night {night}: {store.uri(ref)} does not exist; clean this part again")
    return [ref for earlier, found in tables.items() if earlier < night for ref in found] + wanted


def _kept(store: Store, ref: Ref, table: pl.DataFrame) -> pl.DataFrame:
    kept = table.filter(pl.col("verdict") == KEPT)
    for name in _NEEDED:
        if kept[name].null_count():
            raise CorruptObject(f"{store.uri(ref)}: a kept image has no {name}; clean this part again")
    return kept.select(COLUMNS)
