"""A trained classifier as files: tensors and ONNX, which must answer as the network itself does."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lvbag.learn.classifier.measuring import open_onnx, softmax
from lvbag.learn.errors import LearnError

if TYPE_CHECKING:
    from torch import nn

ONNX_TOLERANCE = 1e-4
"""Largest difference of a probability between the trained network and its exported file."""


def write_tensors(model: nn.Module, path: Path) -> None:
    """Write the network's tensors as safetensors."""
    from safetensors.torch import save_file

    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, path)


def export_onnx(model: nn.Module, side_px: int, path: Path) -> None:
    """Write the network as ONNX with any batch size, and check that it answers as the network itself does."""
    import torch

    example = torch.rand(2, 3, side_px, side_px, generator=torch.Generator().manual_seed(0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the newer exporter takes seconds more for the same
        torch.onnx.export(
            model,
            (example,),
            str(path),
            input_names=["images"],
            output_names=["scores"],
            dynamic_axes={"images": {0: "batch"}, "scores": {0: "batch"}},
            opset_version=17,
            dynamo=False,
        )
    more = torch.rand(3, 3, side_px, side_px, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        wanted = model(more).softmax(1).numpy()
    (scores,) = open_onnx(path, torch.get_num_threads()).run(None, {"images": more.numpy()})
    difference = float(np.abs(softmax(scores) - wanted).max())
    if not difference <= ONNX_TOLERANCE:
        raise LearnError(f"the exported network differs from the trained one by {difference:.2g} in probability")
