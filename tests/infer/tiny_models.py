"""ONNX models of a few nodes: a classifier that goes by the mean colour and a detector that always sees one box."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

COLOURS = ("M10001", "M10002", "M10003")
"""Red, green and blue: the classifier's products."""


def colour_classifier(path: Path, side: int | str = 32, batch: int | str = "batch", classes: int = 3) -> Path:
    """Scores are ten times the mean of each channel."""
    weights = (10 * np.eye(3, classes)).astype(np.float32)
    nodes = [
        helper.make_node("GlobalAveragePool", ["input"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["scores"]),
    ]
    return _save(path, nodes, [numpy_helper.from_array(weights, "weights")], side, batch, [batch, classes])


def fixed_detector(path: Path, box: tuple[float, float, float, float], confidence: float, side: int = 64) -> Path:
    """One anchor with this box (centre, width, height in pixels of the input) in every picture, one class."""
    answer = np.array([*box, confidence], np.float32).reshape(1, 5, 1)
    nodes = [
        helper.make_node("GlobalAveragePool", ["input"], ["pooled"]),
        helper.make_node("ReduceMean", ["pooled"], ["mean"], keepdims=1, axes=[1, 2, 3]),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Reshape", ["nothing", "shape"], ["flat"]),
        helper.make_node("Add", ["flat", "answer"], ["boxes"]),
    ]
    constants = [
        numpy_helper.from_array(answer, "answer"),
        numpy_helper.from_array(np.array(0.0, np.float32), "zero"),
        numpy_helper.from_array(np.array([-1, 1, 1], np.int64), "shape"),
    ]
    return _save(path, nodes, constants, side, "batch", ["batch", 5, 1])


def _save(path: Path, nodes: list, constants: list, side: int | str, batch: int | str, output: list) -> Path:
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, 3, side, side])],
        [helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, output)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path
