"""Ask whether anything that the lock files install has a known vulnerability: `make audit`, and a part of CI.

uv asks the advisory service OSV (https://osv.dev) for every package and version of requirements.lock and the images'
locks. Where the service does not answer, that is said loudly and is no failure: a machine without a network must
still be able to test. A known vulnerability is one, unless `.ci/audit-accepted.txt` accepts it until a day.

Exit status: 0 nothing is known, or nobody could be asked; 1 something is known, or the audit itself went wrong.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ACCEPTED = ROOT / ".ci" / "audit-accepted.txt"
LOCKS = [ROOT / "requirements.lock", *sorted((ROOT / "docker").glob("requirements-*.lock"))]
OSV = "https://api.osv.dev/"

_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==(\S+)", re.MULTILINE)
_ACCEPTED = re.compile(r"(\S+) until (\d{4}-\d{2}-\d{2}): (\S.*)")
_SOURCE = 'source = { registry = "." }'
"""A folder: no index of packages is asked for anything."""


def pins(locks: list[Path]) -> list[tuple[str, str]]:
    """Every name and version that the locks may install, on whatever machine."""
    found: set[tuple[str, str]] = set()
    for lock in locks:
        pinned = {(name.lower(), version) for name, version in _PIN.findall(lock.read_text(encoding="utf-8"))}
        if not pinned:
            sys.exit(f"{lock} pins nothing: run `make lock`")
        found |= pinned
    return sorted(found)


def accepted(path: Path, today: dt.date) -> list[str]:
    """Advisories that somebody looked at and accepts for now; one whose day has passed counts again."""
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []
    names = []
    for line in lines:
        if not line or line.startswith("#"):
            continue
        found = _ACCEPTED.fullmatch(line)
        if found is None:
            sys.exit(f"{path}: {line!r} must read `<advisory> until <year-month-day>: <why>`")
        if dt.date.fromisoformat(found[2]) >= today:
            names.append(found[1])
    return names


def write_project(folder: Path, packages: list[tuple[str, str]]) -> None:
    """A project whose lock holds these packages and no others: uv reads it as it stands and resolves nothing."""
    head = '[project]\nname = "audited"\nversion = "0"\nrequires-python = "==3.11.*"\n'
    (folder / "pyproject.toml").write_text(head, encoding="utf-8")
    needs = "".join(f'    {{ name = "{name}", version = "{version}", {_SOURCE} }},\n' for name, version in packages)
    root = f'[[package]]\nname = "audited"\nversion = "0"\nsource = {{ virtual = "." }}\ndependencies = [\n{needs}]\n'
    rest = "".join(f'\n[[package]]\nname = "{name}"\nversion = "{version}"\n{_SOURCE}\n' for name, version in packages)
    text = f'version = 1\nrevision = 3\nrequires-python = "==3.11.*"\n\n{root}{rest}'
    (folder / "uv.lock").write_text(text, encoding="utf-8")


def ask(packages: list[tuple[str, str]], service: str, ignored: list[str]) -> dict[str, Any] | str:
    """What the service knows of these packages, or, as a text, why it could not be asked."""
    with tempfile.TemporaryDirectory(prefix="lvbag-audit-") as name:
        write_project(Path(name), packages)
        command = [str(Path(sys.executable).parent / "uv"), "audit", "--frozen", "--output-format", "json"]
        command += ["--preview-features", "audit-command,json-output", "--service-url", service]
        command += [part for advisory in ignored for part in ("--ignore", advisory)]
        environment = {"UV_HTTP_RETRIES": "1", **os.environ}
        done = subprocess.run(command, cwd=name, env=environment, capture_output=True, text=True, check=False)
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        if f"for url ({service}" in " ".join(done.stderr.split()):  # uv breaks its lines where the terminal ends
            return done.stderr.strip()
        sys.exit(f"uv could not audit the lock (status {done.returncode}):\n{done.stderr}")
    return answer


def report(answer: dict[str, Any], wanted: int) -> int:
    """Print what is known; returns the exit status."""
    looked_at = answer["summary"]["audited_packages"]
    if looked_at != wanted:
        sys.stdout.write(f"audit: uv looked at {looked_at} of {wanted} packages; look at .ci/audit.py\n")
        return 1
    for found in answer["vulnerabilities"]:
        package, fixed = found["dependency"], ", ".join(found["fix_versions"]) or "no release yet"
        sys.stdout.write(
            f"{package['name']} {package['version']}: {found['display_id']} {found['summary']}\n"
            f"  fixed in: {fixed}; {found['link']}\n"
        )
    if answer["vulnerabilities"]:
        sys.stdout.write(
            "audit: raise the version in pyproject.toml and `make lock`, or, where the hole does not concern us, say "
            f"so in {ACCEPTED.relative_to(ROOT)}\n"
        )
        return 1
    sys.stdout.write(f"audit: nothing is known against the {wanted} packages of the lock files\n")
    return 0


def main() -> int:
    """Audit the lock; see the module's first lines."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--service", default=OSV, help="the advisory service's address, or a mirror of it")
    parser.add_argument("--lock", type=Path, action="append", help="instead of all of the project's; any number")
    parser.add_argument("--accepted", type=Path, default=ACCEPTED)
    options = parser.parse_args()
    packages = pins(options.lock or LOCKS)
    answer = ask(packages, options.service, accepted(options.accepted, dt.datetime.now(dt.UTC).date()))
    if isinstance(answer, dict):
        return report(answer, len(packages))
    line = "!" * 100
    sys.stdout.write(
        f"{line}\n!! NOT AUDITED: {options.service} does not answer. Nobody knows whether the {len(packages)}\n"
        f"!! packages of the lock files have known vulnerabilities. Run `make audit` where there is a network.\n"
        f"{line}\n{answer}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
