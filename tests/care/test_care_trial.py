"""A version that comes back must open and answer well first."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import shutil
from pathlib import Path

import numpy as np
import onnx
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from detector_files import save_colour_detector
from infer.tiny_models import COLOURS, colour_classifier
from lvbag import schemas
from lvbag.care import CareError, roll_back, try_version
from lvbag.care.trial import BY_CHANCE, least_share, so_few_by_chance
from lvbag.infer import ModelError
from lvbag.registry import champion, list_history, publish_version, reserve_version
from lvbag.registry.records import ModelSpec, VersionRecord
from lvbag.settings import Settings
from lvbag.store import CorruptObject, ModelKind, Ref, Store, keys
from lvbag.store.tables import write_table

AT = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)
NIGHT = dt.date(2026, 11, 23)
SNAPSHOT = "2026-11-23-0123456789ab"
RGB = ((255, 0, 0), (0, 255, 0), (0, 0, 255))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LVBAG_HOME", str(tmp_path / "home"))


def snapshot(store: Store, each: int = 10, detector: str = "0001") -> list[Ref]:
    """The newest one: test pictures of red, green and blue products, and one of a product that no version knows."""
    rows, crops = [], []
    for code, colour in zip((*COLOURS, "M99999"), (*RGB, (0, 0, 0)), strict=True):
        for number in range(each if code in COLOURS else 1):
            buffer = io.BytesIO()
            Image.new("RGB", (40, 30 + number), colour).save(buffer, "JPEG", quality=95)
            data = buffer.getvalue()
            sha256 = hashlib.sha256(data).hexdigest()
            crops.append(keys.crop(detector, sha256))
            store.put(crops[-1], data)
            store.put(keys.raw_image(sha256, "jpg"), data)
            rows.append(
                {
                    "sha256": sha256, "style_code": code, "split": "test", "detector": detector,
                    "crop_sha256": hashlib.sha256(data).hexdigest(),
                }
            )  # fmt: skip
    manifest = pl.DataFrame(rows, schema=schemas.MANIFEST).sort("sha256")
    write_table(store, keys.snapshot(SNAPSHOT, "manifest.parquet"), manifest, schemas.MANIFEST)
    store.put_json(keys.snapshot_of_night(NIGHT), {"snapshot": SNAPSHOT})
    return crops


def publish(
    store: Store, model: Path, metrics: dict[str, float], kind: ModelKind = ModelKind.CLASSIFIER, side: int = 32,
    classes: tuple[str, ...] = COLOURS,
) -> int:  # fmt: skip
    folder = model.parent / f"{model.stem}-version"
    folder.mkdir()
    shutil.copyfile(model, folder / "model.onnx")
    number = reserve_version(store, kind, model.stem)
    record = VersionRecord(
        kind=kind, version=number, created_at=AT, data="s", recipe="r", recipe_sha256="0" * 64, seed=0,
        training_key=model.stem, parent=None, detector="0001" if kind is ModelKind.CLASSIFIER else None,
        code_version="0", model=ModelSpec(architecture="a", image_side_px=side, classes=classes), metrics=metrics,
    )  # fmt: skip
    publish_version(store, kind, number, folder, record)
    return number


def stubborn(path: Path, value: float = 0.0) -> Path:
    """A classifier that answers the same whatever it sees."""
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["input"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["flat"]),
            helper.make_node("Mul", ["flat", "nothing"], ["scores"]),
        ],
        "stubborn",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, 32, 32])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 3])],
        [numpy_helper.from_array(np.array(value, np.float32), "nothing")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_a_version_that_names_the_test_pictures_comes_back(store: Store, settings: Settings, tmp_path: Path) -> None:
    snapshot(store)
    number = publish(store, colour_classifier(tmp_path / "sound.onnx"), {"top1": 0.9})
    trial = roll_back(store, settings, ModelKind.CLASSIFIER, number, AT, "ana", "the other one was worse")
    assert (trial.pictures, trial.right) == (30, 30), "a product that it has never seen is left out"
    assert trial.said == f"30 of 30 test pictures of snapshot {SNAPSHOT} named right"
    alias = champion(store, ModelKind.CLASSIFIER)
    assert alias is not None and alias.version == number


def test_a_version_far_below_its_record_stays_away_and_it_is_said_what_was_found(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    snapshot(store, each=20)
    number = publish(store, colour_classifier(tmp_path / "shifted.onnx"), {"top1": 0.9}, classes=COLOURS[::-1])
    with pytest.raises(CareError, match=r"0001 does not come back: 20 of 60 .*, while its record says top1 0\.900"):
        roll_back(store, settings, ModelKind.CLASSIFIER, number, AT, "ana", "why not")
    assert champion(store, ModelKind.CLASSIFIER) is None
    assert list_history(store, ModelKind.CLASSIFIER) == []


def test_one_that_answers_the_same_to_everything_is_refused(store: Store, settings: Settings, tmp_path: Path) -> None:
    snapshot(store, each=20)
    number = publish(store, stubborn(tmp_path / "stubborn.onnx"), {"top1": 0.8})
    with pytest.raises(CareError, match="20 of 60"):
        try_version(store, settings, ModelKind.CLASSIFIER, number)


def test_without_a_picture_only_loading_counts_and_that_is_said(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    number = publish(store, stubborn(tmp_path / "stubborn.onnx"), {"top1": 0.8})
    trial = try_version(store, settings, ModelKind.CLASSIFIER, number)
    assert trial.said == "only loading was checked, and that it answers with numbers: there is no snapshot"
    for ref in snapshot(store, each=1):
        store.delete(ref)
    assert "has no test picture of a product that it knows" in (
        try_version(store, settings, ModelKind.CLASSIFIER, number).said
    )


def test_a_damaged_picture_is_left_out(store: Store, settings: Settings, tmp_path: Path) -> None:
    first, *_ = snapshot(store)
    store.put(first, b"something else")
    number = publish(store, colour_classifier(tmp_path / "sound.onnx"), {"top1": 0.9})
    assert try_version(store, settings, ModelKind.CLASSIFIER, number).pictures == 29


def test_what_does_not_open_or_answers_with_no_number_never_comes_back(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "text.onnx").write_bytes(b"no network")
    numbers = [
        publish(store, tmp_path / "text.onnx", {}),
        publish(store, colour_classifier(tmp_path / "four.onnx", classes=4), {}),
        publish(store, stubborn(tmp_path / "nan.onnx", float("nan")), {}),
    ]
    said = ["no model that onnxruntime", "its record names 3 products", "what is no number"]
    for number, words in zip(numbers, said, strict=True):
        with pytest.raises(ModelError, match=words):
            roll_back(store, settings, ModelKind.CLASSIFIER, number, AT, "ana", "why not")
    sound = publish(store, colour_classifier(tmp_path / "sound.onnx"), {})
    store.put(keys.version_file(ModelKind.CLASSIFIER, sound, "model.onnx"), b"changed")
    with pytest.raises(CorruptObject):
        roll_back(store, settings, ModelKind.CLASSIFIER, sound, AT, "ana", "why not")
    assert champion(store, ModelKind.CLASSIFIER) is None


def test_a_detector_must_find_bags_in_what_another_one_let_pass(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    snapshot(store)
    sound, blind = (
        publish(
            store, save_colour_detector(tmp_path / f"{name}.onnx", strength=strength), {"recall": 0.9},
            ModelKind.DETECTOR, 64, ("Bag",),
        )
        for name, strength in (("sound", 1.0), ("blind", 0.01))
    )  # fmt: skip
    trial = roll_back(store, settings, ModelKind.DETECTOR, sound, AT, "ana", "the new one misses clutches")
    assert trial.pictures == 16
    assert trial.right >= 15
    with pytest.raises(CareError, match=r"detector version 0002 does not come back: a bag found in 0 of 16"):
        roll_back(store, settings, ModelKind.DETECTOR, blind, AT, "ana", "why not")
    alias = champion(store, ModelKind.DETECTOR)
    assert alias is not None and alias.version == sound


def test_whole_pictures_say_nothing_about_a_detector(store: Store, settings: Settings, tmp_path: Path) -> None:
    snapshot(store, detector="none")
    model = save_colour_detector(tmp_path / "blind.onnx", strength=0.01)
    number = publish(store, model, {"recall": 0.9}, ModelKind.DETECTOR, 64, ("Bag",))
    assert "in which a detector has found a bag" in try_version(store, settings, ModelKind.DETECTOR, number).said


@given(st.integers(1, 64), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_a_version_that_is_as_good_as_asked_is_hardly_ever_refused(pictures: int, share: float, better: float) -> None:
    """The chance that a version of at least this share gets so few right that it is refused."""
    skill = share + better * (1 - share)
    refused = [right for right in range(pictures + 1) if so_few_by_chance(right, pictures, share) < BY_CHANCE]
    assert (so_few_by_chance(max(refused), pictures, skill) if refused else 0.0) < BY_CHANCE + 1e-9
    assert so_few_by_chance(pictures, pictures, share) == pytest.approx(1.0)


def test_the_least_share_lies_between_chance_and_the_record() -> None:
    assert least_share(0.9, 0.1) == pytest.approx(0.5)
    assert least_share(0.05, 0.1) == 0.1
    assert least_share(None, 0.25) == 0.25
