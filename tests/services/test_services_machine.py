"""The machine without Airflow: the real object store and small services of our own."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import requests
from services_support import marked, sleeper

from lvbag.services import machine, processes
from lvbag.services.errors import ServiceError
from lvbag.services.home import Home, current_home, locked
from lvbag.settings import home_dir, load_settings
from lvbag.store import open_store

Up = Callable[..., machine.Machine]


def test_up_starts_a_store_that_the_settings_find_and_down_ends_it(store_up: Up, home: Path, said: list[str]) -> None:
    running = store_up()

    assert running.started
    assert home_dir() == home
    store = open_store(load_settings())
    assert str(store.settings.endpoint).rstrip("/") == running.store_endpoint
    assert store.missing_buckets() == []

    assert machine.down(home, said.append) >= 1
    assert current_home() is None
    assert marked(home) == []
    assert not machine.status(home).up


def test_objects_secrets_and_port_survive_down_and_up(store_up: Up, home: Path, said: list[str]) -> None:
    from lvbag.store import Bucket, Ref

    first = store_up()
    ref = Ref(Bucket.RAW, "nights/kept.json")
    open_store(load_settings()).put(ref, b"{}")
    secrets = (home / "secrets.json").read_bytes()
    machine.down(home, said.append)

    second = store_up()

    assert second.store_endpoint == first.store_endpoint
    assert (home / "secrets.json").read_bytes() == secrets
    assert open_store(load_settings()).get(ref) == b"{}"


def test_a_second_up_says_where_it_is_up_and_starts_nothing(store_up: Up, home: Path, said: list[str]) -> None:
    first = store_up()
    pids = {process.pid for process in marked(home)}
    said.clear()

    second = store_up()

    assert not second.started
    assert {process.pid for process in marked(home)} == pids
    assert any("up already" in line and str(home) in line and first.store_endpoint in line for line in said)


def test_a_service_added_later_starts_beside_what_runs(store_up: Up, home: Path) -> None:
    before = {service.name: service.pid for service in store_up().services}

    after = {service.name: service.pid for service in store_up(extra=[sleeper()]).services}

    assert after["store"] == before["store"]
    assert psutil.pid_exists(after["sleeper"])


def test_another_home_is_refused_while_one_is_up(store_up: Up, project: Path, home: Path) -> None:
    store_up()

    with pytest.raises(ServiceError, match=r"up already, in .*local.*lvbag down"):
        machine.up(project / ".run" / "other", airflow=False, say=print)

    assert current_home() == home


def test_secrets_are_readable_by_their_owner_alone_and_the_store_asks_for_them(store_up: Up, home: Path) -> None:
    running = store_up()

    for name in ("secrets.json", "embedded.env"):
        assert stat.S_IMODE((home / name).stat().st_mode) == 0o600
    names = {line.split("=")[0] for line in (home / "embedded.env").read_text().splitlines()}
    assert names == {f"LVBAG_STORE__{name}" for name in ("ENDPOINT", "ACCESS_KEY", "SECRET_KEY", "DISK")}
    assert json.loads((home / "secrets.json").read_text())["admin_password"] not in repr(running)
    # an unsigned request gets nothing
    assert requests.get(f"{running.store_endpoint}/lvbag-raw?list-type=2", timeout=5).status_code in (401, 403)


def test_everything_listens_on_loopback_only(store_up: Up, home: Path) -> None:
    store_up()

    addresses = {
        connection.laddr.ip
        for process in marked(home)
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    }

    assert addresses == {"127.0.0.1"}


def test_a_service_that_dies_at_start_shows_its_last_words_and_takes_the_machine_down(store_up: Up, home: Path) -> None:
    broken = sleeper("broken", "print('the disk is on fire'); raise SystemExit(3)", ready=lambda: False)

    with pytest.raises(ServiceError) as caught:
        store_up(extra=[broken])

    assert "broken ended while it was starting" in str(caught.value)
    assert "the disk is on fire" in str(caught.value)
    assert str(home / "logs" / "broken.log") in str(caught.value)
    assert marked(home) == []
    assert current_home() is None


def test_a_service_that_never_gets_ready_is_given_up(store_up: Up, home: Path) -> None:
    with pytest.raises(ServiceError, match="slow was not ready after"):
        store_up(extra=[sleeper("slow", ready=lambda: False, timeout_s=1.0)])

    assert marked(home) == []


def test_a_taken_port_is_named(store_up: Up, store_endpoint: str) -> None:
    port = int(store_endpoint.rsplit(":", 1)[1])

    with pytest.raises(ServiceError, match=f"port {port} for store is taken"):
        store_up(store_port=port)


def test_another_port_than_the_running_one_is_refused(store_up: Up) -> None:
    store_up()

    with pytest.raises(ServiceError, match=r"store is up already on port \d+"):
        store_up(store_port=59999)


def test_down_takes_children_that_left_the_session(store_up: Up, home: Path, said: list[str]) -> None:
    """A training in a session of its own whose parents were killed is still found by its mark."""
    code = (
        "import subprocess, sys, time\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)\n"
        "time.sleep(600)"
    )
    parent = sleeper("parent", code, ready=lambda: len(marked(home)) >= 3)
    store_up(extra=[parent])
    next(p for p in processes.read_records(Home(home)) if p.name == "parent")
    os.kill(next(s.pid for s in machine.status(home).services if s.name == "parent"), signal.SIGKILL)
    assert len(marked(home)) >= 2

    machine.down(home, said.append)

    assert marked(home) == []


def test_a_process_that_ignores_sigterm_is_killed(
    store_up: Up, home: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "GRACE_S", 1.0)
    code = (
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('deaf', flush=True)\ntime.sleep(600)"
    )
    log = home / "logs" / "deaf.log"
    store_up(extra=[sleeper("deaf", code, ready=lambda: "deaf" in log.read_text())])

    machine.down(home, said.append)

    assert marked(home) == []


def test_the_store_outlives_what_still_writes_to_it(store_up: Up, home: Path, said: list[str]) -> None:
    code = (
        "import signal, sys, time, urllib.request\n"
        "def end(*_):\n"
        "    time.sleep(1)\n"
        "    print(urllib.request.urlopen(sys.argv[1] + '/_ministack/health').status, flush=True)\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\nprint('ready', flush=True)\ntime.sleep(600)"
    )
    endpoint = store_up().store_endpoint
    log = home / "logs" / "writer.log"
    spec = sleeper("writer", code, ready=lambda: "ready" in log.read_text())
    store_up(extra=[replace(spec, command=(*spec.command, endpoint))])

    machine.down(home, said.append)

    assert log.read_text().split() == ["ready", "200"]


def test_a_recycled_process_id_is_neither_reported_nor_killed(home: Path, said: list[str]) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    try:
        Home(home).make()
        record = processes.Record(name="store", pid=stranger.pid, created=1.0, port=1, log="x")
        (home / "run" / "store.json").write_text(record.model_dump_json())

        assert not machine.status(home).up
        machine.down(home, said.append)

        assert stranger.poll() is None
        assert not (home / "run" / "store.json").exists()
    finally:
        stranger.kill()
        stranger.wait()


def test_after_a_crash_up_starts_again_with_everything(store_up: Up, home: Path) -> None:
    before = store_up(extra=[sleeper()])
    processes_of_it = [psutil.Process(service.pid) for service in before.services]
    for process in processes_of_it:
        process.kill()
    psutil.wait_procs(processes_of_it, timeout=30)  # a big one takes a moment to die

    after = store_up(extra=[sleeper()])

    assert after.started
    assert after.store_endpoint == before.store_endpoint
    assert all(service.running for service in after.services)
    assert len(marked(home)) == len(after.services)


def test_a_half_dead_machine_is_started_anew(store_up: Up, home: Path, said: list[str]) -> None:
    first = store_up(extra=[sleeper()])
    store = psutil.Process(next(service.pid for service in first.services if service.name == "store"))
    store.kill()
    store.wait(timeout=30)

    second = store_up(extra=[sleeper()])

    assert any("half of the machine" in line for line in said)
    assert {service.name for service in second.services if service.running} == {"store", "sleeper"}
    assert len(marked(home)) == 2


def test_two_ups_at_once_are_told_apart(store_up: Up, home: Path) -> None:
    with locked(home), pytest.raises(ServiceError, match=f"at work \\(process {os.getpid()}\\)"):
        store_up()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_during_up_leaves_no_process_and_no_pointer(project: Path, home: Path, number: int) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom lvbag import settings\n"
        f"settings.PROJECT_ROOT = Path({str(project)!r})\n"
        "from lvbag.services import machine\nfrom lvbag.services.processes import ServiceSpec\n"
        "stuck = ServiceSpec('stuck', (sys.executable, '-c', 'import time; time.sleep(600)'), ready=lambda: False)\n"
        f"machine.up(Path({str(home)!r}), airflow=False, extra=[stuck], say=lambda text: print(text, flush=True))\n"
    )
    upper = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert upper.stdout is not None
    for line in upper.stdout:
        if "store is ready" in line:
            break
    assert len(marked(home)) >= 2

    upper.send_signal(number)

    assert upper.wait(40) != 0
    assert marked(home) == []
    assert not (project / ".run" / "current").exists()


def test_a_damaged_secrets_file_is_named_and_not_overwritten(store_up: Up, home: Path) -> None:
    Home(home).make()
    (home / "secrets.json").write_text('{"store_access_key": "1"}')

    with pytest.raises(ServiceError, match=r"secrets\.json is damaged"):
        store_up()

    assert (home / "secrets.json").read_text() == '{"store_access_key": "1"}'


def test_down_without_anything_up_is_no_error(home: Path, said: list[str]) -> None:
    started = time.monotonic()

    assert machine.down(home, said.append) == 0
    assert time.monotonic() - started < 5
