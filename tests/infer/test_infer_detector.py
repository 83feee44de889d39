"""Detection from ONNX files: small graphs with known answers, and ultralytics' own answers."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from lvbag.infer import Detection, ModelError, open_detector
from lvbag.infer.detector import letterbox_of, suppress
from lvbag.registry.records import ModelSpec, VersionRecord
from lvbag.settings import DetectorSettings
from lvbag.store import ModelKind

SIDE = 64


def record(side_px: int = SIDE, classes: tuple[str, ...] = ("Bag",)) -> VersionRecord:
    return VersionRecord(
        kind=ModelKind.DETECTOR,
        version=1,
        created_at=dt.datetime(2026, 11, 23, tzinfo=dt.UTC),
        data="labels",
        recipe="test",
        recipe_sha256="0" * 64,
        seed=0,
        training_key="test",
        parent=None,
        detector=None,
        code_version="0",
        model=ModelSpec(architecture="yolo11n", image_side_px=side_px, classes=classes),
        metrics={},
    )


def save_constant(path: Path, rows: list[list[float]], batch: int | str = "n") -> Path:
    """A network that answers with these rows (cx, cy, w, h, scores…) for every picture, scores times its mean red."""
    answer = np.array(rows, np.float32).T[None]
    boxes, scores = answer[:, :4], answer[:, 4:]
    graph = helper.make_graph(
        [
            helper.make_node("Split", ["images"], ["red", "green", "blue"], axis=1, num_outputs=3),
            helper.make_node("GlobalMaxPool", ["red"], ["peak"]),
            helper.make_node("Squeeze", ["peak", "axis"], ["level"]),
            helper.make_node("Mul", ["level", "scores"], ["weighted"]),
            helper.make_node("Mul", ["level", "zero"], ["nothing"]),
            helper.make_node("Add", ["nothing", "boxes"], ["placed"]),
            helper.make_node("Concat", ["placed", "weighted"], ["output0"], axis=1),
        ],
        "constant",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [batch, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [batch, answer.shape[1], answer.shape[2]])],
        [
            numpy_helper.from_array(boxes, "boxes"),
            numpy_helper.from_array(scores, "scores"),
            numpy_helper.from_array(np.zeros(1, np.float32), "zero"),
            numpy_helper.from_array(np.array([3], np.int64), "axis"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def white(width: int, height: int) -> Image.Image:
    return Image.new("RGB", (width, height), "white")


def test_boxes_are_mapped_back_from_the_letterbox_and_clipped_to_the_picture(tmp_path: Path) -> None:
    path = save_constant(tmp_path / "m.onnx", [[32, 32, 16, 16, 0.9], [8, 32, 16, 64, 0.8], [32, 4, 8, 4, 0.7]])
    detector = open_detector(path, record(), DetectorSettings())

    square, landscape, portrait = detector.detect([white(640, 640), white(640, 320), white(100, 200)])

    assert [(one.x0, one.y0, one.x1, one.y1) for one in square] == [
        pytest.approx(box)
        for box in [(0.375, 0.375, 0.625, 0.625), (0, 0, 0.25, 1), (0.4375, 0.03125, 0.5625, 0.09375)]
    ]
    # 16 px of grey above and below: the middle box is twice as high in the picture, the third lies on the grey
    assert [(one.x0, one.y0, one.x1, one.y1) for one in landscape] == [
        pytest.approx(box) for box in [(0.375, 0.25, 0.625, 0.75), (0, 0, 0.25, 1)]
    ]
    # 16 px of grey on the left and right: the second box lies on the grey
    assert [(one.x0, one.y0, one.x1, one.y1) for one in portrait] == [
        pytest.approx(box) for box in [(0.25, 0.375, 0.75, 0.625), (0.375, 0.03125, 0.625, 0.09375)]
    ]
    assert [one.confidence for one in square] == pytest.approx([0.9, 0.8, 0.7])
    assert {one.name for one in square} == {"Bag"}


@pytest.mark.parametrize("batch", ["n", 1, 2])
def test_any_number_of_pictures_goes_through_a_model_of_any_batch_size(tmp_path: Path, batch: int | str) -> None:
    detector = open_detector(
        save_constant(tmp_path / "m.onnx", [[32, 32, 16, 16, 1.0]], batch), record(), DetectorSettings(confidence=0.01)
    )
    levels = [10 * number + 10 for number in range(19)]
    found = detector.detect([Image.new("RGB", (SIDE, SIDE), (level, 0, 0)) for level in levels])
    assert [one.confidence for (one,) in found] == pytest.approx([level / 255 for level in levels])
    assert detector.detect([]) == []


def test_the_working_point_and_the_overlap_decide_which_boxes_stay(tmp_path: Path) -> None:
    rows = [
        [20, 20, 20, 20, 0.6, 0.0],
        [22, 20, 20, 20, 0.0, 0.9],
        [50, 50, 10, 10, 0.4, 0.0],
        [10, 50, 9, 9, 0.3, 0.1],
    ]
    path = save_constant(tmp_path / "m.onnx", rows)
    two = record(classes=("Bag", "Shoe"))
    strict = open_detector(path, two, DetectorSettings(confidence=0.35, iou=0.5)).detect([white(SIDE, SIDE)])[0]
    assert [(one.name, round(one.confidence, 3)) for one in strict] == [("Shoe", 0.9), ("Bag", 0.4)]
    loose = open_detector(path, two, DetectorSettings(confidence=0.2, iou=0.95)).detect([white(SIDE, SIDE)])[0]
    assert [round(one.confidence, 3) for one in loose] == [0.9, 0.6, 0.4, 0.3]


def test_suppression_keeps_the_best_of_each_heap() -> None:
    boxes = np.array([[0, 0, 1, 1], [0, 0, 1, 0.6], [2, 2, 3, 3], [0, 0, 1, 0.4], [2, 2.5, 3, 3.5]])
    assert suppress(boxes, 0.5) == [0, 2, 3, 4]
    assert suppress(boxes[:0], 0.5) == []


@pytest.mark.parametrize(("width", "height"), [(1, 4000), (4000, 1), (64, 64), (63, 64), (97, 200)])
def test_the_letterbox_holds_every_shape(width: int, height: int) -> None:
    place = letterbox_of(width, height, SIDE)
    assert 1 <= place.width <= SIDE and 1 <= place.height <= SIDE
    assert 0 <= place.left <= SIDE - place.width and 0 <= place.top <= SIDE - place.height


def test_a_file_that_is_no_model_is_refused_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    with pytest.raises(ModelError, match=r"model\.onnx does not exist"):
        open_detector(path, record(), DetectorSettings())
    path.write_bytes(b"not onnx")
    with pytest.raises(ModelError, match=r"model\.onnx is no model that onnxruntime"):
        open_detector(path, record(), DetectorSettings())


def test_a_model_that_differs_from_its_record_is_refused(tmp_path: Path) -> None:
    path = save_constant(tmp_path / "m.onnx", [[32, 32, 16, 16, 0.9]])
    with pytest.raises(ModelError, match="takes pictures of 64 px, the record of detector version 1 says 320"):
        open_detector(path, record(side_px=320), DetectorSettings())
    wrong = open_detector(path, record(classes=("Bag", "Shoe")), DetectorSettings())
    with pytest.raises(ModelError, match=r"answers with shape \(1, 5, 1\)"):
        wrong.detect([white(SIDE, SIDE)])


REFERENCE = """
import json, sys
import numpy as np
import torch
from PIL import Image
from ultralytics import YOLO
from ultralytics.data.augment import LetterBox
from ultralytics.nn.tasks import DetectionModel

random = torch.Generator().manual_seed(1)
torch.manual_seed(0)
yolo = YOLO("yolo11n.yaml", task="detect")
model = DetectionModel("yolo11n.yaml", nc=2, verbose=False)
model.args, model.task, model.names = yolo.model.args, "detect", {0: "Bag", 1: "Shoe"}
for branch in (*model.model[-1].cv2, *model.model[-1].cv3):  # a network that has seen nothing, but answers loudly
    branch[-1].weight.data = torch.randn(branch[-1].weight.shape, generator=random) * 0.06
    branch[-1].bias.data.zero_()
for layer in model.modules():
    if isinstance(layer, torch.nn.BatchNorm2d):
        layer.momentum = None
model.train()
for _ in range(3):
    model(torch.rand(4, 3, 160, 160, generator=random))
yolo.model = model.eval()
path = yolo.export(format="onnx", imgsz=160, dynamic=False, simplify=False, verbose=False)
served = YOLO(path, task="detect")
answers = {}
for name in sys.argv[1:]:
    image = Image.open(name)
    boxes = served.predict(image, imgsz=160, conf=0.6, iou=0.5, agnostic_nms=True, max_det=1000, device="cpu",
                           verbose=False)[0].boxes
    rows = np.c_[boxes.xyxyn.numpy(), boxes.conf.numpy(), boxes.cls.numpy()]
    np.save(name + ".npy", LetterBox((160, 160), auto=False)(image=np.asarray(image)))
    answers[name] = rows.tolist()
json.dump({"path": path, "answers": answers}, open("answers.json", "w"))
"""


def test_boxes_and_preparation_are_those_of_ultralytics(tmp_path: Path) -> None:
    from lvbag.infer.detector import _prepare

    noise = np.random.default_rng(0)
    sizes = [(160, 160), (160, 100), (90, 160), (640, 480), (99, 300)]
    names = []
    for width, height in sizes:
        patches = Image.fromarray(noise.integers(0, 255, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8))
        names.append(f"{width}x{height}.png")
        patches.resize((width, height), Image.Resampling.BICUBIC).save(tmp_path / names[-1])
    environment = {
        **os.environ,
        "YOLO_OFFLINE": "1",
        "YOLO_AUTOINSTALL": "false",
        "YOLO_VERBOSE": "false",
        "YOLO_CONFIG_DIR": str(tmp_path),
    }
    subprocess.run([sys.executable, "-c", REFERENCE, *names], cwd=tmp_path, env=environment, check=True, timeout=120)
    reference = json.loads((tmp_path / "answers.json").read_text())

    settings = DetectorSettings(confidence=0.6, iou=0.5)
    classes = ("Bag", "Shoe")
    detector = open_detector(tmp_path / reference["path"], record(160, classes), settings)
    for name, (width, height) in zip(names, sizes, strict=True):
        image = Image.open(tmp_path / name).convert("RGB")
        ours = _prepare(image, letterbox_of(width, height, 160), 160).transpose(1, 2, 0) * 255
        assert np.abs(ours - np.load(tmp_path / f"{name}.npy")).max() < 1.01, name
        if max(width, height) == 160:  # nothing is resampled: the same pixels must give the same boxes
            found = detector.detect([image])[0]
            answers = reference["answers"][name]
            assert len(found) == len(answers) >= 5
            for one, row in zip(found, answers, strict=True):
                assert isinstance(one, Detection)
                assert (one.x0, one.y0, one.x1, one.y1, one.confidence) == pytest.approx(row[:5], abs=2e-3)
                assert one.name == classes[int(row[5])]
