"""Crops compared: a photo framed otherwise, parts of a night, and what stays when a crop changes hands."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from curate_frames import Shop, all_digests, digest, jpeg, photo, small
from PIL import Image

from lvbag import schemas
from lvbag.curate import CurateError, mark_crops, mark_exact, mark_near
from lvbag.images import look
from lvbag.settings import Settings
from lvbag.store import Bucket, Store, keys
from lvbag.store.tables import read_table, write_table

FIRST, SECOND = dt.date(2026, 11, 23), dt.date(2026, 11, 24)


def framed(bag: Image.Image, size: tuple[int, int], at: tuple[int, int]) -> Image.Image:
    """The bag in front of a busy wall: another place in the picture is another picture to a hash."""
    wall = photo(size[0] + at[0], size)
    wall.paste(bag, at)
    return wall


def clean(store: Store, settings: Settings, night: dt.date, bags: dict[str, Image.Image], parts: int = 1) -> None:
    """What cleaning leaves when a detector has cut these bags out of the pictures, by the pictures' sha256."""
    mark_exact(store, small(settings), night)
    mark_near(store, small(settings), night)
    table = read_table(store, keys.stage(night, "near"), schemas.STAGE_NEAR)
    rows = []
    for sha256, verdict in table.select("sha256", "verdict").iter_rows():
        crop: dict[str, object] = {"detector": "0001"}
        if verdict == "kept":
            data = jpeg(bags[sha256])
            store.put(keys.crop("0001", sha256), data)
            seen = look(data, small(settings).images).print
            crop |= {"crop_sha256": digest(data), "crop_width": 160, "crop_height": 120, "box": [0.2, 0.2, 0.8, 0.8]}
            crop |= {"crop_phash64": seen.phash64, "crop_phash256": seen.phash256, "crop_thumb": seen.thumb}
            crop |= {"crop_flip64": seen.flip64, "crop_flip256": seen.flip256, "box_confidence": 0.9}
        rows.append(crop)
    added = {name: kind for name, kind in schemas.CLEANED.items() if name not in schemas.STAGE_VALIDATE}
    whole = table.hstack(pl.DataFrame(rows, schema=added))
    for part in range(parts):
        mine = whole.filter(pl.int_range(pl.len()) % parts == part)
        write_table(store, keys.cleaned(night, part), mine, schemas.CLEANED)


def images(store: Store, night: dt.date, part: int = 0) -> dict[str, dict[str, object]]:
    table = read_table(store, keys.curated_images(night, part), schemas.IMAGES)
    return {str(row["sha256"]): row for row in table.iter_rows(named=True)}


def test_a_photo_that_was_framed_otherwise_is_found_by_its_crop_over_parts(store: Store, settings: Settings) -> None:
    bag, other = photo(1), photo(2)
    shop = Shop(store, FIRST)
    (large,) = shop.listing("a", [jpeg(framed(bag, (400, 300), (40, 30)))])
    (small_one,) = shop.listing("b", [jpeg(framed(bag, (300, 260), (120, 100)))])
    (different,) = shop.listing("c", [jpeg(framed(other, (390, 290), (60, 90)))])
    shop.close()
    clean(store, settings, FIRST, {large: bag, small_one: bag.resize((150, 112)), different: other}, parts=2)
    result = mark_crops(store, small(settings), FIRST, (0, 1))
    rows = images(store, FIRST, 0) | images(store, FIRST, 1)
    assert (result.kept, result.refused) == (2, {"duplicate_crop": 1})
    assert rows[small_one]["representative"] == small_one  # as a whole picture it stands alone
    assert str(rows[small_one]["reason"]).startswith(f"duplicate_crop: of {large} at ")
    assert rows[different]["verdict"] == "kept"
    assert rows[different]["crop_cluster"] == different


def test_crops_are_compared_with_those_of_earlier_nights(store: Store, settings: Settings) -> None:
    bag = photo(1)
    shop = Shop(store, FIRST)
    (first,) = shop.listing("a", [jpeg(framed(bag, (400, 300), (40, 30)))])
    shop.close()
    clean(store, settings, FIRST, {first: bag})
    mark_crops(store, small(settings), FIRST, (0,))
    shop = Shop(store, SECOND)
    (again,) = shop.listing("b", [jpeg(framed(bag, (300, 260), (120, 100)))])
    shop.close()
    mirrored = bag.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    clean(store, settings, SECOND, {again: mirrored})
    result = mark_crops(store, small(settings), SECOND, (0,))
    row = images(store, SECOND)[again]
    assert result.refused == {"duplicate_crop": 1}
    assert (row["crop_cluster"], row["crop_rule"]) == (first, "near_mirrored")
    assert f"of {first} at" in str(row["reason"])
    assert "(near_mirrored)" in str(row["reason"])


def test_comparing_again_leaves_the_same_bytes_and_removes_parts_that_are_no_more(
    store: Store, settings: Settings
) -> None:
    bags = {f"{number}": photo(number) for number in range(4)}
    shop = Shop(store, FIRST)
    names = {shop.listing(key, [jpeg(framed(bag, (400, 300), (40, 30)))])[0]: bag for key, bag in bags.items()}
    shop.close()
    clean(store, settings, FIRST, names, parts=2)
    mark_crops(store, small(settings), FIRST, (0, 1))
    before = all_digests(store)
    mark_crops(store, small(settings), FIRST, (0, 1))
    assert all_digests(store) == before
    clean(store, settings, FIRST, names, parts=1)
    mark_crops(store, small(settings), FIRST, (0,))
    left = [item.ref for item in store.list_objects(Bucket.CURATED, keys.curated_images_prefix(FIRST))]
    assert left == [keys.curated_images(FIRST, 0)]


def test_a_part_that_was_not_cleaned_is_named(store: Store, settings: Settings) -> None:
    with pytest.raises(CurateError, match="clean part 3 of this night first"):
        mark_crops(store, settings, FIRST, (3,))
