"""A service of docker-compose.yaml as a process of this machine: its command and environment, other paths and ports.

What an image adds to the environment is read from the Dockerfile. Names of services become addresses on loopback, the
folders of containers become folders of one stack.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lvbag.settings import PROJECT_ROOT
from stack_files import BIN, Service

DOCKERFILE = PROJECT_ROOT / "docker" / "Dockerfile"
BUILT_IN = frozenset({"PATH", "PYTHONDONTWRITEBYTECODE"})
"""Of the image's environment; here there is another virtual environment, whose modules nobody has compiled before."""

_HOST = re.compile(r"(?<=[@/])(postgres|redis|silo|airflow-api-server):\d+")


@dataclass(frozen=True)
class Places:
    """Where one stack lives: its folder, its configuration, and the port of every service that listens."""

    root: Path
    config: Path
    ports: Mapping[str, int]

    @property
    def airflow(self) -> Path:
        """AIRFLOW_HOME: logs and secrets."""
        return self.root / "airflow"

    @property
    def home(self) -> Path:
        """LVBAG_HOME, in which the workers' scratch folder stands."""
        return self.root / "lvbag"

    @property
    def scratch(self) -> Path:
        """The containers' `/tmp`."""
        return self.root / "tmp"

    def make(self) -> None:
        """Create what the images bring along and what volumes are mounted over."""
        for folder in (self.airflow / "logs", self.airflow / "secrets", self.home / "tmp", self.scratch):
            folder.mkdir(parents=True, exist_ok=True)

    def here(self, text: str) -> str:
        """A value of the file as it must read on this machine."""
        text = _HOST.sub(lambda found: f"127.0.0.1:{self.ports[found[1]]}", text)
        folders = {
            "/var/lib/airflow": self.airflow,
            "/var/lib/lvbag": self.home,
            "/opt/lvbag/config": self.config,
            "/opt/lvbag": PROJECT_ROOT,
            "/tmp": self.scratch,
        }
        for container, folder in folders.items():
            if text == container or text.startswith(f"{container}/"):
                return f"{folder}{text.removeprefix(container)}"
        return text


def image_environment() -> dict[str, str]:
    """What both images set, as the Dockerfile's stage `base` says."""
    text = DOCKERFILE.read_text(encoding="utf-8").replace("\\\n", " ")
    base = text.partition(" AS base\n")[2]
    line = next(line for line in base.splitlines() if line.startswith("ENV "))
    found = dict(item.split("=", 1) for item in line.removeprefix("ENV ").split())
    return {name: value for name, value in found.items() if name not in BUILT_IN}


def environment_of(name: str, service: Service, places: Places, health_port: int) -> dict[str, str]:
    """Everything that a container of this service would see, and what containers have by being apart."""
    named = {**image_environment(), **service.get("environment", {})}
    environment = {key: places.here(str(value)) for key, value in named.items()}
    environment["AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT"] = str(health_port)
    # a container's name is known inside it; here a name server would be asked, which takes seconds where there is none
    environment["AIRFLOW__CORE__HOSTNAME_CALLABLE"] = "lvbag.services.hostname.loopback"
    if name == "airflow-api-server":
        environment["AIRFLOW__API__HOST"] = "127.0.0.1"
        environment["AIRFLOW__API__PORT"] = str(places.ports[name])
    return environment


def command_of(name: str, service: Service, places: Places) -> tuple[str, ...]:
    """The service's command; Celery's workers get the names that containers give them."""
    program, *arguments = (places.here(part.replace("$$", "$")) for part in service["command"])
    if "worker" in arguments:
        arguments += ["--celery-hostname", f"celery@{name}"]
    if name == "marketplace":
        arguments[arguments.index("--port") + 1] = str(places.ports[name])
    return (str(BIN / program), *arguments)
