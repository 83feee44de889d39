"""The label export: CVAT's layout, boxes that fit the pictures, the same bytes every time."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from lvbag.demo.labels import CLASSES, write_labels
from lvbag.demo.listings import MarketError
from lvbag.demo.market import Market

SEED = 11


@pytest.fixture(scope="module")
def market() -> Market:
    return Market(SEED)


@pytest.fixture(scope="module")
def export(market: Market, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    path = write_labels(market, tmp_path_factory.mktemp("labels") / "export.zip", share=0.06)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_layout_is_that_of_cvat(export: dict[str, bytes]) -> None:
    assert export["obj.names"].decode().split() == list(CLASSES)
    assert "classes = 3" in export["obj.data"].decode()
    listed = export["train.txt"].decode().split()
    pictures = sorted(name for name in export if name.endswith(".jpg"))
    assert listed == [f"data/{name}" for name in pictures]
    assert {name.replace(".jpg", ".txt") for name in pictures} <= set(export)


def test_boxes_lie_inside_whole_pictures_and_match_the_truth(export: dict[str, bytes], market: Market) -> None:
    truth = {(item.listing_id, Path(item.path).stem): item for item in market.truth()}
    seen = 0
    for name in (name for name in export if name.endswith(".jpg")):
        image = Image.open(io.BytesIO(export[name]))
        image.load()
        assert image.format == "JPEG"
        known = truth[tuple(Path(name).stem.split("_"))]
        assert known.near_duplicate_of is None
        label = export[name.replace(".jpg", ".txt")].decode().split()
        assert bool(label) == known.is_bag
        if not label:
            continue
        seen += 1
        cx, cy, width, height = (float(value) for value in label[1:])
        assert 0 <= int(label[0]) < len(CLASSES)
        assert 0 <= cx - width / 2 + 1e-5 < cx + width / 2 - 1e-5 <= 1
        assert 0 <= cy - height / 2 + 1e-5 < cy + height / 2 - 1e-5 <= 1
        box = ((cx - width / 2) * image.width, (cy - height / 2) * image.height)
        assert box == pytest.approx(known.box[:2], abs=0.01)
    assert seen > 20


def test_a_fifth_of_the_pictures_have_no_bag(export: dict[str, bytes]) -> None:
    labels = [data for name, data in export.items() if name.startswith("obj_train_data/") and name.endswith(".txt")]
    assert sum(not data for data in labels) / len(labels) == pytest.approx(0.2, abs=0.03)


def test_a_later_night_labels_the_photos_of_the_first(market: Market, tmp_path: Path) -> None:
    first = write_labels(market, tmp_path / "first.zip", share=0.003)
    assert write_labels(market.night(2), tmp_path / "later.zip", share=0.003).read_bytes() == first.read_bytes()


def test_the_same_call_writes_the_same_bytes_as_zip_and_folder(market: Market, tmp_path: Path) -> None:
    paths = [write_labels(market, tmp_path / name, share=0.004, seed=3) for name in ("a.zip", "b.zip", "folder")]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    with zipfile.ZipFile(paths[0]) as archive:
        assert all((paths[2] / name).read_bytes() == archive.read(name) for name in archive.namelist())


def test_the_export_has_about_two_hundred_pictures_unless_told(market: Market) -> None:
    assert 170 <= round(len(market.truth()) * write_labels.__defaults__[0]) <= 230


def test_an_impossible_share_is_refused(market: Market, tmp_path: Path) -> None:
    with pytest.raises(MarketError, match="share 0"):
        write_labels(market, tmp_path / "x.zip", share=0)
    with pytest.raises(MarketError, match=r"share 1e-05"):
        write_labels(market, tmp_path / "x.zip", share=1e-5)
