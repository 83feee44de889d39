"""PostgreSQL and Redis from Debian's packages, set up as docker-compose.yaml says, on loopback."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lvbag.services.processes import ServiceSpec
from stack_files import Service

POSTGRES_USER = "postgres"
"""Debian's: PostgreSQL refuses to run as root."""


def missing() -> str:
    """What this machine lacks to run the stack, in words; empty where nothing is missing."""
    wanted = {
        "postgresql": postgres_bin() is not None,
        "redis-server": shutil.which("redis-server") is not None,
        "redis-tools": shutil.which("redis-cli") is not None,
        "util-linux": os.getuid() != 0 or shutil.which("setpriv") is not None,
    }
    absent = [package for package, there in wanted.items() if not there]
    return f"not installed: {', '.join(absent)} (apt-get install {' '.join(absent)})" if absent else ""


def postgres_bin() -> Path | None:
    """The folder of the newest PostgreSQL, which Debian keeps out of the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


@dataclass(frozen=True)
class Postgres:
    """One database server over a folder of its own, which its user can reach (pytest's folders are their owner's)."""

    folder: Path
    port: int
    service: Service

    @property
    def environment(self) -> dict[str, str]:
        """The service's environment."""
        found: dict[str, str] = self.service["environment"]
        return found

    def make(self) -> None:
        """What the image does at its first start: a cluster with this user, this password and this database."""
        password = self.folder / "password"
        password.write_text(self.environment["POSTGRES_PASSWORD"], encoding="utf-8")
        if os.getuid() == 0:
            for path in (self.folder, password):
                shutil.chown(path, POSTGRES_USER, POSTGRES_USER)
        options = ["--username", self.environment["POSTGRES_USER"], "--pwfile", str(password), "--no-sync"]
        options += self.environment["POSTGRES_INITDB_ARGS"].split()
        run = [*self._as_its_user("initdb"), "--pgdata", str(self.folder / "data"), "--encoding", "UTF8", *options]
        subprocess.run(run, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C.UTF-8"})

    def make_database(self) -> None:
        """The database that the image makes; the server runs."""
        environment = self.environment
        answer = self.psql(
            "postgres", environment["POSTGRES_USER"], environment["POSTGRES_PASSWORD"],
            f"CREATE DATABASE {environment['POSTGRES_DB']}",
        )  # fmt: skip
        assert answer.returncode == 0, answer.stderr

    def psql(self, database: str, user: str, password: str, sql: str) -> subprocess.CompletedProcess[str]:
        """Run a statement under this name and password."""
        folder = postgres_bin()
        assert folder is not None
        where = ["--host", "127.0.0.1", "--port", str(self.port), "--username", user, "--dbname", database]
        return subprocess.run(
            [str(folder / "psql"), "--no-password", "--no-psqlrc", *where, "--tuples-only", "--command", sql],
            env={**os.environ, "PGPASSWORD": password},
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    def spec(self) -> ServiceSpec:
        """How to start it: durable against the death of processes, not of the machine."""
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "off",
            "dynamic_shared_memory_type": "mmap",
        }
        command = [*self._as_its_user("postgres"), "-D", str(self.folder / "data")]
        command += [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return ServiceSpec("postgres", command, ready=lambda: answers(self.port), port=self.port)

    def _as_its_user(self, program: str) -> list[str]:
        folder = postgres_bin()
        assert folder is not None
        run = ["env", "--chdir", str(self.folder), str(folder / program)]
        if os.getuid() != 0:
            return run
        return ["setpriv", f"--reuid={POSTGRES_USER}", f"--regid={POSTGRES_USER}", "--init-groups", *run]


@dataclass(frozen=True)
class Redis:
    """The broker, by the compose file's own command."""

    folder: Path
    port: int
    service: Service

    def spec(self) -> ServiceSpec:
        """How to start it: the file's command with another folder, on a port of loopback."""
        shell, flag, script = (part.replace("$$", "$") for part in self.service["command"])
        assert script.count("/tmp/") == 2
        assert "dir /data\\n" in script
        script = script.replace("/tmp/", f"{self.folder}/").replace("dir /data\\n", f"dir {self.folder}\\n")
        script += f" --bind 127.0.0.1 --port {self.port}"
        environment: dict[str, str] = self.service["environment"]
        return ServiceSpec(
            "redis", (shell, flag, script), environment, ready=lambda: answers(self.port), port=self.port
        )

    def cli(self, *arguments: str, password: str = "") -> str:
        """What redis-cli prints."""
        done = subprocess.run(
            ["redis-cli", "-h", "127.0.0.1", "-p", str(self.port), *arguments],
            env={**os.environ, "REDISCLI_AUTH": password} if password else os.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        return done.stdout.strip()


def answers(port: int) -> bool:
    """Whether somebody listens at this port of loopback."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0
