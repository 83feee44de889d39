"""Pictures handed out for labelling: chosen from everything curated, one CVAT-ready zip a person.

A zip is a YOLO 1.1 export with the detector's own boxes as a start: in CVAT make a task from its pictures, then "Upload
annotations" with the same zip. Pictures are named by their digest, so that what comes back is known.
"""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lvbag.curated import read_curated
from lvbag.labels.records import LabelError
from lvbag.labels.selecting import Chosen, doubts, select, shares
from lvbag.labels.sets import newest_labels, read_labels
from lvbag.settings import Settings
from lvbag.store import ObjectMissing, Store, keys
from lvbag.tombstones import read_tombstones

log = logging.getLogger(__name__)

_COLUMNS = ("sha256", "format", "style_code", "phash256", "box", "box_confidence", "source", "listing_id")
_EXPORT = "obj_train_data"


@dataclass(frozen=True)
class HandedOut:
    """One person's zip, and how many pictures are in it; `twice` of them another person gets as well."""

    file: str
    images: int
    twice: int


def hand_out(
    store: Store, settings: Settings, folder: Path, count: int, *, people: int = 1, overlap: float = 0.1
) -> tuple[HandedOut, ...]:
    """Choose pictures and write `person-1.zip` … into a folder; returns what each person gets.

    Pictures that are labelled already, taken down, or gone are not handed out. Raises `LabelError` where there is
    nothing to label, or a file stands already.
    """
    table = _candidates(store)
    done = _labelled(store)
    known = table.filter(pl.col("sha256").is_in(pl.Series(sorted(done), dtype=pl.String).implode()))
    rows = table.filter(~pl.col("sha256").is_in(pl.Series(sorted(done), dtype=pl.String).implode()))
    chosen = select(
        _prints(rows),
        rows["style_code"].to_list(),
        doubts(rows["box_confidence"].to_list(), settings.detector.confidence),
        _prints(known),
        count,
    )
    if not chosen:
        raise LabelError("there is no curated picture that is not labelled yet; crawl and curate a night first")
    folder.mkdir(parents=True, exist_ok=True)
    dealt = shares(len(chosen), people, overlap)
    answers = []
    for person, places in enumerate(dealt, 1):
        others = {place for number, theirs in enumerate(dealt, 1) if number != person for place in theirs}
        path = folder / f"person-{person}.zip"
        if path.exists():
            raise LabelError(f"{path} stands already; it may hold somebody's work, so name another folder")
        written = _write(store, path, [rows.row(chosen[place].place, named=True) for place in places], settings)
        answers.append(HandedOut(str(path), written, len(others.intersection(places))))
    _log(chosen, answers)
    return tuple(answers)


def _candidates(store: Store) -> pl.DataFrame:
    """One row a picture that cleaning looked at, the newest judgement of each, sorted by digest."""
    kept, seen = pl.col("reason").is_null(), pl.col("box_confidence").is_not_null()
    judged = kept | seen | pl.col("reason").str.starts_with("no_bag")
    where = pl.col("detector").is_not_null() & pl.col("phash256").is_not_null() & judged
    table = read_curated(store, _COLUMNS, where).unique("sha256", keep="last", maintain_order=True)
    return table.filter(~read_tombstones(store).strikes(table)).sort("sha256")


def _labelled(store: Store) -> set[str]:
    """The pictures of the newest label set: by their bytes, and by the digest in their name where others wrote them."""
    name = newest_labels(store)
    images = () if name is None else read_labels(store, name).images
    return {image.sha256 for image in images} | {Path(image.path).stem for image in images}


def _prints(rows: pl.DataFrame) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.frombuffer(b"".join(rows["phash256"].to_list()), dtype=np.uint8).reshape(-1, 32)


def _write(store: Store, path: Path, rows: Sequence[dict[str, Any]], settings: Settings) -> int:
    """The zip, in a name of its own until it is whole; returns how many pictures are in it."""
    (name,) = sorted(set(settings.detector.class_map.values()))[:1]
    part = path.with_suffix(".part")
    names = []
    with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        for picture, data, text in _pictures(store, rows):
            archive.writestr(f"{_EXPORT}/{picture}", data)
            archive.writestr(f"{_EXPORT}/{Path(picture).stem}.txt", text)
            names.append(picture)
        archive.writestr("train.txt", "".join(f"data/{_EXPORT}/{picture}\n" for picture in names))
        archive.writestr("obj.names", f"{name}\n")
        archive.writestr("obj.data", "classes = 1\ntrain = data/train.txt\nnames = data/obj.names\nbackup = backup/\n")
    part.replace(path)
    return len(names)


def _pictures(store: Store, rows: Sequence[dict[str, Any]]) -> Iterator[tuple[str, bytes, str]]:
    for row in rows:
        ref = keys.raw_image(row["sha256"], row["format"])
        try:
            data = store.get(ref)
        except ObjectMissing:
            log.warning("labels.select missing uri=%s", store.uri(ref))
            continue
        yield f"{row['sha256']}.{row['format']}", data, _row(row["box"])


def _row(box: Sequence[float] | None) -> str:
    if box is None:
        return ""
    x0, y0, x1, y1 = box
    return f"0 {(x0 + x1) / 2:.6f} {(y0 + y1) / 2:.6f} {x1 - x0:.6f} {y1 - y0:.6f}\n"


def _log(chosen: Sequence[Chosen], answers: Sequence[HandedOut]) -> None:
    log.info(
        "labels.select done images=%d people=%d mean_doubt=%.2f mean_novelty=%.2f",
        *(len(chosen), len(answers), np.mean([one.doubt for one in chosen]), np.mean([one.novelty for one in chosen])),
    )
