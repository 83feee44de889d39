"""What a checkpoint of a detector's training holds: ultralytics' trainer at an epoch's end.

Network, its average and the optimizer's memory. Nothing random is kept: every epoch begins with seeds that follow from
the training's seed and the epoch's number (`seed_epoch`), so on a CPU a training that was stopped ends with the very
weights of one that was not. On a GPU, where sums are not repeatable to the bit and other processes augment, it ends as
another run of the same training would.
"""

from __future__ import annotations

import random
from typing import Any

from lvbag.learn.checkpoints import Progress, TrainingState, below, copied, optimizer_tensors, restore_optimizer

_NETWORK, _AVERAGE, _OPTIMIZER = "network.", "average.", "optimizer."


class DetectorProgress(Progress):
    """Epochs done and how many there are, the loss of each, seconds that they took, updates of the average."""

    epochs: int
    of: int
    losses: tuple[float, ...]
    seconds: float
    updates: int

    @property
    def name(self) -> str:
        """For the file's name."""
        return f"epoch-{self.epochs:04d}"

    @property
    def reached(self) -> str:
        """For messages."""
        return f"epoch {self.epochs}/{self.of}"


def capture(trainer: Any, progress: DetectorProgress) -> TrainingState[DetectorProgress]:
    """The state of a `BaseTrainer` at an epoch's end; the rates follow from the epoch's number and are not kept."""
    tensors = {_NETWORK + name: value for name, value in trainer.model.state_dict().items()}
    tensors |= {_AVERAGE + name: value for name, value in trainer.ema.ema.state_dict().items()}
    return TrainingState(progress, copied(tensors | optimizer_tensors(trainer.optimizer, _OPTIMIZER)))


def restore(trainer: Any, state: TrainingState[DetectorProgress]) -> None:
    """Put a state into a `BaseTrainer` that was set up for the same training and has not begun."""
    trainer.model.load_state_dict(below(state.tensors, _NETWORK))
    trainer.ema.ema.load_state_dict(below(state.tensors, _AVERAGE))
    trainer.ema.updates = state.progress.updates
    restore_optimizer(trainer.optimizer, below(state.tensors, _OPTIMIZER))
    trainer.start_epoch = state.progress.epochs


def seed_epoch(trainer: Any, seed: int) -> None:
    """Give an epoch its own order of pictures and its own chances, whatever happened before it.

    Processes that augment for a GPU live on from epoch to epoch and get theirs when the first one begins.
    """
    import numpy as np
    import torch

    own = int(np.random.SeedSequence([seed, trainer.epoch]).generate_state(1)[0])
    random.seed(own)
    np.random.seed(own)
    torch.manual_seed(own)
    loader = trainer.train_loader
    loader.generator.manual_seed(own)
    if loader.num_workers == 0:
        loader.reset()  # an iterator that lives on has drawn less from the generator than one that begins
