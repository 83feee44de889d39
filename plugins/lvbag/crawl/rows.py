"""The rows of the crawl's two tables as plain data, and the tables made of them."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from itertools import islice
from typing import Any

import polars as pl

KEPT = "kept"
REFUSED = "refused"
UNCHANGED = "unchanged"
DUPLICATE = "duplicate_url"
SEARCH_FAILED = "search_failed"
"""The rule of a row that stands for a page of results which could not be read; it is no listing."""
_PIECE = 2000
"""Rows turned into a table at a time."""
_TRANSIENT = frozenset(
    {
        "challenge",
        "daily_calls",
        "host_given_up",
        "lease_lost",
        "no_answer",
        "no_contact",
        "not_understood",
        "request_budget",
        "robots_unreachable",
        "timeout",
    }
)
_OUR_OWN = frozenset({"daily_calls", "lease_lost", "no_contact", "request_budget"})
_TRANSIENT_STATUS = re.compile(r"http_status: (403|408|425|429|5\d\d)\b")


@dataclass(frozen=True)
class ListingRow:
    """One row of `schemas.LISTINGS`, where the columns are described."""

    night: dt.date
    source: str
    shard: str
    listing_id: str
    url: str
    query: str
    title: str | None
    price: float | None
    currency: str | None
    seller: str | None
    image_urls: tuple[str, ...]
    style_code: str | None
    match_confidence: float | None
    match_reason: str | None
    etag: str | None
    last_modified: str | None
    changed: bool
    verdict: str
    reason: str | None
    fetched_at: dt.datetime
    brand: str | None = None
    sku: str | None = None
    gtin: str | None = None
    condition: str | None = None
    availability: str | None = None

    @property
    def content(self) -> tuple[object, ...]:
        """What makes two nights' rows of a listing say the same."""
        return (
            self.listing_id,
            self.title,
            self.price,
            self.currency,
            self.seller,
            self.image_urls,
            self.style_code,
            self.verdict,
            self.reason,
        )


def refused_listing(
    *,
    night: dt.date,
    source: str,
    shard: str,
    listing_id: str,
    url: str,
    query: str,
    reason: str,
    fetched_at: dt.datetime,
) -> ListingRow:
    """The row of a listing, or of a page of results, that is refused: where it stood, and nothing of what it said."""
    return ListingRow(
        night=night,
        source=source,
        shard=shard,
        listing_id=listing_id,
        url=url,
        query=query,
        title=None,
        price=None,
        currency=None,
        seller=None,
        image_urls=(),
        style_code=None,
        match_confidence=None,
        match_reason=None,
        etag=None,
        last_modified=None,
        changed=True,
        verdict=REFUSED,
        reason=reason,
        fetched_at=fetched_at,
    )


@dataclass(frozen=True)
class FetchRow:
    """One row of `schemas.FETCHES`, where the columns are described."""

    night: dt.date
    source: str
    shard: str
    listing_id: str
    image_url: str
    position: int
    verdict: str
    reason: str | None
    http_status: int | None
    bytes: int | None
    format: str | None
    sha256: str | None
    etag: str | None
    last_modified: str | None
    fetched_at: dt.datetime


@dataclass(frozen=True)
class Counts:
    """How many rows of a shard or night have which verdict. Failed searches are no listings, but count as refused."""

    listings: int
    kept: int
    unchanged: int
    duplicate: int
    refused: int


def to_json(row: ListingRow | FetchRow) -> dict[str, Any]:
    """A row as JSON values."""
    values = {field.name: getattr(row, field.name) for field in fields(row)}
    return values | {"night": row.night.isoformat(), "fetched_at": row.fetched_at.isoformat()}


def listing_of(value: Mapping[str, Any]) -> ListingRow:
    """The row that `to_json` wrote."""
    return ListingRow(**_times(value) | {"image_urls": tuple(value["image_urls"])})


def fetch_of(value: Mapping[str, Any]) -> FetchRow:
    """The row that `to_json` wrote."""
    return FetchRow(**_times(value))


def frame_of(values: Iterable[Mapping[str, Any]], schema: pl.Schema) -> pl.DataFrame:
    """The table of the rows that `to_json` wrote."""
    return pl.concat([schema.to_frame(), *pieces_of(values, schema)]).rechunk()


def pieces_of(values: Iterable[Mapping[str, Any]], schema: pl.Schema) -> Iterator[pl.DataFrame]:
    """The same in pieces, for tables that may be long."""
    rows = iter(values)
    while piece := [_times(value) for value in islice(rows, _PIECE)]:
        yield pl.DataFrame(piece, schema=schema, orient="row")


def read_listings(frame: pl.DataFrame) -> list[ListingRow]:
    """The rows of a table that fits `schemas.LISTINGS`."""
    return [ListingRow(**{**row, "image_urls": tuple(row["image_urls"] or ())}) for row in frame.iter_rows(named=True)]


def url_digest(url: str) -> str:
    """The identifier of a listing whose page gives none."""
    return hashlib.sha256(url.encode("utf-8", errors="replace")).hexdigest()[:16]


def count(listings: pl.DataFrame, verdicts: Counter[str]) -> Counts:
    """Count both tables' rows, pictures by their verdicts; a listing that several shards found counts once."""
    found = listings.filter(~is_failed_search()).select("source", "listing_id").unique().height
    return Counts(
        listings=found,
        kept=verdicts[KEPT],
        unchanged=verdicts[UNCHANGED],
        duplicate=verdicts[DUPLICATE],
        refused=verdicts[REFUSED] + listings.filter(pl.col("verdict") == REFUSED).height,
    )


def is_failed_search() -> pl.Expr:
    """Whether a row of the listing table stands for a page of results that could not be read."""
    return pl.col("reason").fill_null("").str.starts_with(SEARCH_FAILED)


def refusals_by_rule(frames: Iterable[pl.DataFrame]) -> dict[str, int]:
    """How often each rule refused something; the rule is what stands before the first colon of a reason."""
    counter: Counter[str] = Counter()
    for frame in frames:
        reasons = frame.filter(pl.col("verdict") == REFUSED)["reason"].to_list()
        counter.update(rule_of(str(reason)) for reason in reasons)
    return dict(sorted(counter.items()))


def is_transient(reason: str | None) -> bool:
    """Whether another night may not meet this refusal again, so that what it hid has still to be fetched."""
    return reason is not None and (rule_of(reason) in _TRANSIENT or _TRANSIENT_STATUS.match(reason) is not None)


def is_our_own(reason: str | None) -> bool:
    """Whether a refusal speaks of our own limits and leases and says nothing of the place; another try may differ."""
    return reason is not None and rule_of(reason) in _OUR_OWN


def rule_of(reason: str) -> str:
    """The rule of a reason: what stands before its first colon."""
    return reason.split(":", 1)[0]


def _times(value: Mapping[str, Any]) -> dict[str, Any]:
    night, fetched_at = dt.date.fromisoformat(value["night"]), dt.datetime.fromisoformat(value["fetched_at"])
    return {**value, "night": night, "fetched_at": fetched_at}
