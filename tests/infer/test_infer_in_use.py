"""Which detector finds bags while there is no champion, what names it, and what is refused."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from detector_files import publish_colour_detector, save_colour_detector
from lvbag.infer import ModelError
from lvbag.infer.bag_names import bag_names
from lvbag.infer.in_use import detector_in_use, open_named
from lvbag.registry.weights import Weights, keep_weights
from lvbag.settings import DetectorSettings, Settings
from lvbag.store import CorruptObject, Ref, Store, keys
from lvbag.store.keys import Bucket

SAID = {"names": "{0: 'Bag'}", "imgsz": "[64, 64]"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LVBAG_HOME", str(tmp_path / "home"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return save_colour_detector(tmp_path / "given.onnx", SAID)


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def bootstrapped(settings: Settings, **values: Any) -> Settings:
    return settings.model_copy(update={"detector": DetectorSettings(**values)})


def by_file(settings: Settings, where: object, **values: Any) -> Settings:
    return bootstrapped(settings, bootstrap="file", bootstrap_file=str(where), **values)


def test_a_champion_wins_over_any_file_and_without_both_pictures_stay_whole(
    store: Store, settings: Settings, file: Path, tmp_path: Path
) -> None:
    assert detector_in_use(store, settings) == "none"
    assert open_named(store, settings.detector, "none") is None
    assert detector_in_use(store, by_file(settings, file)).startswith("file-")
    publish_colour_detector(store, tmp_path / "version")
    assert detector_in_use(store, by_file(settings, file)) == "0001"


def test_a_file_is_named_by_its_content_and_kept_for_every_machine(
    store: Store, settings: Settings, file: Path
) -> None:
    chosen = by_file(settings, file, bootstrap_sha256=sha256_of(file))
    name = detector_in_use(store, chosen)
    assert name == f"file-{sha256_of(file)[:12]}"
    file.unlink()  # as on another worker
    opened = open_named(store, chosen.detector, name)
    assert opened is not None
    (boxes,) = opened.detect([Image.new("RGB", (64, 64), (255, 0, 0))])
    assert [box.name for box in boxes] == ["Bag"]


def test_a_file_may_stand_in_the_store(store: Store, settings: Settings, file: Path) -> None:
    ref = Ref(Bucket.MODELS, "mine/finder.onnx")
    store.upload(ref, file)
    assert detector_in_use(store, by_file(settings, store.uri(ref))) == detector_in_use(store, by_file(settings, file))
    with pytest.raises(ModelError, match=r"s3://.*/mine/other\.onnx does not exist"):
        detector_in_use(store, by_file(settings, store.uri(Ref(Bucket.MODELS, "mine/other.onnx"))))
    with pytest.raises(ModelError, match="in none of the store's buckets"):
        detector_in_use(store, by_file(settings, "s3://elsewhere/finder.onnx"))


def test_a_file_that_is_missing_changed_or_no_detector_of_bags_is_refused_before_a_night_is_cleaned(
    store: Store, settings: Settings, file: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=r"detector\.bootstrap_file names none"):
        detector_in_use(store, bootstrapped(settings, bootstrap="file"))
    with pytest.raises(ModelError, match=r"gone\.onnx does not exist"):
        detector_in_use(store, by_file(settings, tmp_path / "gone.onnx"))
    with pytest.raises(ModelError, match=r"bootstrap_sha256 says 0000.*it was changed"):
        detector_in_use(store, by_file(settings, file, bootstrap_sha256="0" * 64))
    with pytest.raises(ModelError, match="are pickles"):
        detector_in_use(store, by_file(settings, file.rename(tmp_path / "given.pt")))
    said = {"names": "{0: 'shoe', 1: 'hat'}", "imgsz": "[64, 64]"}
    with pytest.raises(ModelError, match="knows the classes shoe, hat"):
        detector_in_use(store, by_file(settings, save_colour_detector(tmp_path / "shoes.onnx", said, classes=2)))
    assert not list(store.list_objects(Bucket.MODELS, keys.detector_files_prefix()))


def test_a_kept_file_that_was_changed_is_not_opened(store: Store, settings: Settings, file: Path) -> None:
    name = detector_in_use(store, by_file(settings, file))
    ref = keys.detector_file(sha256_of(file))
    store.put(ref, b"another network")
    with pytest.raises(CorruptObject, match="is not what its name says"):
        open_named(store, settings.detector, name)


def test_weights_of_coco_find_backpacks_handbags_and_suitcases(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    chosen = bootstrapped(settings, bootstrap="coco")
    with pytest.raises(ModelError, match=r"no weights of yolo11n .*lvbag detector weights add yolo11n\.pt"):
        detector_in_use(store, chosen)
    classes = ("handbag", "person")
    said = {"names": str(dict(enumerate(classes))), "imgsz": "[64, 64]"}
    onnx = save_colour_detector(tmp_path / "coco.onnx", said, classes=2)
    record = Weights(
        network="yolo11n", sha256="ab" * 32, onnx_sha256=sha256_of(onnx), image_side_px=64, classes=classes,
        origin="yolo11n.pt", origin_sha256="cd" * 32, added_at=dt.datetime(2026, 11, 23, tzinfo=dt.UTC),
    )  # fmt: skip
    keep_weights(store, record, onnx, onnx)
    name = detector_in_use(store, chosen)
    assert name == f"file-{record.onnx_sha256[:12]}"
    opened = open_named(store, chosen.detector, name)
    assert opened is not None
    assert bag_names(opened.classes, chosen.detector) == ("handbag",)


def test_of_cocos_classes_those_that_the_setting_names_come_first() -> None:
    assert bag_names(("person", "suitcase", "backpack"), DetectorSettings()) == ("suitcase", "backpack")
    assert bag_names(("person", "suitcase"), DetectorSettings(bag_classes=("person",))) == ("person",)
    with pytest.raises(ModelError, match=r"detector\.bag_classes \(Bag\) names none"):
        bag_names(("person", "shoe"), DetectorSettings())
