"""The autoencoder of bags, and the network that tells products apart by its codes. Imports torch: for processes alone.

A convolutional autoencoder with a narrow code, after Hinton and Salakhutdinov (2006,
https://doi.org/10.1126/science.1127647). Every night it learns from crops without being told what they show; what it
cannot redraw is odd (`run_judging`). Its encoder with one linear layer on the codes is `bag_autoencoder`, a model of
timm like any other once this module is imported.
"""

from __future__ import annotations

import itertools
from typing import Any

from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import Tensor, nn

SIDE_PX = 64
WIDTHS = (16, 32, 48, 64)
"""Channels after each halving: 64, 32, 16, 8, 4 pixels."""
CODE = 32


class Autoencoder(nn.Module):
    """RGB pictures (n, 3, 64, 64) of 0 to 1, to codes (n, 32), and back."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = new_encoder()
        inner = SIDE_PX // 2 ** len(WIDTHS)
        up = [_doubled(a, b) for a, b in itertools.pairwise(reversed(WIDTHS))]
        self.decoder = nn.Sequential(
            nn.Linear(CODE, WIDTHS[-1] * inner**2),
            nn.Unflatten(1, (WIDTHS[-1], inner, inner)),
            *up,
            nn.ConvTranspose2d(WIDTHS[0], 3, 4, 2, 1),
            nn.Sigmoid(),
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """The pictures as they are drawn from their codes."""
        drawn: Tensor = self.decoder(self.encoder(pictures))
        return drawn


class LatentClassifier(nn.Module):
    """RGB pictures (n, 3, 64, 64) of 0 to 1, to codes, to scores (n, classes) by one linear layer."""

    def __init__(self, num_classes: int, img_size: int | tuple[int, int] = SIDE_PX, in_chans: int = 3) -> None:
        super().__init__()
        if img_size not in (SIDE_PX, (SIDE_PX, SIDE_PX)) or in_chans != 3:  # timm gives it in either form
            raise ValueError(f"the encoder takes RGB of {SIDE_PX} px, not {in_chans} channels of {img_size} px")
        self.num_classes = num_classes
        self.encoder = new_encoder()
        self.head = nn.Linear(CODE, num_classes)

    def forward(self, pictures: Tensor) -> Tensor:
        """The scores."""
        scores: Tensor = self.head(self.encoder(pictures))
        return scores


def new_encoder() -> nn.Sequential:
    """Pictures (n, 3, 64, 64) to codes (n, 32)."""
    inner = SIDE_PX // 2 ** len(WIDTHS)
    down = [_halved(a, b) for a, b in itertools.pairwise((3, *WIDTHS))]
    return nn.Sequential(*down, nn.Flatten(), nn.Linear(WIDTHS[-1] * inner**2, CODE))


def _halved(before: int, after: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after), nn.LeakyReLU(0.1, inplace=True)
    )


def _doubled(before: int, after: int) -> nn.Module:
    return nn.Sequential(
        nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after), nn.LeakyReLU(0.1, inplace=True)
    )


# ------------------------------------------------------------------ as a model of timm

default_cfgs = generate_default_cfgs(
    {
        "bag_autoencoder": {
            "input_size": (3, SIDE_PX, SIDE_PX),
            "fixed_input_size": True,
            "mean": (0.0, 0.0, 0.0),
            "std": (1.0, 1.0, 1.0),
            "interpolation": "bilinear",
            "crop_pct": 1.0,
            "first_conv": "encoder.0.0",
            "classifier": "head",
        }
    }
)


def _encoder_alone(tensors: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Of an autoencoder's tensors those that a classifier has, too."""
    return {name: value for name, value in tensors.items() if not name.startswith("decoder.")}


@register_model  # type: ignore[untyped-decorator]
def bag_autoencoder(pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """The encoder with a linear layer on its codes, made by `timm.create_model`."""
    model: nn.Module = build_model_with_cfg(
        LatentClassifier, "bag_autoencoder", pretrained, pretrained_filter_fn=_encoder_alone, **kwargs
    )
    return model
