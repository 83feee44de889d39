"""The parts of training that work on tensors: augmentation, objective, device, a loss that is no number."""

from __future__ import annotations

import numpy as np
import pytest

from lvbag.learn.classifier.recipe import ClassifierAugment, ClassifierRecipe
from lvbag.learn.errors import LearnError
from lvbag.settings import TrainSettings

torch = pytest.importorskip("torch")

from lvbag.learn.classifier.augmenting import augment  # noqa: E402
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


def test_a_shift_moves_whole_pixels_and_white_comes_in() -> None:
    recipe = STILL.model_copy(update={"ratio": (1.0, 1.0), "shift": 0.125})  # three of 24 pixels
    moved, before = changed(recipe, pixels=pictures(64)), pictures(64)
    seen = set()
    for number in range(64):
        places = [
            (down, across)
            for down in range(-3, 4)
            for across in range(-3, 4)
            if torch.allclose(
                moved[number, :, 3 - down : 21 - down, 3 - across : 21 - across],
                before[number, :, 3:21, 3:21],
                atol=1e-4,
            )
        ]
        assert len(places) == 1, f"picture {number} is no picture that was moved"
        seen.add(places[0])
        down, _ = places[0]
        if down > 0:
            assert torch.allclose(moved[number, :, -down:], torch.ones(()), atol=1e-4)
    assert len(seen) > 25
    assert {down for down, _ in seen} == set(range(-3, 4))


def test_a_crop_of_another_ratio_stretches_and_of_one_to_one_does_not() -> None:
    square = STILL.model_copy(update={"ratio": (1.0, 1.0)})
    assert torch.allclose(changed(square), pictures(), atol=1e-4)
    assert not torch.allclose(changed(square.model_copy(update={"ratio": (1.5, 1.5)})), pictures(), atol=0.05)


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


# ------------------------------------------------------------------ RandAugment

CALM = STILL.model_copy(update={"randaugment": 10.0, "randaugment_layers": 4})


def test_randaugment_changes_pictures_and_leaves_grey_grey_and_white_around() -> None:
    grey = torch.rand(64, 1, 24, 24, generator=torch.Generator().manual_seed(2)).expand(-1, 3, -1, -1).contiguous()
    out = changed(CALM, pixels=grey)
    assert (out - grey).abs().amax(dim=(1, 2, 3)).gt(0.02).float().mean() > 0.7
    assert torch.allclose(out[:, 0], out[:, 2], atol=1e-5), "no operation colours what has no colour"
    plain = changed(STILL, pixels=grey)
    assert torch.allclose(changed(STILL.model_copy(update={"randaugment": 0.0}), pixels=grey), plain)


def test_randaugment_never_turns_one_hue_into_another() -> None:
    colours = torch.tensor([[0.8, 0.4, 0.2], [0.2, 0.7, 0.3], [0.3, 0.3, 0.9]]).repeat(40, 1)
    pixels = colours.view(-1, 3, 1, 1).expand(-1, 3, 16, 16).contiguous()
    middle = changed(CALM, pixels=pixels)[:, :, 8, 8]
    spread = middle.amax(dim=1) - middle.amin(dim=1)
    seen = spread > 0.05  # the others became grey, white or black
    assert seen.sum() > 30
    assert torch.equal(middle.argmax(dim=1)[seen], colours.argmax(dim=1)[seen])


def test_more_magnitude_and_more_layers_change_more() -> None:
    def change(magnitude: float, layers: int) -> float:
        recipe = STILL.model_copy(update={"randaugment": magnitude, "randaugment_layers": layers})
        return float((changed(recipe, pixels=pictures(128)) - changed(STILL, pixels=pictures(128))).abs().mean())

    assert change(3, 2) < change(9, 2)
    assert change(9, 1) < change(9, 4)


# ------------------------------------------------------------------ objective


def recipe(**values: object) -> ClassifierRecipe:
    return ClassifierRecipe.model_validate({"kind": "classifier", "model": "test_efficientnet", **values})


def test_logit_adjustment_makes_up_for_what_is_rare_and_nothing_else() -> None:
    from lvbag.learn.classifier.objective import make_loss

    counts, cpu = np.array([90, 9, 1]), torch.device("cpu")
    scores = torch.tensor([[1.0, 0.5, -0.2], [0.1, 0.3, 2.0]])
    targets = torch.tensor([2, 0])
    plain = make_loss(recipe(label_smoothing=0), counts, cpu)(scores, targets)
    assert torch.allclose(plain, torch.nn.functional.cross_entropy(scores, targets))
    tau = make_loss(recipe(label_smoothing=0, logit_adjustment=1.5), counts, cpu)
    wanted = scores + 1.5 * torch.tensor([0.9, 0.09, 0.01]).log()
    assert torch.allclose(tau(scores, targets), torch.nn.functional.cross_entropy(wanted, targets))
    # a product without a training picture counts as one, not as none
    assert torch.isfinite(make_loss(recipe(logit_adjustment=1), np.array([9, 0, 1]), cpu)(scores, targets))


def test_labels_are_smoothed_as_labels_and_as_shares() -> None:
    from lvbag.learn.classifier.objective import make_loss

    loss = make_loss(recipe(label_smoothing=0.2), np.array([1, 1, 1]), torch.device("cpu"))
    scores, targets = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 1, 0])
    shares = torch.nn.functional.one_hot(targets, 3).float()
    assert torch.allclose(loss(scores, targets), loss(scores, shares))
    assert not torch.allclose(loss(scores, targets), torch.nn.functional.cross_entropy(scores, targets))


@pytest.mark.parametrize(("mixup", "cutmix"), [(0.4, 0.0), (0.0, 1.0)])
def test_pictures_and_their_labels_are_mixed_in_pairs(mixup: float, cutmix: float) -> None:
    from lvbag.learn.classifier.objective import make_mixing

    np.random.seed(3)
    pixels, labels = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 3, 16, 16).clone(), torch.tensor([0, 1, 2, 3])
    mixed, shares = make_mixing(recipe(mixup=mixup, cutmix=cutmix), 4)(pixels, labels)
    assert torch.allclose(shares.sum(dim=1), torch.ones(4))
    # whatever share of picture 3 is in picture 0, its label has the same share of 3
    assert torch.allclose(mixed.mean(dim=(1, 2, 3)), (shares * torch.arange(4.0)).sum(dim=1), atol=1e-4)
    assert 0 < float(shares[0, 3]) < 1
    assert make_mixing(recipe(), 4) is None


def test_the_last_epochs_are_not_mixed() -> None:
    from lvbag.learn.classifier.objective import is_mixed

    chosen = recipe(epochs=10, mixup=0.2, unmixed=0.2)
    assert [is_mixed(chosen, epoch) for epoch in range(10)] == [True] * 8 + [False] * 2
    assert not is_mixed(recipe(epochs=10, unmixed=1.0), 0)


# ------------------------------------------------------------------ losses


def test_a_loss_that_is_no_number_stops_the_training_and_names_step_pictures_and_remedy() -> None:
    from lvbag.learn.classifier.losses import Losses

    names = [f"{number:064x}" for number in range(40)]
    losses = Losses(recipe(learning_rate=5.0), names, steps=20, sum_=0.0)
    for step in range(1, 27):
        losses.note(step, np.arange(5), torch.tensor(0.5))
    losses.note(27, np.array([7, 3, 9, 11, 30]), torch.tensor(float("nan")))
    with pytest.raises(LearnError) as error:
        losses.read()
    text = str(error.value)
    assert f"became nan in epoch 2, step 7 of 20, on the 5 pictures {names[7]}, {names[3]}" in text
    assert "lower learning_rate (5.0)" in text
    assert names[30] not in text


def test_losses_are_summed_in_their_order_and_an_epoch_that_goes_on_keeps_its_sum() -> None:
    from lvbag.learn.classifier.losses import Losses

    values = [float(value) for value in np.random.default_rng(0).random(20)]
    whole = Losses(recipe(), [], steps=20, sum_=0.0)
    first = Losses(recipe(), [], steps=20, sum_=0.0)
    for step, value in enumerate(values, start=1):
        whole.note(step, np.arange(2), torch.tensor(value))
        if step <= 7:
            first.note(step, np.arange(2), torch.tensor(value))
    second = Losses(recipe(), [], steps=20, sum_=first.read())
    for step, value in enumerate(values[7:], start=8):
        second.note(step, np.arange(2), torch.tensor(value))
    assert second.end_epoch() == whole.end_epoch()
    assert whole.read() == 0.0
