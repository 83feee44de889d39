"""### The nightly crawl

Every night at 02:00 UTC: shares the night's request budget among the products by need (those with fewest images
first), crawls the shards, and closes the night with a manifest of what was found.

Several shards run at once, but each host is talked to by one of them at a time, over one connection, at a pace that
follows what it can bear; robots.txt, opt-outs and `Retry-After` are obeyed. A host that shows a challenge page is left
alone for the night.

**What it leaves:** listings, fetches and images of the night in the raw bucket (`listings/`, `fetches/`, `images/`),
what each shard did (`shards/`), how each host fared (`hosts/`, also `lvbag crawl hosts`), pages that were not
understood (`pages/`), and the manifest `nights/night=…/manifest.json`. Then it sends the asset event *listings*,
which starts `lvbag_curate`. When nothing has changed since the last crawl, `announce` writes the night's report and
is skipped, and no other DAG starts.

**By hand:** *Trigger* and name a night. A night that was crawled already is not crawled again (a crawl cannot be
repeated to the byte) unless *again* is set; shards that stand are reused, and one that was killed goes on where it
stopped.

**When it fails:** a shard fails when it could not read or not understand most of what it was shown; its log says
what, and what it did read is kept. A failed shard hurts no other one; the night is closed without it and says so in
the log of `close_night` and in the manifest. When no shard succeeds, `close_night` fails. It does not catch up on
nights of long ago: what shops show today is tonight's.

**It stays paused** until a source is configured (`crawl.sources` in `lvbag.yaml`).
"""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any

from airflow.sdk import CronTriggerTimetable, Param, dag, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from lvbag.nights import parse_night
from lvbag.orchestrate import context
from lvbag.orchestrate.assets import LISTINGS
from lvbag.orchestrate.defaults import DEFAULT_ARGS, LONG_CRAWL, TAG, log_failure
from lvbag.orchestrate.notifying import TellFailed, TellNotUnderstood, late_alert
from lvbag.store_roles import StoreRole

log = logging.getLogger(__name__)


@dag(
    dag_id="lvbag_crawl",
    description="Crawls the configured shops and records what was found, kept and refused.",
    doc_md=__doc__,
    # not at once when the DAG is unpaused at noon: the first run is the next night's
    # no time at all and not False, which starts a run that was missed by less than 10 % of a day
    schedule=CronTriggerTimetable("0 2 * * *", timezone="UTC", run_immediately=dt.timedelta(0)),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    on_failure_callback=TellFailed(),
    deadline=late_alert(),
    tags=[TAG, "nightly"],
    params={
        "dry_run": Param(False, type="boolean", description="Only plan the night: say which shards there are."),
        "night": Param(
            None, type=["null", "string"], format="date", description="YYYY-MM-DD; empty: the day of the run (UTC)."
        ),
        "products": Param(
            [],
            type="array",
            items={"type": "string"},
            description="Products to crawl, by style code; empty: the whole catalog.",
        ),
        "again": Param(False, type="boolean", description="Crawl shards again that stand already."),
    },
)
def lvbag_crawl() -> None:
    """Plan, crawl each shard, close the night, announce it."""

    shards = plan()
    announce(close_night(shards, crawl_shard.expand(shard=shards)))


@task
def plan() -> list[str]:
    """Share the night's request budget among shards; returns their names."""
    from lvbag import crawl
    from lvbag.catalog import load_catalog
    from lvbag.settings import config_dir

    run = context.current()
    store, settings = context.open_store(StoreRole.CRAWLER)
    products = tuple(run.params["products"])
    planned = crawl.plan_night(store, settings, load_catalog(config_dir()), context.one_night(run), products)
    log.info("night %s: %d shards: %s", planned.night, len(planned.shards), ", ".join(planned.shards))
    return [] if run.params["dry_run"] else list(planned.shards)


# shards of different sources run beside each other; a host is leased to one shard at a time, whoever else is running
@task(max_active_tis_per_dagrun=4, execution_timeout=LONG_CRAWL)
def crawl_shard(shard: str) -> dict[str, Any]:
    """Search, read item pages, fetch new images of one shard's products."""
    from lvbag import crawl
    from lvbag.catalog import load_catalog
    from lvbag.settings import config_dir

    run = context.current()
    store, settings = context.open_store(StoreRole.CRAWLER)
    catalog = load_catalog(config_dir())
    again = bool(run.params["again"]) and run.try_number == 1  # a further try goes on with the first one's work
    return context.plain(crawl.crawl_shard(store, settings, catalog, context.one_night(run), shard, again))


@task(
    trigger_rule="all_done",  # a failed shard hurts no other
    on_success_callback=TellNotUnderstood(),
    on_failure_callback=[log_failure, TellNotUnderstood()],
)
def close_night(shards: list[str] | None, results: Any) -> dict[str, Any]:
    """Write what was seen and the night's manifest."""
    from lvbag import crawl

    run = context.current()
    night = context.one_night(run)
    if shards is None:
        raise AirflowFailException(f"night {night} has no plan: task plan failed, see its log")
    if not shards:
        why = "this was a dry run" if run.params["dry_run"] else "every product has crawl.target_images already"
        raise AirflowSkipException(f"nothing was crawled: {why}")
    failed = sorted(set(shards) - {result["shard"] for result in results})
    if len(failed) == len(shards):
        raise AirflowFailException(f"no shard of night {night} succeeded; see the logs of crawl_shard")
    if failed:
        log.warning("night %s is closed without the shards that failed: %s", night, ", ".join(failed))
    store, settings = context.open_store(StoreRole.CRAWLER)
    return context.plain(crawl.close_night(store, settings, night))


@task(outlets=[LISTINGS])
def announce(night: dict[str, Any], *, outlet_events: Any = None) -> None:
    """Send the event that starts curation; when the market is as the last crawl saw it, report that and be skipped."""
    from lvbag import curate

    if not night["changed"]:
        store, settings = context.open_store(StoreRole.CURATOR)
        report = curate.report_night(
            store, settings, parse_night(night["night"])
        )  # curation, which does it, never runs
        log.info("report %s: %s", report.uri, report.funnel)
        raise AirflowSkipException(f"nothing changed in night {night['night']}: no curation, no training")
    counts = {name: night[name] for name in ("listings", "images_new", "images_unchanged", "refused")}
    outlet_events[LISTINGS].extra = {"night": night["night"], "uri": night["uri"], "counts": counts}


lvbag_crawl()
