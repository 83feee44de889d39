"""Where torch works: the setting `train.device`, and how many threads it takes on the CPU."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lvbag.learn.classifier.recipe import ClassifierRecipe
from lvbag.learn.errors import LearnError
from lvbag.settings import TrainSettings

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator


def choose_device(settings: TrainSettings) -> torch.device:
    """The CUDA device or the CPU; raises `LearnError` when one is required and there is none. Sets torch's threads."""
    import torch

    found = settings.device != "never" and torch.cuda.is_available()
    if settings.device == "require" and not found:
        raise LearnError(
            "train.device = 'require', but torch finds no CUDA device here; run on a machine with a GPU (queue gpu), "
            "check its driver with nvidia-smi, or set train.device to 'prefer'"
        )
    beside = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # processes of one training, by torchrun
    torch.set_num_threads(settings.threads or max(1, len(os.sched_getaffinity(0)) // beside))
    return torch.device("cuda" if found else "cpu")


def open_accelerator(settings: TrainSettings, recipe: ClassifierRecipe) -> Accelerator:
    """Device, precision and, by torchrun, processes of a classifier's training, as accelerate deals with them."""
    import torch
    from accelerate import Accelerator

    device = choose_device(settings)
    on_cuda = device.type == "cuda"
    in_bf16 = recipe.amp == "bf16" or (recipe.amp == "auto" and on_cuda and torch.cuda.is_bf16_supported())
    if on_cuda:
        torch.backends.cudnn.benchmark = True  # pictures are all of one size
        torch.set_float32_matmul_precision("high")
    return Accelerator(
        cpu=not on_cuda,
        mixed_precision="bf16" if in_bf16 else "no",
        dynamo_backend="inductor" if recipe.compile else "no",
    )
