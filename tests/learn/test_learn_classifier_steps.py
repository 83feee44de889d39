"""A step of a classifier's training: what the recipe makes of it, in parts, out of memory; what cannot be trained."""

from __future__ import annotations

from typing import Any
from unittest.mock import create_autospec

import numpy as np
import polars as pl
import pytest
from classifier_jobs import tiny

from lvbag import schemas
from lvbag.learn import LearnError
from lvbag.learn.classifier.data import Snapshot
from lvbag.settings import TrainSettings

torch = pytest.importorskip("torch")

from accelerate.state import AcceleratorState  # noqa: E402

from lvbag.learn.checkpoints import Checkpoints, TrainingState  # noqa: E402
from lvbag.learn.classifier.checkpoints import ClassifierProgress, capture, restore, seed_step  # noqa: E402
from lvbag.learn.classifier.network import Normal  # noqa: E402
from lvbag.learn.classifier.run_training import (  # noqa: E402
    Passes,
    Plan,
    View,
    describe_counts,
    describe_device,
    go_on,
    plan_training,
    set_up,
)
from lvbag.learn.devices import open_accelerator  # noqa: E402

NORMAL = Normal((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
PLAN = Plan(np.arange(8), np.arange(8) % 2, 8, 1)


@pytest.fixture(autouse=True)
def fresh() -> Any:
    """accelerate keeps its first configuration for the whole process."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


def accelerator(**values: Any) -> Any:
    return open_accelerator(TrainSettings(device="never", threads=torch.get_num_threads()), tiny(**values))


def small() -> Any:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(4 * 36, 3))


def learner(**values: Any) -> Any:
    return set_up(small(), tiny(**values), PLAN, accelerator())[0]


# ------------------------------------------------------------------ what the recipe says is done


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam", "adamw", "nadamw", "radam", "adan", "lamb", "lars", "lion",
                                  "rmsprop"])  # fmt: skip
def test_every_optimizer_steps_and_its_memory_comes_back_from_a_checkpoint(name: str) -> None:
    def steps(one: Any, numbers: range) -> None:
        for number in numbers:
            one.optimizer.zero_grad()
            pixels = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(number))
            one.model(pixels).square().mean().backward()
            one.optimizer.step()
            one.follow(number + 1)

    whole, broken, fresh = (learner(optimizer=name, ema=0.5) for _ in range(3))
    steps(whole, range(4))
    steps(broken, range(2))
    state = capture(broken, ClassifierProgress(steps=2, of=4, parts=1))
    told = ClassifierProgress.model_validate_json(state.progress.model_dump_json())
    steps(broken, range(2, 3))  # what happens later must not reach into it
    restore(fresh, TrainingState(told, state.tensors))
    steps(fresh, range(2, 4))
    for mine, theirs in ((fresh.model, whole.model), (fresh.ready, whole.ready)):
        assert all(torch.equal(mine.state_dict()[key], value) for key, value in theirs.state_dict().items())
    assert not torch.equal(whole.model[0].weight, small()[0].weight)


def test_layers_learn_the_slower_the_earlier_they_stand() -> None:
    import timm

    model = timm.create_model("test_efficientnet", num_classes=3)
    one, schedule = set_up(model, tiny(layer_decay=0.5, epochs=4, weight_decay=0.03), PLAN, accelerator())
    schedule.step_update(1)
    plain, same = set_up(small(), tiny(epochs=4), PLAN, accelerator())
    same.step_update(1)
    rates = [group["lr"] for group in one.optimizer.param_groups]
    assert max(rates) == plain.optimizer.param_groups[0]["lr"]
    assert min(rates) < max(rates) / 4
    assert {group["weight_decay"] for group in one.optimizer.param_groups} == {0.0, 0.03}, "none of biases and norms"
    assert len({group["lr"] for group in learner(layer_decay=1.0).optimizer.param_groups}) == 1


def test_the_rate_warms_up_and_ends_near_nothing() -> None:
    one, schedule = set_up(small(), tiny(epochs=4, warmup_epochs=2), Plan(PLAN.rows, PLAN.labels, 4, 2), accelerator())
    rates = []
    for step in range(1, 9):
        schedule.step_update(step)
        rates.append(one.optimizer.param_groups[0]["lr"])
    assert rates[0] < rates[1] < rates[2] < 0.01
    assert rates[-1] < 0.001


def test_the_average_is_what_becomes_the_model_and_without_one_the_last_weights() -> None:
    with_one, without = learner(ema=0.9), learner()
    assert without.ready is without.model
    for step in range(1, 4):
        with torch.no_grad():
            with_one.model[0].weight.add_(1.0)
        with_one.follow(step)
    gap = with_one.model[0].weight - with_one.ready[0].weight
    assert 0 < float(gap.detach().mean()) < 3


@pytest.mark.parametrize(("amp", "precision"), [("auto", "no"), ("bf16", "bf16"), ("off", "no")])
def test_precision_is_the_recipes_and_auto_is_float32_without_a_gpu(amp: str, precision: str) -> None:
    assert accelerator(amp=amp).mixed_precision == precision


def test_compile_reaches_accelerate() -> None:
    assert accelerator(compile=True).state.dynamo_plugin.backend.value == "INDUCTOR"
    AcceleratorState._reset_state(reset_partial_state=True)
    assert accelerator().state.dynamo_plugin.backend.value == "NO"


@pytest.mark.parametrize("channels_last", [True, False])
def test_memory_order_is_the_recipes(channels_last: bool) -> None:
    view = View(NORMAL, tiny(channels_last=channels_last))
    inputs = view.inputs(view.pixels(torch.zeros(2, 8, 8, 3, dtype=torch.uint8)))
    assert inputs.is_contiguous(memory_format=torch.channels_last) is channels_last
    assert learner(channels_last=channels_last).model[0].weight.is_contiguous() is not channels_last


def test_a_step_sees_the_same_pictures_whatever_happened_before_it() -> None:
    from lvbag.learn.classifier.objective import make_mixing

    recipe = tiny(mixup=0.4, cutmix=0.4, epochs=5)
    view = View(NORMAL, recipe, make_mixing(recipe, 3))
    images = torch.randint(0, 255, (4, 16, 16, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 2, 0])

    def shown(step: int, epoch: int = 0, process: int = 0) -> tuple[Any, Any]:
        torch.rand(3)
        np.random.rand(2)
        return view.shown(images, labels, seed_step(7, step, process, torch.device("cpu")), epoch)

    first, again = shown(5), shown(5)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], shown(6)[0])
    assert not torch.equal(first[0], shown(5, process=1)[0])
    assert torch.equal(shown(5, epoch=4)[1], labels), "the last fifth is not mixed"


def test_no_visible_gpu_is_said_with_the_setting() -> None:
    from lvbag.settings import Settings

    text = describe_device(accelerator(), Settings())
    if not torch.cuda.is_available():
        assert text == "device cpu (no CUDA device is visible, train.device = 'prefer'), float32"


# ------------------------------------------------------------------ parts and memory


class Narrow(torch.nn.Module):
    """A network that has memory for a few pictures at a time."""

    def __init__(self, holds: int) -> None:
        super().__init__()
        self.inner, self.holds = small(), holds

    def forward(self, pixels: Any) -> Any:
        if len(pixels) > self.holds:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return self.inner(pixels)


def gradients(holds: int, parts: int, count: int = 12) -> tuple[Any, float, int]:
    model = Narrow(holds)
    passes = Passes(accelerator(), model, torch.nn.functional.cross_entropy, parts, count)
    generator = torch.Generator().manual_seed(4)
    pixels, labels = torch.rand(count, 3, 8, 8, generator=generator), torch.arange(count) % 3
    loss = passes.backward(pixels, labels)
    return model.inner[0].weight.grad, float(loss), passes.parts


@pytest.mark.parametrize(("parts", "count"), [(4, 12), (5, 12), (3, 8)])
def test_a_batch_in_parts_makes_the_step_of_the_whole(parts: int, count: int) -> None:
    whole, loss, _ = gradients(99, 1, count)
    some, same, used = gradients(99, parts, count)
    assert used == min(parts, count // 2)
    assert torch.allclose(whole, some, atol=1e-6)
    assert loss == pytest.approx(same, abs=1e-6)


def test_out_of_memory_halves_the_batch_until_it_fits_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    whole, _, _ = gradients(99, 1)
    some, _, parts = gradients(3, 1)
    assert parts == 4
    assert torch.allclose(whole, some, atol=1e-6)
    said = capsys.readouterr().out
    assert "CUDA out of memory: from here on a batch of 12 goes through the network in 2 parts" in said
    assert "in 4 parts" in said


def test_memory_for_less_than_two_pictures_is_an_error_with_the_remedy() -> None:
    with pytest.raises(LearnError, match="out of memory with two pictures at a time; lower image_side_px"):
        gradients(1, 1)


# ------------------------------------------------------------------ what cannot be trained


def snapshot(*rows: tuple[str, str, int]) -> Snapshot:
    """Rows of style code, split and count."""
    codes = sorted({code for code, _, _ in rows})
    flat = [(code, codes.index(code), split) for code, split, count in rows for _ in range(count)]
    values = {
        "style_code": [row[0] for row in flat],
        "label": [row[1] for row in flat],
        "split": [row[2] for row in flat],
    }
    frame = pl.DataFrame(values, schema={name: schemas.MANIFEST[name] for name in values})
    return Snapshot("snap", tuple(codes), frame, np.zeros((len(flat), 8, 8, 3), np.uint8))


def test_a_class_with_one_picture_is_trained_with_the_others() -> None:
    plan = plan_training(snapshot(("M1", "train", 9), ("M2", "train", 1), ("M1", "test", 2)), tiny())
    assert (plan.batch, plan.steps, len(plan.rows)) == (8, 1, 10)
    told = describe_counts(snapshot(("M1", "train", 9), ("M2", "train", 1), ("M3", "test", 2)))
    assert told == "3 products (1 without a train image), images: train 10 val 0 test 2"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("M1", "train", 9), ("M1", "test", 2)], "has train images of M1 alone: there is nothing to tell apart"),
        ([("M1", "train", 9), ("M2", "train", 9)], "has no test image"),
        ([("M1", "val", 9), ("M2", "test", 9)], "has train images of no product alone"),
    ],
)
def test_what_cannot_be_learnt_or_measured_is_refused(rows: list[tuple[str, str, int]], message: str) -> None:
    with pytest.raises(LearnError, match=message):
        plan_training(snapshot(*rows), tiny())


def test_a_step_is_shared_evenly_and_pictures_are_mixed_in_pairs() -> None:
    few = snapshot(("M1", "train", 7), ("M2", "train", 6), ("M1", "test", 2))
    assert plan_training(few, tiny(batch=16)).batch == 13
    assert plan_training(few, tiny(batch=16, mixup=0.2)).batch == 12
    assert plan_training(few, tiny(batch=16, cutmix=0.2), processes=3).batch == 12
    with pytest.raises(LearnError, match=r"are too few for 7 processes, which need two each; lower train\.processes"):
        plan_training(few, tiny(batch=16), processes=7)


def test_a_checkpoint_of_other_pictures_is_not_gone_on_from(capsys: pytest.CaptureFixture[str]) -> None:
    kept = learner()
    with torch.no_grad():
        kept.model[0].weight.add_(1.0)
    state = capture(kept, ClassifierProgress(steps=5, of=20, parts=2))
    checkpoints = create_autospec(Checkpoints, instance=True)
    checkpoints.load.return_value = state
    other = learner()
    assert go_on(checkpoints, other, ClassifierProgress(of=19, parts=1)) == ClassifierProgress(of=19, parts=1)
    assert torch.equal(other.model[0].weight, small()[0].weight)
    assert "pictures were taken down since: 19 steps, not 20; starting anew" in capsys.readouterr().out
    assert go_on(checkpoints, other, ClassifierProgress(of=20, parts=1)).steps == 5
    assert torch.equal(other.model[0].weight, kept.model[0].weight)
