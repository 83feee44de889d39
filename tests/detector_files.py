"""Detectors that are small ONNX graphs with known answers, with the metadata that ultralytics' export writes."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from lvbag.registry import publish_version, reserve_version
from lvbag.registry.records import Champion, ModelSpec, VersionRecord
from lvbag.store import ModelKind, Store, json_bytes, keys

SIDE = 64
AT = dt.datetime(2026, 11, 23, 3, tzinfo=dt.UTC)


def save_colour_detector(
    path: Path, said: dict[str, str] | None = None, classes: int = 1, strength: float = 1.0
) -> Path:
    """Red's mean is the confidence of a box on the left, green's of one on the right, blue's of a tiny one between.

    All are taken `strength` times. With two classes the box of blue is nearly the whole picture, and of the second
    class.
    """
    third = [32, 32, 6, 6] if classes == 1 else [32, 32, 62, 62]
    boxes = np.array([[16, 32, 24, 40], [48, 32, 24, 36], third], np.float32).T[None]
    of_class = np.ones((1, 1, 3), np.float32) if classes == 1 else np.array([[[1, 1, 0], [0, 0, 1]]], np.float32)
    of_class *= np.float32(strength)
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["images"], ["means"]),
            helper.make_node("Squeeze", ["means", "last"], ["flat"]),
            helper.make_node("Transpose", ["flat"], ["levels"], perm=[0, 2, 1]),
            helper.make_node("Mul", ["levels", "of_class"], ["scores"]),
            helper.make_node("Mul", ["levels", "zero"], ["nothing"]),
            helper.make_node("Add", ["nothing", "boxes"], ["placed"]),
            helper.make_node("Concat", ["placed", "scores"], ["output0"], axis=1),
        ],
        "colours",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, ["n", 4 + classes, 3])],
        [
            numpy_helper.from_array(boxes, "boxes"),
            numpy_helper.from_array(of_class, "of_class"),
            numpy_helper.from_array(np.zeros(1, np.float32), "zero"),
            numpy_helper.from_array(np.array([3], np.int64), "last"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, said or {})
    onnx.save(model, path)
    return path


def publish_colour_detector(
    store: Store, folder: Path, classes: tuple[str, ...] = ("Bag",), strength: float = 1.0, champion: bool = True
) -> int:
    """Publish it as a version and, unless told otherwise, make it the champion; returns the number."""
    folder.mkdir()
    save_colour_detector(folder / "model.onnx", classes=len(classes), strength=strength)
    number = reserve_version(store, ModelKind.DETECTOR, folder.name)
    record = VersionRecord(
        kind=ModelKind.DETECTOR, version=number, created_at=AT, data="labels", recipe="test", recipe_sha256="0" * 64,
        seed=0, training_key=folder.name, parent=None, detector=None, code_version="0",
        model=ModelSpec(architecture="yolo11n", image_side_px=SIDE, classes=classes), metrics={},
    )  # fmt: skip
    publish_version(store, ModelKind.DETECTOR, number, folder, record)
    if not champion:
        return number
    alias = Champion(version=number, since=AT, event="test", nonce=str(number))
    store.put(keys.champion(ModelKind.DETECTOR), json_bytes(alias.model_dump(mode="json")))
    return number
