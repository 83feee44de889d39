"""The losses of a training's steps: read from the device a few at a time, and never more of one that is no number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lvbag.learn.classifier.recipe import ClassifierRecipe
from lvbag.learn.errors import LearnError

if TYPE_CHECKING:
    from torch import Tensor

READ_AT_ONCE = 16
"""Steps; reading a number from a GPU waits for all that it has been given to do."""
NAMED = 4
"""Pictures of a batch that a message names."""


class Losses:
    """Sums the losses of an epoch; `sum_` is what an earlier process saw of it, `pictures` the sha256 of each row."""

    def __init__(self, recipe: ClassifierRecipe, pictures: Sequence[str], steps: int, sum_: float) -> None:
        self._recipe = recipe
        self._pictures = pictures
        self._steps = steps  # of an epoch
        self._sum = sum_
        self._unread: list[tuple[int, npt.NDArray[np.int64], Tensor]] = []

    def note(self, step: int, rows: npt.NDArray[np.int64], loss: Tensor) -> None:
        """The loss of a step (from 1) on these rows; raises `LearnError` soon after one that is no number."""
        self._unread.append((step, rows, loss))
        if len(self._unread) >= READ_AT_ONCE:
            self.read()

    def read(self) -> float:
        """The sum of the epoch so far; raises `LearnError`, which names the step and its pictures."""
        import torch

        if self._unread:
            values = torch.stack([loss for _, _, loss in self._unread]).tolist()
            for (step, rows, _), value in zip(self._unread, values, strict=True):
                if not math.isfinite(value):
                    raise LearnError(self._explain(step, rows, value))
                self._sum += value
            self._unread.clear()
        return self._sum

    def end_epoch(self) -> float:
        """The epoch's mean; the next one begins."""
        total, self._sum = self.read(), 0.0
        return total / self._steps

    def _explain(self, step: int, rows: npt.NDArray[np.int64], value: float) -> str:
        epoch, place = divmod(step - 1, self._steps)
        names = ", ".join(self._pictures[int(row)] for row in rows[:NAMED]) + (" …" if len(rows) > NAMED else "")
        return (
            f"the loss became {value} in epoch {epoch + 1}, step {place + 1} of {self._steps}, on the {len(rows)} "
            f"pictures {names}; lower learning_rate ({self._recipe.learning_rate}) in the recipe or raise "
            f"warmup_epochs ({self._recipe.warmup_epochs}); if it is always this step, look at its pictures"
        )
