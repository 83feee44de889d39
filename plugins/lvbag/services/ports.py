"""Which ports the embedded services listen on: the chosen one, else last time's if it is free, else any free one."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path

from lvbag.services.errors import ServiceError


def choose(names: Iterable[str], chosen: Mapping[str, int | None], memory: Path) -> dict[str, int]:
    """A port for each name, remembered in the file `memory`; raises `ServiceError` when a chosen one is taken."""
    before = _remembered(memory)
    ports: dict[str, int] = {}
    for name in names:
        wanted = chosen.get(name)
        if wanted is not None and not is_free(wanted):
            raise ServiceError(
                f"port {wanted} for {name} is taken by another program; choose another one or leave it out"
            )
        old = before.get(name)
        usable = old if old is not None and old not in ports.values() and is_free(old) else None
        ports[name] = wanted or usable or free_port(ports.values())
    return ports


def remember(ports: Mapping[str, int], memory: Path) -> None:
    """Keep the ports, so that bookmarks still work after the next start."""
    memory.write_text(json.dumps({**_remembered(memory), **ports}, indent=2) + "\n", encoding="utf-8")


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1 at this port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port(but: Iterable[int] = ()) -> int:
    """A port that nobody listens on."""
    taken = set(but)
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
            sock.bind(("127.0.0.1", 0))
            port = int(sock.getsockname()[1])
        if port not in taken:
            return port


def _remembered(memory: Path) -> dict[str, int]:
    try:
        values = json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(values, dict):
        return {}
    return {str(name): port for name, port in values.items() if isinstance(port, int) and 0 < port < 65536}
