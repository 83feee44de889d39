"""The course of a classifier's training: figures of each epoch, and as TensorBoard reads them."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from pydantic import BaseModel, ConfigDict


class Curve(BaseModel):
    """Figures of each epoch."""

    model_config = ConfigDict(extra="forbid")

    loss: list[float] = []  # of the training pictures as they were shown, a mean
    val_top1: list[float | None] = []  # of the network that would become the model then; None where it was not measured
    learning_rate: list[float] = []  # at the epoch's end
    images_per_s: list[float] = []


def write_tensorboard(path: Path, curve: Curve) -> None:
    """The curve as one event file; TensorBoard finds it by "tfevents" in its name."""
    from torch.utils.tensorboard import SummaryWriter

    with tempfile.TemporaryDirectory(prefix="lvbag-curve-") as folder:
        with SummaryWriter(folder) as writer:
            for name, values in curve.model_dump().items():
                for epoch, value in enumerate(values, start=1):
                    if value is not None:
                        writer.add_scalar(name, value, epoch)
        (written,) = Path(folder).iterdir()  # its own name tells the machine and the process
        shutil.move(written, path)
