"""The marketplace as a pure object: what it offers, how it grows, what it knows about its photos."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from lvbag.catalog import load_catalog
from lvbag.demo.bags import drawn_products
from lvbag.demo.listings import Edit, Fault, Format, MarketError, Noise, PageKind
from lvbag.demo.market import Market, demo_catalog

SEED = 11


@pytest.fixture(scope="module")
def market() -> Market:
    return Market(SEED)


def test_every_product_of_the_catalog_can_be_drawn(tmp_path: Path) -> None:
    (tmp_path / "catalog.csv").write_text(demo_catalog(), encoding="utf-8")
    catalog = load_catalog(tmp_path)
    assert {product.style_code for product in catalog.products} == set(drawn_products())
    assert len(catalog.products) >= 10


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(market: Market) -> None:
    again, other = Market(SEED), Market(SEED + 1)
    assert again.listings == market.listings
    drawn = [photo for photo in market.photos if photo.fault is None][::90]
    for photo in drawn:
        assert again.content(again.photo(photo.path)) == market.content(photo)
    assert not {photo.path for photo in other.photos} & {photo.path for photo in market.photos}
    assert not {photo.etag for photo in other.photos if photo.shot} & {photo.etag for photo in market.photos}


def test_a_later_night_keeps_every_listing_and_adds_about_a_quarter(market: Market) -> None:
    later = market.night(2)
    assert later.listings[: len(market.listings)] == market.listings
    for photo in market.photos:
        assert later.photo(photo.path).etag == photo.etag
    assert 1.2 <= len(later.photos) / len(market.photos) <= 1.35
    assert 700 <= len(market.photos) <= 900


def test_every_address_stands_once(market: Market) -> None:
    later = market.night(3)
    assert len({photo.path for photo in later.photos}) == len(later.photos)
    assert len({listing.listing_id for listing in later.listings}) == len(later.listings)


def test_each_product_has_enough_usable_photos_beside_noise_of_every_kind(market: Market) -> None:
    truth = market.truth()
    usable = Counter(item.product for item in truth if item.usable and item.titled == item.product)
    assert set(usable) == set(drawn_products())
    assert all(45 <= count <= 55 for count in usable.values())
    assert {item.noise for item in truth if item.noise} == set(Noise)
    assert 0.15 <= sum(not item.usable for item in truth) / len(truth) <= 0.3
    assert {photo.edit for photo in market.photos if photo.edit} == set(Edit)
    assert {photo.fault for photo in market.photos if photo.fault} == set(Fault)
    assert {listing.page for listing in market.listings} == set(PageKind)
    assert any(not photo.path.endswith(f".{photo.format}") for photo in market.photos)


def test_a_copy_shows_what_the_truth_says_it_copies(market: Market) -> None:
    copies = {photo.edit: photo for photo in market.photos if photo.copy_of}
    for edit, photo in copies.items():
        original = market.photo(photo.copy_of)
        same = market.content(photo) == market.content(original)
        assert same == (edit is Edit.SAME)
        thumbs = [_thumb(market.content(item)) for item in (photo, original)]
        assert np.abs(thumbs[0] - thumbs[1]).mean() < 12


def test_the_box_is_where_the_bag_was_painted(market: Market) -> None:
    """A cut-out's opaque pixels are the bag and nothing else."""
    truth = {item.path: item for item in market.truth()}
    cut_outs = [photo for photo in market.photos if photo.shot and photo.shot.cut_out and photo.copy_of is None]
    assert cut_outs
    for photo in cut_outs[:6]:
        image = Image.open(io.BytesIO(market.content(photo)))
        assert image.mode == "RGBA"
        painted = image.getchannel("A").point(lambda value: 255 * (value > 100)).getbbox()
        assert painted == pytest.approx(truth[photo.path].box, abs=3)
        assert image.size == truth[photo.path].size


def test_photos_have_the_format_and_the_upright_size_that_the_truth_says(market: Market) -> None:
    truth = {item.path: item for item in market.truth()}
    chosen = {photo.format: photo for photo in market.photos if photo.fault is None}
    chosen |= {"sideways": next(photo for photo in market.photos if photo.sideways)}
    chosen |= {"small": next(photo for photo in market.photos if photo.edit is Edit.RESIZED)}
    for photo in chosen.values():
        image = Image.open(io.BytesIO(market.content(photo)))
        assert {"JPEG": Format.JPG}.get(image.format, image.format.lower()) == photo.format
        assert ImageOps.exif_transpose(image).size == truth[photo.path].size


def test_the_bomb_has_forty_megapixels_in_few_bytes(market: Market) -> None:
    bomb = next(photo for photo in market.photos if photo.fault is Fault.BOMB)
    data = market.content(bomb)
    assert len(data) < 100_000
    with Image.open(io.BytesIO(data)) as image:
        assert image.width * image.height == 40_000_000


def test_faulty_files_are_faulty(market: Market) -> None:
    faulty = {photo.fault: photo for photo in market.photos if photo.fault}
    with pytest.raises(OSError, match=r"[Tt]runcated"):
        Image.open(io.BytesIO(market.content(faulty[Fault.TRUNCATED]))).load()
    assert b"<html" in market.content(faulty[Fault.HTML_FILE])
    assert market.content(faulty[Fault.TEXT_FILE]).decode().startswith("This photo")
    with pytest.raises(MarketError, match="missing"):
        market.content(faulty[Fault.MISSING])


def test_a_search_shows_the_product_and_other_things(market: Market) -> None:
    found = market.search("Louis Vuitton M44005")
    titled = Counter(listing.titled for listing in found)
    assert titled["M44005"] >= 14
    assert titled[None] >= 1
    assert len(titled) >= 3
    assert market.search("noe") == market.search("Noé") == found
    assert market.search("louis vuitton zeppelin") == ()


def test_a_night_that_is_out_of_range_is_refused() -> None:
    with pytest.raises(MarketError, match="night 0"):
        Market(SEED, 0)


def _thumb(data: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(data)).convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return np.asarray(Image.alpha_composite(white, image).convert("L").resize((8, 8)), dtype=float)
