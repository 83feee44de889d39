"""Cleaning against a real store, with a detector that is a small ONNX graph in the real registry."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import polars as pl
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from detector_files import save_colour_detector
from lvbag import schemas
from lvbag.curate import CurateError, clean, clean_part, plan_cleaning
from lvbag.curate.rules import judge
from lvbag.infer import Detection, ModelError
from lvbag.registry import publish_version, reserve_version
from lvbag.registry.errors import RegistryError
from lvbag.registry.records import Champion, ModelSpec, VersionRecord
from lvbag.settings import CurateSettings, DetectorSettings, Settings
from lvbag.store import Bucket, CorruptObject, ModelKind, Store, json_bytes, keys
from lvbag.store.tables import read_table, write_table

NIGHT = dt.date(2026, 11, 23)
SIDE = 64
AT = dt.datetime(2026, 11, 23, 3, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LVBAG_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


# ------------------------------------------------------------------ a detector of three known boxes


def save_detector(path: Path) -> None:
    """Red's mean is the confidence of a box on the left, green's of one on the right, blue's of a tiny one between."""
    boxes = np.array([[16, 32, 24, 40], [48, 32, 24, 36], [32, 32, 6, 6]], np.float32).T[None]
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["images"], ["means"]),
            helper.make_node("Squeeze", ["means", "last"], ["flat"]),
            helper.make_node("Transpose", ["flat"], ["scores"], perm=[0, 2, 1]),
            helper.make_node("Mul", ["scores", "zero"], ["nothing"]),
            helper.make_node("Add", ["nothing", "boxes"], ["placed"]),
            helper.make_node("Concat", ["placed", "scores"], ["output0"], axis=1),
        ],
        "three-boxes",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, ["n", 5, 3])],
        [
            numpy_helper.from_array(boxes, "boxes"),
            numpy_helper.from_array(np.zeros(1, np.float32), "zero"),
            numpy_helper.from_array(np.array([3], np.int64), "last"),
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)


def publish_detector(store: Store, folder: Path) -> str:
    folder.mkdir()
    save_detector(folder / "model.onnx")
    number = reserve_version(store, ModelKind.DETECTOR, "three-boxes")
    record = VersionRecord(
        kind=ModelKind.DETECTOR,
        version=number,
        created_at=AT,
        data="labels",
        recipe="test",
        recipe_sha256="0" * 64,
        seed=0,
        training_key="three-boxes",
        parent=None,
        detector=None,
        code_version="0",
        model=ModelSpec(architecture="yolo11n", image_side_px=SIDE, classes=("Bag",)),
        metrics={},
    )
    publish_version(store, ModelKind.DETECTOR, number, folder, record)
    alias = Champion(version=number, since=AT, event="test", nonce="0")
    store.put(keys.champion(ModelKind.DETECTOR), json_bytes(alias.model_dump(mode="json")))
    return keys.version_name(number)


# ------------------------------------------------------------------ pictures and rows


def png(colour: tuple[int, int, int], size: tuple[int, int] = (400, 400)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def stage_row(number: int, data: bytes, **changes: Any) -> dict[str, Any]:
    digest = hashlib.sha256(data).hexdigest()
    return {
        **dict.fromkeys(schemas.STAGE_VALIDATE),
        "night": NIGHT,
        "source": "shop",
        "listing_id": f"l{number}",
        "image_url": f"https://shop.test/{number}.png",
        "position": 0,
        "sha256": digest,
        "format": "png",
        "style_code": "M41108",
        "first_night": NIGHT,
        "verdict": "kept",
        "width": 400,
        "height": 400,
        "cluster": digest,
        "representative": digest,
        **changes,
    }


def put_stage(store: Store, rows: list[dict[str, Any]]) -> None:
    frame = pl.DataFrame(rows, schema=schemas.STAGE_VALIDATE)
    write_table(store, keys.stage(NIGHT, "validate"), frame, schemas.STAGE_VALIDATE)


def put_raw(store: Store, row: dict[str, Any], data: bytes) -> dict[str, Any]:
    store.put(keys.raw_image(row["sha256"], row["format"]), data)
    return row


def with_shards_of(settings: Settings, images: int) -> Settings:
    return settings.model_copy(update={"curate": settings.curate.model_copy(update={"images_per_shard": images})})


def digests(store: Store) -> dict[str, str]:
    return {
        item.ref.key: hashlib.sha256(store.get(item.ref)).hexdigest() for item in store.list_objects(Bucket.CURATED)
    }


def cleaned(store: Store, part: int = 0) -> list[dict[str, Any]]:
    return read_table(store, keys.cleaned(NIGHT, part), schemas.CLEANED).to_dicts()


# ------------------------------------------------------------------ the steps


def test_each_picture_is_cropped_to_its_bag_or_refused_by_the_rule_that_it_breaks(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    left, dark, both, tiny = (png(colour) for colour in ((255, 0, 0), (30, 20, 0), (255, 240, 0), (0, 0, 200)))
    broken = png((200, 0, 0))[:-30]
    gone, changed = png((210, 0, 0)), png((220, 0, 0))
    rows = [put_raw(store, stage_row(n, data), data) for n, data in enumerate((left, dark, both, tiny, broken))]
    rows.append(stage_row(5, gone))
    rows.append(put_raw(store, stage_row(6, changed), b"something else"))
    before = stage_row(7, png((1, 2, 3)), verdict="refused", reason="near_duplicate: x", width=None, format="jpg")
    put_stage(store, [before, *rows])
    version = publish_detector(store, tmp_path / "version")

    plan = plan_cleaning(store, settings, NIGHT)
    assert (plan.detector, plan.parts) == (version, (0,))
    result = clean_part(store, settings, NIGHT, 0, plan.detector)

    table = cleaned(store)
    assert [row["reason"] for row in table] == [
        "near_duplicate: x",
        None,
        "no_bag: best confidence 0.12, detector.confidence is 0.35",
        "several_bags: 2 boxes of similar size, curate.several_bags_factor is 1.5",
        "bag_too_small: box covers 0.009 of the picture, curate.min_box_share is 0.02",
        "truncated",
        f"raw_missing: {keys.raw_image(rows[5]['sha256'], 'png').key}",
        f"raw_changed: {keys.raw_image(rows[6]['sha256'], 'png').key}",
    ]
    assert [row["verdict"] for row in table] == ["refused", "kept", *["refused"] * 6]
    assert (result.rows, result.kept, sum(result.refused.values())) == (8, 1, 7)
    assert all(row["detector"] == version for row in table)
    # the box, without its margin
    assert table[1]["box"] == pytest.approx([4 / 64, 12 / 64, 28 / 64, 52 / 64])
    assert [row["box_confidence"] for row in table[1:5]] == pytest.approx([1.0, 30 / 255, 1.0, 200 / 255], abs=1e-4)
    assert table[0]["box"] is None and table[5]["box"] is None
    # 24/64 of 400 px and 40/64 of it, each plus 8 % on both sides: 174x290, shrunk to a longest side of 288
    crop = store.get(keys.crop(version, rows[0]["sha256"]))
    with Image.open(io.BytesIO(crop)) as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (173, 288))
    assert table[1]["crop_sha256"] == hashlib.sha256(crop).hexdigest()
    assert (table[1]["crop_width"], table[1]["crop_height"]) == (173, 288)
    assert all(row["crop_sha256"] is None for row in table if row["verdict"] == "refused")
    assert len(list(store.list_objects(Bucket.CURATED, "crops/"))) == 1


def test_without_a_detector_whole_pictures_pass_shrunk_and_say_so(store: Store, settings: Settings) -> None:
    large, small = png((200, 0, 0), (800, 400)), png((100, 0, 0), (120, 100))
    rows = [put_raw(store, stage_row(n, data), data) for n, data in enumerate((large, small))]
    put_stage(store, rows)

    plan = plan_cleaning(store, settings, NIGHT)
    assert plan.detector == "none"
    result = clean_part(store, settings, NIGHT, 0, plan.detector)

    assert (result.kept, result.refused) == (2, {})
    assert [(row["detector"], row["box"], row["crop_width"], row["crop_height"]) for row in cleaned(store)] == [
        ("none", None, 288, 144),
        ("none", None, 120, 100),
    ]
    assert store.exists(keys.crop("none", rows[1]["sha256"]))


def test_until_there_is_a_champion_a_file_cleans_and_a_retried_part_has_the_same_one(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    red, dark = png((255, 0, 0)), png((30, 20, 0))
    rows = [put_raw(store, stage_row(n, data), data) for n, data in enumerate((red, dark))]
    put_stage(store, rows)
    file = save_colour_detector(tmp_path / "finder.onnx", {"names": "{0: 'Bag'}", "imgsz": f"[{SIDE}, {SIDE}]"})
    name = f"file-{hashlib.sha256(file.read_bytes()).hexdigest()[:12]}"
    detector = DetectorSettings(bootstrap="file", bootstrap_file=str(file))
    chosen = settings.model_copy(update={"detector": detector})

    assert plan_cleaning(store, chosen, NIGHT).detector == name
    clean_part(store, chosen, NIGHT, 0, name)
    assert [(row["detector"], row["verdict"]) for row in cleaned(store)] == [(name, "kept"), (name, "refused")]
    crops = [item.ref for item in store.list_objects(Bucket.CURATED, keys.crops_prefix())]
    assert crops == [keys.crop(name, rows[0]["sha256"])]
    first = digests(store)
    # the plan has fixed which one: the file may change or go before a part is tried again, or a champion come
    file.unlink()
    publish_detector(store, tmp_path / "version")
    clean_part(store, settings, NIGHT, 0, name)
    assert digests(store) == first
    assert plan_cleaning(store, chosen, NIGHT).detector == "0001"


def test_parts_share_the_kept_rows_and_a_rerun_leaves_the_same_objects(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    rows = []
    for number in range(40):
        data = png((255, number, 0))
        row = put_raw(store, stage_row(number, data), data)
        if number % 9 == 4:
            row |= {"verdict": "refused", "reason": "near_duplicate: x"}
        rows.append(row)
    put_stage(store, rows)
    version = publish_detector(store, tmp_path / "version")
    narrow = with_shards_of(settings, 17)

    plan = plan_cleaning(store, narrow, NIGHT)
    assert plan.parts == (0, 1, 2)
    for part in plan.parts:
        clean_part(store, narrow, NIGHT, part, version)
    first = digests(store)
    assert plan_cleaning(store, narrow, NIGHT) == plan
    for part in reversed(plan.parts):
        clean_part(store, narrow, NIGHT, part, version)

    assert digests(store) == first
    parts = [cleaned(store, part) for part in plan.parts]
    assert [len(part) for part in parts] == [17 + 4, 17, 2]
    assert sorted(row["sha256"] for part in parts for row in part) == sorted(row["sha256"] for row in rows)
    assert [row["reason"] for row in parts[1] + parts[2]] == [None] * 19
    # fewer parts later: what the earlier plan left would count its pictures twice
    assert plan_cleaning(store, with_shards_of(settings, 1000), NIGHT).parts == (0,)
    left = [item.ref for item in store.list_objects(Bucket.CURATED, keys.cleaned_prefix(NIGHT))]
    assert left == [keys.cleaned(NIGHT, 0)]


def test_an_empty_night_has_one_empty_part(store: Store, settings: Settings) -> None:
    put_stage(store, [])
    assert plan_cleaning(store, settings, NIGHT).parts == (0,)
    result = clean_part(store, settings, NIGHT, 0, "none")
    assert (result.rows, result.kept) == (0, 0)
    assert cleaned(store) == []


def test_what_cannot_be_cleaned_is_an_error_that_names_it(store: Store, settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(CurateError, match="run `validate` of this night first"):
        plan_cleaning(store, settings, NIGHT)
    data = png((255, 0, 0))
    put_stage(store, [put_raw(store, stage_row(0, data), data)])
    with pytest.raises(CurateError, match="has the parts 0 to 0, and no part 1"):
        clean_part(store, settings, NIGHT, 1, "none")
    with pytest.raises(ModelError, match="detector 'newest' is no version"):
        clean_part(store, settings, NIGHT, 0, "newest")
    with pytest.raises(RegistryError, match="0007"):
        clean_part(store, settings, NIGHT, 0, "0007")
    version = publish_detector(store, tmp_path / "version")
    store.put(keys.version_file(ModelKind.DETECTOR, int(version), "model.onnx"), b"changed by somebody")
    with pytest.raises(CorruptObject, match=r"model\.onnx"):
        clean_part(store, settings, NIGHT, 0, version)
    assert not list(store.list_objects(Bucket.CURATED, keys.cleaned_prefix(NIGHT)))


def test_chunks_hold_few_pictures_and_few_pixels() -> None:
    small = [clean.Row(str(n), "png", 100, 100) for n in range(35)]
    large = [clean.Row(f"l{n}", "jpg", 7000, 6000) for n in range(3)]
    sizes = [len(chunk) for chunk in clean.chunks([*small, *large])]
    assert sizes == [16, 16, 4, 1, 1]
    assert [row for chunk in clean.chunks([*small, *large]) for row in chunk] == [*small, *large]


# ------------------------------------------------------------------ the rules


def box(x0: float, y0: float, x1: float, y1: float, confidence: float) -> Detection:
    return Detection(x0, y0, x1, y1, confidence, "Bag")


BAG = box(0.1, 0.1, 0.5, 0.5, 0.9)


@pytest.mark.parametrize(
    ("detections", "rule"),
    [
        ([], "no_bag"),
        ([box(0.1, 0.1, 0.5, 0.5, 0.34)], "no_bag"),
        ([box(0.1, 0.1, 0.2, 0.25, 0.9)], "bag_too_small"),
        ([BAG], None),
        ([box(0.6, 0.6, 0.95, 0.95, 0.5), BAG], "several_bags"),
        ([BAG, box(0.6, 0.6, 0.95, 0.95, 0.34)], None),  # the other one is below the working point
        ([BAG, box(0.6, 0.6, 0.9, 0.9, 0.5)], None),  # the other one is much smaller: a purse, a charm
        ([BAG, box(0.4, 0.4, 0.8, 0.8, 0.5)], None),  # they overlap: one bag seen twice
        ([BAG, box(0.5, 0.1, 0.9, 0.5, 0.5)], "several_bags"),  # they only touch
    ],
)
def test_a_picture_shows_one_bag_large_enough_or_breaks_a_rule(detections: list[Detection], rule: str | None) -> None:
    verdict = judge(detections, CurateSettings(), DetectorSettings(), lambda best: 0.0)
    assert (verdict.reason or "").split(":")[0] == (rule or "")
    assert verdict.best == max(detections, key=lambda one: one.confidence, default=None)
