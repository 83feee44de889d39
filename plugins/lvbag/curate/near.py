"""Near-duplicates: the same photo re-listed, resized, recompressed, watermarked, mirrored or turned.

Looks at each picture that is kept so far, and places it among everything that earlier nights kept
(`duplicates.placing`). What does not decode is refused with the decoder's reason. Crops are compared later, by
`lvbag.curate.crops`, once a detector has cut them.
"""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import asdict

import polars as pl

from lvbag import schemas
from lvbag.curate.duplicates.linking import near_limits, pack
from lvbag.curate.duplicates.placing import Candidate, Placed, place
from lvbag.curate.duplicates.references import read_references
from lvbag.curate.errors import CurateError
from lvbag.curate.looks import Unseen, Wanted, look_at_all
from lvbag.curate.reasons import KEPT, KNOWN, REFUSED, count_kept, count_refused, rule_is
from lvbag.curate.results import StageResult
from lvbag.images import Look
from lvbag.settings import Settings
from lvbag.store import ObjectMissing, Store, keys
from lvbag.store.tables import read_table, write_table

log = logging.getLogger(__name__)


def mark_near(store: Store, settings: Settings, night: dt.date) -> StageResult:
    """Look at what stage `exact` kept and place near-duplicates; writes stage `near`, without what was known already.

    Raises `CurateError` where stage `exact` is missing.
    """
    try:
        exact = read_table(store, keys.stage(night, "exact"), schemas.STAGE_EXACT)
    except ObjectMissing as error:
        raise CurateError(f"night {night}: {error}; mark exact duplicates first") from None
    kept = exact.filter(pl.col("verdict") == KEPT)
    wanted = [Wanted(sha256, keys.raw_image(sha256, form)) for sha256, form in kept.select("sha256", "format").rows()]
    answers = list(look_at_all(store, settings.images, wanted, f"curate.near night={night}"))
    looks = [answer for answer in answers if isinstance(answer, Look)]
    unseen = [answer for answer in answers if isinstance(answer, Unseen)]
    styles = dict(kept.select("sha256", "style_code").iter_rows())
    candidates = [Candidate(one.sha256, styles[one.sha256], one.width * one.height, one.quality.blur) for one in looks]
    references = read_references(store, settings, night, of_crops=False, needed=bool(candidates))
    placed = place(
        candidates,
        pack([one.print for one in looks]),
        references,
        near_limits(settings.curate),
        "near",
    )
    table = stage_table(exact.filter(~rule_is(KNOWN)), looks, placed, unseen)
    ref = keys.stage(night, "near")
    write_table(store, ref, table, schemas.STAGE_NEAR)
    result = StageResult(night, store.uri(ref), table.height, count_kept(table), count_refused(table))
    log.info(
        "curate.near done night=%s rows=%d kept=%d known=%d compared_with=%d refused=%s",
        *(night, result.rows, result.kept, exact.height - table.height, references.rows.height, result.refused),
    )
    return result


# ------------------------------------------------------------------ table


_PLACED = ("cluster", "representative", "distance64", "distance256", "distance_colour", "rule")
_ADDED = pl.Schema({name: kind for name, kind in schemas.STAGE_NEAR.items() if name not in schemas.STAGE_EXACT})


def stage_table(exact: pl.DataFrame, looks: list[Look], placed: list[Placed], unseen: list[Unseen]) -> pl.DataFrame:
    """The rows of stage `exact`, those that were looked at with what was seen; kept pictures stand once, by sha256."""
    rows = [
        {"sha256": one.sha256, **_seen(one), **_place_columns(where), "_reason": where.reason}
        for one, where in zip(looks, placed, strict=True)
    ]
    rows += [{"sha256": one.sha256, "_reason": one.reason} for one in unseen]
    found = pl.DataFrame(rows, schema={"sha256": pl.String(), **_ADDED, "_reason": pl.String()})
    numbered = exact.with_row_index("_row")
    judged = (
        numbered.filter(pl.col("verdict") == KEPT)
        .join(found, on="sha256", how="left")
        .with_columns(
            pl.col("_reason").alias("reason"),
            pl.when(pl.col("_reason").is_null()).then(pl.lit(KEPT)).otherwise(pl.lit(REFUSED)).alias("verdict"),
        )
    )
    others = numbered.filter(pl.col("verdict") != KEPT)
    whole = pl.concat([judged, others], how="diagonal").sort("_row")
    return whole.select(pl.col(name).cast(kind) for name, kind in schemas.STAGE_NEAR.items())


def _seen(one: Look) -> dict[str, int | float | str | bytes]:
    return {
        "width": one.width,
        "height": one.height,
        "phash64": one.print.phash64,
        "phash256": one.print.phash256,
        "flip64": one.print.flip64,
        "flip256": one.print.flip256,
        "thumb": one.print.thumb,
        "fingerprint": one.print.version,
        **asdict(one.quality),
    }


def _place_columns(where: Placed) -> dict[str, int | float | str | None]:
    values = (where.cluster, where.representative, where.distance64, where.distance256, where.colour, where.rule)
    return dict(zip(_PLACED, values, strict=True))
