"""### From raw photos to a dataset

Starts when a crawl announces new listings. Marks exact duplicates, then near-duplicates against every
earlier night, validates the night (Great Expectations), finds the bag in each photo and cuts it out, compares the
cut-outs, and builds an immutable snapshot with a split in which near-duplicates never straddle: `check_snapshot` reads
it back and fails the run if one does. Then an autoencoder looks for photos that are unlike the others of their
product; they go to review.

**When `raise_alarm` fails** a source's night was quarantined: its tables were set aside whole, the other sources went
on, the snapshot stands. The night's report says why; if the source was right after all, change the setting that the
reason names and run the night again.

**What it leaves:** `stages/`, `images/`, `crops/` and `outliers/` in the curated bucket, `<snapshot>/` in the datasets
bucket, and the night's report with its funnel in the reports bucket (`nights/<night>/index.html`). Each photo keeps a
row with the reason why it was kept or refused. A new snapshot sends the asset event *dataset*, which starts
`lvbag_train`; when the same content stands already, `announce` is skipped and nobody trains.

**By hand:** *Trigger* and name a night, or leave it empty for the newest one that was crawled. Running a night again
leaves the same objects. While this DAG is paused Airflow keeps no events for it: the next run that names no night
curates what was crawled meanwhile first, in order. When `catch_up` fails at one of these nights, mend what its log
names and clear it, without `which_nights`, which takes a night that was begun for one that somebody looks after.

**Without a detector champion** photos pass uncropped, and the report says so. Import labels and run
`lvbag_train_detector`, which has these nights cleaned again.
"""

from __future__ import annotations

import logging
from typing import Any

from airflow.sdk import Param, dag, task

from lvbag.nights import parse_night
from lvbag.orchestrate import context
from lvbag.orchestrate.assets import LISTINGS
from lvbag.orchestrate.cleaning import add_cleaning, as_text
from lvbag.orchestrate.defaults import DEFAULT_ARGS, LONG_CLEANING, TAG, log_failure
from lvbag.orchestrate.notifying import Quarantined, TellFailed, TellQuarantined, late_alert
from lvbag.store_roles import StoreRole

log = logging.getLogger(__name__)


@dag(
    dag_id="lvbag_curate",
    description="Removes duplicates and what is no bag, validates, crops, and builds the snapshot.",
    doc_md=__doc__,
    schedule=[LISTINGS],
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    on_failure_callback=TellFailed(),
    deadline=late_alert(),
    tags=[TAG, "nightly"],
    params={
        "night": Param(
            None, type=["null", "string"], format="date", description="YYYY-MM-DD; empty: the newest crawled night."
        ),
    },
)
def lvbag_curate() -> None:
    """Exact, near, validate, clean, snapshot, outliers, report."""

    waiting = which_nights()
    nights = catch_up(waiting)
    snapshots = add_cleaning(validate(mark_near(mark_exact(nights))))
    outliers = find_outliers(nights)
    reports = report_night(nights)
    snapshots >> outliers >> reports >> raise_alarm(waiting)


@task
def which_nights() -> list[str]:
    """Which nights to curate: that of the parameter; else those of the events or the newest, and whatever waits."""
    from lvbag import curate

    run = context.current()
    store, _ = context.open_store(StoreRole.CURATOR)
    nights = context.nights_of(run, LISTINGS.name, context.newest_crawled(store))
    if not run.params["night"]:
        nights = curate.with_waiting(store, nights)
    log.info("nights to curate: %s", ", ".join(as_text(nights)))
    return as_text(nights)


@task(execution_timeout=LONG_CLEANING)
def catch_up(nights: list[str]) -> list[str]:
    """Where several nights wait, curate all but the last one whole, in order: each is compared with those before it."""
    from lvbag import curate

    store, settings = context.open_store(StoreRole.CURATOR)
    for night in nights[:-1]:
        for result in curate.curate_night(store, settings, parse_night(night)):
            log.info("%s: %s", night, result)
    return nights[-1:]


@task
def mark_exact(nights: list[str]) -> list[str]:
    """Photos whose bytes are known already are refused as duplicates."""
    from lvbag import curate

    store, settings = context.open_store(StoreRole.CURATOR)
    for night in nights:
        log.info("exact %s", curate.mark_exact(store, settings, parse_night(night)))
    return nights


@task
def mark_near(nights: list[str]) -> list[str]:
    """The same photo resized, recompressed or watermarked joins its cluster and is refused."""
    from lvbag import curate

    store, settings = context.open_store(StoreRole.CURATOR)
    for night in nights:
        log.info("near %s", curate.mark_near(store, settings, parse_night(night)))
    return nights


@task
def validate(nights: list[str]) -> list[str]:
    """Great Expectations: single bad photos are refused, a source whose night is bad as a whole is quarantined."""
    from lvbag import curate

    store, settings = context.open_store(StoreRole.CURATOR)
    for night in nights:
        result = curate.validate_night(store, settings, parse_night(night))
        log.info("validate %s", result)
        for source, why in result.quarantined.items():
            log.warning("source %s of night %s is quarantined: %s; see %s", source, night, why, result.data_docs)
    return nights


# the snapshot is announced before and besides it: when it fails, the report says so and the night stands
@task(pool="gpu", queue="gpu")
def find_outliers(nights: list[str]) -> list[dict[str, Any]]:
    """Photos that are unlike the others of their product: an autoencoder finds them, people decide about them."""
    from lvbag import learn

    store, settings = context.open_store(StoreRole.TRAINER)
    results = [learn.find_outliers(store, settings, parse_night(night)) for night in nights]
    for result in results:
        log.info("outliers %s", result)
    return context.plain(results)


# also after a failure: then the report shows how far the night has come
@task(trigger_rule="all_done")
def report_night(nights: list[str] | None) -> list[dict[str, Any]]:
    """The night's page and its funnel."""
    from lvbag import curate

    store, settings = context.open_store(StoreRole.CURATOR)
    reports = [curate.report_night(store, settings, parse_night(night)) for night in nights or []]
    for report in reports:
        log.info("report %s: %s", report.uri, report.funnel)
    return context.plain(reports)


# what was set aside keeps nothing else from going on; the run ends as failed all the same, so that somebody looks
@task(trigger_rule="all_done", on_failure_callback=[log_failure, TellQuarantined()])
def raise_alarm(nights: list[str] | None) -> None:
    """Fail when a source was quarantined."""
    from lvbag import curate

    store, _ = context.open_store(StoreRole.CURATOR)
    found = {
        f"night {night}: source {source} was set aside: {why}": night
        for night in nights or []
        for source, why in curate.quarantined_sources(store, parse_night(night)).items()
    }
    if found:
        raise Quarantined(list(found), sorted(set(found.values())))


lvbag_curate()
