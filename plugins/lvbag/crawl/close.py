"""Closing a night: what has been seen up to now, and the manifest that says the night's crawl is whole.

Both are functions of the shards' tables and the earlier night's `seen` table, so closing again leaves the same bytes.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
from collections import Counter
from dataclasses import dataclass

import polars as pl

from lvbag import schemas
from lvbag.crawl.errors import CrawlError
from lvbag.crawl.memory import read_seen
from lvbag.crawl.plan import Plan, PlannedShard, load_plan
from lvbag.crawl.results import NightResult
from lvbag.crawl.rows import KEPT, REFUSED, UNCHANGED, count, refusals_by_rule
from lvbag.crawl.salvage import forget_salvaged, partial_name, salvage
from lvbag.crawl.shard import only_failed_searches, read_shard
from lvbag.crawl.summary import ShardSummary, read_summary, write_watermarks
from lvbag.settings import Settings
from lvbag.store import Ref, Store, keys
from lvbag.store.tables import write_table

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Done:
    """A shard's tables."""

    planned: PlannedShard
    listings: pl.DataFrame
    fetches: pl.DataFrame
    summary: ShardSummary | None
    partial: bool = False  # it never ended; these rows are what its journal holds


def close_night(store: Store, settings: Settings, night: dt.date) -> NightResult:
    """Write `keys.seen` of every source and, last, `keys.night_manifest`.

    A shard that is missing or failed is named in the manifest and in the log, and the rest of the night still counts.
    Raises `CrawlError` when no shard is done, or when no place answered a single search.
    """
    plan = load_plan(store, night)
    done = _read_done(store, plan)
    listings = pl.concat([shard.listings for shard in done])
    fetches = pl.concat([shard.fetches for shard in done])
    if only_failed_searches(listings):
        raise CrawlError(
            f"no search of night {night} was answered: {listings['reason'][0]} ({listings['url'][0]}); check that the "
            "shop is up and crawl.sources is right, then crawl the night again"
        )
    for source in sorted({shard.planned.source for shard in done}):
        seen = merge_seen(
            read_seen(store, source, night),
            listings.filter(pl.col("source") == source),
            fetches.filter(pl.col("source") == source),
        )
        write_table(store, keys.seen(night, source), seen, schemas.SEEN)
        mine = [shard.summary for shard in done if shard.planned.source == source]
        write_watermarks(store, night, source, [summary for summary in mine if summary is not None])
    result = _night_result(store, night, listings, fetches)
    manifest = _manifest(store, plan, done, result, refusals_by_rule((listings, fetches)))
    store.put_json(keys.night_manifest(night), manifest)
    log.info(
        "crawl.night closed night=%s listings=%d images_new=%d images_unchanged=%d refused=%d changed=%s",
        night,
        result.listings,
        result.images_new,
        result.images_unchanged,
        result.refused,
        result.changed,
    )
    return result


def merge_seen(earlier: pl.DataFrame, listings: pl.DataFrame, fetches: pl.DataFrame) -> pl.DataFrame:
    """The next `seen` table of one source: tonight's kept pages and judged pictures over what was seen before.

    What did not change keeps the night and shard of the row that first said so. Sorted by kind and URL.
    """
    columns = list(schemas.SEEN)
    pages = listings.filter(pl.col("verdict") == KEPT).select(
        kind=pl.lit("page"),
        url="url",
        listing_id="listing_id",
        etag="etag",
        last_modified="last_modified",
        sha256=pl.lit(None, pl.String),
        format=pl.lit(None, pl.String),
        night="night",
        shard="shard",
        changed="changed",
    )
    # a picture whose content was refused is remembered as well: it need not be downloaded to be refused again; one
    # whose bytes were taken down is not even asked for
    validated = pl.col("etag").is_not_null() | pl.col("last_modified").is_not_null()
    recognisable = validated | pl.col("sha256").is_not_null()
    judged = (pl.col("verdict") == REFUSED) & pl.col("http_status").is_in([200, 304]) & recognisable
    pictures = fetches.filter(pl.col("verdict").is_in([KEPT, UNCHANGED]) | judged).select(
        kind=pl.lit("image"),
        url="image_url",
        listing_id="listing_id",
        etag="etag",
        last_modified="last_modified",
        sha256="sha256",
        format="format",
        night="night",
        shard="shard",
        changed=(pl.col("verdict") == KEPT) | (judged & (pl.col("http_status") == 200)),
    )
    # several shards may have met the same URL: the shard that is first by name stands for it
    tonight = (
        pl.concat([pages, pictures])
        .sort("kind", "url", "shard")
        .unique(["kind", "url"], keep="first", maintain_order=True)
    )
    before = earlier.select("kind", "url", first_night="night", first_shard="shard")
    stays = ~pl.col("changed") & pl.col("first_night").is_not_null()
    tonight = tonight.join(before, on=["kind", "url"], how="left").with_columns(
        night=pl.when(stays).then("first_night").otherwise("night"),
        shard=pl.when(stays).then("first_shard").otherwise("shard"),
    )
    rest = earlier.join(tonight, on=["kind", "url"], how="anti")
    return pl.concat([rest.select(columns), tonight.select(columns)]).sort("kind", "url")


def _read_done(store: Store, plan: Plan) -> list[_Done]:
    done = []
    for planned in plan.shards:
        tables = read_shard(store, plan.night, planned)
        if tables is None:
            log.warning("crawl.night shard is missing night=%s shard=%s", plan.night, planned.name)
            tables = salvage(store, plan.night, planned)
            if tables is not None:
                done.append(_Done(planned, *tables, None, partial=True))
        else:
            forget_salvaged(store, plan.night, planned)
            done.append(_Done(planned, *tables, read_summary(store, plan.night, planned.source, planned.name)))
    if not done:
        raise CrawlError(f"no shard of night {plan.night} is crawled; crawl its {len(plan.shards)} shards first")
    return done


def _night_result(store: Store, night: dt.date, listings: pl.DataFrame, fetches: pl.DataFrame) -> NightResult:
    counts = count(listings, Counter(fetches["verdict"].to_list()))
    new_rows = listings.filter((pl.col("verdict") == KEPT) & pl.col("changed")).height
    return NightResult(
        night=night,
        uri=store.uri(keys.night_manifest(night)),
        listings=counts.listings,
        images_new=counts.kept,
        images_unchanged=counts.unchanged,
        refused=counts.refused,
        changed=counts.kept > 0 or new_rows > 0,
    )


def _manifest(
    store: Store, plan: Plan, done: list[_Done], result: NightResult, refused: dict[str, int]
) -> dict[str, object]:
    names = {shard.planned.name for shard in done if not shard.partial}
    summaries = [shard.summary for shard in done if shard.summary is not None]
    refs: list[Ref] = []
    for shard in done:
        name = partial_name(shard.planned.name) if shard.partial else shard.planned.name
        where = (plan.night, shard.planned.source, name)
        refs += [keys.listings(*where), keys.fetches(*where)]
        refs += [keys.shard_summary(*where)] if shard.summary is not None else []
    refs += [keys.seen(plan.night, source) for source in sorted({shard.planned.source for shard in done})]
    return {
        "night": plan.night.isoformat(),
        "tables": {ref.key: hashlib.sha256(store.get(ref)).hexdigest() for ref in refs},
        "shards": sorted(names),
        "missing_shards": sorted({shard.name for shard in plan.shards} - names),
        "failed_shards": {s.shard: s.failure for s in summaries if s.failure is not None},
        "hosts_given_up": {host: why for s in summaries for host, why in s.given_up.items()},
        "dropped": dict(sorted(sum((Counter(s.dropped) for s in summaries), Counter()).items())),
        "pages_of_results": {"read": sum(s.pages for s in summaries), "failed": sum(s.pages_failed for s in summaries)},
        "listings": result.listings,
        "images_new": result.images_new,
        "images_unchanged": result.images_unchanged,
        "refused": refused,
        "changed": result.changed,
    }
