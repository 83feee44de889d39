"""Checkpoints of a training: its state, kept in the store, so that one that was stopped or killed goes on.

A checkpoint is a safetensors file and, written after it, `newest.json`, which names it with its digest and tells how
far the training was; no pickle is written or opened. What the tensors are and how far a training is belong to
`detector_checkpoints` and `classifier_checkpoints`.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from lvbag import __version__
from lvbag.learn import child
from lvbag.registry.versions import sha256_of
from lvbag.store import Bucket, CorruptObject, ModelKind, ObjectMissing, Ref, Store, StoreError, keys

if TYPE_CHECKING:
    import torch

NEWEST = "newest.json"


class Progress(BaseModel, ABC):
    """How far a training is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @property
    @abstractmethod
    def name(self) -> str:
        """For the file's name: letters, digits and "-"."""

    @property
    @abstractmethod
    def reached(self) -> str:
        """For messages: "epoch 3/12"."""


SomeProgress = TypeVar("SomeProgress", bound=Progress)


@dataclass(frozen=True)
class TrainingState(Generic[SomeProgress]):
    """A training at a moment at which it can go on; the tensors are copies on the CPU."""

    progress: SomeProgress
    tensors: dict[str, torch.Tensor]


class _Newest(BaseModel):
    """`newest.json`: which checkpoint counts, what wrote it, and how far the training was."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str
    sha256: str
    written_by: str
    progress: dict[str, Any]


@dataclass(frozen=True)
class Place:
    """Whose checkpoints: of a training, written by `library` (a checkpoint of another release of it is not used).

    `made_of`: data and recipe, as folders for people.
    """

    kind: ModelKind
    training_key: str
    library: str
    made_of: tuple[str, ...] = ()

    @property
    def writer(self) -> str:
        """What writes checkpoints here."""
        return f"lvbag {__version__}, {self.library} {version(self.library)}"


class Checkpoints(Generic[SomeProgress]):
    """The checkpoints of one training, stored `every_s` seconds; `folder` is for scratch files."""

    def __init__(self, store: Store, place: Place, progress: type[SomeProgress], folder: Path, every_s: float) -> None:
        self._store = store
        self._place = place
        self._progress = progress
        self._folder = folder
        self._every_s = every_s
        self._waiting: TrainingState[SomeProgress] | None = None
        self._standing: Ref | None = None
        self._stored_at = time.monotonic()

    @property
    def are_due(self) -> bool:
        """Whether the last one was stored long enough ago."""
        return time.monotonic() - self._stored_at >= self._every_s

    def note(self, state: TrainingState[SomeProgress]) -> None:
        """Keep a state at hand: whatever ends the training now, `flush` stores it."""
        self._waiting = state

    def flush_when_due(self) -> None:
        """Store what was noted when the last checkpoint was stored long enough ago."""
        if self.are_due:
            self.flush()

    def flush(self) -> None:
        """Store what was noted and is not stored yet. A store that fails is told of and does not end the training."""
        state = self._waiting
        if state is None:
            return
        try:
            self._write(state)
        except StoreError as error:
            child.say(f"the checkpoint after {state.progress.reached} could not be stored: {error}")
            return
        self._waiting = None
        self._stored_at = time.monotonic()
        child.say(f"checkpoint after {state.progress.reached} stored")

    def load(self) -> TrainingState[SomeProgress] | None:
        """The newest checkpoint; None where there is none, and, saying why, where it cannot be used."""
        from safetensors.torch import load_file

        try:
            newest = self._newest()
            if newest is None:
                return None
            progress = self._progress.model_validate(newest.progress)
            path = self._store.download(self._ref(newest.file), self._folder / newest.file, sha256=newest.sha256)
        except (CorruptObject, ObjectMissing, ValidationError) as error:
            child.say(f"the checkpoint of this training cannot be used, it starts from its beginning: {error}")
            return None
        tensors = load_file(path)
        path.unlink()
        self._standing = self._ref(newest.file)
        child.say(f"going on after {progress.reached}")
        return TrainingState(progress, tensors)

    def remove(self) -> None:
        """Remove them all, `newest.json` first: the version is published."""
        self._store.delete(self._ref(NEWEST))
        prefix = keys.checkpoints_of(self._place.kind, self._place.training_key, self._place.made_of)
        for item in list(self._store.list_objects(Bucket.MODELS, prefix)):
            self._store.delete(item.ref)

    def _ref(self, name: str) -> Ref:
        return keys.checkpoint(self._place.kind, self._place.training_key, name, self._place.made_of)

    def _newest(self) -> _Newest | None:
        try:
            value = self._store.get_json(self._ref(NEWEST))
        except ObjectMissing:
            return None
        newest = _Newest.model_validate(value)
        if newest.written_by != self._place.writer:
            writer = self._place.writer
            child.say(f"the checkpoint was written by {newest.written_by}, this is {writer}: starting anew")
            return None
        return newest

    def _write(self, state: TrainingState[SomeProgress]) -> None:
        from safetensors.torch import save_file

        path = self._folder / "checkpoint.safetensors"
        save_file(state.tensors, path)
        sha256 = sha256_of(path)
        name = f"{state.progress.name}-{sha256[:12]}.safetensors"
        ref = self._ref(name)
        self._store.upload(ref, path)
        path.unlink()
        told = state.progress.model_dump(mode="json")
        newest = _Newest(file=name, sha256=sha256, written_by=self._place.writer, progress=told)
        self._store.put_json(self._ref(NEWEST), newest.model_dump(mode="json"))
        if self._standing is not None and self._standing != ref:
            self._store.delete(self._standing)
        self._standing = ref


# ------------------------------------------------------------------ tensors


def below(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """The tensors whose names begin with the prefix, without it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def copied(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Copies on the CPU, which later steps do not reach into."""
    return {name: value.detach().to("cpu", copy=True).contiguous() for name, value in tensors.items()}


_GROUP = "group-"


def optimizer_tensors(optimizer: torch.optim.Optimizer, prefix: str) -> dict[str, torch.Tensor]:
    """What an optimizer remembers of each parameter, by `<prefix><number>.<name>`, and of each group of them."""
    told = optimizer.state_dict()
    owners = {str(number): kept for number, kept in told["state"].items()}
    owners |= {f"{_GROUP}{number}": group for number, group in enumerate(told["param_groups"])}
    return {
        f"{prefix}{owner}.{name}": value
        for owner, kept in owners.items()
        for name, value in kept.items()
        if hasattr(value, "dtype")  # a tensor; what is None stays away
    }


def optimizer_numbers(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """What an optimizer remembers beside tensors, such as the count of steps that some keep for a whole group."""
    told = optimizer.state_dict()
    return {
        "state": {str(number): _numbers(kept) for number, kept in told["state"].items()},
        "groups": [_numbers(group) for group in told["param_groups"]],
    }


def restore_optimizer(
    optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor], numbers: dict[str, Any] | None = None
) -> None:
    """Give an optimizer its memory back: tensors by `<number>.<name>`, and what `optimizer_numbers` told."""
    numbers = numbers or {"state": {}, "groups": []}
    parameters = [one for group in optimizer.param_groups for one in group["params"]]
    kept: dict[int, dict[str, Any]] = {int(number): dict(values) for number, values in numbers["state"].items()}
    groups = optimizer.state_dict()["param_groups"]
    for group, values in zip(groups, numbers["groups"], strict=False):
        group.update(values)
    for name, value in tensors.items():
        owner, _, field = name.partition(".")
        if owner.startswith(_GROUP):
            groups[int(owner.removeprefix(_GROUP))][field] = value
        else:
            kept.setdefault(int(owner), {})[field] = _laid_out_as(parameters[int(owner)], value)
    optimizer.load_state_dict({"state": kept, "param_groups": groups})


def _numbers(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if isinstance(value, int | float)}


def _laid_out_as(parameter: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """The optimizer's memory of a parameter, in its order of dimensions; a counter stays as it is."""
    import torch

    return torch.empty_like(parameter, device="cpu").copy_(value) if value.shape == parameter.shape else value
