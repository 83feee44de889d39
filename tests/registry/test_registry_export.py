"""A version in a folder of its own answers as lvbag does, without lvbag."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image
from registry_makers import AT, record

from detector_files import publish_colour_detector
from infer.tiny_models import COLOURS, colour_classifier
from lvbag.images import decode
from lvbag.infer import open_detector
from lvbag.infer.use import classify_photos
from lvbag.registry import (
    RegistryError,
    export_version,
    fetch_file,
    load_version,
    publish_version,
    reserve_version,
    rollback,
)
from lvbag.registry.records import ModelSpec
from lvbag.settings import Settings
from lvbag.store import ModelKind, Store

GUARD = """
import runpy, sys
class Guard:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("lvbag", "torch", "timm", "ultralytics", "cv2", "pydantic"):
            raise ImportError(name + " is not to be had here")
sys.meta_path.insert(0, Guard())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LVBAG_HOME", str(tmp_path / "home"))


def publish_classifier(store: Store, folder: Path, detector: str | None) -> int:
    folder.mkdir()
    colour_classifier(folder / "model.onnx")
    (folder / "card.md").write_text("# Classifier", encoding="utf-8")
    number = reserve_version(store, ModelKind.CLASSIFIER, folder.name)
    spec = ModelSpec(
        architecture="tiny", image_side_px=32, classes=COLOURS, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.25),
        temperature=7.5,
    )  # fmt: skip
    made = record(number, folder.name, detector=detector, model=spec)
    publish_version(store, ModelKind.CLASSIFIER, number, folder, made)
    rollback(store, ModelKind.CLASSIFIER, number, AT, "test", "first")
    return number


def pictures(folder: Path) -> list[Path]:
    """A photo that EXIF turns, one with transparency, one in 16 bits of grey, one in CMYK, one larger than a crop."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 255, (9, 7, 3), dtype=np.uint8))
    photo = coarse.resize((210, 270), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    photo.save(folder / "turned.jpg", exif=exif)
    clear = photo.convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(photo.size))
    clear.save(folder / "clear.webp", lossless=True)
    grey = np.asarray(photo.convert("L")).astype(np.uint16) * 257
    Image.fromarray(grey).save(folder / "grey.png")
    photo.convert("CMYK").save(folder / "cmyk.jpg", quality=95)
    coarse.resize((700, 900), Image.Resampling.BICUBIC).save(folder / "large.png")
    return sorted(path for path in folder.iterdir() if path.is_file())


def example(folder: Path, *arguments: object) -> list[dict[str, Any]]:
    """What `example.py` prints in a process that has neither lvbag nor torch."""
    command = [sys.executable, "-I", "-c", GUARD, str(folder / "example.py"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin"})
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_classifier_of_whole_pictures_answers_as_lvbag_classify(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    number = publish_classifier(store, tmp_path / "whole", None)
    (tmp_path / "photos").mkdir()
    photos = pictures(tmp_path / "photos")

    written = export_version(store, settings, ModelKind.CLASSIFIER, number, tmp_path / "out")

    names = ["README.md", "card.md", "classes.json", "example.py", "model.onnx", "preprocessing.json"]
    assert sorted(path.name for path in written) == names
    wanted = classify_photos(store, settings, photos)
    assert len(photos) == 5
    for answer, own in zip(example(tmp_path / "out", *photos), wanted, strict=True):
        assert own.error is None
        assert answer["file"] == own.file
        assert [item["product"] for item in answer["top"]] == [item.style_code for item in own.predictions]
        shares = [item["probability"] for item in answer["top"]]
        assert shares == pytest.approx([item.probability for item in own.predictions], abs=1e-6)
        assert 0.34 < shares[0] < 0.9, "an answer in which every step shows"


def test_a_detector_and_the_classifier_of_its_crops_answer_as_lvbag_does(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    detector = publish_colour_detector(store, tmp_path / "detector")
    number = publish_classifier(store, tmp_path / "cropped", "0001")
    (tmp_path / "photos").mkdir()
    photo = next(path for path in pictures(tmp_path / "photos") if path.name == "large.png")
    export_version(store, settings, ModelKind.DETECTOR, detector, tmp_path / "finds")
    export_version(store, settings, ModelKind.CLASSIFIER, number, tmp_path / "names")

    (found,) = example(tmp_path / "finds", photo)
    model = fetch_file(store, ModelKind.DETECTOR, detector, "model.onnx", tmp_path / "cache")
    opened = open_detector(model, load_version(store, ModelKind.DETECTOR, detector), settings.detector)
    (wanted,) = opened.detect([decode(photo.read_bytes(), settings.images)])
    assert len(wanted) >= 2
    for box, own in zip(found["boxes"], wanted, strict=True):
        assert box["box"] == pytest.approx([own.x0, own.y0, own.x1, own.y1], abs=1e-9)
        assert (box["class"], box["confidence"]) == (own.name, pytest.approx(own.confidence, abs=1e-6))

    (named,) = example(tmp_path / "names", photo, "--box", *found["boxes"][0]["box"], "--top", 2)
    (answer,) = classify_photos(store, settings, [photo], top=2)
    assert answer.box is not None
    assert [item["product"] for item in named["top"]] == [item.style_code for item in answer.predictions]
    assert named["top"][0]["probability"] == pytest.approx(answer.predictions[0].probability, abs=1e-6)
    readme = (tmp_path / "names" / "README.md").read_text(encoding="utf-8")
    assert "lvbag registry export 0001 FOLDER --kind detector" in readme


def test_a_folder_that_holds_something_is_left_alone(store: Store, settings: Settings, tmp_path: Path) -> None:
    number = publish_classifier(store, tmp_path / "whole", None)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    for folder in (tmp_path / "full", tmp_path / "full" / "mine.txt"):
        with pytest.raises(RegistryError, match="holds something"):
            export_version(store, settings, ModelKind.CLASSIFIER, number, folder)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]
    with pytest.raises(RegistryError, match="0009 does not exist"):
        export_version(store, settings, ModelKind.CLASSIFIER, 9, tmp_path / "out")
    assert not (tmp_path / "out").exists()
