"""One shard: some products at one source, searched, fetched and written down.

The fetch table is written last and is the commit mark: a shard that has it is done. A shard whose every search failed
fetched nothing, so it is not done and a later run tries again.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator

import polars as pl

from lvbag import schemas
from lvbag.catalog import Catalog
from lvbag.crawl.errors import CrawlError, Refused
from lvbag.crawl.fetcher import Fetcher
from lvbag.crawl.listing import ShardRun
from lvbag.crawl.memory import open_memory
from lvbag.crawl.plan import PlannedShard, load_plan, require_contact
from lvbag.crawl.results import ShardResult
from lvbag.crawl.rows import KEPT, count, fetches_frame, is_failed_search, listings_frame
from lvbag.crawl.sources import Page, SearchPage, open_source
from lvbag.settings import Settings, SourceSettings
from lvbag.store import Bucket, ObjectMissing, Store, keys
from lvbag.store.tables import read_table, write_table

log = logging.getLogger(__name__)


def crawl_shard(  # noqa: PLR0917 - the one signature that DAGs and the command line call
    store: Store, settings: Settings, catalog: Catalog, night: dt.date, shard: str, again: bool = False
) -> ShardResult:
    """Crawl one shard of the night's plan, or take it as it stands.

    Raises `CrawlError` when the night has no such shard, its source is no longer set up, or `crawl.contact` is
    missing. What a shop refuses or gets wrong becomes a refused row instead.
    """
    planned = load_plan(store, night).shard(shard)
    if not again and (tables := read_shard(store, night, planned)) is not None and not only_failed_searches(tables[0]):
        log.info("crawl.shard reused night=%s shard=%s", night, shard)
        return _result(shard, *tables, reused=True)
    source = settings.crawl.sources.get(planned.source)
    if source is None:
        raise CrawlError(f"shard {shard} is of source {planned.source!r}, which is no longer under crawl.sources")
    require_contact(settings.crawl, planned.source)
    with Fetcher(settings.crawl, planned.requests) as fetcher:
        run = ShardRun(
            store=store,
            settings=settings,
            catalog=catalog,
            night=night,
            source_name=planned.source,
            shard=shard,
            source=open_source(source.kind),
            fetcher=fetcher,
            memory=open_memory(store, planned.source, night),
        )
        _crawl(run, planned, source, taken_elsewhere(store, night, planned))
    listings, fetches = listings_frame(run.listings), fetches_frame(run.fetches)
    write_table(store, keys.listings(night, planned.source, shard), listings, schemas.LISTINGS)
    write_table(store, keys.fetches(night, planned.source, shard), fetches, schemas.FETCHES)
    result = _result(shard, listings, fetches, reused=False)
    if fetcher.exhausted:
        log.warning("crawl.shard spent its share of crawl.max_requests night=%s shard=%s", night, shard)
    log.info(
        "crawl.shard done night=%s shard=%s requests=%d listings=%d kept=%d unchanged=%d duplicate=%d refused=%d",
        night,
        shard,
        fetcher.requests,
        result.listings,
        result.kept,
        result.unchanged,
        result.duplicate,
        result.refused,
    )
    return result


def read_shard(store: Store, night: dt.date, planned: PlannedShard) -> tuple[pl.DataFrame, pl.DataFrame] | None:
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
    """Item pages that other shards of this night and source have kept: nobody is asked for them twice a night."""
    own = keys.listings(night, planned.source, planned.name)
    prefix = f"{own.key.rsplit('/', 1)[0]}/"
    taken: set[str] = set()
    for item in store.list_objects(Bucket.RAW, prefix):
        if item.ref != own:
            rows = read_table(store, item.ref, schemas.LISTINGS)
            taken |= set(rows.filter(pl.col("verdict") == KEPT)["url"])
    return taken


def _crawl(run: ShardRun, planned: PlannedShard, source: SourceSettings, taken: set[str]) -> None:
    found = set(taken)
    for number, code in enumerate(planned.products, 1):
        product = run.catalog.get(code)
        if product is None:
            log.warning("crawl.shard product left the catalog shard=%s style_code=%s", run.shard, code)
            continue
        for query in run.source.queries(source, product):
            for page in _search(run, source, query, code):
                for url in page.items:
                    if url not in found:
                        found.add(url)
                        run.take_listing(url, code)
        log.info(
            "crawl.product done shard=%s style_code=%s product=%d/%d listings=%d requests=%d",
            *(run.shard, code, number, len(planned.products), len(run.listings), run.fetcher.requests),
        )


def _search(run: ShardRun, source: SourceSettings, query: str, code: str) -> Iterator[SearchPage]:
    """The pages of results of a query, up to `max_pages`; a page that fails ends them and is recorded."""
    url: str | None = run.source.search_url(source, query)
    asked: set[str] = set()
    while url is not None and url not in asked and len(asked) < source.max_pages:
        asked.add(url)
        try:
            answer = run.fetcher.fetch(url, run.settings.crawl.max_page_bytes)
            page = run.source.read_search(Page(answer.url, answer.body, answer.content_type))
        except Refused as error:
            run.note_failed_search(url, code, error)
            return
        yield page
        url = page.next_url


def _result(shard: str, listings: pl.DataFrame, fetches: pl.DataFrame, reused: bool) -> ShardResult:
    counts = count(listings, fetches)
    return ShardResult(
        shard=shard,
        reused=reused,
        listings=counts.listings,
        kept=counts.kept,
        unchanged=counts.unchanged,
        duplicate=counts.duplicate,
        refused=counts.refused,
    )
