"""Near-duplicates: the same photo re-listed, resized, recompressed or watermarked.

Decodes each picture that is kept so far, fingerprints and measures it, and links it to the representative of its
cluster among all nights. One picture of a cluster is kept; a cluster of which nothing was kept so far (its first
picture was cut off, or blurred) takes the next one. What does not decode is refused with the decoder's reason.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

import polars as pl

from lvbag import schemas
from lvbag.curate.errors import CurateError
from lvbag.curate.history import read_earlier
from lvbag.curate.linking import Limits, Link, link, near_limits, pack
from lvbag.curate.reasons import KEPT, REFUSED, count_kept, count_refused, looked_at
from lvbag.curate.results import StageResult
from lvbag.images import Fingerprint, ImageRefused, Quality, decode, fingerprint, quality
from lvbag.images.fingerprints import VERSION
from lvbag.settings import ImageSettings, Settings
from lvbag.store import ObjectMissing, Store, keys
from lvbag.store.tables import read_table, write_table

log = logging.getLogger(__name__)

_WORKERS = 2
"""Threads that fetch and decode: PIL releases the interpreter's lock, and a task should leave other cores free."""

_CHUNK = 256
"""Pictures handed to the threads at a time; also how often progress is logged at most."""

_EARLIER = [
    "sha256",
    "style_code",
    "verdict",
    "phash64",
    "phash256",
    "thumb",
    "fingerprint",
    "cluster",
    "representative",
]


@dataclass(frozen=True)
class Seen:
    """What a picture shows: its size in pixels after EXIF orientation, fingerprint and quality."""

    sha256: str
    width: int
    height: int
    print: Fingerprint
    quality: Quality


@dataclass(frozen=True)
class Unseen:
    """A picture that could not be looked at, and why."""

    sha256: str
    reason: str


@dataclass(frozen=True)
class Candidate:
    """A decoded picture of this night: what linking decides on."""

    sha256: str
    style_code: str
    pixels: int
    print: Fingerprint


def mark_near(store: Store, settings: Settings, night: dt.date) -> StageResult:
    """Decode, fingerprint and measure what stage `exact` kept, link near-duplicates; writes stage `near`.

    Raises `CurateError` where stage `exact` is missing.
    """
    try:
        exact = read_table(store, keys.stage(night, "exact"), schemas.STAGE_EXACT)
    except ObjectMissing as error:
        raise CurateError(f"night {night}: {error}; mark exact duplicates first") from None
    kept = exact.filter(pl.col("verdict") == KEPT)
    looks = list(_look_at_all(store, settings.images, kept))
    styles = dict(kept.select("sha256", "style_code").iter_rows())
    candidates = [
        Candidate(look.sha256, styles[look.sha256], look.width * look.height, look.print)
        for look in looks
        if isinstance(look, Seen)
    ]
    earlier = _representatives(_read_fingerprints(store, night) if candidates else _no_fingerprints())
    links = link_night(candidates, earlier, near_limits(settings.curate))
    table = _table(exact, looks, links)
    ref = keys.stage(night, "near")
    write_table(store, ref, table, schemas.STAGE_NEAR)
    result = StageResult(night, store.uri(ref), table.height, count_kept(table), count_refused(table))
    log.info("curate.near done night=%s rows=%d kept=%d refused=%s", night, result.rows, result.kept, result.refused)
    return result


def link_night(candidates: list[Candidate], earlier: pl.DataFrame, limits: Limits) -> pl.DataFrame:
    """Cluster, representative, distances and refusal of each candidate; a pure function.

    `earlier` holds the representatives of earlier nights: sha256, style_code, phash64, phash256, thumb, cluster and
    `taken` (whether a picture of the cluster was kept). The larger picture represents; of equals the lower sha256.
    """
    ordered = sorted(candidates, key=lambda candidate: (-candidate.pixels, candidate.sha256))
    links = link(
        pack(
            [candidate.print.phash64 for candidate in ordered],
            [candidate.print.phash256 for candidate in ordered],
            [candidate.print.thumb for candidate in ordered],
        ),
        pack(earlier["phash64"].to_list(), earlier["phash256"].to_list(), earlier["thumb"].to_list()),
        limits,
    )
    names = earlier["sha256"].to_list() + [candidate.sha256 for candidate in ordered]
    styles = earlier["style_code"].to_list() + [candidate.style_code for candidate in ordered]
    clusters = dict(earlier.select("sha256", "cluster").iter_rows())
    taken = set(earlier.filter(pl.col("taken"))["cluster"])
    rows = []
    for candidate, found in zip(ordered, links, strict=True):
        representative = names[found.representative]
        cluster = clusters.setdefault(representative, representative)
        reason = _near_reason(candidate, representative, styles[found.representative], found, cluster in taken)
        if reason is None:
            taken.add(cluster)
        rows.append(
            (candidate.sha256, cluster, representative, found.distance64, found.distance256, found.colour, reason)
        )
    return pl.DataFrame(rows, schema=_LINKS, orient="row")


def _near_reason(candidate: Candidate, name: str, style_code: str, found: Link, taken: bool) -> str | None:
    """Why a picture is refused that is linked to the picture `name` of a product `style_code`."""
    if name == candidate.sha256:
        return None
    if style_code != candidate.style_code:
        return f"label_conflict: near {name} which is {style_code}, here {candidate.style_code}"
    if taken:
        return f"duplicate_near: of {name} at {found.distance64}/{found.distance256}/{found.colour:.1f}"
    return None


# ------------------------------------------------------------------ pictures


def _look_at_all(store: Store, limits: ImageSettings, pictures: pl.DataFrame) -> Iterator[Seen | Unseen]:
    """Fetch and decode in a few threads, never more than a chunk ahead."""
    names = pictures.select("sha256", "format").rows()
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="decode") as pool:
        for start in range(0, len(names), _CHUNK):
            chunk = names[start : start + _CHUNK]
            yield from pool.map(lambda name: _look_at(store, limits, *name), chunk)
            done = start + len(chunk)
            log.info("curate.near decoded=%d of=%d share=%d%%", done, len(names), 100 * done // len(names))


def _look_at(store: Store, limits: ImageSettings, sha256: str, extension: str) -> Seen | Unseen:
    ref = keys.raw_image(sha256, extension)
    try:
        data = store.get(ref)
    except ObjectMissing:
        return Unseen(sha256, f"raw_missing: {store.uri(ref)}")
    if hashlib.sha256(data).hexdigest() != sha256:
        return Unseen(sha256, f"raw_corrupt: {store.uri(ref)} has other bytes than its name says")
    try:
        image = decode(data, limits)
    except ImageRefused as refusal:
        return Unseen(sha256, refusal.reason)
    return Seen(sha256, image.width, image.height, fingerprint(image), quality(image))


# ------------------------------------------------------------------ tables


def _no_fingerprints() -> pl.DataFrame:
    return schemas.IMAGES.to_frame().select(_EARLIER)


def _read_fingerprints(store: Store, night: dt.date) -> pl.DataFrame:
    """The fingerprints of earlier nights that can be compared with today's."""
    found = read_earlier(store, night, _EARLIER, pl.col("fingerprint").is_not_null() & looked_at())
    comparable = found.filter(pl.col("fingerprint") == VERSION)
    if comparable.height < found.height:
        log.warning(
            "curate.near fingerprints of another version are not compared night=%s rows=%d version=%s",
            *(night, found.height - comparable.height, VERSION),
        )
    return comparable


def _representatives(fingerprints: pl.DataFrame) -> pl.DataFrame:
    """What `link_night` calls `earlier`: every cluster's representatives, and whether a picture of it was kept."""
    taken = fingerprints.filter(pl.col("verdict") == KEPT)["cluster"].unique()
    return (
        fingerprints.filter(pl.col("representative") == pl.col("sha256"))
        .unique("sha256", keep="first", maintain_order=True)
        .select("sha256", "style_code", "phash64", "phash256", "thumb", "cluster")
        .with_columns(pl.col("cluster").is_in(taken.implode()).alias("taken"))
    )


_LINKS = {
    **{name: schemas.STAGE_NEAR[name] for name in ("sha256", "cluster", "representative")},
    **{name: schemas.STAGE_NEAR[name] for name in ("distance64", "distance256", "distance_colour")},
    "link_reason": pl.String(),
}


def _table(exact: pl.DataFrame, looks: list[Seen | Unseen], links: pl.DataFrame) -> pl.DataFrame:
    """The rows of stage `exact`, those that were looked at with what was seen; kept pictures stand once, by sha256."""
    columns = {name: kind for name, kind in schemas.STAGE_NEAR.items() if name not in schemas.STAGE_EXACT}
    measured = {"sha256": pl.String(), **{name: kind for name, kind in columns.items() if name not in _LINKS}}
    seen = pl.DataFrame([_row(look) for look in looks if isinstance(look, Seen)], schema=measured)
    unseen = pl.DataFrame(
        [(look.sha256, look.reason) for look in looks if isinstance(look, Unseen)],
        schema={"sha256": pl.String(), "look_reason": pl.String()},
        orient="row",
    )
    kept = exact.with_row_index("row").filter(pl.col("verdict") == KEPT)
    for found in (seen, unseen, links):
        kept = kept.join(found, on="sha256", how="left")
    judged = kept.with_columns(pl.coalesce("look_reason", "link_reason").alias("reason")).with_columns(
        pl.when(pl.col("reason").is_null()).then(pl.lit(KEPT)).otherwise(pl.lit(REFUSED)).alias("verdict")
    )
    others = exact.with_row_index("row").filter(pl.col("verdict") != KEPT)
    whole = pl.concat([judged, others], how="diagonal").sort("row")
    return whole.select(pl.col(name).cast(kind) for name, kind in schemas.STAGE_NEAR.items())


def _row(look: Seen) -> dict[str, int | float | str | bytes]:
    return {
        "sha256": look.sha256,
        "width": look.width,
        "height": look.height,
        "phash64": look.print.phash64,
        "phash256": look.print.phash256,
        "thumb": look.print.thumb,
        "fingerprint": look.print.version,
        **asdict(look.quality),
    }
