"""What a classifier's training minimises: cross-entropy, smoothed, adjusted for rare products, of mixed pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lvbag.learn.classifier.recipe import ClassifierRecipe

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def make_loss(
    recipe: ClassifierRecipe, counts: npt.NDArray[np.int64], device: torch.device
) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss of scores (n, products) and targets, as labels (n,) or shares (n, products); a mean over the n.

    `counts` are the training pictures of each product. With logit adjustment (Menon et al. 2021, arXiv:2007.07314,
    equation 10) the network's own scores become those for products that are equally frequent.
    """
    import torch
    from torch.nn import functional

    frequency = torch.from_numpy(np.maximum(counts, 1) / np.maximum(counts, 1).sum())
    shift = (recipe.logit_adjustment * frequency.log()).to(device, torch.float32)

    def loss(scores: Tensor, targets: Tensor) -> Tensor:
        adjusted = scores + shift if recipe.logit_adjustment else scores
        return functional.cross_entropy(adjusted, targets, label_smoothing=recipe.label_smoothing)

    return loss


def make_mixing(recipe: ClassifierRecipe, products: int) -> Any:
    """timm's mixup and CutMix of a whole batch, None where the recipe has neither; smoothing is the loss's."""
    if not (recipe.mixup or recipe.cutmix):
        return None
    from timm.data import Mixup

    return Mixup(mixup_alpha=recipe.mixup, cutmix_alpha=recipe.cutmix, label_smoothing=0.0, num_classes=products)


def is_mixed(recipe: ClassifierRecipe, epoch: int) -> bool:
    """Whether pictures of this epoch (from 0) are mixed: the last ones are not (`unmixed`)."""
    return epoch < round(recipe.epochs * (1 - recipe.unmixed))
