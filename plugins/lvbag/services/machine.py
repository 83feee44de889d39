"""The embedded machine up and down: the object store, Airflow, and whatever services a caller adds.

    machine = up(home, say=print)      # starts what does not run yet; a second call says that it is up
    status(home)                       # what runs where
    down(home, say=print)              # ends everything that belongs to the home

One home is up at a time (the pointer `.run/current` names it). A start that fails or is interrupted leaves nothing
running. After a crash the next `up` or `down` clears away what was left.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from pydantic import AnyHttpUrl

from lvbag.services import airflow_server, object_store, ports, processes
from lvbag.services.airflow_client import AirflowClient
from lvbag.services.errors import ServiceError
from lvbag.services.home import Home, clear_current, current_home, is_pointed_at, locked, set_current, write_private
from lvbag.services.processes import Record, ServiceSpec
from lvbag.services.secrets import MachineSecrets, read_or_make
from lvbag.settings import Settings, StoreSettings, embedded_env_path, reload_settings
from lvbag.store import Store

__all__ = ["Machine", "MachineStatus", "ServiceSpec", "ServiceStatus", "airflow_client", "down", "status", "up"]

Say = Callable[[str], None]

_OWN_STORE_VARIABLES = (
    "LVBAG_STORE__ENDPOINT",
    "LVBAG_STORE__ACCESS_KEY",
    "LVBAG_STORE__SECRET_KEY",
    "LVBAG_STORE__DISK",
)
_AIRFLOW_NAMES = frozenset({airflow_server.API_SERVER, airflow_server.SCHEDULER, airflow_server.DAG_PROCESSOR})


@dataclass(frozen=True)
class ServiceStatus:
    """One service: `running` is False for one that was started and has ended since."""

    name: str
    pid: int
    running: bool
    port: int | None
    log: Path


@dataclass(frozen=True)
class Machine:
    """A machine that is up.

    `airflow_url` is empty when only the store was asked for; `started` is False when everything was up already.
    """

    home: Path
    store_endpoint: str
    airflow_url: str
    user: str
    password: str = field(repr=False)
    services: tuple[ServiceStatus, ...]
    started: bool


@dataclass(frozen=True)
class MachineStatus:
    """What runs in a home; the addresses are None where nothing listens."""

    home: Path
    services: tuple[ServiceStatus, ...]
    store_endpoint: str | None
    airflow_url: str | None

    @property
    def up(self) -> bool:
        """Whether anything runs."""
        return any(service.running for service in self.services)


def up(
    home: Path,
    *,
    airflow_port: int | None = None,
    store_port: int | None = None,
    extra: Sequence[ServiceSpec] = (),
    environment: Mapping[str, str] | None = None,
    airflow: bool = True,
    say: Say,
) -> Machine:
    """Start what does not run yet and wait until it is ready; raises `ServiceError`, then nothing is left running.

    `extra` services start together with the store, before Airflow; `environment` is added to every service's;
    `say` gets a line for each step. Ports are last time's or free ones unless chosen.
    """
    layout = Home(home.resolve())
    with locked(layout.root), _ended_like_ctrl_c():
        _refuse_other_home(layout.root)
        layout.make()
        before = _running(layout)
        if before and not _whole(before):
            say(f"half of the machine in {layout.root} has ended; starting it anew")
            processes.stop_all(layout, say)
            before = {}
        elif not before and (left := processes.stop_all(layout, say)):
            say(f"ended {left} processes that an earlier start had left behind")
        start = _Start(layout, before, dict(environment or {}), say)
        try:
            return start.run({"store": store_port, "airflow": airflow_port}, extra, airflow)
        except BaseException:
            if start.started:
                with _undisturbed():
                    say("stopping what was started")
                    processes.stop_all(layout, say)
                    clear_current(layout.root)
            elif not before:
                clear_current(layout.root)
            raise


def down(home: Path, say: Say) -> int:
    """End everything that belongs to the home; returns how many processes that were. Data and secrets stay."""
    layout = Home(home.resolve())
    with locked(layout.root), _undisturbed():
        ended = processes.stop_all(layout, say)
        clear_current(layout.root)
    return ended


def status(home: Path) -> MachineStatus:
    """What runs in the home; asks only the system, so it answers at once."""
    layout = Home(home.resolve())
    services = tuple(_status(record) for record in processes.read_records(layout))
    by_name = {service.name: service for service in services if service.running and service.port}
    store = by_name.get(object_store.NAME)
    api = by_name.get(airflow_server.API_SERVER)
    return MachineStatus(
        home=layout.root,
        services=services,
        store_endpoint=object_store.endpoint(store.port) if store and store.port else None,
        airflow_url=airflow_server.url(api.port) if api and api.port else None,
    )


def airflow_client(home: Path) -> AirflowClient | None:
    """A signed-in client of the home's Airflow, or None while it is not up."""
    address = status(home).airflow_url
    if address is None:
        return None
    secrets = read_or_make(Home(home.resolve()).secrets)
    return AirflowClient(address, airflow_server.USER, secrets.admin_password.get_secret_value())


class _Start:
    """One call of `up`: knows what it has started, so that a failure can take it back."""

    def __init__(self, home: Home, before: dict[str, Record], environment: dict[str, str], say: Say) -> None:
        self.home = home
        self.before = before
        self.started: list[str] = []
        self.say = say
        self._environment = {**_base_environment(say), **environment}

    def run(self, chosen: Mapping[str, int | None], extra: Sequence[ServiceSpec], airflow: bool) -> Machine:
        """Bring up what is missing, in order."""
        secrets = read_or_make(self.home.secrets)
        port = self._ports(chosen)
        endpoint = object_store.endpoint(port["store"])
        _write_embedded_env(self.home, endpoint, secrets)
        set_current(self.home.root)
        settings = reload_settings()
        with_airflow = airflow or bool(_AIRFLOW_NAMES & self.before.keys())

        pending = [self._begin(spec) for spec in (object_store.spec(self.home, port["store"], secrets), *extra)]
        plan = airflow_server.plan(self.home, port["airflow"], secrets) if with_airflow else None
        if plan is not None and plan.migration is not None and not _AIRFLOW_NAMES & self.before.keys():
            self._run_to_end(plan.migration)
            airflow_server.mark_migrated(self.home)
        self._finish(pending)
        self._check_store(settings, endpoint, secrets)
        if plan is not None:
            self._finish([self._begin(spec) for spec in plan.components])
            if _AIRFLOW_NAMES & set(self.started):
                self._prepare_airflow(settings, port["airflow"], secrets)
        ports.remember(port, self._ports_path)
        return self._machine(port, with_airflow, secrets)

    @property
    def _ports_path(self) -> Path:
        return self.home.root / "ports.json"

    def _ports(self, chosen: Mapping[str, int | None]) -> dict[str, int]:
        fixed = {
            "store": _port(self.before, object_store.NAME),
            "airflow": _port(self.before, airflow_server.API_SERVER),
        }
        for name, port in fixed.items():
            if port is not None and chosen.get(name) not in (None, port):
                raise ServiceError(
                    f"{name} is up already on port {port}; `lvbag down` first, then `lvbag up` with another port"
                )
        free = [name for name, port in fixed.items() if port is None]
        return {**{n: p for n, p in fixed.items() if p is not None}, **ports.choose(free, chosen, self._ports_path)}

    def _begin(self, spec: ServiceSpec) -> tuple[ServiceSpec, Record] | None:
        if spec.name in self.before:
            return None
        self.say(f"starting {spec.name}")
        self.started.append(spec.name)  # first: an interruption in between must find it
        return spec, processes.start(self.home, spec, self._environment)

    def _finish(self, pending: Sequence[tuple[ServiceSpec, Record] | None]) -> None:
        for item in pending:
            if item is not None:
                processes.wait_ready(*item, self.say)
                where = f" on 127.0.0.1:{item[0].port}" if item[0].port else ""
                self.say(f"{item[0].name} is ready{where}")

    def _run_to_end(self, spec: ServiceSpec) -> None:
        self.say("preparing Airflow's database")
        self.started.append(spec.name)
        processes.run_to_end(self.home, spec, self._environment)

    def _check_store(self, settings: Settings, endpoint: str, secrets: MachineSecrets) -> None:
        if object_store.NAME not in self.started:
            return
        store = Store(_store_settings(settings.store, endpoint, secrets))
        made = store.ensure_buckets()
        store.probe()
        if made:
            self.say(f"made the buckets {', '.join(made)}")

    def _prepare_airflow(self, settings: Settings, port: int, secrets: MachineSecrets) -> None:
        client = AirflowClient(airflow_server.url(port), airflow_server.USER, secrets.admin_password.get_secret_value())
        has_sources = any(source.enabled for source in settings.crawl.sources.values())
        airflow_server.prepare(self.home, client, has_sources, self.say)

    def _machine(self, port: Mapping[str, int], with_airflow: bool, secrets: MachineSecrets) -> Machine:
        machine = Machine(
            home=self.home.root,
            store_endpoint=object_store.endpoint(port["store"]),
            airflow_url=airflow_server.url(port["airflow"]) if with_airflow else "",
            user=airflow_server.USER,
            password=secrets.admin_password.get_secret_value(),
            services=status(self.home.root).services,
            started=bool(self.started),
        )
        if not machine.started:
            where = f", Airflow {machine.airflow_url}" if machine.airflow_url else ""
            self.say(f"up already in {machine.home}: store {machine.store_endpoint}{where}")
        return machine


def _running(home: Home) -> dict[str, Record]:
    return {record.name: record for record in processes.read_records(home) if processes.find(record) is not None}


def _whole(running: Mapping[str, Record]) -> bool:
    """The store runs, and of Airflow everything or nothing."""
    parts = len(_AIRFLOW_NAMES & running.keys())
    return object_store.NAME in running and parts in (0, len(_AIRFLOW_NAMES))


def _port(running: Mapping[str, Record], name: str) -> int | None:
    record = running.get(name)
    return record.port if record else None


def _status(record: Record) -> ServiceStatus:
    return ServiceStatus(
        name=record.name,
        pid=record.pid,
        running=processes.find(record) is not None,
        port=record.port,
        log=Path(record.log),
    )


def _refuse_other_home(root: Path) -> None:
    named = os.environ.get("LVBAG_HOME")
    if named and Path(named).resolve() != root:
        raise ServiceError(f"LVBAG_HOME says {named}, asked for is {root}; unset LVBAG_HOME or set it to {root}")
    other = current_home() if is_pointed_at(root) else None
    if other is not None and other != root and _running(Home(other)):
        raise ServiceError(f"a machine is up already, in {other}; `LVBAG_HOME={other} lvbag down` ends it first")


def _base_environment(say: Say) -> dict[str, str]:
    """The caller's environment without what would lead the services elsewhere."""
    ours = [name for name in _OWN_STORE_VARIABLES if name in os.environ]
    if ours:
        say(f"{', '.join(ours)} in your environment are ignored here: the embedded services use their own store")
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ours and not name.startswith(("AIRFLOW__", "AIRFLOW_HOME", "_AIRFLOW_"))
    }
    for name in ("NO_PROXY", "no_proxy"):
        kept[name] = ",".join(filter(None, (kept.get(name), "127.0.0.1", "localhost")))
    return kept


def _write_embedded_env(home: Home, endpoint: str, secrets: MachineSecrets) -> None:
    values = (
        endpoint,
        secrets.store_access_key.get_secret_value(),
        secrets.store_secret_key.get_secret_value(),
        str(home.store_data),
    )
    lines = [f"{name}={value}" for name, value in zip(_OWN_STORE_VARIABLES, values, strict=True)]
    write_private(embedded_env_path(home.root), "\n".join(lines) + "\n")


def _store_settings(settings: StoreSettings, endpoint: str, secrets: MachineSecrets) -> StoreSettings:
    return settings.model_copy(
        update={
            "endpoint": AnyHttpUrl(endpoint),
            "access_key": secrets.store_access_key,
            "secret_key": secrets.store_secret_key,
        }
    )


@contextlib.contextmanager
def _ended_like_ctrl_c() -> Iterator[None]:
    """SIGTERM and SIGHUP (a closed terminal) end `up` as Ctrl-C does: with everything cleared away."""

    def end(number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt(f"signal {number}")

    with _handled({signal.SIGTERM: end, signal.SIGHUP: end}):
        yield


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """A second Ctrl-C does not interrupt the clearing away; it takes half a minute at most."""
    with _handled({signal.SIGINT: signal.SIG_IGN, signal.SIGTERM: signal.SIG_IGN, signal.SIGHUP: signal.SIG_IGN}):
        yield


@contextlib.contextmanager
def _handled(
    handlers: Mapping[signal.Signals, Callable[[int, FrameType | None], None] | signal.Handlers],
) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach the main thread alone
        return
    old = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
