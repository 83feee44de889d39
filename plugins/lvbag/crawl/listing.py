"""One result of a search: its item page read where that is needed, its title matched; a row, kept or refused.

Nothing here raises for a page that is refused; only the store's own errors come through.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from lvbag.crawl.errors import Refused
from lvbag.crawl.fetching.answers import NO_VALIDATORS, Answer, Validators
from lvbag.crawl.journal import LISTING
from lvbag.crawl.memory import KnownPage
from lvbag.crawl.pictures import Pictures
from lvbag.crawl.rows import (
    KEPT,
    REFUSED,
    SEARCH_FAILED,
    ListingRow,
    is_our_own,
    is_transient,
    listing_of,
    refused_listing,
    rule_of,
    to_json,
    url_digest,
)
from lvbag.crawl.run import ShardRun, now
from lvbag.crawl.sources import NOT_UNDERSTOOD, Listing, Page, PageNotUnderstood, understood
from lvbag.crawl.taken_down import struck_listing, why_listing
from lvbag.crawl.titles import Match, match_title


@dataclass
class Listings:
    """The listings of one running shard; `taken` are addresses that this night has dealt with already."""

    run: ShardRun
    pictures: Pictures
    taken: set[str] = field(default_factory=set)
    _ids: set[str] = field(default_factory=set)

    def take(self, url: str, query: str, whole: Listing | None = None) -> None:
        """Add the rows of one result. `query`: the product whose search found it; `whole`: as the results told it."""
        if url in self.taken:
            return
        self.taken.add(url)
        row = self._row(url, query, whole)
        if row.verdict == KEPT and row.listing_id in self._ids:
            row = replace(
                row,
                listing_id=url_digest(url),
                verdict=REFUSED,
                reason=f"duplicate_listing: {row.listing_id} stands at another address",
            )
        self._ids.add(row.listing_id)
        self.run.listings += 1
        self.run.left_something |= is_transient(row.reason)
        self.run.add_listing(row)
        if row.verdict == KEPT:
            self.pictures.take_all(row)
        self.run.tell()

    def note_failed_search(self, url: str, query: str, reason: str) -> None:
        """Record a page of results that could not be read, or not be understood."""
        self.run.left_something = True
        self.run.add_listing(self._refused(url, query, f"{SEARCH_FAILED}: {reason}"))

    # -------------------------------------------------------------- the row

    def _row(self, url: str, query: str, whole: Listing | None) -> ListingRow:
        noted, _ = self.run.journal.meet(LISTING, url)
        if reason := self._struck(url, whole):
            return self._refused(url, query, reason)
        if noted is not None:
            row = listing_of(noted)
        elif whole is not None and not self.run.source.details:
            row = self._from_listing(whole, url, query, NO_VALIDATORS)
        else:
            row = self._ask(url, query, whole)
        if reason := why_listing(self.run.tombstones, url, row.source, row.listing_id, row.seller):
            row = struck_listing(row, reason)
        self.run.tally.items += 1
        self.run.tally.items_not_understood += rule_of(row.reason or "") == NOT_UNDERSTOOD
        if noted is None and not is_our_own(row.reason):
            self.run.journal.note(LISTING, url, to_json(row), self.run.requests)
        return row

    def _struck(self, url: str, whole: Listing | None) -> str | None:
        """Why a result may not be asked for, by all that is known of it before: results, and an earlier night."""
        source, known = self.run.planned.source, self.run.memory.page(url)
        told = (self._listing_id(whole, url), whole.seller) if whole is not None else (None, None)
        before = (known.row.listing_id, known.row.seller) if known is not None else (None, None)
        struck = self.run.tombstones
        return why_listing(struck, url, source, *told) or why_listing(struck, url, source, *before)

    def _ask(self, url: str, query: str, whole: Listing | None) -> ListingRow:
        run = self.run
        known = run.memory.page(url)
        answer: Answer | None = None
        try:
            answer = run.ask(url, run.settings.crawl.max_page_bytes, known.validators if known else NO_VALIDATORS)
            if directive := run.opt_out_of(answer, is_page=True):
                raise Refused(f"opt_out: {directive}", answer.status)
            if known is not None and answer.status == 304:
                return self._unchanged(known, query, answer)
            item = understood(run.source.read_item, Page(answer.url, answer.body, answer.content_type))
        except PageNotUnderstood as error:
            if answer is not None:
                run.keep_page(answer.body)
            if whole is not None:  # what the page of results said is better than nothing
                return self._from_listing(whole, url, query, NO_VALIDATORS)
            return self._refused(url, query, f"{NOT_UNDERSTOOD}: {error.reason}")
        except Refused as error:
            return self._refused(url, query, error.reason)
        return self._from_listing(item, url, query, answer.validators)

    def _from_listing(self, item: Listing, url: str, query: str, validators: Validators) -> ListingRow:
        match = self._match(item)
        row = ListingRow(
            night=self.run.night,
            source=self.run.planned.source,
            shard=self.run.planned.name,
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
            fetched_at=now(),
            brand=item.brand,
            sku=item.sku,
            gtin=item.gtin,
            condition=item.condition,
            availability=item.availability,
        )
        known = self.run.memory.page(url)
        return replace(row, changed=known is None or known.row.content != row.content)

    def _match(self, item: Listing) -> Match:
        """What a person of the source has labelled needs no title."""
        if item.style_code is None:
            return match_title(self.run.catalog, item.title, item.brand)
        product = self.run.catalog.get(item.style_code)
        if product is None:
            return Match(None, None, 0.0, f"the source's label {item.style_code} is not in the catalog")
        return Match(product.style_code, product.line, 1.0, f"labelled {product.style_code} by the source")

    def _listing_id(self, item: Listing, url: str) -> str:
        """The place's own identifier; shops that write the style code there would make all their listings one."""
        own = (item.listing_id or "").strip()
        if not own or len(own) > 100 or self.run.catalog.get(own.upper()) is not None:
            return url_digest(url)
        return own

    def _unchanged(self, known: KnownPage, query: str, answer: Answer) -> ListingRow:
        """The earlier night's row as tonight's; the title is matched again, for the catalog may have changed."""
        validators = answer.validators.or_else(known.validators)
        match = match_title(self.run.catalog, known.row.title or "", known.row.brand)
        row = replace(
            known.row,
            night=self.run.night,
            shard=self.run.planned.name,
            query=query,
            style_code=match.style_code,
            match_confidence=match.confidence,
            match_reason=match.reason,
            etag=validators.etag,
            last_modified=validators.last_modified,
            fetched_at=now(),
        )
        return replace(row, changed=row.content != known.row.content)

    def _refused(self, url: str, query: str, reason: str) -> ListingRow:
        return refused_listing(
            night=self.run.night,
            source=self.run.planned.source,
            shard=self.run.planned.name,
            listing_id=url_digest(url),
            url=url,
            query=query,
            reason=reason,
            fetched_at=now(),
        )
