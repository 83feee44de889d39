"""`lvbag detect`: boxes, verdict and rule of pictures, by a version, the champion or a file."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from detector_files import publish_colour_detector, save_colour_detector
from lvbag.cli import app
from lvbag.errors import LvbagError
from lvbag.infer import ModelError
from lvbag.settings import Settings
from lvbag.store import CorruptObject, ModelKind, Store, keys
from store_env import own_home

SAID = {"names": "{0: 'Bag'}", "imgsz": "[64, 64]"}
LEFT, DARK, BOTH, BLUE = (255, 0, 0), (30, 20, 0), (255, 240, 0), (0, 0, 200)


@pytest.fixture(autouse=True)
def machine(store: Store, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_home(monkeypatch, tmp_path, settings.store)
    monkeypatch.setattr("lvbag.commands.detect.console._width", 200)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, colour in (("a left", LEFT), ("b dark", DARK), ("c both", BOTH), ("d blue", BLUE)):
        Image.new("RGB", (200, 200), colour).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save_colour_detector(tmp_path / "own.onnx", SAID)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["detect", *map(str, arguments)])


def rows(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_each_picture_of_a_folder_is_one_json_line_with_verdict_and_rule(photos: Path, model: Path) -> None:
    result = run(photos, "--detector", model, "--json")
    assert result.exit_code == 0, result.output
    left, dark, both, blue = rows(result)
    assert left["file"] == str(photos / "a left.png")
    assert [one["rule"] for one in (left, dark, both, blue)] == [None, "no_bag", "several_bags", "bag_too_small"]
    assert [one["verdict"] for one in (left, dark)] == ["kept", "refused"]
    (box,) = left["boxes"]
    assert list(box) == ["x0", "y0", "x1", "y1", "confidence", "name"]
    assert (box["x0"], box["x1"], box["name"]) == (pytest.approx(4 / 64), pytest.approx(28 / 64), "Bag")
    assert box["confidence"] == pytest.approx(1.0)
    assert dark["boxes"] == [], "boxes below the working point do not count"
    assert dark["reason"] == "no_bag: best confidence 0.12, detector.confidence is 0.35"
    assert len(both["boxes"]) == 2


def test_people_see_a_table(photos: Path, model: Path) -> None:
    shown = run(photos, "--detector", model).stdout
    assert "own.onnx" in shown
    (line,) = [line for line in shown.splitlines() if "b dark.png" in line]
    assert "refused" in line and "0.12" in line and "no_bag: best confidence" in line


def test_what_does_not_decode_is_told_and_ends_with_status_1(photos: Path, model: Path, tmp_path: Path) -> None:
    (photos / "e text.jpg").write_text("no picture", encoding="utf-8")
    result = run(photos, tmp_path / "missing.png", "--detector", model, "--json")
    assert result.exit_code == 1
    assert rows(result)[4:] == [
        {"file": str(photos / "e text.jpg"), "refused": "not_an_image"},
        {"file": str(tmp_path / "missing.png"), "refused": "unreadable: No such file or directory"},
    ]
    assert "not_an_image" in run(photos, "--detector", model).stdout


def test_the_champion_and_a_version_by_number_are_taken_from_the_registry(
    store: Store, photos: Path, tmp_path: Path
) -> None:
    nothing = run(photos, "--json")
    assert isinstance(nothing.exception, LvbagError) and "no champion detector yet" in str(nothing.exception)
    number = publish_colour_detector(store, tmp_path / "version")
    champion = run(photos, "--json")
    assert [row["rule"] for row in rows(champion)] == [None, "no_bag", "several_bags", "bag_too_small"]
    assert run(photos, "--json", "--detector", str(number)).stdout == champion.stdout
    assert f"detector {number:04d}" in run(photos).stdout
    assert "0009 does not exist" in str(run(photos, "--detector", "9").exception)


def test_a_detector_that_was_tampered_with_is_refused_by_its_digest(store: Store, photos: Path, tmp_path: Path) -> None:
    number = publish_colour_detector(store, tmp_path / "version")
    ref = keys.version_file(ModelKind.DETECTOR, number, "model.onnx")
    store.put(ref, store.get(ref) + b"\0")
    result = run(photos, "--json")
    assert isinstance(result.exception, CorruptObject) and "another sha256" in str(result.exception)
    assert result.stdout == ""


def test_a_detector_of_several_classes_tells_bags_from_people(photos: Path, tmp_path: Path) -> None:
    two = save_colour_detector(tmp_path / "two.onnx", SAID | {"names": "{0: 'Bag', 1: 'person'}"}, classes=2)
    Image.new("RGB", (200, 200), (255, 0, 255)).save(photos / "e person.png")
    row = rows(run(photos / "e person.png", photos / "d blue.png", "--detector", two, "--json"))
    assert [one["rule"] for one in row] == [None, "no_bag"]  # the person is 4 times as large: the bag is seen well
    assert row[1]["reason"] == "no_bag: nothing detected but person"
    strange = save_colour_detector(tmp_path / "strange.onnx", SAID | {"names": "['Shoe', 'person']"}, classes=2)
    result = run(photos, "--detector", strange)
    assert isinstance(result.exception, ModelError) and "detector.bag_classes (Bag) names none" in str(result.exception)
    one = save_colour_detector(tmp_path / "one.onnx", SAID | {"names": "{0: 'BackPack'}"})
    assert [row["rule"] for row in rows(run(photos / "a left.png", "--detector", one, "--json"))] == [None]


# ------------------------------------------------------------------ pictures


def test_drawn_pictures_show_verdict_and_box_and_never_replace_a_file(photos: Path, model: Path) -> None:
    before = {path.name: path.read_bytes() for path in photos.iterdir()}
    for _ in range(2):
        result = run(photos / "a left.png", photos / "b dark.png", "--detector", model, "--save", photos)
        assert "2 pictures drawn into" in result.stderr
    after = sorted(path.name for path in photos.iterdir())
    drawn = [f"{stem}.detected{more}.jpg" for stem in ("a left", "b dark") for more in ("", "-2")]
    assert after == sorted([*before, *drawn])
    assert all((photos / name).read_bytes() == data for name, data in before.items())
    colours = []
    for name in drawn[::2]:
        with Image.open(photos / name) as image:
            assert image.format == "JPEG" and image.width == 200 and image.height > 200
            colours.append(image.convert("RGB").getpixel((198, 2)))
    (green, red) = colours
    assert green[1] > green[0] + 50 and red[0] > red[1] + 50


def test_pictures_of_one_name_are_drawn_side_by_side(photos: Path, model: Path, tmp_path: Path) -> None:
    (photos / "more").mkdir()
    Image.new("RGB", (200, 200), LEFT).save(photos / "more" / "a left.png")
    run(photos, "--detector", model, "--save", tmp_path / "new" / "drawn")
    assert len(list((tmp_path / "new" / "drawn").glob("a left.detected*.jpg"))) == 2


def test_a_folder_that_cannot_be_written_is_an_error_with_its_name(photos: Path, model: Path) -> None:
    result = run(photos, "--detector", model, "--save", photos / "a left.png")
    assert isinstance(result.exception, LvbagError) and "--save" in str(result.exception)


# ------------------------------------------------------------------ files that are no detector


class Bomb:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, ("exploded", "w"))


def test_a_pickle_is_never_opened(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "best.pt").write_bytes(pickle.dumps(Bomb()))
    (tmp_path / "bomb.onnx").write_bytes(pickle.dumps(Bomb()))
    refused = run(photos, "--detector", tmp_path / "best.pt")
    assert isinstance(refused.exception, ModelError) and "format=onnx" in str(refused.exception)
    assert isinstance(run(photos, "--detector", tmp_path / "bomb.onnx").exception, ModelError)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({}, "does not tell its `names`"),
        ({"names": "{0: 'Bag'}"}, "does not tell its `imgsz`"),
        ({"names": "{0: 'Bag'}", "imgsz": "[64, 32]"}, "no side of a square"),
        ({"names": "{0: 'Bag'}", "imgsz": "[96, 96]"}, "takes pictures of 64 px and says 96"),
        ({"names": "{1: 'Bag'}", "imgsz": "64"}, "no classes by number"),
        ({"names": "__import__('os').getcwd()", "imgsz": "64"}, "cannot be read"),
        ({"names": "['Bag'", "imgsz": "64"}, "cannot be read"),
    ],
)
def test_a_file_that_does_not_tell_what_it_is_says_what_is_missing(
    photos: Path, tmp_path: Path, said: dict[str, str], message: str
) -> None:
    result = run(photos, "--detector", save_colour_detector(tmp_path / "m.onnx", said))
    assert isinstance(result.exception, ModelError)
    assert message in str(result.exception)
