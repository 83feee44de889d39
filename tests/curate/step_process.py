"""Steps of a night in processes of their own, which can run side by side and be killed.

Processes are forked from one that has imported everything and done nothing, so that one begins in a moment. Run as a
program it does all steps of the second night, for a clock of its own: `step_process.py <settings as JSON>`.
"""

from __future__ import annotations

import multiprocessing as mp
import os
import sys
from collections.abc import Sequence
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

import great_expectations  # noqa: F401 - imported before the fork, for it takes seconds
from faulty_nights import STEPS

from lvbag.settings import Settings
from lvbag.store import Store


def forking() -> ForkServerContext:
    """A context whose processes begin with all of this imported."""
    context = mp.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), *([before] if before else [])])
    try:
        forkserver.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
    return context


def begin(context: ForkServerContext, steps: Sequence[str], settings: Settings, gate: Any = None) -> Running:
    """Start a process that waits at the gate, where there is one, and does these steps."""
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_do, args=(steps, settings, gate, there), daemon=True)
    process.start()
    there.close()
    return Running(process, here)


class Running:
    """A process at work."""

    def __init__(self, process: ForkServerProcess, answer: Connection) -> None:
        self.process = process
        self._answer = answer

    def end(self) -> str:
        """Wait for its end; what went wrong, `killed`, or an empty text."""
        try:
            said = str(self._answer.recv())
        except EOFError:
            said = "killed"
        self.process.join(60)
        return said


def _do(steps: Sequence[str], settings: Settings, gate: Any, answer: Connection) -> None:
    store = Store(settings.store)
    if gate is not None:
        gate.wait(60)
    try:
        for step in steps:
            STEPS[step](store, settings)
    except BaseException as error:
        answer.send(f"{type(error).__name__}: {error}")
        raise
    answer.send("")


if __name__ == "__main__":
    chosen = Settings.model_validate_json(sys.argv[1])
    for work in STEPS.values():
        work(Store(chosen.store), chosen)
