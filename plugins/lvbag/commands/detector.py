"""`lvbag detector`: train one on an export of labels, measure any on any labels, and bring weights in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lvbag.commands.common import emit, open_session
from lvbag.commands.detector_weights import weights_app
from lvbag.commands.learn import train_detector
from lvbag.terminal import console

detector_app = typer.Typer(help="Train and measure detectors.", no_args_is_help=True)
detector_app.add_typer(weights_app, name="weights")


@detector_app.command("train")
def train(
    labels: Annotated[Path, typer.Option(help="an export of labels: zip or folder", exists=True)],
    recipe: Annotated[str | None, typer.Option(help="a recipe; detector.recipe when left out")] = None,
    seed: Annotated[int, typer.Option(help="another seed makes another challenger", min=0)] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> None:
    """Bring labels in, train a detector on them, measure it beside the champion, and let the gate decide."""
    from lvbag.labels import import_labels

    session = open_session()
    imported = import_labels(session.store, session.settings, labels)
    emit(imported, as_json)
    train_detector(imported.name, recipe, seed, as_json)


@detector_app.command("evaluate")
def evaluate(
    labels: Annotated[Path, typer.Option(help="an export of labels: zip or folder", exists=True)],
    detector: Annotated[
        str | None, typer.Option(help="a version's number or an .onnx file; the champion when left out")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
) -> None:
    """Measure a detector on every picture of a label set, and write nothing."""
    from lvbag.learn.detector.trial import try_detector

    session = open_session()
    trial = try_detector(session.store, session.settings, detector, labels)
    if as_json:
        emit(trial, as_json)
        return
    console.print(
        f"detector {trial.detector} on {trial.images} images with {trial.boxes} boxes: mAP50 {trial.map50:.3f}, "
        f"mAP50-95 {trial.map50_95:.3f}; at confidence {trial.confidence:g} recall {trial.recall:.3f}, precision "
        f"{trial.precision:.3f}",
        markup=False,
    )
    if trial.why is not None:
        console.print(f"these labels would not be imported: {trial.why}", markup=False, style="yellow")
