"""What a check is and what it finds; choosing a sample, and running checks a few at a time."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice

_WORKERS = 4
"""Objects read at a time: a digest is quick, so one reader would wait for the store most of the time."""

_CHUNK = 32
"""Checks handed to the workers at a time: what memory holds."""


@dataclass(frozen=True)
class Finding:
    """Something that is not as it was written. `kind` names the rule, `remedy` says what to do."""

    kind: str
    uri: str
    problem: str
    remedy: str


@dataclass(frozen=True)
class Check:
    """One thing to check, by its address; `run` reads it. Those that read little are made whatever the sample."""

    uri: str
    run: Callable[[], Iterable[Finding]]
    always: bool = False


def found(finding: Finding) -> Check:
    """A check that finds this: what was met while checks were listed."""
    return Check(finding.uri, partial(iter, (finding,)), always=True)


def choose(checks: Iterable[Check], sample: int | None, seed: int) -> Iterator[Check]:
    """All checks, or a sample of them and those that are always made.

    The sample depends on the addresses and the seed alone; of any number of checks only the sample is held.
    """
    if sample is None:
        yield from checks
        return
    always: list[Check] = []

    def others() -> Iterator[Check]:
        for check in checks:
            if check.always:
                always.append(check)
            else:
                yield check

    chosen = heapq.nsmallest(sample, others(), key=lambda check: _draw(check.uri, seed))
    yield from always
    yield from sorted(chosen, key=lambda check: check.uri)


def run_checks(checks: Iterable[Check]) -> Iterator[list[Finding]]:
    """What each check finds, in their order."""
    waiting = iter(checks)
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="verify") as pool:
        while chunk := list(islice(waiting, _CHUNK)):
            yield from pool.map(lambda check: list(check.run()), chunk)


def _draw(uri: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}\n{uri}".encode()).digest()
