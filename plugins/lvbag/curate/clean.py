"""Cleaning: find the bag in each picture that is still kept, refuse what shows none, and store the crop.

The pictures of a night are cleaned in parts, one mapped task each. A part's rows, its crops, their bytes and
fingerprints follow from stage `validate`, the settings and the detector version alone, so that a part can run again at
any time. Crops are compared with one another by the next step (`lvbag.curate.crops`). Without a
detector champion every picture passes uncropped and says `none` in the column `detector`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import logging
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl
from PIL import Image

from lvbag import schemas
from lvbag.curate.errors import CurateError
from lvbag.curate.looks import look_at_crop
from lvbag.curate.reasons import KEPT, REFUSED, count_kept, count_refused
from lvbag.curate.results import CleaningPlan, StageResult
from lvbag.curate.rules import judge
from lvbag.images import ImageRefused, decode
from lvbag.infer import open_detector
from lvbag.infer.cropping import crop_box, shrink
from lvbag.registry import champion, fetch_file, load_version
from lvbag.settings import Settings, home_dir
from lvbag.store import Bucket, ModelKind, ObjectMissing, Store, keys
from lvbag.store.tables import read_table, write_table

if TYPE_CHECKING:
    from lvbag.images import Fingerprint
    from lvbag.infer import Detection, Detector

log = logging.getLogger(__name__)

NO_DETECTOR = "none"
CHUNK_IMAGES = 16
CHUNK_PIXELS = 60_000_000
"""Decoded pictures that are held at once, by number and by size (180 MB in RGB): memory stays flat in long parts."""

JPEG_QUALITY = 92
REPORTED_CONFIDENCE = 0.05
"""Detections from here on are looked at, so that a refusal says how far below the working point the best one was."""

_VERSION = re.compile(r"[0-9]{4,}")


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
    """What was decided about a picture: kept with its crop, or refused with a reason; `best` is the bag, if any."""

    reason: str | None
    best: Detection | None
    crop: Crop | None


def plan_cleaning(store: Store, settings: Settings, night: dt.date) -> CleaningPlan:
    """The parts to clean and the champion's version to clean with; part 0 always exists and carries what was refused.

    Tables of an earlier plan that had more parts are removed. Raises `CurateError` where stage `validate` is missing.
    """
    stage = _read_stage(store, night)
    alias = champion(store, ModelKind.DETECTOR)
    detector = NO_DETECTOR if alias is None else keys.version_name(alias.version)
    parts = tuple(range(_part_count(stage, settings)))
    wanted = {keys.cleaned(night, part) for part in parts}
    for item in list(store.list_objects(Bucket.CURATED, keys.cleaned_prefix(night))):
        if item.ref not in wanted:
            store.delete(item.ref)
    log.info("curate.clean planned night=%s detector=%s parts=%d", night, detector, len(parts))
    return CleaningPlan(night=night, detector=detector, parts=parts)


def clean_part(store: Store, settings: Settings, night: dt.date, part: int, detector: str) -> StageResult:
    """Detect and crop one part; writes the crops and, last, `keys.cleaned(night, part)`.

    `detector` is a version such as `0003`, or `none`. A picture whose bytes are gone or no longer decode is refused;
    the others are cleaned. Raises `CurateError` (no such part, no such detector) and `RegistryError`.
    """
    stage = _read_stage(store, night)
    rows = _part_rows(stage, settings, night, part)
    cleaner = Cleaner(store, settings, detector, _open(store, settings, detector))
    kept = rows.filter(pl.col("verdict") == KEPT).select("sha256", "format", "width", "height")
    todo = [Row(*values) for values in kept.iter_rows()]
    cleaned: list[Cleaned] = []
    for chunk in chunks(todo):
        cleaned += cleaner.clean(chunk)
        _log_progress(night, part, len(cleaned) - len(chunk), len(cleaned), len(todo))
    table = _images(rows, cleaned, detector)
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


def _open(store: Store, settings: Settings, detector: str) -> Detector | None:
    if detector == NO_DETECTOR:
        return None
    if not _VERSION.fullmatch(detector):
        raise CurateError(f"detector {detector!r} is no version such as 0003, nor {NO_DETECTOR!r}")
    record = load_version(store, ModelKind.DETECTOR, int(detector))
    path = fetch_file(store, ModelKind.DETECTOR, int(detector), "model.onnx", home_dir() / "cache")
    lowest = min(REPORTED_CONFIDENCE, settings.detector.confidence)
    return open_detector(path, record, settings.detector.model_copy(update={"confidence": lowest}))


# ------------------------------------------------------------------ pictures


@dataclass(frozen=True)
class Cleaner:
    """What every picture of a part is cleaned with; `model` is None where the detector is `none`."""

    store: Store
    settings: Settings
    detector: str
    model: Detector | None

    def clean(self, rows: Sequence[Row]) -> list[Cleaned]:
        """One answer a row, in their order; crops are stored on the way."""
        loaded = [self._load(row) for row in rows]
        images = [image for image in loaded if isinstance(image, Image.Image)]
        boxes = iter(self.model.detect(images) if self.model is not None else [])
        side_px = self.settings.curate.crop_side_px
        cleaned = []
        for row, image in zip(rows, loaded, strict=True):
            if isinstance(image, str):
                cleaned.append(Cleaned(image, None, None))
            elif self.model is None:
                cleaned.append(Cleaned(None, None, self._store_crop(row, shrink(image, side_px))))
            else:
                cleaned.append(self._judge(row, image, next(boxes)))
        return cleaned

    def _load(self, row: Row) -> Image.Image | str:
        """The picture, or the reason why there is none any more."""
        ref = keys.raw_image(row.sha256, row.format)
        try:
            data = self.store.get(ref)
        except ObjectMissing:
            return f"raw_missing: {ref.key}"
        if hashlib.sha256(data).hexdigest() != row.sha256:
            return f"raw_changed: {ref.key}"
        try:
            return decode(data, self.settings.images)
        except ImageRefused as error:
            return error.reason

    def _judge(self, row: Row, image: Image.Image, found: Sequence[Detection]) -> Cleaned:
        verdict = judge(found, self.settings.curate, self.settings.detector)
        if verdict.best is None or verdict.reason is not None:
            return Cleaned(verdict.reason, verdict.best, None)
        best = verdict.best
        curate = self.settings.curate
        box = (best.x0, best.y0, best.x1, best.y1)
        crop = crop_box(image, box, curate.crop_margin, curate.crop_side_px)
        return Cleaned(None, best, self._store_crop(row, crop))

    def _store_crop(self, row: Row, crop: Image.Image) -> Crop:
        data = jpeg_bytes(crop)
        seen = look_at_crop(data, self.settings.images)
        self.store.put(keys.crop(self.detector, row.sha256), data, "image/jpeg", sha256=seen.sha256)
        return Crop(seen.sha256, crop.width, crop.height, seen.print)


def jpeg_bytes(image: Image.Image) -> bytes:
    """An RGB picture as JPEG; equal pixels give equal bytes."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling="4:2:0")
    return buffer.getvalue()


# ------------------------------------------------------------------ table


def _images(rows: pl.DataFrame, cleaned: Sequence[Cleaned], detector: str) -> pl.DataFrame:
    """The part's table: what was decided beside the kept rows, nulls beside those that were refused before."""
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
    }
    return rows.with_columns(
        pl.Series(name, values, dtype=schemas.CLEANED[name], strict=False) for name, values in columns.items()
    )


def _log_progress(night: dt.date, part: int, before: int, done: int, total: int) -> None:
    """One line every tenth of the part."""
    if done * 10 // total > before * 10 // total:
        log.info("curate.clean progress night=%s part=%d percent=%d", night, part, done * 100 // total)
