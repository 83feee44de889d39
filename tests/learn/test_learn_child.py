"""The process that works: when it stops, and whom it works for."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from lvbag.learn import child


def job(parent: int) -> Any:
    return SimpleNamespace(parent_process=parent, folder=Path())


def test_sigterm_waits_for_the_end_of_a_step_and_is_obeyed() -> None:
    before = signal.getsignal(signal.SIGTERM)
    steps = []
    with pytest.raises(child.Stopped), child.between_steps() as stop:
        for step in range(3):
            if step == 1:
                os.kill(os.getpid(), signal.SIGTERM)
            steps.append((step, stop.is_there))
    assert steps == [(0, False), (1, True), (2, True)]
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_ends_the_steps_otherwise_is_not_hidden_by_a_stop() -> None:
    with pytest.raises(ValueError, match="of its own"), child.between_steps():
        os.kill(os.getpid(), signal.SIGTERM)
        raise ValueError("of its own")


def test_a_process_whose_parent_is_gone_is_an_orphan(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not child.is_orphan(job(os.getppid()))
    assert child.is_orphan(job(1 if os.getppid() != 1 else 2))
    with pytest.raises(child.Stopped):
        child.check_parent(job(1 if os.getppid() != 1 else 2))


def test_under_torchrun_the_parent_is_the_one_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    grandparent = psutil.Process(os.getppid()).ppid()
    assert not child.is_orphan(job(grandparent))
    assert child.is_orphan(job(os.getpid()))
    monkeypatch.setattr("os.getppid", lambda: 2**22 + 1)  # above the largest process id
    assert child.is_orphan(job(grandparent))
