"""Every command can be built and shown although none is imported before it is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from lvbag.cli import COMMANDS, app


def test_the_help_names_every_command() -> None:
    said = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"})

    assert said.exit_code == 0
    assert [line.split()[1] for line in said.output.splitlines() if line.startswith("│ ")][-len(COMMANDS) :] == list(
        COMMANDS
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_says_what_it_does(name: str) -> None:
    said = CliRunner().invoke(app, [name, "--help"])

    assert said.exit_code == 0, said.output
    assert f" {name} " in said.output


def test_a_misspelt_command_is_told_the_nearest() -> None:
    said = CliRunner().invoke(app, ["clasify"])

    assert said.exit_code == 2
    assert "classify" in said.output


def test_naming_the_commands_imports_none_of_them() -> None:
    script = "import sys, lvbag.cli\nprint(sorted(n for n in sys.modules if n.startswith('lvbag.commands.')))"

    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert said.stdout.strip() == "['lvbag.commands.mounting']"
