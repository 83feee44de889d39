"""How refusals are written and counted: `<rule>` or `<rule>: <what was seen>`."""

from __future__ import annotations

import polars as pl

KEPT = "kept"
REFUSED = "refused"

KNOWN = "known"
"""Bytes that an earlier night has judged: counted, and left out of the tables that later steps and nights read."""

WITHOUT_LOOKING = (
    *("unlabelled", "listing_refused", "listing_missing", "format_unknown", "quarantined", "taken_down"),
    *("raw_missing", "raw_corrupt", "raw_changed"),
)
"""Rules that refuse a picture for what stands around it, or because the store had lost or spoilt its bytes: a later
night may take the same bytes."""


def rule_of(reason: str | None) -> str:
    """The rule of a reason; an expectation is counted by its own name, `expectation: <name>`."""
    if not reason:
        return "unknown"
    parts = reason.split(": ", 2)
    return f"expectation: {parts[1]}" if parts[0] == "expectation" and len(parts) > 1 else parts[0]


def count_refused(table: pl.DataFrame) -> dict[str, int]:
    """Refused rows by rule, the rules in alphabetical order."""
    counts: dict[str, int] = {}
    for reason in table.filter(pl.col("verdict") == REFUSED)["reason"]:
        rule = rule_of(reason)
        counts[rule] = counts.get(rule, 0) + 1
    return dict(sorted(counts.items()))


def count_kept(table: pl.DataFrame) -> int:
    """Rows that are kept."""
    return table.filter(pl.col("verdict") == KEPT).height


def rule_is(*rules: str) -> pl.Expr:
    """Rows that one of these rules refused."""
    return pl.col("reason").fill_null("").str.split(":").list.first().is_in(rules)


def looked_at() -> pl.Expr:
    """Rows whose picture itself was judged, whatever the outcome."""
    return (pl.col("verdict") == KEPT) | ~rule_is(*WITHOUT_LOOKING)
