"""Cleaning: find the bag in each picture that is still kept, refuse what shows none, and store the crop.

The pictures of a night are cleaned in parts, one mapped task each. A part's rows, its crops, their bytes and
fingerprints follow from stage `validate`, the settings, the detector version and what people decided (`lvbag.review`)
alone, so that a part can run again at any time. Crops are compared with one another by the next step
(`lvbag.curate.crops`). Without a detector champion a file takes its place, or every picture passes uncropped and says
`none` in the column `detector` (setting `detector.bootstrap`).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import logging
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import polars as pl
from PIL import Image

from lvbag import schemas
from lvbag.curate.errors import CurateError
from lvbag.curate.looks import print_of_crop
from lvbag.curate.opening import open_version
from lvbag.curate.reasons import KEPT, REFUSED, count_kept, count_refused
from lvbag.curate.results import CleaningPlan, StageResult
from lvbag.curate.rules import judge, text_beside
from lvbag.images import ImageRefused, decode
from lvbag.infer.bag_names import for_classes
from lvbag.infer.cropping import crop_box, shrink
from lvbag.infer.in_use import detector_in_use
from lvbag.review import Decided, Verdict, overruled, read_decided
from lvbag.settings import Settings
from lvbag.store import Bucket, ObjectMissing, Store, keys
from lvbag.store.tables import read_table, write_table

if TYPE_CHECKING:
    from lvbag.images import Fingerprint
    from lvbag.infer import Detection, Detector

log = logging.getLogger(__name__)

CHUNK_IMAGES = 16
CHUNK_PIXELS = 45_000_000
"""Decoded pictures of a chunk, by number and by size (135 MB in RGB). Two chunks are held at once, one being read while
the other goes through the network and is cut: memory stays flat in long parts."""

WORKERS = 2
"""Threads that read, decode, cut and store while the network runs; they work outside of Python for the most part."""

JPEG_QUALITY = 92

LARGER_THAN_CROP = 1.5
"""Times the side of a crop that the longer side of a JPEG keeps when it is decoded: a bag of two thirds of it needs no
more, and of a smaller one the picture is decoded again."""


@dataclass(frozen=True)
class Row:
    """What cleaning needs of a kept row."""

    sha256: str
    format: str
    width: int
    height: int


@dataclass(frozen=True)
class Crop:
    """A stored crop: the digest of its bytes, its size in pixels, what it looks like."""

    sha256: str
    width: int
    height: int
    print: Fingerprint


@dataclass(frozen=True)
class Cleaned:
    """What was decided about a picture: kept with its crop, or refused with a reason; `best` is the bag, if any.

    `rule` and `margin`: which rule was nearest to deciding otherwise, and how near (`lvbag.curate.margins`).
    """

    reason: str | None
    best: Detection | None
    crop: Crop | None
    rule: str | None = None
    margin: float | None = None


def plan_cleaning(store: Store, settings: Settings, night: dt.date) -> CleaningPlan:
    """The parts to clean and the detector in use to clean with; part 0 always exists and carries what was refused.

    Tables of an earlier plan that had more parts are removed. Raises `CurateError` where stage `validate` is missing,
    and `ModelError` where `detector.bootstrap` names a file that is missing or was changed.
    """
    stage = _read_stage(store, night)
    detector = detector_in_use(store, settings)
    parts = tuple(range(_part_count(stage, settings)))
    wanted = {keys.cleaned(night, part) for part in parts}
    for item in list(store.list_objects(Bucket.CURATED, keys.cleaned_prefix(night))):
        if item.ref not in wanted:
            store.delete(item.ref)
    log.info("curate.clean planned night=%s detector=%s parts=%d", night, detector, len(parts))
    return CleaningPlan(night=night, detector=detector, parts=parts)


def clean_part(store: Store, settings: Settings, night: dt.date, part: int, detector: str) -> StageResult:
    """Detect and crop one part; writes the crops and, last, `keys.cleaned(night, part)`.

    `detector` is a version such as `0003`, `file-…`, or `none`. A picture whose bytes are gone or no longer decode is
    refused; the others are cleaned. Raises `CurateError` (no such part, no such detector) and `RegistryError`.
    """
    stage = _read_stage(store, night)
    rows = _part_rows(stage, settings, night, part)
    cleaner = open_cleaner(store, settings, detector)
    kept = rows.filter(pl.col("verdict") == KEPT).select("sha256", "format", "width", "height")
    todo = [Row(*values) for values in kept.iter_rows()]
    cleaned: list[Cleaned] = []
    for some in cleaner.clean(todo):
        cleaned += some
        _log_progress(night, part, len(cleaned) - len(some), len(cleaned), len(todo))
    table = cleaned_table(rows, cleaned, detector)
    ref = keys.cleaned(night, part)
    write_table(store, ref, table, schemas.CLEANED)
    result = StageResult(night, store.uri(ref), table.height, count_kept(table), count_refused(table))
    log.info(
        "curate.clean done night=%s part=%d detector=%s rows=%d kept=%d refused=%s",
        *(night, part, detector, result.rows, result.kept, result.refused),
    )
    return result


def chunks(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """The rows in order, in chunks of at most `CHUNK_IMAGES` pictures and `CHUNK_PIXELS` pixels (or one picture)."""
    chunk: list[Row] = []
    pixels = 0
    for row in rows:
        size = row.width * row.height
        if chunk and (len(chunk) == CHUNK_IMAGES or pixels + size > CHUNK_PIXELS):
            yield chunk
            chunk, pixels = [], 0
        chunk.append(row)
        pixels += size
    if chunk:
        yield chunk


# ------------------------------------------------------------------ parts


def _read_stage(store: Store, night: dt.date) -> pl.DataFrame:
    try:
        return read_table(store, keys.stage(night, "validate"), schemas.STAGE_VALIDATE)
    except ObjectMissing as error:
        raise CurateError(f"night {night} cannot be cleaned: {error}; run `validate` of this night first") from error


def _part_count(stage: pl.DataFrame, settings: Settings) -> int:
    return max(1, math.ceil(count_kept(stage) / settings.curate.images_per_shard))


def _part_rows(stage: pl.DataFrame, settings: Settings, night: dt.date, part: int) -> pl.DataFrame:
    """The part's share of the kept rows in the stage's order; part 0 carries the refused ones as well."""
    count = _part_count(stage, settings)
    if not 0 <= part < count:
        raise CurateError(f"night {night} has the parts 0 to {count - 1}, and no part {part}; plan the cleaning again")
    size = settings.curate.images_per_shard
    is_kept = pl.col("verdict") == KEPT
    place = is_kept.cum_sum() - 1
    in_part = is_kept & place.is_between(part * size, (part + 1) * size - 1)
    return stage.filter(in_part | (~is_kept & pl.lit(part == 0)))


# ------------------------------------------------------------------ pictures


def open_cleaner(store: Store, settings: Settings, detector: str) -> Cleaner:
    """What a part is cleaned with; raises as `lvbag.curate.opening.open_version` does."""
    model = open_version(store, settings, detector)
    if model is not None:
        settings = settings.model_copy(update={"detector": for_classes(settings.detector, model.classes)})
    return Cleaner(store, settings, detector, model, read_decided(store))


@dataclass(frozen=True)
class Cleaner:
    """What every picture of a part is cleaned with; `model` is None where the detector is `none`."""

    store: Store
    settings: Settings
    detector: str
    model: Detector | None
    decisions: Decided

    def clean(self, rows: Sequence[Row]) -> Iterator[list[Cleaned]]:
        """One answer a row, in their order, a chunk at a time; crops are stored on the way.

        While the network looks at one chunk the next is read and decoded, and the one before is cut and stored.
        """
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="clean") as pool:
            cutting: list[Future[Cleaned]] = []
            todo = chunks(rows)
            chunk = next(todo, [])
            least_px = self._least_px()
            loading = [pool.submit(self._load, row, least_px) for row in chunk]
            try:
                while chunk:
                    loaded = [one.result() for one in loading]
                    if cutting:
                        yield [one.result() for one in cutting]
                        cutting = []  # its pictures are let go of before the next ones are read
                    following = next(todo, [])
                    loading = [pool.submit(self._load, row, least_px) for row in following]
                    found = self._detect(loaded)
                    cutting = [pool.submit(self._finish, *one) for one in zip(chunk, loaded, found, strict=True)]
                    del loaded
                    chunk = following
                if cutting:
                    yield [one.result() for one in cutting]
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _detect(self, loaded: Sequence[Image.Image | str]) -> list[list[Detection]]:
        """The boxes of each picture; none for what did not load, and without a detector."""
        images = [image for image in loaded if isinstance(image, Image.Image)]
        boxes = iter(self.model.detect(images) if self.model is not None else [[]] * len(images))
        return [next(boxes) if isinstance(image, Image.Image) else [] for image in loaded]

    def _finish(self, row: Row, image: Image.Image | str, found: Sequence[Detection]) -> Cleaned:
        """Judge a picture, and store its crop."""
        if isinstance(image, str):
            return Cleaned(image, None, None)
        if self.model is None:
            return Cleaned(None, None, self._store_crop(row, shrink(image, self.settings.curate.crop_side_px)))
        return self._judge(row, image, found)

    def _least_px(self) -> int:
        """What the longer side of a picture has to keep: for the network, and for a crop of most of the picture."""
        side_px = 0 if self.model is None else self.model.side_px
        return max(side_px, math.ceil(LARGER_THAN_CROP * self.settings.curate.crop_side_px))

    def _load(self, row: Row, least_px: int | None = None) -> Image.Image | str:
        """The picture, or the reason why there is none any more; with `least_px` smaller, see `lvbag.images.decode`."""
        ref = keys.raw_image(row.sha256, row.format)
        try:
            data = self.store.get(ref)
        except ObjectMissing:
            return f"raw_missing: {ref.key}"
        if hashlib.sha256(data).hexdigest() != row.sha256:
            return f"raw_changed: {ref.key}"
        try:
            return decode(data, self.settings.images, least_px)
        except ImageRefused as error:
            return error.reason

    def _judge(self, row: Row, image: Image.Image, found: Sequence[Detection]) -> Cleaned:
        verdict = judge(found, self.settings.curate, self.settings.detector, text_beside(image))
        if verdict.best is not None and overruled(self.decisions, row.sha256) is Verdict.KEEP:
            verdict = replace(verdict, reason=None)  # a person looked at it; without a box there is nothing to cut out
        if verdict.best is None or verdict.reason is not None:
            return Cleaned(verdict.reason, verdict.best, None, verdict.rule, verdict.margin)
        best = verdict.best
        curate = self.settings.curate
        box = (best.x0, best.y0, best.x1, best.y1)
        crop = crop_box(image, box, curate.crop_margin, curate.crop_side_px)
        if max(crop.size) < curate.crop_side_px and max(image.size) < max(row.width, row.height):
            whole = self._load(row)  # a small bag on a large picture, which was decoded smaller
            if isinstance(whole, str):
                return Cleaned(whole, best, None)
            crop = crop_box(whole, box, curate.crop_margin, curate.crop_side_px)
        return Cleaned(None, best, self._store_crop(row, crop), verdict.rule, verdict.margin)

    def _store_crop(self, row: Row, crop: Image.Image) -> Crop:
        data = jpeg_bytes(crop)
        digest = hashlib.sha256(data).hexdigest()
        self.store.put(keys.crop(self.detector, row.sha256), data, "image/jpeg", sha256=digest)
        return Crop(digest, crop.width, crop.height, print_of_crop(data, self.settings.images))


def jpeg_bytes(image: Image.Image) -> bytes:
    """An RGB picture as JPEG; equal pixels give equal bytes."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling="4:2:0")
    return buffer.getvalue()


# ------------------------------------------------------------------ table


def cleaned_table(rows: pl.DataFrame, cleaned: Sequence[Cleaned], detector: str) -> pl.DataFrame:
    """A part's rows: what was decided beside the kept rows, nulls beside those that were refused before."""
    answers = iter(cleaned)
    nothing = Cleaned(None, None, None)
    was_kept = (rows["verdict"] == KEPT).to_list()
    by_row = [next(answers) if kept else nothing for kept in was_kept]
    reasons = [one.reason if kept else old for one, kept, old in zip(by_row, was_kept, rows["reason"], strict=True)]
    passed = [kept and one.reason is None for one, kept in zip(by_row, was_kept, strict=True)]
    crops = [one.crop for one in by_row]
    prints = [None if crop is None else crop.print for crop in crops]
    bests = [one.best for one in by_row]
    columns: dict[str, list[Any]] = {
        "verdict": [KEPT if one else REFUSED for one in passed],
        "reason": reasons,
        "detector": [detector] * rows.height,
        "box": [None if best is None else [best.x0, best.y0, best.x1, best.y1] for best in bests],
        "box_confidence": [None if best is None else best.confidence for best in bests],
        "crop_sha256": [None if crop is None else crop.sha256 for crop in crops],
        "crop_width": [None if crop is None else crop.width for crop in crops],
        "crop_height": [None if crop is None else crop.height for crop in crops],
        "crop_phash64": [None if seen is None else seen.phash64 for seen in prints],
        "crop_phash256": [None if seen is None else seen.phash256 for seen in prints],
        "crop_flip64": [None if seen is None else seen.flip64 for seen in prints],
        "crop_flip256": [None if seen is None else seen.flip256 for seen in prints],
        "crop_thumb": [None if seen is None else seen.thumb for seen in prints],
        "nearest_rule": [one.rule for one in by_row],
        "rule_margin": [one.margin for one in by_row],
    }
    return rows.with_columns(
        pl.Series(name, values, dtype=schemas.CLEANED[name], strict=False) for name, values in columns.items()
    )


def _log_progress(night: dt.date, part: int, before: int, done: int, total: int) -> None:
    """One line every tenth of the part."""
    if done * 10 // total > before * 10 // total:
        log.info("curate.clean progress night=%s part=%d percent=%d", night, part, done * 100 // total)
