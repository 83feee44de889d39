"""Weights from elsewhere put into a network: what fits is taken, the rest is left at its beginning.

Class rows are mapped by name: a network of one class `Bag` takes the mean of what the source learnt about backpacks,
handbags and suitcases. A `.pt` file is a pickle, and is read by ultralytics' restricted loader alone, which makes
tensors and the layers that it knows and refuses everything else.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lvbag.infer.bag_names import COCO_BAGS
from lvbag.learn.errors import LearnError

if TYPE_CHECKING:
    import torch

NAMES = "names"
"""Metadata of our safetensors files: the classes in the order of the outputs, as a JSON list."""

_CLASS_ROWS = re.compile(r"model\.\d+\.cv3\.\d+\.2\.(weight|bias)")
"""The last layer of YOLO11's class branches: one row a class."""


@dataclass(frozen=True)
class Source:
    """Tensors by name, and the classes that they tell apart, in the order of the outputs."""

    tensors: dict[str, torch.Tensor]
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Taken:
    """What a network took: tensors as they were, class rows by name, and the names of those that did not fit."""

    whole: int
    mapped: int
    left: tuple[str, ...]

    def __str__(self) -> str:
        count = self.whole + self.mapped + len(self.left)
        shown = ", ".join(self.left[:3]) + (" …" if len(self.left) > 3 else "")
        rest = f"; {len(self.left)} of another shape stay at their beginnings: {shown}" if self.left else ""
        return f"{self.whole + self.mapped} of {count} tensors taken, {self.mapped} of them class by class{rest}"


def put_weights(model: Any, source: Source, classes: Sequence[str], class_map: Mapping[str, str]) -> Taken:
    """Put what fits into a network of these classes; raises `LearnError` where nothing does."""
    import torch

    rows = class_rows(source.classes, classes, class_map)
    own = model.state_dict()
    whole, mapped, left = 0, 0, []
    with torch.no_grad():
        for name, target in own.items():
            value = source.tensors.get(name)
            if value is not None and _CLASS_ROWS.fullmatch(name) and tuple(source.classes) != tuple(classes):
                if value.shape[1:] == target.shape[1:] and len(value) == len(source.classes) and rows:
                    for row, theirs in rows.items():
                        target[row] = value[list(theirs)].to(target.dtype).mean(dim=0)
                    mapped += 1
                else:
                    left.append(name)
            elif value is not None and value.shape == target.shape:
                target.copy_(value)
                whole += 1
            else:
                left.append(name)
    if not whole:
        raise LearnError(
            f"none of the {len(source.tensors)} tensors fits the network: they are of another one; name the network "
            "that they belong to as `model` of the recipe"
        )
    return Taken(whole, mapped, tuple(left))


def put_all_weights(model: Any, source: Source, otherwise: str) -> None:
    """Put them into a network that has the very same tensors; raises `LearnError`, which begins with `otherwise`."""
    own = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    given = {name: tuple(value.shape) for name, value in source.tensors.items()}
    if own != given:
        strangers = sorted(name for name in own.keys() | given.keys() if own.get(name) != given.get(name))
        raise LearnError(
            f"{otherwise} of {len(source.classes)} classes: {len(strangers)} of {len(own)} tensors differ, such as "
            f"{strangers[0]}; name the network that it is with --network"
        )
    model.load_state_dict(source.tensors)


def class_rows(theirs: Sequence[str], ours: Sequence[str], class_map: Mapping[str, str]) -> dict[int, tuple[int, ...]]:
    """For each of our classes the numbers of theirs that mean it: by name, by `detector.class_map`, or COCO's bags.

    A network of one class finds bags, whatever the class is called.
    """
    if len(theirs) == len(ours) == 1:
        return {0: (0,)}
    merged = {name.casefold(): wanted.casefold() for name, wanted in class_map.items()}
    meanings = [{name.casefold(), merged.get(name.casefold(), "")} for name in theirs]
    for name, meaning in zip(theirs, meanings, strict=True):
        if name in COCO_BAGS:
            meaning.add("bag")
    found = {
        row: tuple(number for number, meaning in enumerate(meanings) if wanted.casefold() in meaning)
        for row, wanted in enumerate(ours)
    }
    return {row: numbers for row, numbers in found.items() if numbers}


# ------------------------------------------------------------------ files


def read_source(path: Path) -> Source:
    """Weights of a `.pt` or `.safetensors` file; raises `LearnError` with what is wrong and what would do."""
    readers = {".pt": _read_pt, ".safetensors": _read_safetensors}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise LearnError(f"{path.name} is no file of weights: give {' or '.join(readers)}")
    try:
        source = reader(path)
    except OSError as error:
        raise LearnError(f"{path} cannot be read: {error.strerror or error}") from None
    return source


def read_kept(path: Path, classes: Sequence[str]) -> Source:
    """Tensors that the store keeps, with the classes that their record tells."""
    from safetensors.torch import load_file

    return Source(load_file(path), tuple(classes))


def _read_pt(path: Path) -> Source:
    import torch
    from ultralytics.nn.tasks import torch_safe_load

    if not hasattr(torch.serialization, "get_unsafe_globals_in_checkpoint"):
        raise LearnError(f"torch {torch.__version__} cannot read {path.name} without running what is in it; take 2.6")
    if not path.is_file():  # it would be looked for on the hub
        raise LearnError(f"{path} does not exist")
    try:
        loaded, _ = torch_safe_load(path, safe_only=True)
    except Exception as error:  # whatever a file that somebody made up provokes
        raise LearnError(
            f"{path.name} is no checkpoint of ultralytics that can be read without running code in it "
            f"({type(error).__name__}: {str(error).splitlines()[0][:200]}); give the file that `yolo train` wrote or "
            "the project published, or its tensors as .safetensors"
        ) from None
    module = (loaded.get("ema") or loaded.get("model")) if isinstance(loaded, dict) else None
    if not isinstance(module, torch.nn.Module):
        raise LearnError(f"{path.name} holds no network under `ema` or `model`; give a checkpoint of ultralytics")
    names = getattr(module, "names", {})
    classes = tuple(str(names[number]) for number in sorted(names)) if isinstance(names, dict) else tuple(names)
    tensors = {name: value.float() if value.is_floating_point() else value for name, value in _tensors(module)}
    return Source(tensors, classes)


def _tensors(module: Any) -> list[tuple[str, torch.Tensor]]:
    return [(name, value.detach().contiguous()) for name, value in module.state_dict().items()]


def _read_safetensors(path: Path) -> Source:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            said = (file.metadata() or {}).get(NAMES)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dict
    except SafetensorError as error:
        raise LearnError(f"{path.name} is no safetensors file: {error}") from None
    return Source(tensors, _names(path, said))


def _names(path: Path, said: str | None) -> tuple[str, ...]:
    """The classes of a file's metadata: a JSON list, or numbers to names as ultralytics writes them."""
    if said is None:
        raise LearnError(f"{path.name} does not tell its classes: its metadata need `{NAMES}`, a JSON list of them")
    try:
        names = json.loads(said)
    except ValueError:
        names = _literal(said)
    if isinstance(names, dict):
        names = [names[number] for number in sorted(names, key=int)]
    if not isinstance(names, list) or not names:
        raise LearnError(f"{path.name}: its metadata `{NAMES}` are no list of classes, but {said[:80]!r}")
    return tuple(str(name) for name in names)


def _literal(said: str) -> Any:
    try:
        return ast.literal_eval(said)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
