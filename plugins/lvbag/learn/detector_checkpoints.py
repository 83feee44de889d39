"""Checkpoints of a detector's training: its state at an epoch's end, kept in the store, so that a stopped one goes on.

A checkpoint is a safetensors file (network, its average, the optimizer's state) and, written after it, `newest.json`,
which names it with its digest; no pickle is written or opened. Nothing random is kept: every epoch begins with seeds
that follow from the training's seed and the epoch's number (`seed_epoch`), so on a CPU a training that was stopped ends
with the very weights of one that was not. On a GPU, where sums are not repeatable to the bit and other processes
augment, it ends as another run of the same training would.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from lvbag import __version__
from lvbag.learn import child
from lvbag.registry.versions import sha256_of
from lvbag.store import Bucket, CorruptObject, ModelKind, ObjectMissing, Ref, Store, StoreError, keys

if TYPE_CHECKING:
    import torch

NEWEST = "newest.json"
_NETWORK, _AVERAGE, _OPTIMIZER = "network.", "average.", "optimizer."


@dataclass(frozen=True)
class Progress:
    """How far a training is: epochs done, the loss of each, seconds that they took, updates of the average."""

    epochs: int
    losses: tuple[float, ...]
    seconds: float
    updates: int


@dataclass(frozen=True)
class TrainingState:
    """A training at an epoch's end; the tensors are copies on the CPU, by `network.…`, `average.…`, `optimizer.…`."""

    progress: Progress
    tensors: dict[str, torch.Tensor]


class _Newest(BaseModel):
    """`newest.json`: which checkpoint counts, and what wrote it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str
    sha256: str
    epochs: int
    losses: tuple[float, ...]
    seconds: float
    updates: int
    written_by: str


class Checkpoints:
    """The checkpoints of one training; `of` is its number of epochs, for the messages."""

    def __init__(self, store: Store, training_key: str, folder: Path, every_s: float, of: int) -> None:
        self._store = store
        self._key = training_key
        self._folder = folder
        self._every_s = every_s
        self._of = of
        self._waiting: TrainingState | None = None
        self._standing: Ref | None = None
        self._stored_at = time.monotonic()

    def note(self, state: TrainingState) -> None:
        """Keep the state of an epoch's end at hand: whatever ends the training now, `flush` stores it."""
        self._waiting = state

    def flush_when_due(self) -> None:
        """Store what was noted when the last checkpoint was stored long enough ago."""
        if time.monotonic() - self._stored_at >= self._every_s:
            self.flush()

    def flush(self) -> None:
        """Store what was noted and is not stored yet. A store that fails is told of and does not end the training."""
        state = self._waiting
        if state is None:
            return
        try:
            self._write(state)
        except StoreError as error:
            child.say(f"the checkpoint after epoch {state.progress.epochs} could not be stored: {error}")
            return
        self._waiting = None
        self._stored_at = time.monotonic()
        child.say(f"checkpoint after epoch {state.progress.epochs}/{self._of} stored")

    def load(self) -> TrainingState | None:
        """The newest checkpoint; None where there is none, and, saying why, where it cannot be used."""
        from safetensors.torch import load_file

        try:
            newest = self._newest()
            if newest is None:
                return None
            ref = keys.checkpoint(ModelKind.DETECTOR, self._key, newest.file)
            path = self._store.download(ref, self._folder / newest.file, sha256=newest.sha256)
        except (CorruptObject, ObjectMissing, ValidationError) as error:
            child.say(f"the checkpoint of this training cannot be used, it starts from its beginning: {error}")
            return None
        tensors = load_file(path)
        path.unlink()
        self._standing = ref
        child.say(f"going on after epoch {newest.epochs} of {self._of}")
        return TrainingState(Progress(newest.epochs, newest.losses, newest.seconds, newest.updates), tensors)

    def remove(self) -> None:
        """Remove them all, `newest.json` first: the version is published."""
        self._store.delete(keys.checkpoint(ModelKind.DETECTOR, self._key, NEWEST))
        prefix = keys.checkpoints_of(ModelKind.DETECTOR, self._key)
        for item in list(self._store.list_objects(Bucket.MODELS, prefix)):
            self._store.delete(item.ref)

    def _newest(self) -> _Newest | None:
        try:
            value = self._store.get_json(keys.checkpoint(ModelKind.DETECTOR, self._key, NEWEST))
        except ObjectMissing:
            return None
        newest = _Newest.model_validate(value)
        if newest.written_by != _writer():
            child.say(f"the checkpoint was written by {newest.written_by}, this is {_writer()}: starting anew")
            return None
        return newest

    def _write(self, state: TrainingState) -> None:
        from safetensors.torch import save_file

        path = self._folder / "checkpoint.safetensors"
        save_file(state.tensors, path)
        sha256 = sha256_of(path)
        progress = state.progress
        name = f"epoch-{progress.epochs:04d}-{sha256[:12]}.safetensors"
        ref = keys.checkpoint(ModelKind.DETECTOR, self._key, name)
        self._store.upload(ref, path)
        path.unlink()
        newest = _Newest(
            file=name,
            sha256=sha256,
            epochs=progress.epochs,
            losses=progress.losses,
            seconds=progress.seconds,
            updates=progress.updates,
            written_by=_writer(),
        )
        self._store.put_json(keys.checkpoint(ModelKind.DETECTOR, self._key, NEWEST), newest.model_dump(mode="json"))
        if self._standing is not None and self._standing != ref:
            self._store.delete(self._standing)
        self._standing = ref


def _writer() -> str:
    return f"lvbag {__version__}, ultralytics {version('ultralytics')}"


# ------------------------------------------------------------------ what ultralytics' trainer holds


def capture(trainer: Any, progress: Progress) -> TrainingState:
    """The state of a `BaseTrainer` at an epoch's end; the rates follow from the epoch's number and are not kept."""
    tensors = {_NETWORK + name: value for name, value in trainer.model.state_dict().items()}
    tensors |= {_AVERAGE + name: value for name, value in trainer.ema.ema.state_dict().items()}
    for number, kept in trainer.optimizer.state_dict()["state"].items():
        tensors |= {f"{_OPTIMIZER}{number}.{name}": value for name, value in kept.items() if value is not None}
    copies = {name: value.detach().to("cpu", copy=True).contiguous() for name, value in tensors.items()}
    return TrainingState(progress, copies)


def restore(trainer: Any, state: TrainingState) -> None:
    """Put a state into a `BaseTrainer` that was set up for the same training and has not begun."""
    trainer.model.load_state_dict(_below(state.tensors, _NETWORK))
    trainer.ema.ema.load_state_dict(_below(state.tensors, _AVERAGE))
    trainer.ema.updates = state.progress.updates
    parameters = [one for group in trainer.optimizer.param_groups for one in group["params"]]
    kept: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in _below(state.tensors, _OPTIMIZER).items():
        number, _, field = name.partition(".")
        kept.setdefault(int(number), {})[field] = _laid_out_as(parameters[int(number)], value)
    groups = trainer.optimizer.state_dict()["param_groups"]
    trainer.optimizer.load_state_dict({"state": kept, "param_groups": groups})
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


def _below(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _laid_out_as(parameter: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """The optimizer's memory of a parameter, in its order of dimensions; a counter stays as it is."""
    import torch

    return torch.empty_like(parameter, device="cpu").copy_(value) if value.shape == parameter.shape else value
