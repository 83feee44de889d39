"""A step that runs twice at once, and one that is killed, leave the objects of a step that ran once, undisturbed."""

from __future__ import annotations

import signal
from multiprocessing.context import ForkServerContext

import pytest
from faulty_nights import STEPS, Nights, at, drawn
from step_process import begin, forking

from cutting_store import Cut, CuttingStore
from lvbag.store import Store

SLOW = {"validate"}
"""Steps that take seconds are disturbed once."""


@pytest.fixture(scope="module")
def forks() -> ForkServerContext:
    return forking()


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_two_processes_run_at_once_leaves_what_one_leaves(
    nights: Nights, forks: ForkServerContext, step: str
) -> None:
    nights.begin(step)
    gate = forks.Barrier(2)
    both = [begin(forks, [step], nights.settings, gate) for _ in range(2)]
    assert [one.end() for one in both] == ["", ""]
    assert nights.wrong(step) == {}


def test_a_whole_night_that_two_processes_curate_at_once_is_the_night_of_one(
    nights: Nights, forks: ForkServerContext
) -> None:
    nights.begin("close")
    gate = forks.Barrier(2)
    both = [begin(forks, list(STEPS), nights.settings, gate) for _ in range(2)]
    assert [one.end() for one in both] == ["", ""]
    assert nights.wrong("report") == {}


def test_two_parts_can_be_cleaned_side_by_side(nights: Nights, forks: ForkServerContext) -> None:
    nights.begin("clean-0")
    gate = forks.Barrier(2)
    both = [begin(forks, [f"clean-{part}"], nights.settings, gate) for part in range(2)]
    assert [one.end() for one in both] == ["", ""]
    assert nights.wrong("clean-1") == {}


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_another_run_of_it_overtakes_anywhere_leaves_the_same(
    nights: Nights, proxy: CuttingStore, step: str
) -> None:
    settings = at(nights.settings, proxy.endpoint, retries=0)
    for number in drawn(len(nights.requests[step]), 1 if step in SLOW else 4, f"overtaken {step}"):
        nights.begin(step)
        proxy.begin(Cut("nowhere", number, meanwhile=lambda: STEPS[step](nights.store, nights.settings)))
        STEPS[step](Store(settings.store), settings)
        assert nights.wrong(step) == {}, number


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_was_killed_and_runs_again_leaves_the_same(
    nights: Nights, proxy: CuttingStore, forks: ForkServerContext, step: str
) -> None:
    settings = at(nights.settings, proxy.endpoint, retries=0)
    for number in drawn(len(nights.requests[step]), 1 if step in SLOW else 2, f"killed {step}"):
        nights.begin(step)
        gate = forks.Barrier(2)
        running = begin(forks, [step], settings, gate)
        proxy.begin(Cut("after" if number % 2 else "before", number, meanwhile=running.process.kill))
        gate.wait(60)
        assert running.end() == "killed"
        assert running.process.exitcode == -signal.SIGKILL
        assert nights.wrong_so_far(step) == {}, number
        STEPS[step](nights.store, nights.settings)
        assert nights.wrong(step) == {}, number
