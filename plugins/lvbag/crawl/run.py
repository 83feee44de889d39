"""What everything in one running shard shares: where it reads, what it remembers, what it has counted."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import zstandard

from lvbag.catalog import Catalog
from lvbag.crawl.errors import CrawlError
from lvbag.crawl.fetching.answers import NO_VALIDATORS, Answer, Reader, Validators
from lvbag.crawl.fetching.fetcher import Challenged, Fetcher
from lvbag.crawl.fetching.leases import Leases, source_lease
from lvbag.crawl.fetching.opt_out import gravest, opt_out, page_opt_out
from lvbag.crawl.journal import Journal
from lvbag.crawl.memory import Memory
from lvbag.crawl.plan import PlannedShard
from lvbag.crawl.rows import ListingRow, to_json
from lvbag.crawl.sources import Source
from lvbag.crawl.understanding import Tally
from lvbag.settings import Settings
from lvbag.store import Store, keys
from lvbag.tombstones import Tombstones

_ZSTD_LEVEL = 10

LISTING_ROW, FETCH_ROW = "listing", "fetch"


@dataclass(frozen=True)
class Progress:
    """How far a shard is: what a bar in a terminal shows."""

    listings: int
    pictures: int
    requests: int


@dataclass
class ShardRun:
    """One running shard. `fetcher` is None where the source's pages and pictures are files."""

    store: Store
    settings: Settings
    catalog: Catalog
    night: dt.date
    planned: PlannedShard
    source: Source[Any]
    reader: Reader
    fetcher: Fetcher | None
    leases: Leases
    memory: Memory
    journal: Journal
    tombstones: Tombstones = field(default_factory=Tombstones)  # read once, when the shard begins
    watermarks: dict[str, dt.datetime] = field(default_factory=dict)
    on_progress: Callable[[Progress], None] | None = None
    tally: Tally = field(default_factory=Tally)
    dropped: Counter[str] = field(default_factory=Counter)
    completed: dict[str, dt.datetime] = field(default_factory=dict)
    listings: int = 0  # taken so far, kept or refused
    pictures: int = 0
    left_something: bool = False  # since a query began: what was refused tonight may be had another night

    @property
    def requests(self) -> int:
        """Sent by this try."""
        return 0 if self.fetcher is None else self.fetcher.requests

    def require_lease(self) -> None:
        """Raises `CrawlError` when another process may be crawling this source by now."""
        if not self.leases.holds(source_lease(self.planned.source)):
            raise CrawlError(
                f"shard {self.planned.name}: the lease of source {self.planned.source} ran out while this process "
                "stood still, or the store was away; run the shard again, it goes on where it stopped"
            )

    @property
    def is_full(self) -> bool:
        """Whether a shard by hand has the listings that were asked for."""
        return self.planned.limit is not None and self.listings >= self.planned.limit

    def ask(self, url: str, max_bytes: int, validators: Validators = NO_VALIDATORS) -> Answer:
        """Fetch a page or picture; raises `Refused`.

        A host that gives us time between two requests gets no request while anything before it could still be lost:
        killed now, the shard would ask for that again.
        """
        self.require_lease()
        if self.settings.crawl.min_delay_s > 0 and not (self.fetcher is not None and self.fetcher.exhausted):
            self.journal.settle()
        try:
            return self.reader.fetch(url, max_bytes, validators)
        except Challenged as error:
            self.keep_page(error.answer.body)
            raise

    def opt_out_of(self, answer: Answer, is_page: bool) -> str | None:
        """The gravest opt-out of an answer's headers and, of a page, of its meta tags; None where there is none."""
        said = opt_out(answer.robots_tags, answer.tdm_reservation)
        return gravest((said, page_opt_out(answer.body) if is_page else None))

    def keep_page(self, body: bytes) -> None:
        """Keep a page that was not understood, as it came."""
        ref = keys.page(self.night, self.planned.source, self.planned.name, hashlib.sha256(body).hexdigest())
        self.store.put(ref, zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(body), "application/zstd")

    def add_listing(self, row: ListingRow) -> None:
        """Add a row to the shard's listings."""
        self.journal.add_row(LISTING_ROW, to_json(row))

    def tell(self) -> None:
        """Tell whoever watches how far the shard is."""
        if self.on_progress is not None:
            self.on_progress(Progress(self.listings, self.pictures, self.requests))


def now() -> dt.datetime:
    """The time that stands in rows."""
    return dt.datetime.now(dt.UTC)
