"""What was taken down is not asked for, and not written down as if it had been fetched: pure decisions on rows.

A reason is `taken_down: <kind>`, where the kind is that of the tombstone: listing, seller, url or image. Of a refused
row nothing is kept but where it stood.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from lvbag.crawl.rows import REFUSED, FetchRow, ListingRow, fetch_of, listing_of, refused_listing, to_json
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


def struck_listing(row: ListingRow, reason: str) -> ListingRow:
    """The row of a listing that was read and may not be taken."""
    struck = refused_listing(
        night=row.night,
        source=row.source,
        shard=row.shard,
        listing_id=row.listing_id,
        url=row.url,
        query=row.query,
        reason=reason,
        fetched_at=row.fetched_at,
    )
    return replace(struck, changed=row.changed)


def strike_listings(tombstones: Tombstones, values: Iterable[Any]) -> Iterator[Any]:
    """Listing rows of a journal, those that were taken down since refused."""
    for value in values:
        row = listing_of(value)
        reason = why_listing(tombstones, row.url, row.source, row.listing_id, row.seller)
        yield value if reason is None else to_json(struck_listing(row, reason))


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
