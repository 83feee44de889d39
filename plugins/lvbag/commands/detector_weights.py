"""`lvbag detector weights`: what the training of a detector may start from, and what finds bags before there is one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lvbag.commands.common import emit, open_session

weights_app = typer.Typer(help="Weights from elsewhere to start from.", no_args_is_help=True)

_Side = Annotated[int, typer.Option("--side", help="input of its ONNX file in pixels", min=32, max=1280)]
_Json = Annotated[bool, typer.Option("--json", help="one JSON object a line")]


@weights_app.command("add")
def add(
    file: Annotated[Path, typer.Argument(help="a .pt of ultralytics, or .safetensors whose metadata tell `names`")],
    network: Annotated[str | None, typer.Option(help="yolo11n …; the file's name when left out")] = None,
    side_px: _Side = 640,
    as_json: _Json = False,
) -> None:
    """Keep a file's weights, as tensors and as ONNX; nothing in the file is run."""
    from lvbag.learn.weights import add_weights

    session = open_session()
    emit(add_weights(session.store, session.settings, file, network, side_px).model_dump(mode="json"), as_json)


@weights_app.command("fetch")
def fetch(
    network: Annotated[str, typer.Argument(help="yolo11n …")], side_px: _Side = 640, as_json: _Json = False
) -> None:
    """Fetch a network's COCO weights from the hub of ultralytics, where train.pretrained allows it."""
    from lvbag.learn.weights import fetch_weights

    session = open_session()
    emit(fetch_weights(session.store, session.settings, network, side_px).model_dump(mode="json"), as_json)


@weights_app.command("list")
def list_all(as_json: _Json = False) -> None:
    """What trainings may start from."""
    from lvbag.commands.weights_table import show_weights
    from lvbag.registry.weights import list_weights

    show_weights(list_weights(open_session().store), "classes", lambda kept: len(kept.classes), as_json)
