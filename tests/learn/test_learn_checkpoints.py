"""Checkpoints of a training: stored when due and when stopped, refused when changed, gone when published."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lvbag.learn.checkpoints import NEWEST, Checkpoints, Place, TrainingState
from lvbag.learn.detector.checkpoints import DetectorProgress, capture, restore
from lvbag.store import Bucket, ModelKind, Store, StoreUnavailable, keys

torch = pytest.importorskip("torch")

KEY = "ab12"


def progress(epochs: int, updates: int) -> DetectorProgress:
    losses = tuple(1 / (1 + epoch) for epoch in range(epochs))
    return DetectorProgress(epochs=epochs, of=9, losses=losses, seconds=12.5 * epochs, updates=updates)


def state(epochs: int) -> TrainingState[DetectorProgress]:
    return TrainingState(progress(epochs, 7 * epochs), {"network.weight": torch.full((2, 3), float(epochs))})


def opened(store: Store, folder: Path, every_s: float = 3600.0) -> Checkpoints[DetectorProgress]:
    return Checkpoints(store, Place(ModelKind.DETECTOR, KEY, "ultralytics"), DetectorProgress, folder, every_s)


def stored(store: Store) -> list[str]:
    prefix = keys.checkpoints_of(ModelKind.DETECTOR, KEY)
    names = [item.ref.key.removeprefix(prefix) for item in store.list_objects(Bucket.MODELS, prefix)]
    return [name if name == NEWEST else name[: len("epoch-0000")] for name in names]


def test_what_was_stored_comes_back_and_an_earlier_one_goes(store: Store, tmp_path: Path) -> None:
    first = opened(store, tmp_path, every_s=0.0)
    assert first.load() is None
    for epochs in (1, 2):
        first.note(state(epochs))
        first.flush_when_due()
    assert stored(store) == ["epoch-0002", NEWEST]
    later = opened(store, tmp_path)
    found = later.load()
    assert found is not None
    assert found.progress == state(2).progress
    assert torch.equal(found.tensors["network.weight"], state(2).tensors["network.weight"])
    later.note(state(3))
    later.flush()
    assert stored(store) == ["epoch-0003", NEWEST]
    later.remove()
    assert stored(store) == []
    assert list(tmp_path.iterdir()) == []


def test_between_two_checkpoints_nothing_is_stored_until_the_training_is_stopped(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoints = opened(store, tmp_path)
    checkpoints.flush()
    checkpoints.note(state(4))
    checkpoints.flush_when_due()
    assert stored(store) == []
    checkpoints.flush()
    checkpoints.flush()
    assert capsys.readouterr().out == "checkpoint after epoch 4/9 stored\n"


def test_a_checkpoint_that_was_changed_lost_or_written_by_another_release_is_not_used(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoints = opened(store, tmp_path)
    checkpoints.note(state(4))
    checkpoints.flush()
    newest = keys.checkpoint(ModelKind.DETECTOR, KEY, NEWEST)
    told: dict[str, Any] = store.get_json(newest)
    file = keys.checkpoint(ModelKind.DETECTOR, KEY, told["file"])
    data = store.get(file)
    store.put(file, data[:-1] + b"\x01")
    assert checkpoints.load() is None
    assert "starts from its beginning" in capsys.readouterr().out
    store.put(file, data)
    assert checkpoints.load() is not None
    store.put_json(newest, told | {"written_by": "lvbag 0.0.1, ultralytics 8.0.0"})
    assert checkpoints.load() is None
    assert "written by lvbag 0.0.1, ultralytics 8.0.0" in capsys.readouterr().out
    store.put_json(newest, {"file": told["file"]})
    assert checkpoints.load() is None
    store.put_json(newest, told)
    store.delete(file)
    assert checkpoints.load() is None


def test_a_store_that_fails_does_not_end_the_training_and_is_tried_again(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoints = opened(store, tmp_path, every_s=0.0)

    def fail(*given: object) -> None:
        raise StoreUnavailable("the store is away")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "upload", fail)
        checkpoints.note(state(1))
        checkpoints.flush_when_due()
    assert "after epoch 1/9 could not be stored: the store is away" in capsys.readouterr().out
    checkpoints.flush_when_due()
    assert stored(store) == ["epoch-0001", NEWEST]


# ------------------------------------------------------------------ what a trainer holds


def trainer(optimizer: str) -> Any:
    """What ultralytics' trainer holds, of a small network with batch statistics."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Flatten())
    average = SimpleNamespace(ema=torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4)), updates=0)
    weights, rest = [p for p in model.parameters() if p.ndim > 1], [p for p in model.parameters() if p.ndim == 1]
    groups = [{"params": rest}, {"params": weights}]
    made = (
        torch.optim.AdamW(groups, lr=0.01)
        if optimizer == "adamw"
        else torch.optim.SGD(groups, lr=0.01, momentum=0.9, nesterov=True)
    )
    return SimpleNamespace(model=model, ema=average, optimizer=made, start_epoch=0)


def train(one: Any, steps: range) -> None:
    for step in steps:
        pictures = torch.rand(2, 3, 6, 6, generator=torch.Generator().manual_seed(step))
        one.optimizer.zero_grad()
        one.model(pictures).square().mean().backward()
        one.optimizer.step()
        one.ema.updates += 1
        for mine, theirs in zip(one.ema.ema.parameters(), one.model.parameters(), strict=True):
            mine.data.lerp_(theirs.data, 0.5)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_restored_trainer_goes_on_as_if_nothing_had_happened(optimizer: str) -> None:
    whole, broken, fresh = (trainer(optimizer) for _ in range(3))
    train(whole, range(6))
    train(broken, range(3))
    captured = capture(broken, progress(2, broken.ema.updates))
    train(broken, range(3, 5))  # what happens after the checkpoint is lost, and must not reach into it
    restore(fresh, captured)
    assert (fresh.start_epoch, fresh.ema.updates) == (2, 3)
    train(fresh, range(3, 6))
    for mine, theirs in ((fresh.model, whole.model), (fresh.ema.ema, whole.ema.ema)):
        for name, value in theirs.state_dict().items():
            assert torch.equal(mine.state_dict()[name], value), name
