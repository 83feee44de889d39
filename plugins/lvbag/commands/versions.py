"""How versions are named on the command line."""

from __future__ import annotations

from typing import Annotated

import typer

from lvbag.registry import RegistryError, champion
from lvbag.store import ModelKind, Store

Kind = Annotated[ModelKind, typer.Option("--kind", help="which model")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object a line")]
Version = Annotated[str, typer.Argument(help="a version's number, or `champion`")]


def version_number(store: Store, kind: ModelKind, text: str) -> int:
    """`7`, `0007` or `champion` as a number; raises `RegistryError` for anything else."""
    if text == "champion":
        current = champion(store, kind)
        if current is None:
            raise RegistryError(f"there is no champion {kind} yet; `lvbag registry list` shows the versions")
        return current.version
    if not text.isdecimal() or int(text) < 1:
        raise RegistryError(f"{text!r} is no version: give its number, such as 7, or the word champion")
    return int(text)
