"""The frame of every `run_*` module: read the job, do it, write the result, and fail in words.

Runs in the process that `lvbag.learn.launch` started.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TypeVar

import psutil

from lvbag.errors import LvbagError
from lvbag.learn.jobs import RESULT_NAME, Job, JobResult

SomeJob = TypeVar("SomeJob", bound=Job)


class Stopped(SystemExit):
    """SIGTERM arrived, or the process that asked is gone; not an `Exception`, so that no library swallows it."""


def run(model: type[SomeJob], work: Callable[[SomeJob], JobResult]) -> None:
    """Do the job whose file the command line names; leaves through `SystemExit` with 0, 1 (failed) or 143 (stopped)."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stdout)
    logging.getLogger("lvbag").setLevel(logging.INFO)
    signal.signal(signal.SIGTERM, _stop)
    job = model.model_validate_json(Path(sys.argv[1]).read_text(encoding="utf-8"))
    try:
        result = work(job)
    except LvbagError as error:
        say(f"error: {error}")
        raise SystemExit(1) from None
    except Stopped as stop:
        say("stopped: nothing was published; run again, it goes on from its last checkpoint, or begins without one")
        raise SystemExit(143) from stop
    except Exception:
        say(traceback.format_exc())
        raise SystemExit(1) from None
    (job.folder / RESULT_NAME).write_text(result.model_dump_json(), encoding="utf-8")


def say(line: str) -> None:
    """One line for the person who waits; the task's log shows it at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def check_parent(job: Job) -> None:
    """Stop when the process that asked is gone: nobody would read the result. Called once an epoch."""
    if is_orphan(job):
        raise Stopped(143)


def is_orphan(job: Job) -> bool:
    """Whether the process that asked is gone; where there are several processes, torchrun stands in between."""
    parent = os.getppid()
    if "TORCHELASTIC_RUN_ID" in os.environ:
        try:
            parent = psutil.Process(parent).ppid()
        except psutil.NoSuchProcess:
            return True
    return parent != job.parent_process


@dataclass
class StopRequest:
    """Whether SIGTERM has arrived."""

    is_there: bool = False


@contextmanager
def between_steps() -> Iterator[StopRequest]:
    """SIGTERM waits within the block, which looks for it where it can stop; it is obeyed at the block's end."""
    request = StopRequest()

    def note(number: int, frame: FrameType | None) -> None:
        request.is_there = True

    before = signal.signal(signal.SIGTERM, note)
    try:
        yield request
    finally:
        signal.signal(signal.SIGTERM, before)
    if request.is_there:
        raise Stopped(143)


def stop_no_more() -> None:
    """Ignore SIGTERM from here on: the process is on its way out, and what it still writes must not be torn."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped(143)
