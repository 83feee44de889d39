"""How far a classifier's training is: steps, losses, figures of each epoch, and the lines that tell of them."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lvbag.learn import child
from lvbag.learn.classifier.checkpoints import ClassifierProgress
from lvbag.learn.classifier.losses import Losses
from lvbag.learn.classifier.recipe import ClassifierRecipe

if TYPE_CHECKING:
    from torch import Tensor

PROGRESS_S = 30.0
"""Between two lines within an epoch."""

VALIDATIONS = 10
"""About so many epochs are followed by a look at the validation pictures, which take a third of what training on them
would."""


class Course:
    """A training under way; `steps` are done. An epoch has `per_epoch` of them, each of `batch` pictures."""

    def __init__(
        self, recipe: ClassifierRecipe, progress: ClassifierProgress, pictures: Sequence[str], batch: int
    ) -> None:
        self.steps = progress.steps
        self.curve = progress.curve.model_copy(deep=True)
        self._recipe = recipe
        self._of = progress.of
        self._per_epoch = progress.of // recipe.epochs
        self._batch = batch
        self._losses = Losses(recipe, pictures, self._per_epoch, progress.loss_sum)
        self._earlier_s = progress.seconds
        self._began = self._said = self._epoch_began = time.monotonic()
        self._first = self._epoch_first = progress.steps

    def begin_epoch(self) -> None:
        """An epoch begins or goes on."""
        self._epoch_began, self._epoch_first = time.monotonic(), self.steps

    def note(self, rows: npt.NDArray[np.int64], loss: Tensor) -> None:
        """A step is done; raises `LearnError` soon after a loss that is no number."""
        self.steps += 1
        self._losses.note(self.steps, rows, loss)

    @property
    def is_measured(self) -> bool:
        """Whether the validation pictures are looked at after the epoch that has ended: always after the last one."""
        left = (self._of - self.steps) // self._per_epoch
        return left % math.ceil(self._recipe.epochs / VALIDATIONS) == 0

    def end_epoch(self, val_top1: float | None, learning_rate: float, say: bool) -> None:
        """Note the epoch's figures, in a line where `say`; no score where the epoch is not measured."""
        loss = self._losses.end_epoch()
        speed = self._speed(self._epoch_began, self._epoch_first)
        self.curve.loss.append(loss)
        self.curve.val_top1.append(val_top1)
        self.curve.learning_rate.append(learning_rate)
        self.curve.images_per_s.append(round(speed, 1))
        self._said = time.monotonic()
        if say:
            score = "" if val_top1 is None else f"val_top1 {val_top1:.3f} "
            child.say(
                f"epoch {len(self.curve.loss)}/{self._recipe.epochs} loss {loss:.3f} {score}"
                f"images/s {speed:.0f} left {self._left_s():.0f} s"
            )

    def say_when_due(self, say: bool) -> None:
        """A line within a long epoch, where `say`."""
        if not say or time.monotonic() - self._said < PROGRESS_S:
            return
        epoch, place = divmod(self.steps, self._per_epoch)
        loss = self._losses.read() / max(1, place)
        speed = self._speed(self._epoch_began, self._epoch_first)
        self._said = time.monotonic()
        child.say(
            f"epoch {epoch + 1}/{self._recipe.epochs} step {place}/{self._per_epoch} loss {loss:.3f} "
            f"images/s {speed:.0f} left {self._left_s():.0f} s"
        )

    def progress(self, parts: int) -> ClassifierProgress:
        """What a checkpoint tells; raises `LearnError` where a loss is no number."""
        return ClassifierProgress(
            steps=self.steps,
            of=self._of,
            parts=parts,
            loss_sum=self._losses.read(),
            seconds=round(self._earlier_s + time.monotonic() - self._began, 1),
            curve=self.curve.model_copy(deep=True),
        )

    def _speed(self, since: float, first: int) -> float:
        return (self.steps - first) * self._batch / max(1e-9, time.monotonic() - since)

    def _left_s(self) -> float:
        done = max(1, self.steps - self._first)
        return (time.monotonic() - self._began) / done * (self._of - self.steps)
