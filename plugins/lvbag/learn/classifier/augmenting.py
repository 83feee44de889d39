"""Random changes of training pictures, on whole batches where the tensors are: crop, mirror, turn, light, RandAugment.

One affine map and one set of factors a picture, sampled once, instead of a chain of resizes. Outside the picture there
is white, as around every letterboxed crop. Hue stays: colour tells products apart. So of RandAugment's operations
(Cubuk et al. 2020, arXiv:1909.13719, in timm's measure and increasing form) those that turn colours into others
(invert, solarize, posterize, equalize) are not there, and auto-contrast stretches the three channels together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lvbag.learn.classifier.recipe import ClassifierAugment

if TYPE_CHECKING:
    import torch
    from torch import Tensor

OPERATIONS = ("rotate", "shear_x", "shear_y", "shift_x", "shift_y", "saturation", "contrast", "brightness", "sharpness",
              "autocontrast")  # fmt: skip
"""What RandAugment chooses from."""
CHANCE = 0.5
"""Of an operation that was chosen to be applied, as in timm."""
MAGNITUDE_DEVIATION = 0.5
"""Of the magnitude, from picture to picture, as in timm's usual `mstd0.5`."""
LARGEST = {"rotate": math.radians(30), "shear_x": 0.3, "shear_y": 0.3, "shift_x": 0.45, "shift_y": 0.45,
           "saturation": 0.9, "contrast": 0.9, "brightness": 0.9, "sharpness": 0.9}  # fmt: skip
"""At magnitude 10, up or down: an angle, slopes, shares of the side, and what a factor differs from 1 by."""


def augment(pixels: Tensor, recipe: ClassifierAugment, generator: torch.Generator) -> Tensor:
    """Change RGB pictures of shape (n, 3, side, side) in 0 to 1; the same generator state gives the same changes."""
    import torch

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(len(pixels), generator=generator, device=pixels.device) * (high - low) + low

    area = uniform(*recipe.scale)
    aspect = uniform(math.log(recipe.ratio[0]), math.log(recipe.ratio[1])).exp().sqrt()
    width = (area.sqrt() * aspect).clamp(max=1)
    height = (area.sqrt() / aspect).clamp(max=1)
    mirror = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0) if recipe.flip else torch.ones_like(area)
    angle = uniform(-recipe.rotate_deg, recipe.rotate_deg) * (math.pi / 180)
    none = torch.zeros_like(area)
    shift_x, shift_y = (1 - width) * uniform(-1, 1), (1 - height) * uniform(-1, 1)
    if recipe.shift:
        side = pixels.shape[-1]
        # by whole pixels: what lies between pixels is blurred, which test pictures are not
        across, down = ((uniform(-1, 1) * recipe.shift * side).round() * (2 / side) for _ in range(2))
        shift_x, shift_y = shift_x + across, shift_y + down
    crop = _affine((mirror * width, none, shift_x), (none, height, shift_y))
    map_ = crop @ _turn(angle)
    contrast = 1 + uniform(-recipe.colour_jitter, recipe.colour_jitter)
    brightness = 1 + uniform(-recipe.colour_jitter, recipe.colour_jitter)
    if not recipe.randaugment:
        return _relight(_remap(pixels, map_), contrast, brightness).clamp_(0, 1)
    drawn = _draw(len(pixels), recipe, generator)
    pixels = _remap(pixels, map_ @ drawn.map)
    pixels = _recolour(pixels, drawn)
    return _relight(pixels, contrast * drawn.contrast, brightness * drawn.brightness).clamp_(0, 1)


def _remap(pixels: Tensor, map_: Tensor) -> Tensor:
    """Look every picture up through its map, (n, 3, 3) on coordinates from -1 to 1."""
    from torch.nn import functional

    grid = functional.affine_grid(map_[:, :2], list(pixels.shape), align_corners=False)
    # grid_sample fills with zeros: with white as zero, white comes in from outside
    return functional.grid_sample(pixels - 1, grid, mode="bilinear", align_corners=False) + 1


def _relight(pixels: Tensor, contrast: Tensor, brightness: Tensor) -> Tensor:
    """Contrast about the picture's mean, then brightness; factors of shape (n,)."""
    grey = pixels.mean(dim=(1, 2, 3), keepdim=True)
    return ((pixels - grey) * contrast.view(-1, 1, 1, 1) + grey) * brightness.view(-1, 1, 1, 1)


# ------------------------------------------------------------------ RandAugment


@dataclass(frozen=True)
class _Drawn:
    """What RandAugment drew for each of n pictures: a map (n, 3, 3), factors (n,), and who is stretched (n,)."""

    map: Tensor
    saturation: Tensor
    contrast: Tensor
    brightness: Tensor
    sharpness: Tensor
    stretched: Tensor


def _draw(count: int, recipe: ClassifierAugment, generator: torch.Generator) -> _Drawn:
    """Draw the layers' operations and what they come to together; without a choice on the host, so nothing waits."""
    import torch

    device = generator.device
    shape = (recipe.randaugment_layers, count)
    chosen = torch.randint(len(OPERATIONS), shape, generator=generator, device=device)
    applied = torch.rand(shape, generator=generator, device=device) < CHANCE
    level = torch.randn(shape, generator=generator, device=device) * MAGNITUDE_DEVIATION + recipe.randaugment
    sign = torch.where(torch.rand(shape, generator=generator, device=device) < 0.5, -1.0, 1.0)
    signed = level.clamp(0, 10) / 10 * sign

    def amount(operation: str) -> Tensor:
        is_it = applied & (chosen == OPERATIONS.index(operation))
        return torch.where(is_it, signed * LARGEST[operation], 0.0)

    def factor(operation: str) -> Tensor:
        return (1 + amount(operation)).prod(dim=0)

    total = {name: amount(name).sum(dim=0) for name in OPERATIONS[:5]}
    one = torch.ones(count, device=device)
    # a share of the side is twice as much on coordinates from -1 to 1
    sheared = _affine((one, total["shear_x"], 2 * total["shift_x"]), (total["shear_y"], one, 2 * total["shift_y"]))
    return _Drawn(
        map=sheared @ _turn(total["rotate"]),
        saturation=factor("saturation"),
        contrast=factor("contrast"),
        brightness=factor("brightness"),
        sharpness=factor("sharpness"),
        stretched=(applied & (chosen == OPERATIONS.index("autocontrast"))).any(dim=0),
    )


def _recolour(pixels: Tensor, drawn: _Drawn) -> Tensor:
    """Auto-contrast, saturation and sharpness."""
    import torch
    from torch.nn import functional

    low = pixels.amin(dim=(1, 2, 3), keepdim=True)
    span = (pixels.amax(dim=(1, 2, 3), keepdim=True) - low).clamp(min=1e-3)
    pixels = torch.where(drawn.stretched.view(-1, 1, 1, 1), (pixels - low) / span, pixels)
    grey = 0.299 * pixels[:, :1] + 0.587 * pixels[:, 1:2] + 0.114 * pixels[:, 2:]
    pixels = (grey + (pixels - grey) * drawn.saturation.view(-1, 1, 1, 1)).clamp_(0, 1)
    smooth = functional.avg_pool2d(pixels, 3, stride=1, padding=1, count_include_pad=False)
    return (smooth + (pixels - smooth) * drawn.sharpness.view(-1, 1, 1, 1)).clamp_(0, 1)


def _turn(angle: Tensor) -> Tensor:
    cos, sin, none = angle.cos(), angle.sin(), angle.new_zeros(len(angle))
    return _affine((cos, -sin, none), (sin, cos, none))


def _affine(first: tuple[Tensor, ...], second: tuple[Tensor, ...]) -> Tensor:
    """Maps of shape (n, 3, 3) with these two rows, of three numbers a picture each, and the row (0, 0, 1)."""
    import torch

    none, one = torch.zeros_like(first[0]), torch.ones_like(first[0])
    return torch.stack((*first, *second, none, none, one), dim=1).view(-1, 3, 3)
