"""One way to open an ONNX file and to run it: device, threads, shapes. What goes in and comes out is the callers'."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lvbag.errors import LvbagError

log = logging.getLogger(__name__)

BATCH = 16
"""Pictures a run where the model takes any number; more costs memory and gains nothing on a CPU."""

_ERRORS_ONLY = 3


class ModelError(LvbagError):
    """A model file cannot be opened, or is not the model that its record describes."""


@dataclass(frozen=True)
class OnnxSession:
    """An open model with one image input and one output.

    `batch` is the number of pictures that every run takes, None where it takes any number; `side_px` is the input's
    height and width, None where the model takes any.
    """

    name: str
    batch: int | None
    side_px: int | None
    session: Any
    input_name: str

    def run(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The output for images of shape (n, 3, side, side); the first axis of the answer has n entries as well.

        Runs in batches of the size that the model takes; the last one is filled up with zeros and cut again.
        """
        step = self.batch or BATCH
        outputs = [self._run_batch(images[start : start + step]) for start in range(0, len(images), step)]
        return np.concatenate(outputs)

    def _run_batch(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        count = len(images)
        if self.batch is not None and count < self.batch:
            empty = np.zeros((self.batch - count, *images.shape[1:]), np.float32)
            images = np.concatenate([images, empty])
        (output,) = self.session.run(None, {self.input_name: np.ascontiguousarray(images)})
        return np.asarray(output[:count], np.float32)


def open_session(path: Path) -> OnnxSession:
    """Open an ONNX file on a CUDA device where there is one, else on every core.

    Raises `ModelError` when the file is missing, no ONNX, or has not one input (batch, 3, side, side) and one output.
    """
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    # threads that wait for work in a loop take the cores from those that decode and cut pictures meanwhile
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = _ERRORS_ONLY
    available = onnxruntime.get_available_providers()
    providers = [name for name in ("CUDAExecutionProvider", "CPUExecutionProvider") if name in available]
    if not path.is_file():
        raise ModelError(f"{path} does not exist; fetch the model from the registry again")
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # onnxruntime has a class of its own for each kind of broken file
        raise ModelError(
            f"{path} is no model that onnxruntime {onnxruntime.__version__} can open ({error}); roll back to another "
            "version, or train again"
        ) from error
    opened = _describe(path, session)
    log.info("infer.open file=%s device=%s batch=%s", path.name, session.get_providers()[0], opened.batch or "any")
    return opened


def _describe(path: Path, session: Any) -> OnnxSession:
    inputs, outputs = session.get_inputs(), session.get_outputs()
    shape = inputs[0].shape if len(inputs) == 1 and len(outputs) == 1 else []
    if len(shape) != 4 or shape[1] != 3:
        raise ModelError(
            f"{path} must have one input (batch, 3, height, width) and one output; it has inputs "
            f"{[(item.name, item.shape) for item in inputs]} and {len(outputs)} outputs"
        )
    batch, side = shape[0], shape[2]
    return OnnxSession(
        name=path.name,
        batch=batch if isinstance(batch, int) else None,
        side_px=side if isinstance(side, int) else None,
        session=session,
        input_name=inputs[0].name,
    )
