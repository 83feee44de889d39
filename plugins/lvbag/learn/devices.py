"""Where torch works: the setting `train.device`, and how many threads it takes on the CPU."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lvbag.learn.errors import LearnError
from lvbag.settings import TrainSettings

if TYPE_CHECKING:
    import torch


def choose_device(settings: TrainSettings) -> torch.device:
    """The CUDA device or the CPU; raises `LearnError` when one is required and there is none. Sets torch's threads."""
    import torch

    found = settings.device != "never" and torch.cuda.is_available()
    if settings.device == "require" and not found:
        raise LearnError(
            "train.device = 'require', but torch finds no CUDA device here; run on a machine with a GPU (queue gpu), "
            "check its driver with nvidia-smi, or set train.device to 'prefer'"
        )
    torch.set_num_threads(settings.threads or len(os.sched_getaffinity(0)))
    return torch.device("cuda" if found else "cpu")
