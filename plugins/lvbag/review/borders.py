"""Pictures on which a rule of cleaning decided narrowly, either way, and pictures that a person named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from lvbag.review.items import Item, ItemId
from lvbag.review.night_tables import NightTables
from lvbag.settings import Settings
from lvbag.store import Ref, keys

CONFIDENCE, BAG_SIZE, PICTURE = "confidence", "bag_size", "picture"

KEPT = "kept"
NO_BAG, TOO_SMALL = "no_bag", "bag_too_small"
SEVERAL_BAGS, PERSON_DOMINANT, CUT_OFF = "several_bags", "person_dominant", "cut_off"
TEXT_DOMINANT = "text_dominant"
"""What the rules are called in reasons (`lvbag.curate.rules`). The last four are kinds of the same names."""


def near_confidence(tables: NightTables, settings: Settings) -> Iterator[Item]:
    """Pictures kept, or refused as showing no bag, whose best box is about as sure as the working point demands."""
    border, margin = settings.detector.confidence, settings.review.confidence_margin
    for row in _judged_by(tables.images, NO_BAG):
        seen = row["box_confidence"]
        if margin > 0 and abs(seen - border) <= margin:
            numbers = {"confidence": seen, "detector.confidence": border}
            yield _item(CONFIDENCE, row, 1 - abs(seen - border) / margin, numbers)


def near_size(tables: NightTables, settings: Settings) -> Iterator[Item]:
    """Pictures kept, or refused as showing too small a bag, whose box covers about the smallest share allowed."""
    border = settings.curate.min_box_share
    margin = border * settings.review.size_margin
    for row in _judged_by(tables.images, TOO_SMALL):
        x0, y0, x1, y1 = row["box"]
        share = max(0.0, x1 - x0) * max(0.0, y1 - y0)
        if margin > 0 and abs(share - border) <= margin:
            numbers = {"box_share": share, "curate.min_box_share": border}
            yield _item(BAG_SIZE, row, 1 - abs(share - border) / margin, numbers)


def near_rule(rule: str, tables: NightTables, settings: Settings) -> Iterator[Item]:
    """Pictures on which a rule decided narrowly, as cleaning has noted: refused by it, or kept and next to it."""
    margin = settings.review.rule_margin
    for row in _judged_by(tables.images.filter(pl.col("nearest_rule") == rule), rule):
        seen = row["rule_margin"]
        if seen is not None and margin > 0 and abs(seen) <= margin:
            yield _item(rule, row, 1 - abs(seen) / margin, {"rule_margin": seen, "review.rule_margin": margin})


def named_by_hand(tables: NightTables, settings: Settings) -> Iterator[Item]:
    """The night's pictures among those that a person named."""
    if not tables.by_hand:
        return
    wanted = pl.Series(list(tables.by_hand), dtype=pl.String).implode()
    for row in tables.images.filter(pl.col("sha256").is_in(wanted)).iter_rows(named=True):
        confidence = row["box_confidence"]
        numbers = {} if confidence is None else {"confidence": confidence}
        yield _item(PICTURE, row, 0.0, {**numbers, "detector.confidence": settings.detector.confidence})


def _judged_by(images: pl.DataFrame, rule: str) -> Iterator[dict[str, Any]]:
    """Rows with a box that are kept, or that this rule refused."""
    refused = pl.col("reason").fill_null("").str.split(":").list.first() == rule
    boxed = pl.col("box_confidence").is_not_null() & pl.col("box").is_not_null()
    return images.filter(boxed & ((pl.col("verdict") == KEPT) | refused)).iter_rows(named=True)


def _item(kind: str, row: Mapping[str, Any], uncertainty: float, numbers: Mapping[str, float]) -> Item:
    return Item(
        id=ItemId(kind, sha256=row["sha256"]),
        night=row["night"],
        machine=row["verdict"],
        why=row["reason"] or "passed every rule",
        uncertainty=round(uncertainty, 4),
        numbers={name: round(value, 4) for name, value in numbers.items()},
        picture=_picture(row["sha256"], row["format"]),
        style_code=row["style_code"],
    )


def _picture(sha256: str, extension: str | None) -> Ref | None:
    return None if extension is None else keys.raw_image(sha256, extension)
