"""What CI does about packages with known holes, and that ruff's security rules are on."""

from __future__ import annotations

import datetime as dt
import json
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lvbag.services.ports import free_port
from lvbag.settings import PROJECT_ROOT

ADVISORY = {
    "id": "GHSA-test-0001",
    "modified": "2026-01-01T00:00:00Z",
    "published": "2026-01-01T00:00:00Z",
    "summary": "templates run code",
    "affected": [
        {
            "package": {"name": "jinja2", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "9.9"}]}],
        }
    ],
}


class Osv(ThreadingHTTPServer):
    """Answers as the advisory service does; `vulnerable` are names of packages, `status` what it answers with."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.vulnerable: set[str] = set()
        self.status = 200
        self.asked: set[tuple[str, str]] = set()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"


class _Handler(BaseHTTPRequestHandler):
    server: Osv

    def do_POST(self) -> None:
        queries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
        self.server.asked |= {(query["package"]["name"], query["version"]) for query in queries}
        found = [
            {"vulns": [ADVISORY]} if query["package"]["name"] in self.server.vulnerable else {} for query in queries
        ]
        self._answer({"results": found})

    def do_GET(self) -> None:
        self._answer(ADVISORY)

    def _answer(self, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def osv() -> Iterator[Osv]:
    server = Osv()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def audit(service: str, *options: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, PROJECT_ROOT / ".ci" / "audit.py", "--service", service, *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_every_package_of_every_lock_is_asked_about(osv: Osv) -> None:
    done = audit(osv.address)
    assert done.returncode == 0, done.stdout + done.stderr
    locks = [PROJECT_ROOT / "requirements.lock", *(PROJECT_ROOT / "docker").glob("*.lock")]
    assert len(locks) == 4
    lines = [line for lock in locks for line in lock.read_text().splitlines() if "==" in line and line[0] not in " #"]
    names = {re.split(r"==|\[", line)[0] for line in lines}
    assert {name for name, _ in osv.asked} == names
    assert f"the {len(osv.asked)} packages" in done.stdout
    assert len(osv.asked) > 300


def test_a_known_hole_fails_with_its_remedy(osv: Osv) -> None:
    osv.vulnerable = {"jinja2"}
    done = audit(osv.address)
    assert done.returncode == 1
    assert re.search(r"jinja2 \S+: GHSA-test-0001 templates run code\n  fixed in: 9\.9;", done.stdout)
    assert "make lock" in done.stdout


@pytest.mark.parametrize(("days", "status"), [(0, 0), (-1, 1)])
def test_a_hole_is_accepted_until_a_day(osv: Osv, tmp_path: Path, days: int, status: int) -> None:
    osv.vulnerable = {"jinja2"}
    day = dt.datetime.now(dt.UTC).date() + dt.timedelta(days)
    path = tmp_path / "accepted.txt"
    path.write_text(f"# reasons\nGHSA-test-0001 until {day}: nobody writes templates\n")
    assert audit(osv.address, "--accepted", path).returncode == status


def test_no_hole_is_accepted_without_a_day_and_a_reason(osv: Osv, tmp_path: Path) -> None:
    path = tmp_path / "accepted.txt"
    path.write_text("GHSA-test-0001\n")
    done = audit(osv.address, "--accepted", path)
    assert done.returncode == 1
    assert "until" in done.stderr


def test_a_service_that_does_not_answer_is_loud_and_no_failure(osv: Osv) -> None:
    osv.status = 503
    for address in (osv.address, f"http://127.0.0.1:{free_port()}/"):
        done = audit(address)
        assert (done.returncode, "!! NOT AUDITED" in done.stdout) == (0, True), done.stdout + done.stderr


def test_a_lock_that_pins_nothing_is_no_clean_bill(osv: Osv, tmp_path: Path) -> None:
    (tmp_path / "empty.lock").write_text("# nothing\n")
    assert audit(osv.address, "--lock", tmp_path / "empty.lock").returncode == 1


# ------------------------------------------------------------------ ruff


RUFF = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]
SOURCES = sorted(path for top in ("plugins", "dags", "docker", ".ci") for path in (PROJECT_ROOT / top).rglob("*.py"))


def test_ruffs_security_rules_are_on_where_the_product_stands() -> None:
    assert "S" in RUFF["select"]
    assert {rule for rule in RUFF["ignore"] if rule.startswith("S") and rule[1].isdigit()} == {"S603", "S607", "S324"}
    spared = {place: rules for place, rules in RUFF["per-file-ignores"].items() if any(r[0] == "S" for r in rules)}
    assert set(spared) == {"tests/**", "bench/**", "plugins/lvbag/demo/**"}
    assert spared["plugins/lvbag/demo/**"] == ["S311"]


def test_every_exception_from_them_says_why() -> None:
    mark = re.compile(r"#\s*noqa:((?:\s*[A-Z]+\d+,?)+)(.*)")
    found = [(path, rules, why) for path in SOURCES for rules, why in mark.findall(path.read_text(encoding="utf-8"))]
    security = [(path, why) for path, rules, why in found if re.search(r"\bS\d", rules)]
    assert security, "the pattern finds none: look at it"
    assert not [path for path, why in security if len(why.strip(" -")) < 8]
    assert not [path for path in SOURCES if re.search(r"#\s*(ruff|flake8):\s*noqa", path.read_text(encoding="utf-8"))]
