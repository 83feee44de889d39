"""Which epochs are followed by a look at the validation pictures, and what is shown of those that are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lvbag.learn.classifier.checkpoints import ClassifierProgress  # noqa: E402
from lvbag.learn.classifier.course import Course  # noqa: E402
from lvbag.learn.classifier.curves import write_tensorboard  # noqa: E402
from lvbag.learn.classifier.recipe import ClassifierRecipe  # noqa: E402
from lvbag.learn.figures import draw_curve  # noqa: E402

STEPS = 2


def run(epochs: int, done: int = 0) -> tuple[Course, list[int]]:
    """A training's course, begun after `done` epochs, and the epochs (from 1) that are measured."""
    recipe = ClassifierRecipe(kind="classifier", model="test_efficientnet", epochs=epochs)
    progress = ClassifierProgress(steps=done * STEPS, of=epochs * STEPS, parts=1)
    course, measured = Course(recipe, progress, ["a"] * 8, 4), []
    for epoch in range(done + 1, epochs + 1):
        course.begin_epoch()
        for _ in range(STEPS):
            course.note(np.arange(4), torch.tensor(1.5))
        if course.is_measured:
            measured.append(epoch)
        course.end_epoch(0.5 if course.is_measured else None, 0.1, say=True)
    return course, measured


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [(1, [1]), (4, [1, 2, 3, 4]), (10, list(range(1, 11))), (25, [1, 4, 7, 10, 13, 16, 19, 22, 25])],
)
def test_about_ten_epochs_are_measured_and_the_last_one_always(epochs: int, expected: list[int]) -> None:
    assert run(epochs)[1] == expected


def test_a_training_that_goes_on_measures_the_same_epochs() -> None:
    assert run(25, done=11)[1] == [13, 16, 19, 22, 25]


def test_an_epoch_that_is_not_measured_has_no_score_in_line_and_pictures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    course, _ = run(12)
    lines = capsys.readouterr().out.splitlines()
    assert ["val_top1 0.500" in line for line in lines] == [False, True] * 6
    assert course.curve.val_top1 == [None, 0.5] * 6
    draw_curve(tmp_path / "curve.png", course.curve.loss, course.curve.val_top1)
    write_tensorboard(tmp_path / "curve.tfevents", course.curve)
    assert all(file.stat().st_size for file in tmp_path.iterdir())
