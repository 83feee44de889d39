"""ONNX files on the CPU: how they are opened, how large they are, how long they take for one picture.

Time is taken on one thread: the figure is to tell networks apart, and other work on the machine disturbs many threads
more than one. Several networks take turns, so that a machine that is slow for a while is slow for all of them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

WARM_UP = 2
LEAST, MOST = 7, 50
"""Rounds."""
BUDGET_S = 1.5
"""Of one network, once it has had the least rounds."""

Timed = tuple[Path, npt.NDArray[np.float32]]
"""An ONNX file, and one picture as it takes it: (1, 3, side, side)."""


def open_onnx(path: Path, threads: int = 0) -> Any:
    """The exported network on the CPU, an `onnxruntime.InferenceSession`; 0 threads takes every core."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or len(os.sched_getaffinity(0))
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def latencies_ms(networks: Sequence[Timed]) -> list[float]:
    """The median time of one picture for each network, in milliseconds."""
    runs = []
    for path, picture in networks:
        session = open_onnx(path, threads=1)
        (asked,) = session.get_inputs()
        runs.append((session, {asked.name: picture}))
    for session, inputs in runs * WARM_UP:
        session.run(None, inputs)
    times: list[list[float]] = [[] for _ in runs]
    started = time.monotonic()
    for number in range(MOST):
        if number >= LEAST and time.monotonic() - started > BUDGET_S * len(runs):
            break
        for own, (session, inputs) in zip(times, runs, strict=True):
            before = time.perf_counter()
            session.run(None, inputs)
            own.append(1000.0 * (time.perf_counter() - before))
    return [median(own) for own in times]


def size_mb(path: Path) -> float:
    """Of a file, in millions of bytes."""
    return path.stat().st_size / 1e6
