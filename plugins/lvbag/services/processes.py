"""Starting a service, knowing whether it still runs, and leaving no process behind.

Each service leads a session of its own. Its record says which process it is: number *and* creation time, because the
system gives a number away again. Stopping takes whoever belongs to the service: its descendants, its session, and
every process of ours that carries the home's mark in its environment (a training that a killed scheduler left behind).
"""

from __future__ import annotations

import logging
import os
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

from lvbag.services.errors import ServiceError
from lvbag.services.home import Home, write_private

log = logging.getLogger(__name__)

MARK = "EMBEDDED_LVBAG_HOME"
"""Variable in the environment of everything that belongs to a home. Nobody sets it by hand, unlike `LVBAG_HOME`."""

GRACE_S = 20.0
"""How long a service has for an orderly end: the scheduler first ends its tasks."""

REST_GRACE_S = 5.0
"""How long what a service has left behind has; it was told once already."""

LAST_TO_END = "store"
"""The service that the others still write to while they end."""

POLL_S = 0.2


@dataclass(frozen=True)
class ServiceSpec:
    """How to start a service, and how to see that it is ready.

    `environment` is added to the machine's; `ready` must answer within a second or two and not raise; `port` is
    where it listens on 127.0.0.1, if it does.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: Callable[[], bool] = lambda: True
    timeout_s: float = 60.0
    port: int | None = None


class Record(BaseModel):
    """`run/<service>.json`: which process a service is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    pid: int
    created: float  # the process's creation time in seconds since the epoch, as psutil tells it
    port: int | None
    log: str


def start(home: Home, spec: ServiceSpec, base_environment: Mapping[str, str]) -> Record:
    """Start a service in a session of its own, its output going to its log; returns at once."""
    path = home.log(spec.name)
    environment = {**base_environment, **spec.environment, MARK: str(home.root)}
    with path.open("ab") as output:
        try:
            process = subprocess.Popen(
                list(spec.command),
                env=environment,
                cwd=home.root,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise ServiceError(f"{spec.name} could not be started: {spec.command[0]}: {error.strerror}") from error
    record = Record(name=spec.name, pid=process.pid, created=_created(process.pid), port=spec.port, log=str(path))
    write_private(home.records / f"{spec.name}.json", record.model_dump_json(indent=2) + "\n")
    log.info("service.start name=%s pid=%d port=%s", spec.name, record.pid, record.port)
    return record


def wait_ready(spec: ServiceSpec, record: Record, say: Callable[[str], None]) -> None:
    """Wait until the service is ready; one that ends or takes too long raises with the last lines of its log."""
    begun = time.monotonic()
    next_message = begun + 10.0
    while not spec.ready():
        waited = time.monotonic() - begun
        if find(record) is None:
            raise ServiceError(f"{spec.name} ended while it was starting; {last_lines(Path(record.log))}")
        if waited > spec.timeout_s:
            raise ServiceError(f"{spec.name} was not ready after {waited:.0f} s; {last_lines(Path(record.log))}")
        if time.monotonic() >= next_message:
            say(f"  still waiting for {spec.name} ({waited:.0f} s)")
            next_message += 10.0
        time.sleep(POLL_S)


def run_to_end(home: Home, spec: ServiceSpec, base_environment: Mapping[str, str]) -> None:
    """Run a command that ends by itself; raises `ServiceError` with the end of its log when it fails."""
    record = start(home, spec, base_environment)
    process = psutil.Process(record.pid)
    try:
        status = process.wait(spec.timeout_s)
    except psutil.TimeoutExpired:
        raise ServiceError(
            f"{spec.name} had not ended after {spec.timeout_s:.0f} s; {last_lines(Path(record.log))}"
        ) from None
    if status != 0:
        raise ServiceError(f"{spec.name} failed (exit status {status}); {last_lines(Path(record.log))}")
    (home.records / f"{spec.name}.json").unlink(missing_ok=True)


def last_lines(path: Path, count: int = 15) -> str:
    """The end of a log and where the rest is, to be shown to a person."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 16_384))
            lines = file.read().decode("utf-8", "replace").splitlines()[-count:]
    except OSError:
        lines = []
    text = "\n".join(f"    {line}" for line in lines) or "    (empty)"
    return f"the end of its log {path}:\n{text}"


def read_records(home: Home) -> list[Record]:
    """What was started in this home, in the order of the names; without damaged ones (the mark finds them)."""
    records = []
    for path in sorted(home.records.glob("*.json")) if home.records.is_dir() else ():
        try:
            records.append(Record.model_validate_json(path.read_text(encoding="utf-8")))
        except (ValidationError, OSError, UnicodeDecodeError):
            log.warning("service.record_unreadable path=%s", path)
    return records


def find(record: Record) -> psutil.Process | None:
    """The service's process if it runs, and is not another one that was given its number."""
    try:
        process = psutil.Process(record.pid)
        same = abs(process.create_time() - record.created) < 1.0
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def stop_all(home: Home, say: Callable[[str], None]) -> int:
    """End everything that belongs to the home, the store last; returns how many processes there were.

    Safe to repeat. A training that is asked to end still writes its checkpoint, so the store outlives the others.
    """
    records = read_records(home)
    leaders = {record.name: process for record in records if (process := find(record)) is not None}
    store = leaders.pop(LAST_TO_END, None)
    everybody = {process.pid: process for process in (*leaders.values(), *_belonging(home, records))}
    _terminate(leaders.values(), GRACE_S, say)
    # What came to life in between, or was left by a leader that had died long before, is found only now.
    everybody.update({process.pid: process for process in _belonging(home, records)})
    _end([process for pid, process in everybody.items() if store is None or pid != store.pid], REST_GRACE_S, say)
    if store is not None:
        everybody[store.pid] = store
        _end([store], GRACE_S, say)
    for record in records:
        (home.records / f"{record.name}.json").unlink(missing_ok=True)
    return len(everybody)


def _end(wanted: Iterable[psutil.Process], grace_s: float, say: Callable[[str], None]) -> None:
    """Ask processes to end; kill those that have not after the grace."""
    alive = _terminate([process for process in wanted if process.is_running()], grace_s, say)
    for process in alive:
        log.warning("service.kill pid=%d", process.pid)
        _signal(process.kill)
    psutil.wait_procs(alive, timeout=5.0)


def _terminate(wanted: Iterable[psutil.Process], grace_s: float, say: Callable[[str], None]) -> list[psutil.Process]:
    """Ask processes to end and wait; returns those that have not."""
    alive = list(wanted)
    for process in alive:
        _signal(process.terminate)
    deadline = time.monotonic() + grace_s
    while alive and time.monotonic() < deadline:
        _, alive = psutil.wait_procs(alive, timeout=min(5.0, max(0.1, deadline - time.monotonic())))
        if alive:
            say(f"  waiting for {len(alive)} to end")
    return alive


def _belonging(home: Home, records: Iterable[Record]) -> list[psutil.Process]:
    """Descendants of the services, members of their sessions, and marked processes; never this one or its parents."""
    sessions = {record.pid: record.created for record in records if not _number_was_given_away(record)}
    me = psutil.Process()
    spared = {me.pid, *(parent.pid for parent in me.parents())}
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        if process.pid not in spared and _is_ours(process, home, sessions):
            found[process.pid] = process
            for child in _children(process):
                found[child.pid] = child
    return [process for process in found.values() if process.pid not in spared]


def _is_ours(process: psutil.Process, home: Home, sessions: Mapping[int, float]) -> bool:
    try:
        if process.uids().real != os.getuid() or process.status() == psutil.STATUS_ZOMBIE:
            return False
        begun = sessions.get(os.getsid(process.pid))
        if begun is not None and process.create_time() >= begun - 1.0:
            return True
        return process.environ().get(MARK) == str(home.root)
    except (psutil.Error, OSError):
        return False


def _number_was_given_away(record: Record) -> bool:
    """Whether another process has the record's number by now; then the session of that number is not ours either."""
    try:
        return abs(psutil.Process(record.pid).create_time() - record.created) >= 1.0
    except psutil.NoSuchProcess:
        return False


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def _created(pid: int) -> float:
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return time.time()  # it has ended already; nothing of this time carries its number


def _signal(send: Callable[[], None]) -> None:
    try:
        send()
    except psutil.NoSuchProcess:
        return
