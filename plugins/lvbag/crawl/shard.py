"""One shard: some products at one source (or a source that is read whole), searched, fetched and written down.

The fetch table is written last and is the commit mark: a shard that has it is done. A shard whose every search failed
fetched nothing, so it is not done and a later run tries again. A shard that was killed goes on with its journal.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain

import polars as pl

from lvbag import schemas
from lvbag.catalog import Catalog
from lvbag.crawl.errors import CrawlError
from lvbag.crawl.fetching.fetcher import Fetcher
from lvbag.crawl.fetching.files import FileReader
from lvbag.crawl.fetching.leases import Leases, read_hosts, source_lease
from lvbag.crawl.fetching.robots_cache import RobotsCache
from lvbag.crawl.journal import LISTING, PICTURE, Journal, discard_journal, open_journal
from lvbag.crawl.listing import Listings
from lvbag.crawl.memory import open_memory
from lvbag.crawl.pictures import Pictures
from lvbag.crawl.plan import PlannedShard, load_plan, require_contact
from lvbag.crawl.results import ShardResult
from lvbag.crawl.rows import KEPT, count, frame_of, is_failed_search, pieces_of
from lvbag.crawl.run import FETCH_ROW, LISTING_ROW, Progress, ShardRun
from lvbag.crawl.salvage import partial_name
from lvbag.crawl.searching import Search
from lvbag.crawl.sources import open_source
from lvbag.crawl.summary import ShardSummary, read_summary, read_watermarks
from lvbag.crawl.taken_down import strike_listings, strike_pictures
from lvbag.settings import Settings
from lvbag.source_settings import AnySource, FolderSettings
from lvbag.store import Bucket, ObjectMissing, Store, keys
from lvbag.store.tables import read_table, write_pieces, write_table
from lvbag.tombstones import read_tombstones

log = logging.getLogger(__name__)

_Tables = tuple[pl.DataFrame, pl.DataFrame]


def crawl_shard(  # noqa: PLR0917 - the one signature that DAGs and the command line call
    store: Store,
    settings: Settings,
    catalog: Catalog,
    night: dt.date,
    shard: str,
    again: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> ShardResult:
    """Crawl one shard of the night's plan, or take it as it stands.

    Waits while another shard of the same source, or one that talks to the same host, is at work. Raises `CrawlError`
    when the night has no such shard, its source is no longer set up, `crawl.contact` is missing, or, after everything
    was written down, when what could not be read is the rule and not the exception. What a place refuses or gets wrong
    becomes a refused row.
    """
    planned = load_plan(store, night).shard(shard)
    if not again and (done := _done(store, night, planned)) is not None:
        return _taken_as_it_stands(store, night, planned, done)
    source = settings.crawl.sources.get(planned.source)
    if source is None:
        raise CrawlError(f"shard {shard} is of source {planned.source!r}, which is no longer under crawl.sources")
    require_contact(settings, planned.source)
    holder = f"{shard} on {socket.gethostname()} (process {os.getpid()})"
    with Leases(store, night, holder, settings.crawl.lease_s) as leases:
        leases.take(source_lease(planned.source), keep=True)
        if not again and (done := _done(store, night, planned)) is not None:  # somebody else did it meanwhile
            return _taken_as_it_stands(store, night, planned, done)
        if again:
            _forget(store, night, planned)
        with open_journal(store, night, planned.source, shard) as journal:
            with _opened(store, settings, catalog, night, planned, source, leases, journal) as run:
                run.on_progress = on_progress
                _crawl(run)
                result, summary = _commit(run)
            journal.discard()
    log.info(
        "crawl.shard done night=%s shard=%s requests=%d listings=%d kept=%d unchanged=%d duplicate=%d refused=%d",
        *(night, shard, summary.requests, result.listings, result.kept, result.unchanged, result.duplicate),
        result.refused,
    )
    if summary.failure is not None:
        raise _failed(store, night, planned, summary)
    return result


def read_shard(store: Store, night: dt.date, planned: PlannedShard) -> _Tables | None:
    """The listings and fetches of a shard that is done, or None."""
    try:
        fetches = read_table(store, keys.fetches(night, planned.source, planned.name), schemas.FETCHES)
        return read_table(store, keys.listings(night, planned.source, planned.name), schemas.LISTINGS), fetches
    except ObjectMissing:
        return None


def only_failed_searches(listings: pl.DataFrame) -> bool:
    """Whether there are rows and every one stands for a page of results that could not be read."""
    return listings.height > 0 and listings.filter(~is_failed_search()).is_empty()


def taken_elsewhere(store: Store, night: dt.date, planned: PlannedShard) -> set[str]:
    """Item pages that other shards of this night and source have kept: nobody is asked for them twice a night.

    That is in their tables or, where they were killed and wait to be tried again, in their journals.
    """
    names = (planned.name, partial_name(planned.name))
    own = [keys.listings(night, planned.source, name) for name in names]
    prefix = f"{own[0].key.rsplit('/', 1)[0]}/"
    taken: set[str] = set()
    for item in store.list_objects(Bucket.RAW, prefix):
        if item.ref not in own:
            rows = read_table(store, item.ref, schemas.LISTINGS)
            taken |= set(rows.filter(pl.col("verdict") == KEPT)["url"])
    return taken | _kept_in_journals(store, night, planned)


def _kept_in_journals(store: Store, night: dt.date, planned: PlannedShard) -> set[str]:
    prefix = keys.journals_prefix(night, planned.source)
    interrupted = {
        item.ref.key.removeprefix(prefix).partition("/")[0] for item in store.list_objects(Bucket.RAW, prefix)
    }
    kept: set[str] = set()
    for name in sorted(interrupted - {planned.name}):
        with open_journal(store, night, planned.source, name) as journal:
            kept |= {row["url"] for row in journal.unmet(LISTING) if row["verdict"] == KEPT}
    return kept


# ------------------------------------------------------------------ a shard that is done


def _done(store: Store, night: dt.date, planned: PlannedShard) -> _Tables | None:
    tables = read_shard(store, night, planned)
    return None if tables is None or only_failed_searches(tables[0]) else tables


def _taken_as_it_stands(store: Store, night: dt.date, planned: PlannedShard, tables: _Tables) -> ShardResult:
    log.info("crawl.shard reused night=%s shard=%s", night, planned.name)
    discard_journal(store, keys.journal_prefix(night, planned.source, planned.name))  # killed between table and this
    summary = read_summary(store, night, planned.source, planned.name)
    if summary is not None and summary.failure is not None:
        raise _failed(store, night, planned, summary)
    listings, fetches = tables
    return _result(planned.name, listings, Counter(fetches["verdict"].to_list()), reused=True)


def _forget(store: Store, night: dt.date, planned: PlannedShard) -> None:
    """Take back the commit mark first: a new crawl that is killed half-way must not count as done."""
    store.delete(keys.fetches(night, planned.source, planned.name))
    discard_journal(store, keys.journal_prefix(night, planned.source, planned.name))


def _failed(store: Store, night: dt.date, planned: PlannedShard, summary: ShardSummary) -> CrawlError:
    where = store.uri(keys.listings(night, planned.source, planned.name))
    gone = "".join(f"; {host}: {why}" for host, why in summary.given_up.items())
    return CrawlError(
        f"shard {planned.name} of night {night}: {summary.failure}{gone}. What it did read is kept, with "
        f"reasons in its rows ({where}), and pages that were not understood under pages/. When the place has changed "
        "its pages, its parser must be mended; then crawl the shard with `again`"
    )


# ------------------------------------------------------------------ a shard at work


@contextmanager
def _opened(  # noqa: PLR0917 - everything that a run is made of
    store: Store,
    settings: Settings,
    catalog: Catalog,
    night: dt.date,
    planned: PlannedShard,
    source: AnySource,
    leases: Leases,
    journal: Journal,
) -> Iterator[ShardRun]:
    cache = RobotsCache(store, night, settings.crawl.robots_max_age_s)
    with Fetcher(settings.crawl, leases, cache, budget=-journal.requests_before) as fetcher:
        local = FileReader(source, store) if isinstance(source, FolderSettings) else None
        yield ShardRun(
            store=store,
            settings=settings,
            catalog=catalog,
            night=night,
            planned=planned,
            source=open_source(source),
            reader=local or fetcher,
            fetcher=None if local else fetcher,
            memory=open_memory(store, planned.source, night),
            leases=leases,
            journal=journal,
            tombstones=read_tombstones(store),
            watermarks=read_watermarks(store, planned.source, night),
        )


def _crawl(run: ShardRun) -> None:
    listings = Listings(run, Pictures(run), taken_elsewhere(run.store, run.night, run.planned))
    search = Search(run, listings)
    if run.source.whole:
        _grant(run, run.planned.requests[0])
        search.read("", "")
        return
    for number, (code, share) in enumerate(zip(run.planned.products, run.planned.requests, strict=True), 1):
        product = run.catalog.get(code)
        if product is None:
            log.warning("crawl.shard product left the catalog shard=%s product=%s", run.planned.name, code)
            continue
        _grant(run, share)
        for words in run.source.queries(product):
            if not run.is_full:
                search.read(words, code)
        log.info(
            "crawl.product done shard=%s product=%s number=%d/%d percent=%d listings=%d pictures=%d requests=%d",
            *(run.planned.name, code, number, len(run.planned.products), 100 * number // len(run.planned.products)),
            *(run.listings, run.pictures, run.requests),
        )


def _grant(run: ShardRun, requests: int) -> None:
    if run.fetcher is not None:
        run.fetcher.grant(requests)


def _commit(run: ShardRun) -> tuple[ShardResult, ShardSummary]:
    """Write the tables and the summary; the fetch table last."""
    run.journal.settle()
    source, shard = run.planned.source, run.planned.name
    unmet = strike_listings(run.tombstones, run.journal.unmet(LISTING))
    listings = frame_of(chain(run.journal.rows(LISTING_ROW), unmet), schemas.LISTINGS)
    verdicts: Counter[str] = Counter()

    def fetches() -> Iterator[pl.DataFrame]:
        unmet = strike_pictures(run.tombstones, run.journal.unmet(PICTURE))
        for piece in pieces_of(chain(run.journal.rows(FETCH_ROW), unmet), schemas.FETCHES):
            verdicts.update(piece["verdict"].to_list())
            yield piece

    summary = ShardSummary(
        source=source,
        shard=shard,
        requests=run.requests + run.journal.requests_before,
        pages=run.tally.pages,
        pages_failed=run.tally.pages_failed,
        items=run.tally.items,
        items_not_understood=run.tally.items_not_understood,
        dropped=dict(sorted(run.dropped.items())),
        given_up={host.name: host.given_up for host in read_hosts(run.store, run.night) if host.given_up},
        completed=run.completed,
        failure=run.tally.failure(),
    )
    run.require_lease()
    run.store.delete(keys.fetches(run.night, source, shard))  # an earlier try's mark must not stand for this one
    write_table(run.store, keys.listings(run.night, source, shard), listings, schemas.LISTINGS)
    run.store.put_json(keys.shard_summary(run.night, source, shard), summary.model_dump(mode="json"))
    write_pieces(run.store, keys.fetches(run.night, source, shard), fetches(), schemas.FETCHES)
    return _result(shard, listings, verdicts, reused=False), summary


def _result(shard: str, listings: pl.DataFrame, verdicts: Counter[str], reused: bool) -> ShardResult:
    counts = count(listings, verdicts)
    return ShardResult(
        shard=shard,
        reused=reused,
        listings=counts.listings,
        kept=counts.kept,
        unchanged=counts.unchanged,
        duplicate=counts.duplicate,
        refused=counts.refused,
    )
