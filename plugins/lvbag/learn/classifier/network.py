"""timm's network of a classifier (Wightman, https://github.com/huggingface/pytorch-image-models), and its beginning.

Weights to start from: the champion's, where products that both know keep their outputs; or those that were brought in,
whose outputs mean other things and begin anew. Tensors of another shape are refused by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lvbag.learn.errors import LearnError

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Beginning:
    """Tensors to start from; `classes` are the products of the outputs, empty where those mean something else."""

    tensors: dict[str, Tensor]
    classes: tuple[str, ...]
    named: str  # for messages


@dataclass(frozen=True)
class Normal:
    """Mean and deviation of RGB in 0 to 1 that a network expects to be subtracted and divided by."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


def check_model(name: str) -> None:
    """Raise `LearnError` when timm has no such network, naming some that are near."""
    timm = _models()
    if timm.is_model(name):
        tag = name.partition(".")[2]
        if tag and not timm.models.is_model_pretrained(name):
            raise LearnError(f"recipe: model = {name!r}: timm {timm.__version__} knows no weights {tag!r} of it")
        return
    near = ", ".join(timm.list_models(f"*{name.partition('_')[0]}*")[:5]) or "see timm.list_models()"
    raise LearnError(f"recipe: model = {name!r} is no network of timm {timm.__version__}; near: {near}")


def new_network(name: str, outputs: int, side_px: int | None = None, pretrained: dict[str, Any] | None = None) -> Any:
    """timm's network with so many outputs, for pictures of a side where it is made for one side alone."""
    timm = _models()
    config = timm.get_pretrained_cfg(name)
    made_for = config.input_size[-1] if config is not None and config.fixed_input_size else None
    size = {"img_size": side_px} if side_px and made_for and side_px != made_for else {}
    overlay = {"pretrained_cfg_overlay": pretrained} if pretrained else {}
    try:
        return timm.create_model(name, pretrained=bool(pretrained), num_classes=outputs, **size, **overlay)
    except (TypeError, AssertionError, ValueError) as error:
        if not size:
            raise
        raise LearnError(f"recipe: {name} takes pictures of {made_for} px alone, not of {side_px}: {error}") from None


def build(name: str, side_px: int, products: Sequence[str], beginning: Beginning | None) -> tuple[Any, Normal]:
    """The network with an output for each product, begun as told, and what its pictures are normalised with."""
    from timm.data import resolve_data_config

    check_model(name)
    # timm's own way of loading fits what a model allows to be fitted, such as positions of another side
    told: dict[str, Any] | None = None
    if beginning is not None and not beginning.classes:
        told = {"state_dict": dict(beginning.tensors), "num_classes": 0, "custom_load": False, "label_offset": 0}
    try:
        model = new_network(name, len(products), side_px, told)
    except RuntimeError as error:
        if beginning is None or told is None:
            raise
        raise LearnError(f"{beginning.named} do not fit {name} at {side_px} px: {_first_lines(error)}") from None
    doubt(model)
    if beginning is not None and beginning.classes:
        put_champion(model, beginning, products)
    config = resolve_data_config({}, model=model)
    return model, Normal(tuple(config["mean"]), tuple(config["std"]))


def doubt(model: nn.Module) -> None:
    """Begin with outputs of zero, so that every product is as likely as any other and the first loss is log(products).

    timm draws them for a thousand classes. With ten they are large enough that the first epochs unlearn them.
    """
    import torch

    with torch.no_grad():
        for name in heads(model):
            for value in model.get_submodule(name).parameters():
                value.zero_()


def put_champion(model: nn.Module, beginning: Beginning, products: Sequence[str]) -> int:
    """Put a classifier's tensors into a network of the same shape but for its outputs; returns the products kept.

    Outputs of products that both know are taken over by product, those of new products stay as they are.
    """
    import torch

    outputs = {f"{head}.{part}" for head in heads(model) for part in ("weight", "bias")}
    own = model.state_dict()
    others = sorted(
        name
        for name in own.keys() | beginning.tensors.keys()
        if _shape(own.get(name), name in outputs) != _shape(beginning.tensors.get(name), name in outputs)
    )
    if others:
        raise LearnError(
            f"{beginning.named} does not fit this recipe: {len(others)} of {len(own)} tensors have another shape, such "
            f"as {others[0]}; train with its image_side_px and model, or set start: scratch"
        )
    place = {product: row for row, product in enumerate(beginning.classes)}
    shared = [(row, place[product]) for row, product in enumerate(products) if product in place]
    mine, theirs = [row for row, _ in shared], [row for _, row in shared]
    with torch.no_grad():
        for name, target in own.items():
            value = beginning.tensors[name].to(target.dtype)
            if name in outputs:
                target[mine] = value[theirs]
            else:
                target.copy_(value)
    return len(shared)


def leave_the_outputs(model: nn.Module) -> None:
    """Let only the outputs learn (linear probing); gradients of all else are not even computed."""
    model.requires_grad_(False)
    for name in heads(model):
        model.get_submodule(name).requires_grad_(True)


def heads(model: Any) -> tuple[str, ...]:
    """The names of the modules with an output for each product, such as `classifier`."""
    named = model.pretrained_cfg.get("classifier")
    if not named:
        raise LearnError(
            f"{type(model).__name__} of timm names no layer of outputs; choose another model in the recipe"
        )
    return (named,) if isinstance(named, str) else tuple(named)


def _models() -> Any:
    """timm, which knows this project's own network, too."""
    import timm

    from lvbag.learn.outliers import autoencoder  # noqa: F401  # registers itself

    return timm


def _shape(tensor: Tensor | None, is_output: bool) -> tuple[int, ...] | None:
    if tensor is None:
        return None
    return tuple(tensor.shape[1:] if is_output else tensor.shape)


def _first_lines(error: RuntimeError) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:3])[:400]
