"""docs/operate.md names what there is: commands and their options, services, scripts, secrets, alerts."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from lvbag.cli import app
from lvbag.notify_settings import Event
from lvbag.settings import PROJECT_ROOT
from stack_files import Service

TEXT = (PROJECT_ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
SNIPPETS = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", TEXT, flags=re.MULTILINE | re.DOTALL))


def commands() -> Iterator[list[str]]:
    """Every command of the page, word by word, without comments."""
    for block in BLOCKS:
        for line in block.replace("\\\n", " ").splitlines():
            yield from _parts(line)
    for snippet in SNIPPETS:
        yield from _parts(snippet)


def _parts(line: str) -> Iterator[list[str]]:
    for part in re.split(r"&&|;", line.replace("(", " ").replace(")", " ")):
        try:
            words = shlex.split(part, comments=True)
        except ValueError:
            continue  # a quotation of something else
        if words:
            yield words


def lvbag_commands() -> list[tuple[str, ...]]:
    """What follows `lvbag`, also behind `docker compose run … lvbag`."""
    found = []
    for words in commands():
        program = [index for index, word in enumerate(words) if word.rpartition("/")[2] == "lvbag"]
        if program and "…" not in words and (program[0] == 0 or words[:3] == ["docker", "compose", "run"]):
            found.append(words[program[0] + 1 :])
    return sorted({tuple(words) for words in found if words})


@pytest.mark.parametrize("words", lvbag_commands(), ids=" ".join)
def test_each_command_of_lvbag_exists_with_its_options(words: tuple[str, ...]) -> None:
    command: Any = typer.main.get_command(app)
    rest = list(words)
    while isinstance(command, TyperGroup) and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        assert name in command.commands, f"there is no `lvbag {' '.join(words)}`"
        command = command.commands[name]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in rest if word.startswith("--")} <= known


def test_the_page_is_read_at_all() -> None:
    assert ("store", "copy", "--to", "/backup.env", "--overwrite") in lvbag_commands()
    assert len(lvbag_commands()) > 15


def test_each_service_and_script_exists(services: dict[str, Service]) -> None:
    valued = {"--tail", "--volume"}
    for words in commands():
        if words[:2] == ["docker", "compose"] and words[2] in ("exec", "restart", "logs", "run"):
            rest = [word for before, word in pairwise(words[2:]) if before not in valued]
            service = next(word for word in rest if not word.startswith("-"))
            assert service in services, words
        if words[0].startswith("docker/"):
            assert (PROJECT_ROOT / words[0]).is_file(), words


def test_each_message_is_one_that_lvbag_says() -> None:
    """Those of the tables of full disks and of 3 a.m. that come from lvbag itself."""
    quoted = [
        "has no space left for",
        "store.min_free_mb is",
        "no space left on this machine's disk",
        "does not answer",
        "refuses the credentials",
        "its clock and that of this machine are too far",
        "is damaged: its bytes are not those that were written",
    ]
    source = " ".join((PROJECT_ROOT / "plugins" / "lvbag" / "store" / "client.py").read_text(encoding="utf-8").split())
    assert [text for text in quoted if text not in TEXT or text not in source] == []


def test_each_secret_can_be_changed(secrets: dict[str, str]) -> None:
    table = TEXT.partition("| secret in `.env` |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`([A-Z_]+)`", table)) >= secrets.keys() - {"COMPOSE_PROFILES"}


def test_each_alert_is_explained() -> None:
    table = TEXT.partition("| event | it means |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == {event.value for event in Event}
