"""A YOLO network as it is kept and used: without gradients, as ONNX, checked against the network in memory."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lvbag.learn.errors import LearnError

ONNX_TOLERANCE = 1e-3
"""Largest difference between trained and exported network, of scores and of boxes as shares of the side."""


def finish(model: Any, classes: Sequence[str]) -> Any:
    """The network as it is kept: on the CPU, in float32, for use, with its classes' names."""
    finished = model.cpu().float().eval()
    finished.task = "detect"  # the exporter asks for it; ultralytics' own `YOLO` wrapper would set it
    finished.names = dict(enumerate(classes))
    for parameter in finished.parameters():
        parameter.requires_grad_(False)
    return finished


def export_onnx(model: Any, side_px: int, scratch: Path, path: Path) -> None:
    """Write the network as ONNX with any batch size, and check that it answers as the network itself does."""
    import numpy as np
    import onnxruntime
    import torch
    from ultralytics.engine.exporter import Exporter

    model.yaml_file = str(scratch / "model.yaml")  # the exporter writes beside it
    arguments = {"format": "onnx", "imgsz": side_px, "dynamic": True, "simplify": True, "device": "cpu"}
    written = Exporter(overrides={**arguments, "project": str(scratch), "verbose": False})(model=model)
    shutil.move(str(written), path)
    images = torch.rand(3, 3, side_px, side_px, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        wanted = model(images)
    wanted = (wanted[0] if isinstance(wanted, (tuple, list)) else wanted).numpy()
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {session.get_inputs()[0].name: images.numpy()})
    scale = np.ones((1, wanted.shape[1], 1), np.float32)
    scale[:, :4] = side_px
    difference = float((np.abs(answer - wanted) / scale).max())
    if not difference <= ONNX_TOLERANCE:
        raise LearnError(f"the exported detector differs from the trained one by {difference:.2g}")
