"""A folder of real photographs as the market."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import requests
from PIL import Image

from lvbag.catalog import load_catalog
from lvbag.demo.labels import write_labels
from lvbag.demo.listings import MarketError
from lvbag.demo.market import Market, demo_catalog
from lvbag.demo.server import MarketServer
from shared_data import SHARED_DATA

NAMES = ("BucketBag", "tote bag", "Ünïcode & co", "7", "A name that is much longer than a style code", "Bucket-Bag")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    for number, name in enumerate(NAMES):
        shelf = root / name
        shelf.mkdir(parents=True)
        for index, suffix in enumerate((".jpg", ".PNG", ".webp", ".avif", ".jpeg")):
            odd = f"{index} photo?#%é{suffix}"
            Image.new("RGB", (40, 30), (number * 30, index * 40, 90)).save(shelf / odd)
        (shelf / "notes.txt").write_text("no photo")
    (root / "empty").mkdir()
    return root


def test_products_are_the_folders_with_style_codes_of_their_own(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "catalog.csv").write_text(demo_catalog(folder), encoding="utf-8")
    products = load_catalog(tmp_path).products  # which checks that codes are well formed and differ
    assert len(products) == len(NAMES)
    assert {"Bucket Bag", "tote bag"} <= {product.name for product in products}
    assert demo_catalog(folder) == demo_catalog(folder)


def test_the_first_night_shows_most_photos_and_the_second_all(folder: Path) -> None:
    first = Market(1, photos=folder)
    second = first.night(2)
    total = len(NAMES) * 5
    assert len(first.photos) == len(NAMES) * 4
    assert len({photo.file for photo in second.photos}) == len(second.photos) == total
    assert {photo.path for photo in first.photos} <= {photo.path for photo in second.photos}
    assert all(1 <= len(listing.photos) <= 3 for listing in second.listings)
    for listing in second.listings:
        product = next(item for item in second.products if item.style_code == listing.titled)
        assert product.style_code in listing.title
        assert product.name in listing.title


def test_every_photo_is_served_as_it_is(folder: Path, tmp_path: Path) -> None:
    market = Market(1, 2, folder)
    with MarketServer(market, tmp_path / "cache") as server, requests.Session() as session:
        session.trust_env = False
        for photo in market.photos:
            answer = session.get(server.url + photo.path)
            assert answer.content == photo.file.read_bytes()
            assert answer.headers["Content-Type"].startswith("image/")
            etag = answer.headers["ETag"]
            assert session.get(server.url + photo.path, headers={"If-None-Match": etag}).status_code == 304
        gone = market.photos[0]
        gone.file.unlink()
        assert session.get(server.url + gone.path).status_code == 500
        assert session.get(server.url + market.photos[1].path).status_code == 200


def test_the_etag_follows_the_content_not_the_folder(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(folder, copy)
    there, here = Market(1, photos=copy), Market(1, photos=folder)
    assert [there.etag(photo) for photo in there.photos] == [here.etag(photo) for photo in here.photos]


def test_nobody_knows_the_boxes_of_real_photographs(folder: Path, tmp_path: Path) -> None:
    market = Market(1, photos=folder)
    with pytest.raises(MarketError, match="no truth"):
        market.truth()
    with pytest.raises(MarketError):
        write_labels(market, tmp_path / "labels.zip")


def test_a_folder_without_products_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(MarketError, match="no folder with"):
        Market(1, photos=tmp_path)
    with pytest.raises(MarketError, match="is no folder"):
        Market(1, photos=tmp_path / "missing")


@pytest.mark.skipif(not (SHARED_DATA / "photos" / "bag_types10").is_dir(), reason="the real photographs are not here")
def test_ten_types_of_real_bags_become_ten_products(tmp_path: Path) -> None:
    folder = SHARED_DATA / "photos" / "bag_types10"
    market = Market(1, photos=folder)
    assert len(market.products) == 10
    assert len(market.photos) == 800
    assert len(market.night(2).photos) == 1000
    assert all(len(market.search(f"Louis Vuitton {product.style_code}")) > 30 for product in market.products)
