"""`docker/backup.sh` and `docker/restore.sh` done: real PostgreSQL with Airflow's tables, real Redis, no engine.

A stand-in for `docker` runs what the scripts send into containers on this machine, and writes down everything else.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg2  # type: ignore[import-untyped]
import pytest
from cryptography.fernet import Fernet

from lvbag.services.ports import free_port
from lvbag.services.processes import ServiceSpec
from lvbag.settings import PROJECT_ROOT
from stack.stack_servers import Postgres, Redis, missing, postgres_bin
from stack_files import Service

FERNET_KEY = Fernet.generate_key().decode()

DOCKER = """#!/bin/sh
echo "$*" >> {log}
shift
case "$1" in
    exec) shift 3; exec "$@" ;;  # exec -T SERVICE COMMAND
esac
"""
REDIS_CLI = '#!/bin/sh\nexec {program} -h 127.0.0.1 -p {port} "$@"\n'

FILL = """
from airflow.utils.db import initdb
from airflow.utils.session import create_session
from airflow.models.connection import Connection
from airflow.models.pool import Pool

initdb()
with create_session() as session:
    session.add(Connection(conn_id="shop", conn_type="http", host="shop.example", password="of-the-shop"))
    session.add(Pool(pool="gpu", slots=3, description="trainings", include_deferred=False))
"""


@dataclass(frozen=True)
class Servers:
    """PostgreSQL with Airflow's tables and Redis with a queue, and the environment in which the scripts find them."""

    postgres: Postgres
    redis: Redis
    password: str
    environment: dict[str, str]
    log: Path

    def sql(self, statement: str, database: str = "airflow") -> str:
        answer = self.postgres.psql(database, "airflow", self.password, statement)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout.strip()

    def run(self, script: str, *arguments: Path) -> subprocess.CompletedProcess[str]:
        """Run a script from another folder, as a person may."""
        return subprocess.run(
            [PROJECT_ROOT / "docker" / script, *arguments],
            env=self.environment,
            cwd=arguments[0].parent,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def calls(self) -> list[str]:
        """What the scripts asked the engine for since the last look."""
        lines = self.log.read_text().splitlines()
        self.log.write_text("")
        return lines

    def content(self) -> dict[str, str]:
        """Every table with a digest of its rows."""
        names = self.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").split()
        digest = "SELECT '{0} ' || md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM \"{0}\" AS t"
        lines = self.sql(" UNION ALL ".join(digest.format(name) for name in names)).splitlines()
        return dict(line.split() for line in lines)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that Debian's PostgreSQL user can reach."""
    made = Path(tempfile.mkdtemp(prefix="lvbag-backup-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def servers(folder: Path, services: dict[str, Service], secrets: dict[str, str]) -> Iterator[Servers]:
    if lacking := missing():
        pytest.skip(lacking)
    for name in ("postgres", "redis", "bin"):
        (folder / name).mkdir()
    postgres = Postgres(folder / "postgres", free_port(), services["postgres"])
    redis = Redis(folder / "redis", free_port([postgres.port]), services["redis"])
    postgres.make()
    started = [_started(spec) for spec in (postgres.spec(), redis.spec())]
    try:
        postgres.make_database()
        password = secrets["POSTGRES_PASSWORD"]
        environment = _environment(folder, postgres, redis, secrets)
        filled = {
            "AIRFLOW_HOME": str(folder / "airflow"),
            "AIRFLOW__CORE__FERNET_KEY": FERNET_KEY,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": (
                f"postgresql+psycopg2://airflow:{password}@127.0.0.1:{postgres.port}/airflow"
            ),
        }
        subprocess.run([sys.executable, "-c", FILL], env={**os.environ, **filled}, check=True, capture_output=True)
        yield Servers(postgres, redis, password, environment, folder / "calls.log")
    finally:
        for process in started:
            process.terminate()
            process.wait(20)


def _started(spec: ServiceSpec) -> subprocess.Popen[bytes]:
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(spec.command, env={**os.environ, **spec.environment}, stdout=quiet, stderr=quiet)
    deadline = time.monotonic() + 30
    while spec.ready is None or not spec.ready():
        assert process.poll() is None and time.monotonic() < deadline, f"{spec.name} did not start"
        time.sleep(0.05)
    return process


def _environment(folder: Path, postgres: Postgres, redis: Redis, secrets: dict[str, str]) -> dict[str, str]:
    """What the containers have: their own programs, server and password."""
    programs = {
        "docker": DOCKER.format(log=folder / "calls.log"),
        "redis-cli": REDIS_CLI.format(program=shutil.which("redis-cli"), port=redis.port),
    }
    for name, text in programs.items():
        (folder / "bin" / name).write_text(text)
        (folder / "bin" / name).chmod(0o755)
    return {
        "PATH": f"{folder / 'bin'}:{postgres_bin()}:{os.environ['PATH']}",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(postgres.port),
        "POSTGRES_PASSWORD": secrets["POSTGRES_PASSWORD"],
        "REDIS_PASSWORD": secrets["REDIS_PASSWORD"],
    }


@pytest.fixture(scope="module")
def backup(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that backup.sh has made."""
    done = servers.run("backup.sh", tmp_path_factory.mktemp("kept") / "of the night")
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


def test_a_backup_is_one_file_for_its_owner_alone(backup: Path) -> None:
    assert list(backup.parent.iterdir()) == [backup]
    assert backup.stat().st_mode & 0o777 == 0o600
    assert b"of-the-shop" not in backup.read_bytes(), "Airflow encrypts the passwords of its connections"


def test_a_backup_that_cannot_be_made_leaves_nothing(servers: Servers, tmp_path: Path) -> None:
    wrong = Servers(
        servers.postgres, servers.redis, "", {**servers.environment, "POSTGRES_PASSWORD": "wrong"}, servers.log
    )
    done = wrong.run("backup.sh", tmp_path / "kept")
    assert done.returncode != 0
    assert "password authentication failed" in done.stderr
    assert not list((tmp_path / "kept").iterdir())


def test_a_damaged_file_stops_nothing(servers: Servers, backup: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.dump"
    cut.write_bytes(backup.read_bytes()[:-1000])
    before = servers.content()
    servers.calls()
    done = servers.run("restore.sh", cut)
    assert done.returncode != 0
    assert not [call for call in servers.calls() if " stop " in call]
    assert servers.content() == before


def test_a_restore_that_fails_leaves_the_database_as_it_stood(servers: Servers, backup: Path) -> None:
    before = servers.content()
    somebody = psycopg2.connect(
        host="127.0.0.1", port=servers.postgres.port, user="airflow", password=servers.password, dbname="airflow"
    )
    try:
        done = servers.run("restore.sh", backup)
    finally:
        somebody.close()
    assert done.returncode != 0
    assert "is being accessed by other users" in done.stderr
    assert "not restored: the database stands as it stood" in done.stderr
    assert servers.content() == before
    assert servers.calls()[-1] != "compose up --detach", "what failed is looked at first"


def test_what_was_lost_after_a_backup_is_as_it_was(
    servers: Servers, backup: Path, services: dict[str, Service]
) -> None:
    before = servers.content()
    assert len(before) > 50
    servers.sql("DELETE FROM connection; DROP TABLE slot_pool; CREATE TABLE later (n int)")
    servers.redis.cli("lpush", "default", "a task of the database that was", password=_redis_password(servers))
    servers.calls()

    done = servers.run("restore.sh", backup)

    assert done.returncode == 0, done.stderr
    assert servers.content() == before
    sealed = servers.sql("SELECT password FROM connection WHERE conn_id = 'shop'")
    assert Fernet(FERNET_KEY).decrypt(sealed.encode()) == b"of-the-shop"
    assert servers.sql("SELECT slots FROM slot_pool WHERE pool = 'gpu'") == "3"
    assert servers.redis.cli("llen", "default", password=_redis_password(servers)) == "0"
    kept = servers.sql("SELECT datname FROM pg_database WHERE datname LIKE 'airflow_until_%'", "postgres")
    assert servers.sql("SELECT count(*) FROM later", kept) == "0", "the database that stood there is not lost"
    calls = servers.calls()
    assert calls[-1] == "compose up --detach"
    (stop,) = (call.split() for call in calls if " stop " in call)
    using = {
        name
        for name, service in services.items()
        if "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" in service.get("environment", {})
    }
    assert using - {"init"} == set(stop[stop.index("stop") + 1 :]), "renaming needs a database that nobody is in"


def _redis_password(servers: Servers) -> str:
    return servers.environment["REDIS_PASSWORD"]
