"""Sub-commands that cost nothing until they are asked for: `lvbag classify` does not wait for what crawling imports.

Typer builds a command from its function, so naming one means importing its module with all that it needs. Here a
command is named by where it stands, and built when it is run, shown in the help, or completed in the shell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any, cast

import typer
from typer.core import TyperGroup


def lazy_group(homes: Mapping[str, str]) -> type[TyperGroup]:
    """A class for `typer.Typer(cls=…)`: `homes` maps each command's name to `module:function` or `module:app`.

    They are all the commands of the group, in the order given.
    """

    class LazyGroup(TyperGroup):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options | {"commands": _Commands(homes)})

        def list_commands(self, _: object) -> list[str]:
            return list(homes)

    return LazyGroup


class _Commands(Mapping[str, Any]):
    """Commands by name, each built when it is first looked at."""

    def __init__(self, homes: Mapping[str, str]) -> None:
        self._homes = homes
        self._built = cache(lambda name: _build(name, homes[name]))

    def __getitem__(self, name: str) -> Any:
        return self._built(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._homes)

    def __len__(self) -> int:
        return len(self._homes)


def _build(name: str, home: str) -> Any:
    module, _, attribute = home.partition(":")
    found: typer.Typer | Callable[..., None] = getattr(import_module(module), attribute)
    holder = typer.Typer(add_completion=False)
    if isinstance(found, typer.Typer):
        holder.add_typer(found, name=name)
        return cast("TyperGroup", typer.main.get_command(holder)).commands[name]
    holder.command(name)(found)
    return typer.main.get_command(holder)
