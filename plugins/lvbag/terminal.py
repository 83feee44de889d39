"""What a person sees in the terminal: one console for all commands and the demo, and the funnel as a table."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

console = Console(highlight=False)


def funnel_table(title: str, funnels: Mapping[str, Mapping[str, int]]) -> Table:
    """The funnels of some nights side by side: a row a step, a column a night."""
    table = Table(title=title, title_justify="left")
    table.add_column("step")
    for night in funnels:
        table.add_column(night, justify="right")
    steps = list(dict.fromkeys(step for funnel in funnels.values() for step in funnel))
    for step in _in_order(steps, list(funnels.values())):
        table.add_row(step, *(_count(funnel.get(step)) for funnel in funnels.values()))
    return table


def _in_order(steps: list[str], funnels: list[Mapping[str, int]]) -> list[str]:
    """Steps that only later nights have stand where those nights have them."""
    place = {step: max(list(funnel).index(step) for funnel in funnels if step in funnel) for step in steps}
    return sorted(steps, key=lambda step: (place[step], steps.index(step)))


def _count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"
