"""What a checkpoint of a classifier's training holds, at any step.

Network, its average, the optimizer's memory and how far it is. Nothing random is kept: order and chances follow from
the seed and the step's number (`sampling`, `seed_step`) and the learning rate from the step's, so on a CPU a training
that was killed ends with the very weights of one that was not. On a GPU, where sums are not repeatable to the bit, it
ends as another run of the same training would.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import Field

from lvbag.learn.checkpoints import (
    Progress,
    TrainingState,
    below,
    copied,
    optimizer_numbers,
    optimizer_tensors,
    restore_optimizer,
)
from lvbag.learn.classifier.curves import Curve

if TYPE_CHECKING:
    import torch

_NETWORK, _AVERAGE, _OPTIMIZER = "network.", "average.", "optimizer."


class ClassifierProgress(Progress):
    """Steps done of all, and what was seen on the way."""

    steps: int = 0
    of: int
    parts: int  # in which a batch goes through the network; memory may have forced more than the recipe's
    loss_sum: float = 0.0  # of the steps of the epoch that has begun
    seconds: float = 0.0
    curve: Curve = Curve()
    optimizer: dict[str, Any] = Field(default_factory=dict)  # what it remembers beside tensors

    @property
    def name(self) -> str:
        """For the file's name."""
        return f"step-{self.steps:07d}"

    @property
    def reached(self) -> str:
        """For messages."""
        return f"step {self.steps}/{self.of}"


@dataclass(frozen=True)
class Learner:
    """What changes while a classifier learns; `average` is timm's `ModelEmaV3` or None."""

    model: torch.nn.Module
    average: Any
    optimizer: torch.optim.Optimizer

    def follow(self, step: int) -> None:
        """The average takes in what a step (from 1) made of the model."""
        if self.average is not None:
            self.average.update(self.model, step=step)

    @property
    def ready(self) -> torch.nn.Module:
        """What would become the model now."""
        average: torch.nn.Module | None = None if self.average is None else self.average.module
        return self.model if average is None else average


def capture(learner: Learner, progress: ClassifierProgress) -> TrainingState[ClassifierProgress]:
    """The state between two steps."""
    tensors = {_NETWORK + name: value for name, value in learner.model.state_dict().items()}
    if learner.average is not None:
        tensors |= {_AVERAGE + name: value for name, value in learner.average.module.state_dict().items()}
    tensors |= optimizer_tensors(learner.optimizer, _OPTIMIZER)
    told = progress.model_copy(update={"optimizer": optimizer_numbers(learner.optimizer)})
    return TrainingState(told, copied(tensors))


def restore(learner: Learner, state: TrainingState[ClassifierProgress]) -> None:
    """Put a state into a learner that was set up for the same training and has not begun."""
    learner.model.load_state_dict(below(state.tensors, _NETWORK))
    if learner.average is not None:
        learner.average.module.load_state_dict(below(state.tensors, _AVERAGE))
    restore_optimizer(learner.optimizer, below(state.tensors, _OPTIMIZER), state.progress.optimizer)


def seed_step(seed: int, step: int, process: int, device: torch.device) -> torch.Generator:
    """Give a step its own chances, whatever happened before it; the generator is for augmentation, on the device."""
    import numpy as np
    import torch

    own = int(np.random.SeedSequence([seed, step, process]).generate_state(1)[0])
    torch.manual_seed(own)  # dropout and stochastic depth
    np.random.seed(own)  # timm's mixup
    return torch.Generator(device=device).manual_seed(own)
