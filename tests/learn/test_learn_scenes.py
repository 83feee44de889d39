"""Composed training pictures: outlines, boxes of what is seen, the same pictures for the same seed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

pytest.importorskip("cv2")

from lvbag.labels.records import LabelledBox
from lvbag.learn.detector.recipe import DetectorScenes
from lvbag.learn.detector.scenes import composing, writing
from lvbag.learn.detector.scenes.composing import Material, compose
from lvbag.learn.detector.scenes.cutouts import Cutout, cut_out
from lvbag.learn.detector.scenes.photographs import as_scenes, photographed_scene
from lvbag.learn.detector.scenes.wearers import draw_wearer

BOX = (0.25, 0.2, 0.75, 0.8)


def photo(shape: str = "ellipse", ground: int = 245) -> Image.Image:
    """A dark thing on a light, slightly uneven ground, 200 x 160 px, exactly in `BOX`."""
    rng = np.random.default_rng(1)
    image = Image.fromarray((ground + rng.normal(0, 2, (160, 200, 3))).clip(0, 255).astype(np.uint8))
    getattr(ImageDraw.Draw(image), shape)((50, 32, 149, 127), fill=(90, 40, 20))
    return image


def test_an_object_is_cut_out_along_its_outline() -> None:
    cutout = cut_out(np.asarray(photo()), BOX, 3)
    assert cutout is not None
    assert cutout.label == 3
    assert cutout.pixels.shape == pytest.approx((96, 100, 4), abs=3)
    opacity = cutout.pixels[..., 3]
    assert opacity[48, 50] > 250  # the middle
    assert [int(opacity[y, x]) for y, x in ((0, 0), (0, -1), (-1, 0), (-1, -1))] == [0, 0, 0, 0]
    solid = cutout.pixels[opacity > 250][:, :3].astype(int)
    assert np.abs(solid - [90, 40, 20]).max() < 60  # nothing of the light ground came along


@pytest.mark.parametrize(
    ("picture", "box"),
    [
        pytest.param(photo(), (0.0, 0.0, 1.0, 1.0), id="nothing is seen around the box"),
        pytest.param(photo(), (0.1, 0.1, 0.6, 0.6), id="the box is beside the object"),
        pytest.param(photo(), (0.3, 0.3, 0.31, 0.31), id="the box has hardly a pixel"),
        pytest.param(photo("rectangle"), BOX, id="the object fills its box, so there is no outline"),
        pytest.param(Image.new("RGB", (200, 160), "white"), BOX, id="one colour all over"),
    ],
)
def test_what_has_no_outline_is_not_cut_out(picture: Image.Image, box: tuple[float, float, float, float]) -> None:
    assert cut_out(np.asarray(picture), box, 0) is None


def blue_disc() -> Cutout:
    pixels = np.zeros((80, 80, 4), np.uint8)
    y, x = np.mgrid[:80, :80] - 39.5
    pixels[(x**2 + y**2) < 39**2] = (0, 0, 255, 255)
    return Cutout(pixels, 2)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Grey scenes, grey clutter, and objects that keep their colour."""

    def grey(_rng: Any, height: int, width: int) -> Any:
        return np.full((height, width, 3), 128, np.uint8)

    monkeypatch.setattr(composing, "drawn_scene", grey)
    monkeypatch.setattr(composing, "cloth", grey)
    monkeypatch.setattr(composing, "recolour", lambda _rng, pixels, *_args, **_named: pixels)
    monkeypatch.setattr(composing, "relight", lambda _rng, pixels: pixels)
    monkeypatch.setattr(composing, "_as_taken", lambda _rng, pixels: pixels)


@pytest.mark.usefixtures("plain")
def test_boxes_are_those_of_what_is_seen_of_each_object() -> None:
    counts = []
    for number in range(60):
        picture, boxes = compose(np.random.default_rng(number), Material([blue_disc()], [], 0.0, 0.0), 160)
        assert max(picture.shape[:2]) == 160
        blue = (picture[..., 2] > 200) & (picture[..., 0] < 60)
        inside = np.zeros_like(blue)
        for box in boxes:
            x0, x1 = (round(value * picture.shape[1]) for value in (box.x0, box.x1))
            y0, y1 = (round(value * picture.shape[0]) for value in (box.y0, box.y1))
            inside[y0:y1, x0:x1] = True
            assert box.label == 2
            seen = blue[y0:y1, x0:x1]
            assert seen.mean() > 0.3
            if len(boxes) == 1:  # each edge of a box touches what is seen
                assert all(edge.any() for edge in (seen[:2], seen[-2:], seen[:, :2], seen[:, -2:]))
        assert blue[~inside].sum() <= 40  # the soft edge
        counts.append(len(boxes))
    assert set(counts) >= {0, 1, 2}


def test_the_same_seed_gives_the_same_picture_and_another_seed_another() -> None:
    material = Material([blue_disc()], as_scenes([photo(ground=120)]), 0.5, 0.5)
    one, again, other = (compose(np.random.default_rng(seed), material, 160) for seed in (7, 7, 8))
    assert (one[0] == again[0]).all()
    assert one[1] == again[1]
    assert one[0].shape != other[0].shape or (one[0] != other[0]).any()


def test_scenes_come_from_photographs_and_people_are_drawn_where_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    green = Image.new("RGB", (300, 200), (20, 200, 20))
    scene = photographed_scene(np.random.default_rng(0), as_scenes([green]), 60, 90)
    assert scene.shape == (60, 90, 3)
    assert (scene[..., 1].astype(int) - scene[..., 0] > 40).all()
    assert as_scenes([Image.new("RGB", (300, 40))]) == []  # too small for a scene

    people: list[tuple[int, int, int, int]] = []
    monkeypatch.setattr(composing, "draw_wearer", lambda _rng, _scene, box: people.append(box))
    for worn, some in ((0.0, False), (1.0, True)):
        people.clear()
        for number in range(12):
            compose(np.random.default_rng(number), Material([blue_disc()], [], 0.0, worn), 96)
        assert bool(people) is some


def test_a_person_is_drawn_around_the_box_and_may_stand_beyond_the_edge() -> None:
    scene = np.zeros((120, 120, 3), np.uint8)
    draw_wearer(np.random.default_rng(2), scene, (50, 40, 20, 24))
    assert scene[:40].any()  # a head above
    assert scene[70:].any()  # legs below
    untouched = scene.copy()
    draw_wearer(np.random.default_rng(2), scene, (500, 500, 20, 24))
    assert (scene == untouched).all()


def labels_of(pictures: dict[str, tuple[Image.Image, tuple[LabelledBox, ...]]]) -> Any:
    """What `write_composed` asks of a label set."""
    images = [SimpleNamespace(path=path, boxes=boxes) for path, (_picture, boxes) in sorted(pictures.items())]
    return SimpleNamespace(
        part=lambda name: images if name == "train" else [], picture=lambda image: pictures[image.path][0]
    )


def bag(label: int = 0) -> LabelledBox:
    return LabelledBox(label=label, x0=BOX[0], y0=BOX[1], x1=BOX[2], y1=BOX[3])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for kind in ("images", "labels"):
        (tmp_path / kind / "train").mkdir(parents=True)
    return tmp_path


def test_composed_pictures_stand_beside_the_labelled_ones_and_are_the_same_again(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = labels_of({"a.jpg": (photo(), (bag(),)), "b.jpg": (photo(ground=90), ()), "c.jpg": (photo(), (bag(1),))})
    scenes = DetectorScenes(per_picture=1.5)
    assert writing.write_composed(folder, labels, scenes, 5, 64) == 5
    assert "2 of 2 objects cut out" in capsys.readouterr().out
    written = sorted((folder / "images" / "train").iterdir())
    assert [path.name for path in written] == [f"composed-{number:06d}.jpg" for number in range(5)]
    with Image.open(written[0]) as image:
        assert max(image.size) == 80
    rows = [(folder / "labels" / "train" / f"{path.stem}.txt").read_text() for path in written]
    classes = {line.split()[0] for text in rows for line in text.splitlines()}
    assert classes <= {"0", "1"}
    assert classes
    again = tmp_path_factory.mktemp("again")
    for kind in ("images", "labels"):
        (again / kind / "train").mkdir(parents=True)
    writing.write_composed(again, labels, scenes, 5, 64)
    for path in folder.rglob("composed-*"):
        assert (again / path.relative_to(folder)).read_bytes() == path.read_bytes()


def test_labels_without_outlines_give_no_scenes_and_say_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = labels_of({"a.jpg": (photo("rectangle"), (bag(),))})
    assert writing.write_composed(folder, labels, DetectorScenes(per_picture=3), 0, 64) == 0
    assert "none composed" in capsys.readouterr().out
    assert not list(folder.rglob("*.jpg"))


def test_a_recipe_without_scenes_composes_none(folder: Path) -> None:
    assert writing.write_composed(folder, labels_of({"a.jpg": (photo(), (bag(),))}), DetectorScenes(), 0, 64) == 0
    assert not list(folder.rglob("*.jpg"))


def test_shipped_photographs_are_named_with_their_source() -> None:
    named = (writing.PHOTOS / "SOURCES.md").read_text()
    shipped = sorted(writing.PHOTOS.glob("*.jpg"))
    assert len(shipped) > 40
    assert [path.name for path in shipped if f" {path.name}" not in named] == []
