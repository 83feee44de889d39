"""The parts of training that work on tensors: augmentation, device, a loss that is no number."""

from __future__ import annotations

import pytest

from lvbag.learn.errors import LearnError
from lvbag.learn.recipes import ClassifierAugment, ClassifierRecipe
from lvbag.settings import TrainSettings

torch = pytest.importorskip("torch")

from lvbag.learn.augmenting import augment  # noqa: E402
from lvbag.learn.devices import choose_device  # noqa: E402

STILL = ClassifierAugment(scale=(1.0, 1.0), flip=False, colour_jitter=0.0, rotate_deg=0.0)


def pictures(count: int = 8):  # type: ignore[no-untyped-def]
    return torch.rand(count, 3, 24, 24, generator=torch.Generator().manual_seed(5))


def changed(recipe: ClassifierAugment, seed: int = 1, pixels=None):  # type: ignore[no-untyped-def]
    pixels = pictures() if pixels is None else pixels
    return augment(pixels, recipe, torch.Generator().manual_seed(seed))


def test_without_changes_a_picture_stays_as_it_is() -> None:
    # the crop's proportions still vary a little, so only a square of full area is left alone
    pixels = torch.full((2, 3, 24, 24), 0.25)
    assert torch.allclose(changed(STILL, pixels=pixels), pixels, atol=1e-5)


def test_the_same_seed_gives_the_same_changes_and_another_seed_others() -> None:
    recipe = ClassifierAugment()
    assert torch.equal(changed(recipe), changed(recipe))
    assert not torch.equal(changed(recipe), changed(recipe, seed=2))


def test_what_comes_in_from_outside_is_white() -> None:
    turned = changed(STILL.model_copy(update={"rotate_deg": 45.0}), pixels=torch.zeros(16, 3, 24, 24))
    assert turned.max() == 1
    assert torch.equal(turned[:, 0], turned[:, 1])


def test_light_changes_and_hue_does_not() -> None:
    pixels = torch.full((32, 3, 8, 8), 0.5) * torch.tensor([0.8, 0.4, 0.2]).view(1, 3, 1, 1)
    lit = changed(STILL.model_copy(update={"colour_jitter": 0.2}), pixels=pixels)
    assert lit.std(dim=0).max() > 0.01
    assert bool((lit[:, 0] > lit[:, 1]).all())
    assert bool((lit[:, 1] > lit[:, 2]).all())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_required_device_that_is_not_there_is_named_with_the_setting() -> None:
    with pytest.raises(LearnError, match=r"train\.device = 'require'"):
        choose_device(TrainSettings(device="require"))
    assert choose_device(TrainSettings(device="prefer")).type == "cpu"


def test_a_loss_that_is_no_number_stops_the_training_and_names_the_remedy() -> None:
    from lvbag.learn.run_classifier import check_loss

    recipe = ClassifierRecipe(kind="classifier", model="test_efficientnet", learning_rate=5.0)
    assert check_loss(0.5, 1, recipe) == 0.5
    with pytest.raises(LearnError, match=r"the loss became nan in epoch 3; lower learning_rate \(5\.0\)"):
        check_loss(float("nan"), 3, recipe)
