"""Handing pictures out for labelling, and putting together what comes back."""

from __future__ import annotations

import datetime as dt
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from label_exports import scene

from lvbag import schemas
from lvbag.labels import LabelError, import_labels, read_labels
from lvbag.labels.handing_out import hand_out
from lvbag.labels.merging import merge_labels
from lvbag.labels.selecting import doubts, select, shares
from lvbag.settings import Settings
from lvbag.store import Store, keys
from lvbag.store.tables import write_table
from lvbag.tombstones import Tombstone, Tombstones, write_tombstone

NIGHT = dt.date(2026, 11, 23)


def curated(store: Store, count: int = 12) -> dict[str, str]:
    """A night of drawn scenes with the detector's box on each, every third refused; returns the reasons by digest."""
    rows, reasons = [], {}
    empty = dict.fromkeys(schemas.IMAGES)
    for number in range(count):
        data, (cx, cy, wide, high) = scene(number)
        sha256 = store_picture(store, data)
        reason = "no_bag: best confidence 0.20, detector.confidence is 0.35" if number % 3 == 0 else None
        reasons[sha256] = reason or ""
        prints = np.random.default_rng(number).bytes(32)
        rows.append(
            empty
            | {
                "night": NIGHT, "source": "shop", "listing_id": f"l{number}", "sha256": sha256, "format": "jpg",
                "style_code": ("M40156", "M41108")[number % 2], "detector": "0001", "phash256": prints,
                "box": [cx - wide / 2, cy - high / 2, cx + wide / 2, cy + high / 2],
                "box_confidence": 0.2 if reason else 0.4 + 0.05 * number, "reason": reason,
                "verdict": "refused" if reason else "kept",
            }
        )  # fmt: skip
    write_table(store, keys.curated_images(NIGHT, 0), pl.DataFrame(rows, schema=schemas.IMAGES), schemas.IMAGES)
    return reasons


def store_picture(store: Store, data: bytes) -> str:
    import hashlib

    sha256 = hashlib.sha256(data).hexdigest()
    store.put(keys.raw_image(sha256, "jpg"), data)
    return sha256


def pictures(path: Path) -> set[str]:
    with zipfile.ZipFile(path) as archive:
        return {Path(name).stem for name in archive.namelist() if name.endswith(".jpg")}


def test_each_person_gets_an_export_with_the_detectors_boxes(store: Store, settings: Settings, tmp_path: Path) -> None:
    curated(store)
    one, two = hand_out(store, settings, tmp_path, 8, people=2, overlap=0.5)
    assert (one.images, one.twice, two.images, two.twice) == (6, 4, 6, 4)
    assert len(pictures(Path(one.file)) | pictures(Path(two.file))) == 8
    back = import_labels(store, settings, Path(one.file))
    assert (back.images, back.boxes, back.classes, back.defects) == (6, 6, ("Bag",), 0)
    with pytest.raises(LabelError, match="may hold somebody's work"):
        hand_out(store, settings, tmp_path, 8, people=2)


def test_what_is_labelled_or_taken_down_is_not_handed_out_again(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    reasons = curated(store)
    (first,) = hand_out(store, settings, tmp_path / "one", 5)
    import_labels(store, settings, Path(first.file))
    done = pictures(Path(first.file))
    struck = sorted(set(reasons) - done)[0]
    everything = Tombstones(images=frozenset({struck}))
    write_tombstone(store, Tombstone("image", struck, everything, "asked", "me", dt.datetime.now(dt.UTC)))
    (second,) = hand_out(store, settings, tmp_path / "two", 100)
    assert pictures(Path(second.file)).isdisjoint(done)
    assert pictures(Path(second.file)) == set(reasons) - done - {struck}


def test_without_a_night_there_is_nothing_to_label(store: Store, settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="crawl and curate a night first"):
        hand_out(store, settings, tmp_path / "zips", 5)


def test_doubt_is_largest_at_the_working_point() -> None:
    found = doubts([0.35, 1.0, 0.0, None, 0.675], 0.35)
    assert found.tolist() == pytest.approx([1.0, 0.0, 0.0, 0.5, 0.5])


def test_products_take_turns_and_near_duplicates_wait() -> None:
    rng = np.random.default_rng(1)
    prints = rng.integers(0, 256, (8, 32), dtype=np.uint8)
    prints[1] = prints[0]  # the same picture again
    chosen = select(prints, ["a"] * 5 + ["b"] * 2 + [None], np.linspace(0.5, 0.4, 8), prints[:0], 8)
    assert [one.place for one in chosen[:3]] == [0, 5, 7]
    assert chosen[-1].place == 1
    known = select(prints, ["a"] * 8, np.full(8, 0.5), prints[2:3], 8)
    assert known[-1].place in (1, 2)
    assert known[0].place != 2


@given(st.integers(0, 40), st.integers(1, 6), st.floats(0, 1))
def test_everything_is_dealt_once_and_the_overlap_to_one_other(count: int, people: int, overlap: float) -> None:
    dealt = shares(count, people, overlap)
    assert sorted({place for mine in dealt for place in mine}) == list(range(count))
    assert all(sum(place in mine for mine in dealt) <= 2 for place in range(count))
    assert max(map(len, dealt)) - min(map(len, dealt)) <= 2


# ------------------------------------------------------------------ what comes back


def moved(source: Path, target: Path, sha256: str, row: str) -> Path:
    """The export with another text beside one picture."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name, row if name == f"obj_train_data/{sha256}.txt" else old.read(name))
    return target


def test_labels_are_put_together_and_what_people_disagree_on_is_named(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    curated(store)
    one, two = hand_out(store, settings, tmp_path, 8, people=2, overlap=0.5)
    twice = sorted(pictures(Path(one.file)) & pictures(Path(two.file)))
    other = moved(Path(two.file), tmp_path / "two.zip", twice[0], "0 0.1 0.1 0.1 0.1\n")
    merged = merge_labels(settings, [Path(one.file), other], tmp_path / "merged.zip")
    assert (merged.images, merged.twice, merged.agreed) == (7, 4, 3)
    (found,) = merged.disagreements
    assert (found.image, found.boxes) == (twice[0], (1, 1))
    assert merged.overlap == pytest.approx((3 + found.overlap) / 4, abs=0.01)
    index = read_labels(store, import_labels(store, settings, tmp_path / "merged.zip").name)
    assert {Path(image.path).stem for image in index.images} == (
        pictures(Path(one.file)) | pictures(Path(two.file))
    ) - {twice[0]}
    assert index.defects == ()
    with pytest.raises(LabelError, match="stands already"):
        merge_labels(settings, [other], tmp_path / "merged.zip")


def test_a_bag_that_only_one_person_saw_is_a_disagreement(store: Store, settings: Settings, tmp_path: Path) -> None:
    curated(store)
    (one,) = hand_out(store, settings, tmp_path, 4)
    sha256 = sorted(pictures(Path(one.file)))[0]
    other = moved(Path(one.file), tmp_path / "other.zip", sha256, "")
    merged = merge_labels(settings, [Path(one.file), other], tmp_path / "merged.zip")
    assert (merged.twice, merged.agreed, merged.images) == (4, 3, 3)
    assert (merged.disagreements[0].boxes, merged.disagreements[0].overlap) == ((1, 0), 0.0)
    alone = merge_labels(settings, [Path(one.file)], tmp_path / "alone.zip")
    assert (alone.images, alone.twice, alone.overlap) == (4, 0, None)
