"""One listing: its page fetched and read, its pictures fetched, checked and stored; each a row, kept or refused.

Nothing here raises for a page or picture that is refused; only the store's own errors come through.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
from dataclasses import dataclass, field, replace

import zstandard

from lvbag.catalog import Catalog
from lvbag.crawl.errors import Refused
from lvbag.crawl.fetcher import NO_VALIDATORS, Answer, Fetcher, Validators
from lvbag.crawl.memory import KnownImage, KnownPage, Memory
from lvbag.crawl.opt_out import opt_out
from lvbag.crawl.rows import DUPLICATE, KEPT, REFUSED, SEARCH_FAILED, UNCHANGED, FetchRow, ListingRow, url_digest
from lvbag.crawl.sources import Item, Page, PageNotUnderstood, Source
from lvbag.crawl.titles import match_title
from lvbag.images import ImageRefused, check_header
from lvbag.settings import Settings
from lvbag.store import Store, keys

log = logging.getLogger(__name__)

_ZSTD_LEVEL = 10
_TYPES = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp", "avif": "image/avif"}


@dataclass
class ShardRun:
    """Everything that the listings of one running shard share, and the rows that they have become so far."""

    store: Store
    settings: Settings
    catalog: Catalog
    night: dt.date
    source_name: str
    shard: str
    source: Source
    fetcher: Fetcher
    memory: Memory
    listings: list[ListingRow] = field(default_factory=list)
    fetches: list[FetchRow] = field(default_factory=list)
    _ids: set[str] = field(default_factory=set)
    _pictures: dict[str, FetchRow] = field(default_factory=dict)

    def take_listing(self, url: str, query: str) -> None:
        """Fetch one item page and its pictures; adds the rows. `query`: the style code whose search found it."""
        row = self._listing(url, query)
        if row.verdict == KEPT and row.listing_id in self._ids:
            row = replace(
                row,
                listing_id=url_digest(url),
                verdict=REFUSED,
                reason=f"duplicate_listing: {row.listing_id} stands at another address",
            )
        self._ids.add(row.listing_id)
        self.listings.append(row)
        if row.verdict == KEPT:
            self.fetches.extend(self._picture(row, image, number) for number, image in enumerate(row.image_urls))

    def note_failed_search(self, url: str, query: str, error: Refused) -> None:
        """Record a page of results that could not be read."""
        log.warning("crawl.search failed shard=%s url=%s reason=%s", self.shard, url, error.reason)
        self.listings.append(self._refused_listing(url, query, f"{SEARCH_FAILED}: {error.reason}"))

    # -------------------------------------------------------------- the page

    def _listing(self, url: str, query: str) -> ListingRow:
        known = self.memory.page(url)
        answer: Answer | None = None
        try:
            answer = self.fetcher.fetch(
                url, self.settings.crawl.max_page_bytes, known.validators if known else NO_VALIDATORS
            )
            _respect_opt_out(answer)
            if known is not None and answer.status == 304:
                return self._unchanged_listing(known, query, answer)
            item = self.source.read_item(Page(answer.url, answer.body, answer.content_type))
        except Refused as error:
            if answer is not None and isinstance(error, PageNotUnderstood):
                self._keep_page(answer)
            return self._refused_listing(url, query, error.reason)
        row = self._listing_of(item, url, query, answer.validators)
        return replace(row, changed=known is None or known.row.content != row.content)

    def _listing_of(self, item: Item, url: str, query: str, validators: Validators) -> ListingRow:
        match = match_title(self.catalog, item.title)
        return ListingRow(
            night=self.night,
            source=self.source_name,
            shard=self.shard,
            listing_id=self._listing_id(item, url),
            url=url,
            query=query,
            title=item.title,
            price=item.price,
            currency=item.currency,
            seller=item.seller,
            image_urls=item.image_urls,
            style_code=match.style_code,
            match_confidence=match.confidence,
            match_reason=match.reason,
            etag=validators.etag,
            last_modified=validators.last_modified,
            changed=True,
            verdict=KEPT,
            reason=None,
            fetched_at=_now(),
        )

    def _listing_id(self, item: Item, url: str) -> str:
        """The shop's own identifier; shops that write the style code there would make all its listings one."""
        own = (item.shop_id or "").strip()
        if not own or len(own) > 100 or self.catalog.get(own.upper()) is not None:
            return url_digest(url)
        return own

    def _unchanged_listing(self, known: KnownPage, query: str, answer: Answer) -> ListingRow:
        """The earlier night's row as tonight's; the title is matched again, for the catalog may have changed."""
        validators = answer.validators.or_else(known.validators)
        match = match_title(self.catalog, known.row.title or "")
        row = replace(
            known.row,
            night=self.night,
            shard=self.shard,
            query=query,
            style_code=match.style_code,
            match_confidence=match.confidence,
            match_reason=match.reason,
            etag=validators.etag,
            last_modified=validators.last_modified,
            fetched_at=_now(),
        )
        return replace(row, changed=row.content != known.row.content)

    def _refused_listing(self, url: str, query: str, reason: str) -> ListingRow:
        return ListingRow(
            night=self.night,
            source=self.source_name,
            shard=self.shard,
            listing_id=url_digest(url),
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
            fetched_at=_now(),
        )

    def _keep_page(self, answer: Answer) -> None:
        sha256 = hashlib.sha256(answer.body).hexdigest()
        ref = keys.page(self.night, self.source_name, self.shard, sha256)
        packed = zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(answer.body)
        self.store.put(ref, packed, "application/zstd")

    # -------------------------------------------------------------- its pictures

    def _picture(self, listing: ListingRow, url: str, position: int) -> FetchRow:
        first = self._pictures.get(url)
        if first is not None:
            verdict = REFUSED if first.verdict == REFUSED else DUPLICATE
            return replace(
                first, listing_id=listing.listing_id, position=position, verdict=verdict, http_status=None, bytes=None
            )
        row = self._fetch_picture(listing, url, position)
        self._pictures[url] = row
        return row

    def _fetch_picture(self, listing: ListingRow, url: str, position: int) -> FetchRow:
        empty = FetchRow(
            night=self.night,
            source=self.source_name,
            shard=self.shard,
            listing_id=listing.listing_id,
            image_url=url,
            position=position,
            verdict=REFUSED,
            reason=None,
            http_status=None,
            bytes=None,
            format=None,
            sha256=None,
            etag=None,
            last_modified=None,
            fetched_at=_now(),
        )
        known = self.memory.image(url)
        try:
            answer = self.fetcher.fetch(
                url, self.settings.crawl.max_image_bytes, known.validators if known else NO_VALIDATORS
            )
        except Refused as error:
            return replace(empty, reason=error.reason, http_status=error.status, bytes=error.size)
        answered = replace(
            empty,
            http_status=answer.status,
            bytes=None if answer.status == 304 else len(answer.body),
            etag=answer.validators.etag,
            last_modified=answer.validators.last_modified,
            fetched_at=_now(),
        )
        try:
            _respect_opt_out(answer)
            if known is not None and answer.status == 304:
                return _known_picture(answered, known)
            return self._store_picture(answered, known, answer.body)
        except (Refused, ImageRefused) as error:
            return replace(answered, reason=error.reason)

    def _store_picture(self, answered: FetchRow, known: KnownImage | None, data: bytes) -> FetchRow:
        header = check_header(data, self.settings.images)
        sha256 = hashlib.sha256(data).hexdigest()
        if known is not None and known.sha256 == sha256:
            verdict = UNCHANGED
        else:
            verdict = KEPT
            self.store.put(keys.raw_image(sha256, header.format), data, _TYPES[header.format])
        return replace(answered, verdict=verdict, sha256=sha256, format=header.format)


def _known_picture(answered: FetchRow, known: KnownImage) -> FetchRow:
    """The row of a picture that is as an earlier night found it: unchanged, or refused for the same reason."""
    validators = Validators(answered.etag, answered.last_modified).or_else(known.validators)
    return replace(
        answered,
        verdict=UNCHANGED if known.reason is None else REFUSED,
        reason=known.reason,
        sha256=known.sha256,
        format=known.format,
        etag=validators.etag,
        last_modified=validators.last_modified,
    )


def _respect_opt_out(answer: Answer) -> None:
    if directive := opt_out(answer.robots_tags):
        raise Refused(f"opt_out: {directive}", answer.status)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
