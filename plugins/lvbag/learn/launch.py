"""Run a training or an evaluation as a process of its own, and be its ears and its end.

Airflow tasks must not fork or spawn torch; a fresh `python -m lvbag.learn.….run_…` in a session of its own is safe,
gives its memory back, and can be stopped. Its lines go to the log as they come, SIGTERM is passed on, and whatever ends
this call ends the process with it.
"""

from __future__ import annotations

import collections
import logging
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TypeVar

from pydantic import ValidationError

from lvbag.learn.errors import LearnError
from lvbag.learn.jobs import JOB_NAME, RESULT_NAME, Job, JobResult
from lvbag.settings import LOCATION_VARIABLES, PREFIX, Settings, home_dir

log = logging.getLogger(__name__)

KEPT_LINES = 20
"""Of a failed process's output, for the error's message."""
ERROR = "error: "
"""Begins what a process says of its own failure."""
GRACE_S = 15.0
"""Between SIGTERM and SIGKILL."""

_CONTROLS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|\r")
"""Colours and cursor moves of libraries' progress bars; they are noise in a task's log."""

SomeJob = TypeVar("SomeJob", bound=Job)


def run_job(module: str, settings: Settings, make: Callable[[Path, Path], SomeJob], processes: int = 1) -> JobResult:
    """Run `python -m <module> job.json` to its end; `make(folder, cache)` gives the job.

    Several processes are torchrun's. Raises `LearnError` with the last lines when the process fails, is stopped, or
    takes longer than `train.timeout_s`.
    """
    cache = home_dir() / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="lvbag-learn-") as name:
        folder = Path(name)
        job = make(folder, cache)
        (folder / JOB_NAME).write_text(job.model_dump_json(), encoding="utf-8")
        command = [sys.executable, "-m", *_torchrun(processes), module, str(folder / JOB_NAME)]
        _run(command, child_environment(settings, cache), module, settings)
        try:
            return JobResult.model_validate_json((folder / RESULT_NAME).read_text(encoding="utf-8"))
        except (OSError, ValidationError) as error:
            raise LearnError(f"{module} ended without a readable {RESULT_NAME}: {error}") from None


def visible_gpus() -> int:
    """The CUDA devices that a process started from here would see; torch is asked in a process of its own."""
    code = "import torch; print(torch.cuda.device_count())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        raise LearnError(f"torch could not be asked for its CUDA devices: {done.stderr.strip()[-500:]}")
    return int(done.stdout)


def _torchrun(processes: int) -> list[str]:
    """torchrun's part of the command: a meeting point on this machine, and as many processes."""
    if processes == 1:
        return []
    meeting = ["--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0", "--local-addr", "127.0.0.1"]
    return ["torch.distributed.run", "--nnodes", "1", "--nproc-per-node", str(processes), *meeting, "-m"]


def child_environment(settings: Settings, cache: Path, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The process's environment: nothing of Airflow, no setting but the store's keys, and no way to the network."""
    current = os.environ if environment is None else environment
    kept = {name: value for name, value in current.items() if _is_kept(name)}
    kept.update(
        {
            "LVBAG_STORE__ACCESS_KEY": settings.store.access_key.get_secret_value(),
            "LVBAG_STORE__SECRET_KEY": settings.store.secret_key.get_secret_value(),
            "PYTHONUNBUFFERED": "1",
            "OMP_WAIT_POLICY": "passive",  # threads that spin make a step 30 times slower where others work too
            # glibc keeps what a step has used for the next one; handed back and cleared anew it costs a tenth of a step
            "MALLOC_MMAP_THRESHOLD_": str(1 << 32),
            "MALLOC_TRIM_THRESHOLD_": str(1 << 33),
            "YOLO_OFFLINE": "1",
            "YOLO_AUTOINSTALL": "false",  # ultralytics runs pip otherwise
            "YOLO_VERBOSE": "false",
            "ULTRALYTICS_SAFE_LOAD": "1",  # a .pt file is a pickle; only known classes come out of it
            "YOLO_CONFIG_DIR": str(cache / "ultralytics"),
            "MPLCONFIGDIR": str(cache / "matplotlib"),
            "MPLBACKEND": "Agg",
        }
    )
    if not settings.train.pretrained:
        kept["HF_HUB_OFFLINE"] = "1"
    return kept


def _is_kept(name: str) -> bool:
    if name.startswith(PREFIX):
        return name in LOCATION_VARIABLES
    return not name.startswith(("AIRFLOW_", "_AIRFLOW"))


def _run(command: list[str], environment: dict[str, str], module: str, settings: Settings) -> None:
    started = time.monotonic()
    last: collections.deque[str] = collections.deque(maxlen=KEPT_LINES)
    why = ""
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    log.info("learn.start module=%s process=%d", module, process.pid)
    with _ended_with_us(process), _forwarding_sigterm(process) as stopped, _time_limit(process, settings) as late:
        for line in process.stdout or ():
            text = _CONTROLS.sub("", line).rstrip()
            if text:
                last.append(text)
                why = text if text.startswith(ERROR) else why
                log.info("%s", text)
        status = process.wait()
    log.info("learn.end module=%s status=%d seconds=%.1f", module, status, time.monotonic() - started)
    if late.is_set():
        raise LearnError(f"{module} was stopped after {settings.train.timeout_s:g} s (setting train.timeout_s)")
    if stopped.is_set():
        raise LearnError(f"{module} was stopped by SIGTERM; run it again, finished versions are reused")
    if status != 0:
        first = [why] if why and why not in last else []  # torchrun has much to say after it
        raise LearnError(f"{module} failed with status {status}; its last lines:\n  " + "\n  ".join([*first, *last]))


@contextmanager
def _ended_with_us(process: subprocess.Popen[str]) -> Iterator[None]:
    """However this block is left, the process and its children are gone afterwards."""
    try:
        yield
    finally:
        if process.poll() is None:
            _signal(process, signal.SIGTERM)
            try:
                process.wait(GRACE_S)
            except subprocess.TimeoutExpired:
                _signal(process, signal.SIGKILL)
                process.wait()
        if process.stdout:
            process.stdout.close()


@contextmanager
def _forwarding_sigterm(process: subprocess.Popen[str]) -> Iterator[threading.Event]:
    """Pass SIGTERM on, then do what was set up before; only the main thread may handle signals."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return
    previous = signal.getsignal(signal.SIGTERM)

    def forward(number: int, frame: FrameType | None) -> None:
        stopped.set()
        _signal(process, signal.SIGTERM)
        if callable(previous):
            previous(number, frame)

    signal.signal(signal.SIGTERM, forward)
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGTERM, previous if previous is not None else signal.SIG_DFL)


@contextmanager
def _time_limit(process: subprocess.Popen[str], settings: Settings) -> Iterator[threading.Event]:
    """End the process when `train.timeout_s` is over: SIGTERM first, SIGKILL if it does not listen."""
    late = threading.Event()

    def end() -> None:
        late.set()
        _signal(process, signal.SIGTERM)
        try:
            process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            _signal(process, signal.SIGKILL)

    timer = threading.Timer(settings.train.timeout_s, end)
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()


def _signal(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """To the process's whole session, which it leads; a session that is gone is no error."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return
