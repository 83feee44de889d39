from __future__ import annotations

import datetime as dt
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as run_settings
from hypothesis import strategies as st
from PIL import Image
from tiny_models import COLOURS, colour_classifier, fixed_detector

from lvbag.errors import LvbagError
from lvbag.infer import ModelError, open_classifier
from lvbag.infer.cropping import crop_box, shrink
from lvbag.infer.use import classify_photos
from lvbag.registry import publish_version, reserve_version, rollback
from lvbag.registry.records import ModelSpec, VersionRecord
from lvbag.settings import Settings
from lvbag.store import CorruptObject, ModelKind, Store, keys

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
AT = dt.datetime(2026, 11, 23, 2, 0, tzinfo=dt.UTC)


def record(kind: ModelKind = ModelKind.CLASSIFIER, **changes: object) -> VersionRecord:
    model = {"architecture": "tiny", "image_side_px": 32, "classes": COLOURS}
    values = {
        "kind": kind, "version": 1, "created_at": AT, "data": "s-1", "recipe": "tiny", "recipe_sha256": "ab" * 32,
        "seed": 0, "training_key": "t1", "parent": None, "detector": "0001", "code_version": "0.1.0", "metrics": {},
    }  # fmt: skip
    own = {name: changes.pop(name) for name in list(changes) if name in ModelSpec.model_fields}
    return VersionRecord.model_validate(values | changes | {"model": model | own})


def plain(colour: tuple[int, int, int], size: tuple[int, int] = (200, 200)) -> Image.Image:
    return Image.new("RGB", size, colour)


# ------------------------------------------------------------------ the classifier


@pytest.mark.parametrize("batch", ["batch", 1, 4])
def test_products_come_with_probabilities_best_first_whatever_the_batch(tmp_path: Path, batch: int | str) -> None:
    classifier = open_classifier(colour_classifier(tmp_path / "model.onnx", batch=batch), record())
    answers = classifier.classify([plain(colour) for colour in (BLUE, RED, GREEN) * 7], top=2)
    assert [answer[0].style_code for answer in answers] == ["M10003", "M10001", "M10002"] * 7
    assert [len(answer) for answer in answers] == [2] * 21
    assert answers[0][0].probability == pytest.approx(np.exp(10) / (np.exp(10) + 2), abs=1e-6)
    assert answers[0][1].style_code == "M10001", "equal ones keep the order of the classes"
    assert classifier.classify([]) == []
    assert len(classifier.classify([plain(RED)], top=9)[0]) == 3


def test_scores_are_divided_by_the_temperature_of_the_record(tmp_path: Path) -> None:
    path = colour_classifier(tmp_path / "model.onnx")
    plain_one, cooled = (open_classifier(path, record(temperature=value)) for value in (1.0, 4.0))
    ((sure,),), ((unsure,),) = (one.classify([plain(RED)], top=1) for one in (plain_one, cooled))
    assert sure.style_code == unsure.style_code
    assert sure.probability == pytest.approx(np.exp(10) / (np.exp(10) + 2), abs=1e-6)
    assert unsure.probability == pytest.approx(np.exp(2.5) / (np.exp(2.5) + 2), abs=1e-6)


def test_the_answer_for_a_picture_does_not_depend_on_its_neighbours(tmp_path: Path) -> None:
    classifier = open_classifier(colour_classifier(tmp_path / "model.onnx"), record())
    pictures = [plain((n * 10, 255 - n * 10, n)) for n in range(20)]
    together = classifier.probabilities(pictures)
    assert together.shape == (20, 3)
    assert np.allclose(together.sum(axis=1), 1)
    assert np.allclose(together, np.concatenate([classifier.probabilities([one]) for one in pictures]), atol=1e-6)


def test_pictures_go_in_as_the_record_says(tmp_path: Path) -> None:
    """Letterboxed on white, then mean and standard deviation: half of a 2:1 picture's square is white."""
    path = colour_classifier(tmp_path / "model.onnx")
    spec = record(mean=(0.5, 0.4, 0.3), std=(0.5, 0.25, 0.2))
    scores = 10 * (np.array([1.0, 0.5, 0.5]) - [0.5, 0.4, 0.3]) / [0.5, 0.25, 0.2]
    wanted = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
    assert np.allclose(open_classifier(path, spec).probabilities([plain(RED, (200, 100))])[0], wanted, atol=1e-5)


def test_scores_of_any_size_make_probabilities(tmp_path: Path) -> None:
    path = colour_classifier(tmp_path / "model.onnx")
    huge = open_classifier(path, record(std=(1e-4, 1e-4, 1e-4))).probabilities([plain(RED)])
    assert huge[0].tolist() == [1.0, 0.0, 0.0]
    with pytest.raises(ModelError, match="what is no number"):
        open_classifier(path, record(mean=(float("nan"),) * 3)).classify([plain(RED)])


def test_a_model_that_does_not_fit_its_record_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"takes pictures of 48 px, the record of classifier version 1 says 32"):
        open_classifier(colour_classifier(tmp_path / "a.onnx", side=48), record())
    two = open_classifier(colour_classifier(tmp_path / "b.onnx", classes=2), record())
    with pytest.raises(ModelError, match=r"b\.onnx answers with shape \(1, 2\); its record names 3 products"):
        two.classify([plain(RED)])
    (tmp_path / "c.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError, match=r"c\.onnx"):
        open_classifier(tmp_path / "c.onnx", record())


# ------------------------------------------------------------------ crops


def test_a_crop_is_the_box_with_its_margin_rounded_outwards() -> None:
    image = plain(BLUE, (200, 100))
    image.putpixel((30, 23), RED)  # 50 - 0.33 * 60 is 30.2, and 30 - 0.33 * 20 is 23.4
    image.putpixel((129, 56), GREEN)
    crop = crop_box(image, (0.25, 0.3, 0.55, 0.5), 0.33, 500)
    assert crop.size == (100, 34)
    assert (crop.getpixel((0, 0)), crop.getpixel((99, 33))) == (RED, GREEN)
    whole = crop_box(image, (0.0, 0.0, 1.0, 1.0), 0.5, 500)
    assert whole.tobytes() == image.tobytes(), "no margin beyond the picture"
    assert crop_box(image, (0.0, 0.0, 1.0, 1.0), 0.0, 50).size == (50, 25)


@run_settings(deadline=None)
@given(
    st.tuples(*[st.floats(0, 1)] * 4),
    st.floats(0, 1),
    st.tuples(st.integers(96, 400), st.integers(96, 400)),
    st.integers(64, 300),
)
def test_every_box_gives_a_crop_that_is_large_enough_and_not_too_large(
    corners: tuple[float, float, float, float], margin: float, size: tuple[int, int], longest_px: int
) -> None:
    x0, x1 = sorted(corners[:2])
    y0, y1 = sorted(corners[2:])
    full = crop_box(Image.new("RGB", size), (x0, y0, x1, y1), margin, 400)
    for length, low, high, side in ((full.width, x0, x1, size[0]), (full.height, y0, y1, size[1])):
        assert max(1, (high - low) * side - 1e-6) <= length <= min(side, (high - low) * side * (1 + 2 * margin) + 2)
    shrunk = shrink(full, longest_px)
    assert max(shrunk.size) == min(longest_px, max(full.size))


# ------------------------------------------------------------------ photos


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LVBAG_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def champion_classifier(store: Store, folder: Path, detector: str | None = "0001") -> None:
    folder.mkdir()
    colour_classifier(folder / "model.onnx")
    number = reserve_version(store, ModelKind.CLASSIFIER, "t1")
    publish_version(store, ModelKind.CLASSIFIER, number, folder, record(detector=detector))
    rollback(store, ModelKind.CLASSIFIER, number, AT, "test", "first")


def champion_detector(store: Store, folder: Path, confidence: float = 0.9) -> None:
    """It sees a bag in the upper left quarter of every picture."""
    folder.mkdir()
    fixed_detector(folder / "model.onnx", (16, 16, 32, 32), confidence)
    number = reserve_version(store, ModelKind.DETECTOR, "t1")
    made = record(ModelKind.DETECTOR, classes=("Bag",), image_side_px=64, detector=None)
    publish_version(store, ModelKind.DETECTOR, number, folder, made)
    rollback(store, ModelKind.DETECTOR, number, AT, "test", "first")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """Blue with a green upper left quarter that is somewhat larger than the crop with its margin."""
    image = plain(BLUE, (400, 400))
    image.paste(GREEN, (0, 0, 240, 240))
    image.save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_without_a_champion_it_says_how_to_get_one(store: Store, settings: Settings, photo: Path) -> None:
    with pytest.raises(LvbagError, match=r"no champion classifier yet: run the DAG lvbag_train"):
        classify_photos(store, settings, [photo])


@pytest.mark.usefixtures("home")
def test_the_bag_is_found_and_named(store: Store, settings: Settings, photo: Path, tmp_path: Path) -> None:
    champion_classifier(store, tmp_path / "c")
    champion_detector(store, tmp_path / "d")
    (answer,) = classify_photos(store, settings, [photo], top=2)
    assert (answer.version, answer.detector, answer.note, answer.error) == (1, 1, None, None)
    assert answer.box == pytest.approx((0, 0, 0.5, 0.5))
    assert answer.box_confidence == pytest.approx(0.9)
    assert [item.style_code for item in answer.predictions] == ["M10002", "M10001"]


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("cropped_by", "seen", "note"),
    [
        ("0001", None, "there is no champion detector"),
        ("0001", 0.1, "no bag found"),
        ("none", 0.9, "the classifier was trained on whole pictures"),
        (None, 0.9, "the classifier was trained on whole pictures"),
    ],
)
def test_otherwise_the_whole_picture_is_named_and_the_answer_says_so(
    store: Store, settings: Settings, photo: Path, tmp_path: Path, cropped_by: str | None, seen: float | None, note: str
) -> None:  # fmt: skip
    champion_classifier(store, tmp_path / "c", detector=cropped_by)
    if seen is not None:
        champion_detector(store, tmp_path / "d", confidence=seen)
    (answer,) = classify_photos(store, settings, [photo])
    assert answer.predictions[0].style_code == "M10003", "the picture is mostly blue"
    assert answer.box is None
    assert answer.note == f"{note}: the whole picture was named"


@pytest.mark.usefixtures("home")
def test_an_unreadable_photo_does_not_harm_the_others(
    store: Store, settings: Settings, photo: Path, tmp_path: Path
) -> None:
    champion_classifier(store, tmp_path / "c")
    (tmp_path / "text.jpg").write_text("no picture", encoding="utf-8")
    (tmp_path / "cut.png").write_bytes(photo.read_bytes()[:200])
    paths = [tmp_path / "text.jpg", photo, tmp_path / "missing.jpg", tmp_path, tmp_path / "cut.png"]
    answers = list(classify_photos(store, settings, paths))
    assert [answer.file for answer in answers] == [str(path) for path in paths]
    assert [answer.error for answer in answers] == [
        "no picture that can be used (not_an_image)",
        None,
        "cannot be read (No such file or directory)",
        "cannot be read (Is a directory)",
        "no picture that can be used (truncated)",
    ]
    assert [bool(answer.predictions) for answer in answers] == [False, True, False, False, False]


def test_a_champion_whose_file_was_changed_is_not_used(
    store: Store, settings: Settings, home: Path, photo: Path, tmp_path: Path
) -> None:
    champion_classifier(store, tmp_path / "c")
    assert next(classify_photos(store, settings, [photo])).predictions
    assert len(list((home / "cache").rglob("model.onnx"))) == 1
    ref = keys.version_file(ModelKind.CLASSIFIER, 1, "model.onnx")
    store.put(ref, store.get(ref) + b"\0")
    assert next(classify_photos(store, settings, [photo])).predictions, "the checked copy of this machine still serves"
    next((home / "cache").rglob("model.onnx")).unlink()
    with pytest.raises(CorruptObject, match="classifier version 0001"):
        classify_photos(store, settings, [photo])


def test_inference_needs_no_torch() -> None:
    script = "import sys, lvbag.infer.use, lvbag.infer.classifier; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
