"""Near-duplicates: decoding, linking over nights, and what must not be linked."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from curate_frames import Shop, all_digests, curate_uncropped, digest, jpeg, photo, small, write_images
from PIL import Image, ImageDraw, ImageEnhance

from lvbag import schemas
from lvbag.curate import CurateError, mark_exact, mark_near
from lvbag.images.fingerprints import VIEWS
from lvbag.settings import Settings
from lvbag.store import Store, keys
from lvbag.store.tables import read_table
from shared_data import SHARED_DATA

FIRST, SECOND, THIRD = (dt.date(2026, 11, day) for day in (23, 24, 25))


def near(store: Store, night: dt.date) -> dict[str, dict[str, object]]:
    table = read_table(store, keys.stage(night, "near"), schemas.STAGE_NEAR)
    return {str(row["sha256"]): row for row in table.iter_rows(named=True)}


def edits(image: Image.Image) -> list[bytes]:
    """What happens to a photo that is listed again: recompressed, made smaller, watermarked, brightened."""
    marked = image.copy()
    ImageDraw.Draw(marked).text((8, 8), "my shop", fill=(255, 255, 255))
    return [
        jpeg(image, 60),
        jpeg(image.resize((image.width * 2 // 3, image.height * 2 // 3))),
        jpeg(marked, 80),
        jpeg(ImageEnhance.Brightness(image).enhance(1.05)),
    ]


def test_edited_copies_are_refused_and_name_the_largest_one(store: Store, settings: Settings) -> None:
    image = photo(1, (320, 240))
    shop = Shop(store, FIRST)
    (original,) = shop.listing("a", [jpeg(image)])
    copies = [shop.listing(f"copy{n}", [data])[0] for n, data in enumerate(edits(image))]
    others = shop.listing("other", [jpeg(photo(seed)) for seed in range(2, 22)])
    shop.close()
    mark_exact(store, small(settings), FIRST)
    result = mark_near(store, small(settings), FIRST)
    rows = near(store, FIRST)
    kept = {sha256 for sha256, row in rows.items() if row["verdict"] == "kept"}
    assert len(kept & {original, *copies}) == 1
    assert kept >= set(others)
    assert (result.kept, result.refused) == (21, {"duplicate_near": 4})
    assert len({rows[sha256]["cluster"] for sha256 in (original, *copies)}) == 1
    assert str(rows[copies[1]]["reason"]).startswith("duplicate_near: of ")


def test_a_worse_copy_of_an_earlier_nights_picture_is_refused_and_a_better_one_takes_its_place(
    store: Store, settings: Settings
) -> None:
    image = photo(1, (640, 480))
    shop = Shop(store, FIRST)
    (first,) = shop.listing("a", [jpeg(image.resize((320, 240)))])
    shop.close()
    curate_uncropped(store, small(settings), FIRST)
    shop = Shop(store, SECOND)
    (smaller,) = shop.listing("b", [jpeg(image.resize((200, 150)))])
    shop.close()
    curate_uncropped(store, small(settings), SECOND)
    row = near(store, SECOND)[smaller]
    assert (row["cluster"], row["representative"], row["rule"], row["verdict"]) == (first, first, "near", "refused")
    shop = Shop(store, THIRD)
    (better,) = shop.listing("c", [jpeg(image)])
    (copy,) = shop.listing("d", [jpeg(image.resize((300, 225)))])
    shop.close()
    curate_uncropped(store, small(settings), THIRD)
    rows = near(store, THIRD)
    assert (rows[better]["cluster"], rows[better]["representative"], rows[better]["verdict"]) == (first, better, "kept")
    assert (rows[copy]["cluster"], rows[copy]["representative"], rows[copy]["verdict"]) == (first, better, "refused")


def test_a_cluster_of_which_nothing_was_kept_takes_the_next_picture_under_its_old_name(
    store: Store, settings: Settings
) -> None:
    image = photo(1, (320, 240))
    shop = Shop(store, FIRST)
    (first,) = shop.listing("a", [jpeg(image)])
    shop.close()
    mark_exact(store, small(settings), FIRST)
    mark_near(store, small(settings), FIRST)
    table = read_table(store, keys.stage(FIRST, "near"), schemas.STAGE_NEAR)
    blurred = table.with_columns(pl.lit("refused").alias("verdict"), pl.lit("expectation: sharp: 3.0").alias("reason"))
    write_images(store, FIRST, blurred)
    shop = Shop(store, SECOND)
    (larger,) = shop.listing("b", [jpeg(image, 60)])
    (again,) = shop.listing("c", [jpeg(image.resize((200, 150)))])
    shop.close()
    curate_uncropped(store, small(settings), SECOND)
    rows = near(store, SECOND)
    assert (rows[larger]["verdict"], rows[larger]["cluster"]) == ("kept", first)
    assert (rows[again]["verdict"], rows[again]["cluster"]) == ("refused", first)


def test_a_mirrored_copy_is_found_and_says_so(store: Store, settings: Settings) -> None:
    image = photo(1, (320, 240))
    shop = Shop(store, FIRST)
    (original,) = shop.listing("a", [jpeg(image)])
    (mirrored,) = shop.listing("b", [jpeg(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((240, 180)))])
    shop.close()
    mark_exact(store, small(settings), FIRST)
    mark_near(store, small(settings), FIRST)
    row = near(store, FIRST)[mirrored]
    assert (row["representative"], row["rule"]) == (original, "near_mirrored")
    assert str(row["reason"]).endswith("(near_mirrored)")


def test_what_an_earlier_night_has_judged_is_counted_and_not_carried_on(store: Store, settings: Settings) -> None:
    data = jpeg(photo(1, (320, 240)))
    for night in (FIRST, SECOND):
        shop = Shop(store, night)
        shop.listing("a", [data], verdict="kept" if night == FIRST else "unchanged")
        shop.close()
        curate_uncropped(store, small(settings), night)
    exact = read_table(store, keys.stage(SECOND, "exact"), schemas.STAGE_EXACT)
    assert exact["reason"].to_list() == ["known: since 2026-11-23"]
    assert near(store, SECOND) == {}


def test_the_same_photo_under_two_products_is_a_label_conflict(store: Store, settings: Settings) -> None:
    image = photo(1, (320, 240))
    shop = Shop(store, FIRST)
    (original,) = shop.listing("a", [jpeg(image)], style_code="M41108")
    (copy,) = shop.listing("b", [jpeg(image.resize((160, 120)))], style_code="M40156")
    shop.close()
    mark_exact(store, small(settings), FIRST)
    mark_near(store, small(settings), FIRST)
    row = near(store, FIRST)[copy]
    assert row["reason"] == f"label_conflict: near {original} which is M41108, here M40156"


def bag(colour: tuple[int, int, int]) -> Image.Image:
    image = Image.new("RGB", (300, 300), (255, 255, 255))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((50, 120, 250, 260), 20, fill=colour)
    draw.arc((90, 50, 210, 190), 180, 360, fill=colour, width=12)
    return image


def test_the_same_shape_in_another_colour_is_no_duplicate(store: Store, settings: Settings) -> None:
    shop = Shop(store, FIRST)
    shop.listing("a", [jpeg(bag((150, 60, 60))), jpeg(bag((60, 60, 150)))])
    shop.close()
    mark_exact(store, small(settings), FIRST)
    assert mark_near(store, small(settings), FIRST).kept == 2


def test_what_does_not_decode_is_refused_with_its_reason_and_the_rest_goes_on(store: Store, settings: Settings) -> None:
    whole = jpeg(photo(1))
    shop = Shop(store, FIRST)
    cut, text, gone, fine = shop.listing("a", [whole[:-200], b"no picture at all", jpeg(photo(2)), jpeg(photo(3))])
    changed = shop.listing("b", [jpeg(photo(4))])[0]
    shop.close()
    store.delete(keys.raw_image(gone, "jpg"))
    store.put(keys.raw_image(changed, "jpg"), b"other bytes")
    mark_exact(store, small(settings), FIRST)
    result = mark_near(store, small(settings), FIRST)
    rows = near(store, FIRST)
    assert result.refused == {"not_an_image": 1, "raw_corrupt": 1, "raw_missing": 1, "truncated": 1}
    assert (rows[cut]["reason"], rows[text]["reason"]) == ("truncated", "not_an_image")
    assert rows[cut]["width"] is None
    assert rows[fine]["verdict"] == "kept"
    assert (rows[fine]["width"], rows[fine]["height"]) == (160, 120)


def test_looking_again_leaves_the_same_bytes(store: Store, settings: Settings) -> None:
    shop = Shop(store, FIRST)
    image = photo(1, (320, 240))
    shop.listing("a", [jpeg(image), *edits(image), jpeg(photo(2))])
    shop.close()
    mark_exact(store, small(settings), FIRST)
    mark_near(store, small(settings), FIRST)
    before = all_digests(store)
    mark_near(store, small(settings), FIRST)
    assert all_digests(store) == before


def test_a_missing_stage_is_an_error_that_says_what_to_do(store: Store, settings: Settings) -> None:
    with pytest.raises(CurateError, match="mark exact duplicates first"):
        mark_near(store, settings, FIRST)


# ------------------------------------------------------------------ real photographs


@pytest.mark.skipif(not (SHARED_DATA / "neardup").is_dir(), reason="no shared data")
def test_twelve_edits_and_all_turns_of_one_real_photo_are_one_cluster(store: Store, settings: Settings) -> None:
    shop = Shop(store, FIRST)
    mods = sorted((SHARED_DATA / "neardup" / "bridge-mods").iterdir())
    turned = sorted((SHARED_DATA / "neardup" / "dih").iterdir())
    edited = shop.listing("mods", [path.read_bytes() for path in mods])
    rotated = shop.listing("turned", [path.read_bytes() for path in turned])
    shop.close()
    mark_exact(store, settings, FIRST)
    mark_near(store, settings, FIRST)
    rows = near(store, FIRST)
    assert len({rows[sha256]["cluster"] for sha256 in (*edited, *rotated)} - {None}) == 1  # None: the same bytes twice
    rules = {rows[sha256]["rule"] for sha256 in (*edited, *rotated)} - {None, "near"}
    assert rules == {f"near_{view}" for view in VIEWS[1:]}
    assert digest(mods[0].read_bytes()) in rows
