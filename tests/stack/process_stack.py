"""The stack of docker-compose.yaml without an engine: its services as processes of this machine, on loopback.

Commands, environments and restart policies are those of the file; MiniStack stands in for Silo, behind a proxy that can
fail at a chosen request. Every process is known by its number and ended by it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from pydantic import AnyHttpUrl, SecretStr
from stack_places import Places, command_of, environment_of
from stack_servers import Postgres, Redis, answers

from cutting_store import CuttingStore, cutting_store
from lvbag.services import object_store, processes
from lvbag.services.airflow_client import AirflowClient, read_health
from lvbag.services.airflow_server import is_healthy
from lvbag.services.home import Home
from lvbag.services.ports import free_port
from lvbag.services.processes import LAST_TO_END, Record, ServiceSpec
from lvbag.services.provisioning import prepare_buckets, write_passwords
from lvbag.settings import PROJECT_ROOT, StoreSettings
from lvbag.store import Store
from lvbag.store_roles import StoreRole
from stack_files import BIN, Service, resolved
from store_users import make_users

API_SERVER, SCHEDULER, WORKER, GPU_WORKER = (
    "airflow-api-server",
    "airflow-scheduler",
    "airflow-worker",
    "airflow-worker-cpu",
)
HEALTH = {
    API_SERVER: "metadatabase",
    SCHEDULER: "scheduler",
    "airflow-dag-processor": "dag_processor",
    "airflow-triggerer": "triggerer",
}
"""What Airflow calls them in `/api/v2/monitor/health`."""

PROGRAMS = ("marketplace", *HEALTH, WORKER, GPU_WORKER)
"""What runs our code; the profile `cpu`, since nothing here has a GPU."""

LISTENING = ("postgres", "redis", "silo", "proxy", API_SERVER, "marketplace")
START_S = 600.0
ROOT_KEY = "012345678901"
"""MiniStack knows accounts by twelve digits: what it is given as its own key is root."""

Configure = Callable[[Path, int], None]
"""Writes `lvbag.yaml`, `catalog.csv` and `recipes/` into a folder, for a marketplace at this port."""


@dataclass
class Stack:
    """A stack that is up: what there is to ask and to break."""

    places: Places
    home: Home
    services: Mapping[str, Service]
    variables: Mapping[str, str]
    postgres: Postgres
    redis: Redis
    proxy: CuttingStore
    store: Store
    extra: Mapping[str, str] = field(default_factory=dict)
    base: Mapping[str, str] = field(default_factory=dict)
    specs: dict[str, ServiceSpec] = field(default_factory=dict)
    restarts: Counter[str] = field(default_factory=Counter)
    _wanted: set[str] = field(default_factory=set)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _ended: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Airflow's address."""
        return f"http://127.0.0.1:{self.places.ports[API_SERVER]}"

    def client(self) -> AirflowClient:
        """The administrator, with the password of `.env`."""
        return AirflowClient(self.url, "admin", self.variables["AIRFLOW_ADMIN_PASSWORD"], timeout_s=30.0)

    # -------------------------------------------------------------- running

    def run(self, spec: ServiceSpec) -> None:
        """Start a service and keep it up, as its restart policy says."""
        with self._lock:
            self.specs[spec.name] = spec
            self._wanted.add(spec.name)
            processes.start(self.home, spec, self._base())

    def wait(self, *names: str) -> None:
        """Wait until these are ready."""
        for name in names:
            processes.wait_ready(self.specs[name], self.record(name), lambda _: None)

    def program(self, name: str, instance: str = "", environment: Mapping[str, str] | None = None) -> ServiceSpec:
        """One of the file's services, or another instance of it, as a process."""
        service = self.services[name]
        began = dt.datetime.now(dt.UTC)

        def ready() -> bool:
            if name in HEALTH:
                return is_healthy(read_health(self.url), HEALTH[name], began)
            return name != "marketplace" or answers(self.places.ports[name])

        return ServiceSpec(
            name=instance or name,
            command=command_of(instance or name, service, self.places),
            environment={
                **environment_of(name, service, self.places, free_port()), **self.extra, **(environment or {}),
            },
            ready=ready,
            timeout_s=START_S,
        )  # fmt: skip

    def record(self, name: str) -> Record:
        """Which process a service is now."""
        path = self.home.records / f"{name}.json"
        return Record.model_validate_json(path.read_text(encoding="utf-8"))

    def log(self, name: str) -> str:
        """All that a service has said."""
        return self.home.log(name).read_text(encoding="utf-8", errors="replace")

    def keep_up(self) -> None:
        """Until the end: start again what has ended, as `restart: unless-stopped` does."""
        while not self._ended.wait(0.5):
            with self._lock:
                for name in sorted(self._wanted):
                    if processes.find(self.record(name)) is None:
                        self.restarts[name] += 1
                        processes.start(self.home, self.specs[name], self._base())

    # -------------------------------------------------------------- breaking

    def kill(self, name: str) -> None:
        """Kill -9 everything that belongs to a service, as the end of its container does; it is started again."""
        with self._lock:
            _kill_tree(self.record(name))

    def stop(self, name: str, how: signal.Signals = signal.SIGTERM) -> None:
        """Ask a service to end, and wait until it has; it stays away until `run`."""
        with self._lock:
            self._wanted.discard(name)
            process = processes.find(self.record(name))
            if process is not None:
                process.send_signal(how)
                process.wait(60)

    def restart(self, name: str, how: signal.Signals = signal.SIGTERM, away_s: float = 0.0) -> None:
        """Stop a service and start it again."""
        self.stop(name, how)
        time.sleep(away_s)
        self.run(self.specs[name])
        self.wait(name)

    # -------------------------------------------------------------- looking

    def processes(self) -> list[psutil.Process]:
        """Every process of every service."""
        found: dict[int, psutil.Process] = {}
        for name in self.specs:
            process = processes.find(self.record(name))
            if process is not None:
                found.update({item.pid: item for item in (process, *process.children(recursive=True))})
        return list(found.values())

    def end(self) -> None:
        """End everything by process number; there is nothing to be kept."""
        self._ended.set()
        with self._lock:
            for name in self.specs:
                _kill_tree(self.record(name))
            processes.stop_all(self.home, lambda _: None)

    def _base(self) -> dict[str, str]:
        return {"PATH": f"{BIN}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8", **self.base}


def _kill_tree(record: Record) -> None:
    """First nobody moves any more, so that none can start another one; then all are gone."""
    leader = processes.find(record)
    if leader is None:
        return
    everybody = [leader]
    leader.suspend()
    for child in leader.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            child.suspend()
            everybody.append(child)
    for process in everybody:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(everybody, timeout=10)


@contextlib.contextmanager
def running_stack(
    root: Path,
    configure: Configure,
    *,
    programs: Sequence[str] = PROGRAMS,
    extra: Mapping[str, str] | None = None,
    base: Mapping[str, str] | None = None,
) -> Iterator[Stack]:
    """Everything up and ready, over a new database, broker and store; all of it ends with the block.

    `extra` is added to the environment of everything that runs our code, `base` to that of the servers as well.
    """
    ports: dict[str, int] = {}
    for name in LISTENING:
        ports[name] = free_port(ports.values())
    places = Places(root, root / "config", ports)
    places.make()
    home = Home(root / "services")
    home.make()
    places.config.mkdir(exist_ok=True)
    configure(places.config, ports["marketplace"])
    cluster = Path(tempfile.mkdtemp(prefix="stack-postgres-"))
    with contextlib.ExitStack() as after:
        after.callback(shutil.rmtree, cluster, ignore_errors=True)
        proxy = after.enter_context(cutting_store(object_store.endpoint(ports["silo"])))
        ports["silo"], behind = proxy.server_port, ports["silo"]
        stack = _prepared(places, home, cluster, proxy, behind)
        stack.extra, stack.base = extra or {}, base or {}
        after.callback(stack.end)
        _start(stack, behind, programs)
        yield stack


def _prepared(places: Places, home: Home, cluster: Path, proxy: CuttingStore, behind: int) -> Stack:
    """Secrets as `make secrets` makes them, and the file as compose resolves it with them."""
    env_file = places.root / ".env"
    subprocess.run([sys.executable, str(PROJECT_ROOT / "docker" / "make_secrets.py"), str(env_file)], check=True)
    lines = [line for line in env_file.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    variables = dict(line.split("=", 1) for line in lines)
    variables["STORE_ROOT_USER"] = ROOT_KEY
    variables["STACK_AIRFLOW_URL"] = f"http://127.0.0.1:{places.ports[API_SERVER]}"
    services = resolved(variables)
    redis_folder = places.root / "redis"
    redis_folder.mkdir()
    root_keys = StoreSettings(
        endpoint=AnyHttpUrl(object_store.endpoint(behind)),
        access_key=SecretStr(ROOT_KEY),
        secret_key=SecretStr(variables["STORE_ROOT_PASSWORD"]),
    )
    return Stack(
        places=places,
        home=home,
        services=services,
        variables=variables,
        postgres=Postgres(cluster, places.ports["postgres"], services["postgres"]),
        redis=Redis(redis_folder, places.ports["redis"], services["redis"]),
        proxy=proxy,
        store=Store(root_keys),
    )


def _start(stack: Stack, store_port: int, programs: Sequence[str]) -> None:
    variables = stack.variables
    data = stack.home.store_data
    environment = object_store.environment(store_port, data, ROOT_KEY, variables["STORE_ROOT_PASSWORD"])
    stack.postgres.make()
    stack.run(stack.postgres.spec())
    stack.run(stack.redis.spec())
    stack.run(
        ServiceSpec(
            LAST_TO_END, (sys.executable, "-m", "ministack"), environment, ready=lambda: answers(store_port),
            port=store_port,
        )
    )  # fmt: skip
    stack.wait("postgres", "redis", LAST_TO_END)
    threading.Thread(target=stack.keep_up, daemon=True).start()
    stack.postgres.make_database()
    _prepare_store(stack)
    _init(stack)
    for name in programs:
        stack.run(stack.program(name))
    stack.wait(*(name for name in programs if name in HEALTH or name == "marketplace"))


def _prepare_store(stack: Stack) -> None:
    """What init does to Silo; users by MiniStack's own interface, whose keys take the place of the file's."""
    from minio import Minio

    root = stack.store.settings
    host, secret = f"{root.endpoint.host}:{root.endpoint.port}", root.secret_key.get_secret_value()
    prepare_buckets(Minio(host, ROOT_KEY, secret, secure=False, region=root.region), root.bucket_prefix, root.region)
    keys = make_users(root)
    given = {f"lvbag-{role}": keys[role].access_key.get_secret_value() for role in StoreRole}
    for role in StoreRole:
        given[stack.variables[f"STORE_{role.upper()}_SECRET"]] = keys[role].secret_key.get_secret_value()
    for service in stack.services.values():
        for name, value in service.get("environment", {}).items():
            service["environment"][name] = given.get(value, value)


def _init(stack: Stack) -> None:
    """`docker/init.sh` up to its last line, which is done in `_prepare_store`; and Airflow's password file."""
    script = (PROJECT_ROOT / "docker" / "init.sh").read_text(encoding="utf-8").rstrip()
    steps, _, last = script.rpartition("\n")
    assert last == "exec python -m lvbag.services.provisioning"
    spec = ServiceSpec(
        "init",
        ("bash", "-c", steps),
        environment_of("init", stack.services["init"], stack.places, free_port()),
        timeout_s=START_S,
    )
    processes.run_to_end(stack.home, spec, stack._base())
    passwords = Path(spec.environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    write_passwords(passwords, spec.environment["STACK_ADMIN_PASSWORD"])
