"""The night's report: `index.html` for people and `funnel.json` for machines, in the reports bucket.

It can be written at any time, also of a night that failed half-way: it shows how far the night has come.
"""

from __future__ import annotations

import datetime as dt
import io
import logging
import os.path
from collections.abc import Mapping
from typing import Any

import polars as pl
from PIL import Image

from lvbag.curate.errors import CurateError
from lvbag.curate.reasons import REFUSED, count_kept, rule_of
from lvbag.curate.reports.funnel import STEPS, CrawlNotes, NightTables, count_funnel, read_night
from lvbag.curate.reports.outlier_maps import Outliers, night_outliers
from lvbag.curate.reports.page import Example, NightPage, ProductLine, Refusal, render
from lvbag.curate.results import ReportResult
from lvbag.curate.rules import why_refused
from lvbag.curate.snapshots.splits import SPLITS
from lvbag.curate.validation.expectations import expectations
from lvbag.images import ImageRefused, decode
from lvbag.settings import ImageSettings, Settings
from lvbag.store import CorruptObject, ObjectMissing, Store, keys

log = logging.getLogger(__name__)

NO_DETECTOR_NOTE = "no detector champion: images passed uncropped"

_EXAMPLES = 8
_THUMB_PX = 104
_WITHOUT_EXAMPLES = ("known",)
"""Rules of which a picture says nothing: the same pictures as last night."""


def report_night(store: Store, settings: Settings, night: dt.date) -> ReportResult:
    """Write the night's page and funnel from what its steps left; the same objects when it runs twice."""
    tables = read_night(store, night)
    funnel = count_funnel(tables)
    outliers = night_outliers(store, settings, night)
    page = NightPage(
        night=night.isoformat(),
        notes=(
            *_notes(tables, {one.name: one.why for one in expectations(settings, ())}),
            *_outlier_notes(tables, settings, outliers),
        ),
        snapshot=tables.snapshot,
        data_docs=_data_docs_address(store, night),
        funnel=funnel,
        # also what was too small is shown
        refusals=_refusals(store, settings.images.model_copy(update={"min_side_px": 1}), tables),
        products=product_lines(tables),
        outliers=outliers,
    )
    ref = keys.night_report(night)
    store.put(ref, render(page).encode(), "text/html; charset=utf-8")
    steps = [{"step": name, "count": count} for name, count in funnel.items()]
    value = {"night": page.night, "snapshot": page.snapshot, "notes": list(page.notes), "steps": steps}
    store.put_json(keys.night_report(night, "funnel.json"), value)
    log.info("curate.report done night=%s uri=%s steps=%d", night, store.uri(ref), len(funnel))
    return ReportResult(night, store.uri(ref), funnel)


def load_funnel(store: Store, night: dt.date) -> dict[str, int]:
    """The funnel of a reported night: counts by step, in order; raises `CurateError` where there is no report."""
    ref = keys.night_report(night, "funnel.json")
    try:
        value = store.get_json(ref)
    except ObjectMissing:
        raise CurateError(f"night {night} has no report ({store.uri(ref)}); curate this night first") from None
    try:
        return {str(step["step"]): int(step["count"]) for step in value["steps"]}
    except (TypeError, KeyError, ValueError):
        raise CorruptObject(f"{store.uri(ref)} is no funnel; write the report of this night again") from None


def product_lines(tables: NightTables) -> tuple[ProductLine, ...]:
    """The snapshot's products, by style code."""
    counts = tables.manifest.group_by("style_code").agg(
        *((pl.col("split") == split).sum().alias(split) for split in SPLITS),
        (pl.col("night") == tables.night).sum().alias("new"),
    )
    return tuple(ProductLine(**row) for row in counts.sort("style_code").iter_rows(named=True))


# ------------------------------------------------------------------ helpers


def _notes(tables: NightTables, why: Mapping[str, str]) -> tuple[str, ...]:
    """What a reader is told first; `why` says of each expectation what a failure means."""
    notes = _crawl_notes(tables.crawl)
    if not tables.fetches.height:
        notes.append("The crawl of this night fetched no picture.")
    if not tables.steps and tables.snapshot is None:
        quiet = count_kept(tables.fetches) == 0
        notes.append("Nothing changed, so there was nothing to curate." if quiet else "Not curated yet.")
        return tuple(notes)
    notes += _step_notes(tables)
    notes += [
        f"Source {name} was set aside whole: {why}. Its tables are kept under quarantine/ in the curated bucket."
        for name, why in tables.quarantined.items()
    ]
    notes += [
        f"Worth a look: {remark}: {why.get(remark.split(':')[0], 'see the data docs')}." for remark in tables.remarks
    ]
    if "none" in tables.detectors:
        notes.append(NO_DETECTOR_NOTE)
    elif tables.detectors:
        notes.append(f"Cropped by detector {', '.join(tables.detectors)}.")
    if tables.snapshot is None:
        notes.append("No snapshot stands after this night.")
    return tuple(notes)


def _outlier_notes(tables: NightTables, settings: Settings, outliers: Outliers | None) -> list[str]:
    """That nobody looked for outliers: their training failed, or the night was curated without it."""
    if not settings.outliers.enabled or outliers is not None or "crops" not in tables.steps:
        return []
    return [
        "Nobody looked for pictures that are unlike the others of their product: the task find_outliers did not run or "
        f"failed, and its log says why. `lvbag curate outliers --night {tables.night}` makes up for it."
    ]


def _step_notes(tables: NightTables) -> list[str]:
    """Steps that are not done, and such whose tables were removed once the night was finished."""
    missing = [title for name, title in STEPS.items() if name not in tables.steps]
    if not missing:
        return []
    if {"validate", "clean", "crops"} <= set(tables.steps):  # written again long after, from the validated table on
        return [f"The tables of {' and '.join(missing)} were collected: what they refused is counted under validation."]
    return [f"Not done: {', '.join(missing)}."]


def _crawl_notes(crawl: CrawlNotes) -> list[str]:
    """What somebody has to look at: the crawl did not understand, was sent away, or lost a shard."""
    notes = [f"Shard {shard} failed: {why}." for shard, why in sorted(crawl.failed_shards.items())]
    if crawl.missing_shards:
        notes.append(f"{', '.join(crawl.missing_shards)} did not end: see the logs; what was fetched before counts.")
    notes += [f"{host} was left alone for the night: {why}." for host, why in sorted(crawl.hosts_given_up.items())]
    if crawl.pages_failed:
        notes.append(
            f"{crawl.pages_failed} of {crawl.pages_read} pages of results could not be read or were not understood; "
            "their reasons are below (search_failed), the pages themselves under pages/ in the raw bucket."
        )
    return notes


def _data_docs_address(store: Store, night: dt.date) -> str | None:
    """Relative to the page, so that it leads there under any host name."""
    docs = keys.data_doc(night, "index.html")
    if not store.exists(docs):
        return None
    return os.path.relpath(docs.key, os.path.dirname(keys.night_report(night).key))  # noqa: PTH120 keys are no paths


def _refusals(store: Store, limits: ImageSettings, tables: NightTables) -> tuple[Refusal, ...]:
    """The crawl's and every step's refusals by rule, in the order of the steps, the largest first."""
    found = [*_crawl_refusals(tables)]
    before = pl.DataFrame(schema={"source": pl.String(), "listing_id": pl.String(), "position": pl.Int32()})
    for step, title in STEPS.items():
        if step not in tables.steps:
            continue
        refused = tables.steps[step].filter(pl.col("verdict") == REFUSED)
        own = refused.join(before, on=before.columns, how="anti", maintain_order="left")
        before = refused.select(before.columns)
        for rule, rows in _by_rule(own):
            shown = 0 if rule in _WITHOUT_EXAMPLES else _EXAMPLES
            examples = tuple(_example(store, limits, row) for row in rows.head(shown).iter_rows(named=True))
            why = why_refused().get(rule, "") if step == "clean" else ""
            found.append(Refusal(f"{title}: {rule}", rows.height, examples, why))
    return tuple(found)


def _crawl_refusals(tables: NightTables) -> list[Refusal]:
    """Listings and fetches that the crawl refused; nothing was stored of them, so their reasons stand alone."""
    found = []
    for title, table, address in (("listing", tables.listings, "url"), ("fetch", tables.fetches, "image_url")):
        for rule, rows in _by_rule(table.filter(pl.col("verdict") == REFUSED)):
            examples = tuple(
                Example(place, reason, None) for place, reason in rows.select(address, "reason").head(3).iter_rows()
            )
            found.append(Refusal(f"crawl, {title}: {rule}", rows.height, examples))
    return found


def _by_rule(refused: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    rules: dict[str, list[int]] = {}
    for row, reason in enumerate(refused["reason"]):
        rules.setdefault(rule_of(reason), []).append(row)
    ordered = sorted(rules.items(), key=lambda item: (-len(item[1]), item[0]))
    return [(rule, refused[rows]) for rule, rows in ordered]


def _example(store: Store, limits: ImageSettings, row: dict[str, Any]) -> Example:
    listing = f"{row['source']}/{row['listing_id']}"
    if row["format"] is None:
        return Example(listing, row["reason"], None)
    try:
        image = decode(store.get(keys.raw_image(row["sha256"], row["format"])), limits)
    except (ObjectMissing, ImageRefused):
        return Example(listing, row["reason"], None)
    image.thumbnail((_THUMB_PX, _THUMB_PX), Image.Resampling.BILINEAR)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=72)
    return Example(listing, row["reason"], buffer.getvalue())
