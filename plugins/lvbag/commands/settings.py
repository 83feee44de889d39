"""`lvbag settings`: every setting with its value and its reason; also the page `docs/settings.md`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, get_args

import typer
from pydantic import BaseModel, SecretStr
from pydantic_core import PydanticUndefined
from rich.table import Table

from lvbag.settings import PREFIX, Settings, load_settings
from lvbag.source_settings import SOURCE_KINDS, AnySource
from lvbag.terminal import console

_INTRODUCTION = """# Settings

Written by `lvbag settings --markdown`; a test keeps it true. Set a value in `config/lvbag.yaml` or by its variable; the
variable wins. An unknown name or a wrong value stops the start and is named. Lists and mappings are JSON in variables.

Three variables say where to look: `LVBAG_HOME` (this machine's state), `LVBAG_CONFIG_DIR` (`lvbag.yaml`, `catalog.csv`,
`recipes/`) and `LVBAG_LOG` (`DEBUG`, `INFO`, `WARNING`; of the command line).
"""


@dataclass(frozen=True)
class Row:
    """A setting: its dotted name, its variable, its default as text, and the reason."""

    name: str
    variable: str
    default: str
    reason: str


def settings(
    markdown: Annotated[bool, typer.Option("--markdown", help="print docs/settings.md")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="the values in force as JSON, secrets as stars")] = False,
) -> None:
    """Print the settings in force; secrets show as stars."""
    if markdown:
        print(markdown_page(), end="")
        return
    current = load_settings()
    if as_json:
        print(json.dumps(current.model_dump(mode="json")))
        return
    table = Table("setting", "value", "reason")
    for row in rows():
        group, name = row.name.split(".", 1)
        table.add_row(row.name, _text(getattr(getattr(current, group), name)), row.reason)
    console.print(table)


def markdown_page() -> str:
    """The text of `docs/settings.md`."""
    lines = [_INTRODUCTION]
    group = ""
    for row in rows():
        if row.name.split(".")[0] != group:
            group = row.name.split(".")[0]
            lines += [f"\n## {group}\n", "| setting | variable | default | what and why |", "|---|---|---|---|"]
        lines.append(f"| `{row.name}` | `{row.variable}` | {row.default} | {row.reason} |")
    lines.append("\n# A source, by its name under `crawl.sources`")
    for kind in SOURCE_KINDS:
        lines += [f"\n## {_kind(kind)}\n", f"{kind.__doc__}", ""]
        if kind.SENTENCE:
            lines += [f'{kind.WHY} It stays off until `permission` says: "{kind.SENTENCE}".', ""]
        lines += ["| setting | default | what and why |", "|---|---|---|"]
        lines += [f"| `{row.name}` | {row.default} | {row.reason} |" for row in _rows_of(kind, "")]
    return "\n".join(lines) + "\n"


def rows() -> list[Row]:
    """Every setting, in the order of the code."""
    found: list[Row] = []
    for group, field in Settings.model_fields.items():
        model = field.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            found += _rows_of(model, f"{group}.")
    return found


def _kind(kind: type[AnySource]) -> str:
    """The name that `kind` has in a configuration."""
    return str(get_args(kind.model_fields["kind"].annotation)[0])


def _rows_of(model: type[BaseModel], prefix: str) -> Iterator[Row]:
    for name, field in model.model_fields.items():
        dotted = f"{prefix}{name}"
        variable = PREFIX + dotted.replace(".", "__").upper()
        default = field.get_default(call_default_factory=True)
        text = "(required)" if default is PydanticUndefined else f"`{_text(default)}`"
        yield Row(dotted, variable, text, field.description or "")


def _text(value: Any) -> str:
    if isinstance(value, SecretStr):
        return str(value) or "(empty)"
    if isinstance(value, str | int | float | bool):
        return str(value) if value != "" else "(empty)"
    if isinstance(value, dict):
        return json.dumps({k: v.model_dump(mode="json") if isinstance(v, BaseModel) else v for k, v in value.items()})
    return json.dumps(list(value)) if isinstance(value, tuple) else str(value)
