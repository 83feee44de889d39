"""What an expectation is, and short ways to write one. The expectations themselves: `expectations`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["row", "batch", "note"]
Suite = Literal["listings", "fetches", "images", "night"]
SUITES: tuple[Suite, ...] = ("listings", "fetches", "images", "night")
"""In the order of the pages; each is a table of `lvbag.curate.validation.validation_tables`."""

Bound = str | float | int | Sequence[str]


@dataclass(frozen=True)
class Check:
    """A class of `great_expectations.expectations` on one column, with its further arguments.

    Nulls pass every check but `ExpectColumnValuesToNotBeNull`: null is a value that nobody stated, or that cannot be
    judged yet.
    """

    column: str
    kind: str
    bounds: dict[str, Bound] = field(default_factory=dict)


@dataclass(frozen=True)
class Expected:
    """One expectation: of which table, under which name, what it checks, what its failure does, and why it is there.

    The name stands in reasons and is unique.
    """

    suite: Suite
    name: str
    check: Check
    severity: Severity
    why: str


@dataclass(frozen=True)
class Failure:
    """An expectation that does not hold: rows of its table, the first value that failed, and whose rows they are."""

    expected: Expected
    rows: tuple[int, ...]
    seen: str
    sources: tuple[str, ...] = ()


def shown(value: object) -> str:
    """A value as it stands in a reason: short, on one line."""
    if isinstance(value, float):
        return f"{value:.4g}"
    text = " ".join(str("null" if value is None else value).split())
    text = "".join(
        letter if letter.isprintable() else "\ufffd" for letter in text
    )  # it is logged and shown in terminals
    return text if len(text) <= 80 else f"{text[:79]}…"


def between(column: str, low: float | None = None, high: float | None = None, odd_share: float = 0.0) -> Check:
    """Numbers within bounds, which belong to it; up to `odd_share` of them may lie outside."""
    bounds: dict[str, Bound] = {
        name: value for name, value in (("min_value", low), ("max_value", high)) if value is not None
    }
    return Check(column, "ExpectColumnValuesToBeBetween", bounds | ({"mostly": 1.0 - odd_share} if odd_share else {}))


def stated(column: str) -> Check:
    """No nulls."""
    return Check(column, "ExpectColumnValuesToNotBeNull")


def matching(column: str, regex: str) -> Check:
    """Texts that a regular expression finds something in."""
    return Check(column, "ExpectColumnValuesToMatchRegex", {"regex": regex})


def one_of(column: str, values: Sequence[str]) -> Check:
    """Values of a set."""
    return Check(column, "ExpectColumnValuesToBeInSet", {"value_set": tuple(values)})


def once(column: str) -> Check:
    """Values that stand in one row each."""
    return Check(column, "ExpectColumnValuesToBeUnique")
