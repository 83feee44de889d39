"""Random changes of training pictures, on whole batches where the tensors are: crop, mirror, turn, light.

One affine map a picture, sampled once, instead of a chain of resizes. Outside the picture there is white, as around
every letterboxed crop. Hue stays: colour tells products apart.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lvbag.learn.recipes import ClassifierAugment

if TYPE_CHECKING:
    import torch
    from torch import Tensor

ASPECT = 4 / 3
"""The crop's proportions vary from 3:4 to 4:3, as in timm's and torchvision's random resized crop."""


def augment(pixels: Tensor, recipe: ClassifierAugment, generator: torch.Generator) -> Tensor:
    """Change RGB pictures of shape (n, 3, side, side) in 0 to 1; the same generator state gives the same changes."""
    return _relight(_remap(pixels, recipe, generator), recipe.colour_jitter, generator).clamp_(0, 1)


def _remap(pixels: Tensor, recipe: ClassifierAugment, generator: torch.Generator) -> Tensor:
    """Crop, mirror and turn every picture by a map of its own."""
    import torch
    from torch.nn import functional

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(len(pixels), generator=generator, device=pixels.device) * (high - low) + low

    area = uniform(*recipe.scale)
    aspect = uniform(-math.log(ASPECT), math.log(ASPECT)).exp().sqrt()
    width = (area.sqrt() * aspect).clamp(max=1)
    height = (area.sqrt() / aspect).clamp(max=1)
    mirror = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0) if recipe.flip else torch.ones_like(area)
    angle = uniform(-recipe.rotate_deg, recipe.rotate_deg) * (math.pi / 180)
    shift_x = (1 - width) * uniform(-1, 1)
    shift_y = (1 - height) * uniform(-1, 1)
    cos, sin = angle.cos(), angle.sin()
    first = torch.stack([mirror * width * cos, -width * sin, shift_x], 1)
    second = torch.stack([mirror * height * sin, height * cos, shift_y], 1)
    grid = functional.affine_grid(torch.stack([first, second], 1), list(pixels.shape), align_corners=False)
    # grid_sample fills with zeros: with white as zero, white comes in from outside
    return functional.grid_sample(pixels - 1, grid, mode="bilinear", align_corners=False) + 1


def _relight(pixels: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Brightness and contrast, each up or down by at most this share."""
    import torch

    def factor() -> Tensor:
        noise = torch.rand(len(pixels), 1, 1, 1, generator=generator, device=pixels.device)
        return 1 + (noise * 2 - 1) * share

    grey = pixels.mean(dim=(1, 2, 3), keepdim=True)
    return ((pixels - grey) * factor() + grey) * factor()
