"""`lvbag classifier weights`: what the training of a classifier may start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lvbag.commands.common import emit, open_session

classifier_app = typer.Typer(help="What classifiers start from; `lvbag train` trains them.", no_args_is_help=True)
weights_app = typer.Typer(help="Weights from elsewhere to start from.", no_args_is_help=True)
classifier_app.add_typer(weights_app, name="weights")

_Json = Annotated[bool, typer.Option("--json", help="one JSON object a line")]


@weights_app.command("add")
def add(
    file: Annotated[Path, typer.Argument(help="a .safetensors with the tensors of timm's network, all of them")],
    network: Annotated[
        str | None, typer.Option(help="`model` of the recipes that start from them; the file's name when left out")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Keep a file's tensors, compared with those of the network that it is said to be."""
    from lvbag.learn.weights import add_classifier_weights

    session = open_session()
    emit(add_classifier_weights(session.store, session.settings, file, network).model_dump(mode="json"), as_json)


@weights_app.command("fetch")
def fetch(
    network: Annotated[str, typer.Argument(help="`model` of the recipes that start from them")], as_json: _Json = False
) -> None:
    """Fetch a network's weights from the hub of Hugging Face, where train.pretrained allows it."""
    from lvbag.learn.weights import fetch_classifier_weights

    session = open_session()
    emit(fetch_classifier_weights(session.store, session.settings, network).model_dump(mode="json"), as_json)


@weights_app.command("list")
def list_all(as_json: _Json = False) -> None:
    """What trainings may start from."""
    from lvbag.commands.weights_table import show_weights
    from lvbag.registry.weights import list_classifier_weights

    show_weights(list_classifier_weights(open_session().store), "outputs", lambda kept: kept.outputs, as_json)
