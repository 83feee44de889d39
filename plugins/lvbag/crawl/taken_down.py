"""What was taken down is not asked for, and not written down as if it had been fetched: pure decisions on rows.

A reason is `taken_down: <kind>`, where the kind is that of the tombstone: listing, seller, url or image. Of a refused
row nothing is kept but where it stood.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from lvbag.crawl.rows import REFUSED, FetchRow, ListingRow, fetch_of, listing_of, to_json
from lvbag.tombstones import Tombstones

TAKEN_DOWN = "taken_down"


def why_listing(
    tombstones: Tombstones, url: str, source: str, listing_id: str | None, seller: str | None
) -> str | None:
    """Why a listing may not be taken, as far as it is known; None where nothing is against it."""
    if tombstones.has_url(url):
        return f"{TAKEN_DOWN}: url"
    if listing_id is not None and (source, listing_id) in tombstones.listings:
        return f"{TAKEN_DOWN}: listing"
    if tombstones.has_seller(source, seller):
        return f"{TAKEN_DOWN}: seller"
    return None


def why_picture(tombstones: Tombstones, url: str, sha256: str | None) -> str | None:
    """Why a picture may not be taken; `sha256` of its bytes where somebody has read them before."""
    if tombstones.has_url(url):
        return f"{TAKEN_DOWN}: url"
    if sha256 is not None and sha256 in tombstones.images:
        return f"{TAKEN_DOWN}: image"
    return None


def refused_listing(row: ListingRow, reason: str) -> ListingRow:
    """The row of a listing that was read and may not be taken: where it stood, and nothing of what it said."""
    return replace(
        row,
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
        verdict=REFUSED,
        reason=reason,
        brand=None,
        sku=None,
        gtin=None,
        condition=None,
        availability=None,
    )


def strike_listings(tombstones: Tombstones, values: Iterable[Any]) -> Iterator[Any]:
    """Listing rows of a journal, those that were taken down since refused."""
    for value in values:
        row = listing_of(value)
        reason = why_listing(tombstones, row.url, row.source, row.listing_id, row.seller)
        yield value if reason is None else to_json(refused_listing(row, reason))


def strike_pictures(tombstones: Tombstones, values: Iterable[Any]) -> Iterator[Any]:
    """The same for picture rows; those of a listing that was taken down go with it."""
    for value in values:
        row = fetch_of(value)
        reason = why_picture(tombstones, row.image_url, row.sha256)
        if reason is None and (row.source, row.listing_id) in tombstones.listings:
            reason = f"{TAKEN_DOWN}: listing"
        yield value if reason is None else to_json(_refused_picture(row, reason))


def _refused_picture(row: FetchRow, reason: str) -> FetchRow:
    return replace(row, verdict=REFUSED, reason=reason)
