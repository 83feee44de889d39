"""Re-cleaning: what an earlier detector decided narrowly is judged again by the one that is in use now.

Rows say which detector decided, and how narrowly (`rule_margin`). A row within `detector.reclean_margin` of a rule's
border, one that nobody judged (`none`), and one of an earlier release that does not say how narrow it was, are judged
and cut anew; all others keep their decision, their crop and the version that made it. So a night that is finished has
nothing left to judge, and running again leaves the same objects.

A night's own table of curation is what is read: its rows are brought back to what cleaning had decided, so that the
crops can be compared again. They are on every later night as well, for each is held against those before it. While
that is under way a note in the store (`keys.recleaning`) says from which night on, so that a run that was killed is
completed by the next one, though some of its nights have nothing left to judge.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Collection, Sequence
from dataclasses import replace

import polars as pl

from lvbag import schemas
from lvbag.curate.clean import Cleaned, Row, cleaned_table, open_cleaner
from lvbag.curate.crops import mark_crops
from lvbag.curate.errors import CurateError
from lvbag.curate.opening import NO_DETECTOR
from lvbag.curate.reasons import KEPT, REFUSED, count_kept, count_refused, rule_is, rule_of
from lvbag.curate.results import RecleanedPart, RecleaningJob, RecleaningPlan, StageResult
from lvbag.curate.rules import RULES
from lvbag.curated import curated_tables
from lvbag.images.fingerprints import VERSION
from lvbag.infer.in_use import detector_in_use
from lvbag.nights import NightError, parse_night
from lvbag.settings import Settings
from lvbag.store import CorruptObject, ObjectMissing, Ref, Store, keys
from lvbag.store.tables import read_columns, read_table, write_table
from lvbag.tombstones import read_tombstones

log = logging.getLogger(__name__)

_BYTES_GONE = ("raw_missing", "raw_changed")
"""Reasons for which an old decision stands: the picture cannot be looked at any more, its crop can."""

_CHOOSING = (
    *("source", "listing_id", "image_url", "sha256", "seller_key"),
    *("reason", "detector", "crop_sha256", "rule_margin"),
)


def plan_recleaning(
    store: Store, settings: Settings, nights: Collection[dt.date] = (), everything: bool = False
) -> RecleaningPlan:
    """What there is to judge again; no job where nothing is.

    `nights` are those to judge, all curated ones by default; `everything` asks for all that another detector decided.
    Nights after the first one with work (or the one at which a killed run began) have jobs as well, to be compared
    again, though nothing of theirs may be judged. Raises `CurateError` where no detector is in use, or a night was
    never curated.
    """
    detector = detector_in_use(store, settings)
    if detector == NO_DETECTOR:
        raise CurateError("no detector is in use to clean with: train one (`lvbag detector train --labels EXPORT`)")
    tables = curated_tables(store)
    if unknown := sorted(set(nights) - set(tables)):
        raise CurateError(f"night {unknown[0]} was never curated; run `lvbag curate run --night {unknown[0]}`")
    jobs: list[RecleaningJob] = []
    begun = _begun(store)
    for night, refs in tables.items():
        found = []
        for ref in refs:
            job = RecleaningJob(night, _part_of(ref), detector, 0, everything)
            if not nights or night in nights:
                rows = read_columns(store, ref, schemas.IMAGES, _CHOOSING)
                job = replace(job, pictures=int(_chosen(store, settings, rows, job).sum()))
            found.append(job)
        if jobs or any(job.pictures for job in found) or (begun is not None and night >= begun):
            jobs += found
    plan = RecleaningPlan(detector, tuple(jobs))
    log.info("curate.reclean planned detector=%s nights=%d pictures=%d", detector, len(plan.nights), plan.pictures)
    return plan


def begin_recleaning(store: Store, plan: RecleaningPlan) -> None:
    """Note that a plan is being carried out; `end_recleaning` removes the note."""
    if plan.jobs:
        store.put_json(keys.recleaning(), {"from": plan.nights[0].isoformat(), "detector": plan.detector})


def end_recleaning(store: Store) -> None:
    """The newest snapshot holds what was cleaned again."""
    store.delete(keys.recleaning())


def reclean_part(store: Store, settings: Settings, job: RecleaningJob) -> RecleanedPart:
    """Judge one part's narrow decisions again; writes their crops and, last, `keys.cleaned(night, part)`.

    Which ones is read off the part's rows, so a job that was done already finds nothing to judge. Raises
    `CurateError`, `RegistryError` and `ModelError` as `clean_part` does.
    """
    images = read_table(store, keys.curated_images(job.night, job.part), schemas.IMAGES)
    before = table = as_cleaned(images)
    count = 0
    if job.pictures:
        chosen = _chosen(store, settings, images, job)
        count = int(chosen.sum())
        table = _judge_again(store, settings, before, chosen, job.detector) if count else before
    write_table(store, keys.cleaned(job.night, job.part), table, schemas.CLEANED)
    changed = int((table["verdict"] != before["verdict"]).sum())
    log.info(
        "curate.reclean done night=%s part=%d detector=%s judged=%d changed=%d",
        *(job.night, job.part, job.detector, count, changed),
    )
    return RecleanedPart(job.night, job.part, count, changed, count_kept(table), count_refused(table))


def compare_again(store: Store, settings: Settings, night: dt.date, parts: Sequence[int]) -> StageResult:
    """Compare the crops of a re-cleaned night with those of the nights before; writes the night's images.

    Fingerprints that were kept of crops after an upgrade may be those of crops that are gone: they are taken anew.
    """
    store.delete(keys.refreshed(f"{VERSION}-crops", night))
    return mark_crops(store, settings, night, parts)


def as_cleaned(images: pl.DataFrame) -> pl.DataFrame:
    """A night's images as cleaning had left them: a crop was cut of whatever it kept. Fits `schemas.CLEANED`."""
    kept = pl.col("crop_sha256").is_not_null()
    return images.select(list(schemas.CLEANED)).with_columns(
        pl.when(kept).then(pl.lit(KEPT)).otherwise(pl.lit(REFUSED)).alias("verdict"),
        pl.when(kept).then(None).otherwise("reason").alias("reason"),
    )


def narrow(margin: float) -> pl.Expr:
    """Rows that a rule decided within this share of its border, or of which nobody knows how narrow it was."""
    return pl.col("rule_margin").is_null() | (pl.col("rule_margin").abs() <= margin)


# ------------------------------------------------------------------ helpers


def _begun(store: Store) -> dt.date | None:
    """The night at which a run began that has not ended."""
    try:
        return parse_night(str(store.get_json(keys.recleaning())["from"]))
    except ObjectMissing:
        return None
    except (TypeError, KeyError, NightError):
        uri = store.uri(keys.recleaning())
        raise CorruptObject(f"{uri} does not say from which night on; remove it and clean again with --all") from None


def _chosen(store: Store, settings: Settings, rows: pl.DataFrame, job: RecleaningJob) -> pl.Series:
    """Which rows of a night's images are judged again: cleaning decided them by another detector, and narrowly."""
    by_cleaning = pl.col("crop_sha256").is_not_null() | rule_is(*(rule.name for rule in RULES))
    wanted = by_cleaning & (pl.col("detector") != job.detector)
    if not job.everything:
        wanted &= narrow(settings.detector.reclean_margin)
    return rows.select(wanted.fill_null(value=False).alias("chosen"))["chosen"] & ~read_tombstones(store).strikes(rows)


def _judge_again(
    store: Store, settings: Settings, before: pl.DataFrame, chosen: pl.Series, detector: str
) -> pl.DataFrame:
    """The table with new decisions for the chosen rows; one whose picture is gone keeps the old one."""
    numbered = before.with_row_index("_row")
    todo = numbered.filter(chosen).with_columns(pl.lit(KEPT).alias("verdict"))
    rows = [Row(*values) for values in todo.select("sha256", "format", "width", "height").iter_rows()]
    answers = [answer for some in open_cleaner(store, settings, detector).clean(rows) for answer in some]
    looked = pl.Series([not _is_gone(answer) for answer in answers], dtype=pl.Boolean)
    if not looked.all():
        log.warning(
            "curate.reclean keeps old decisions images=%s why=their bytes are gone, see `lvbag verify`",
            todo.filter(~looked)["sha256"].to_list(),
        )
    seen = [answer for answer in answers if not _is_gone(answer)]
    fresh = cleaned_table(todo.filter(looked), seen, detector)
    rest = numbered.filter(~pl.col("_row").is_in(fresh["_row"].implode()))
    return pl.concat([rest, fresh]).sort("_row").drop("_row")


def _is_gone(answer: Cleaned) -> bool:
    return answer.reason is not None and rule_of(answer.reason) in _BYTES_GONE


def _part_of(ref: Ref) -> int:
    """The number in `…/part-0003.parquet`."""
    return int(ref.key.rsplit("part-", 1)[1].removesuffix(".parquet"))
