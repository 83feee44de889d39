"""What a stranger finds at a running stack: who listens where, and what answers without signing in."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys

import psutil
import requests
from process_stack import API_SERVER, Stack
from stack_places import environment_of

WALK = """
import json, sys
from airflow.api_fastapi.app import create_app
from airflow.api_fastapi.execution_api.routes import execution_api_router
def walk(routes, prefix=""):
    for route in routes:
        path = prefix + route.path
        yield from walk(getattr(route, "routes", None) or (), path)
        yield from ((method, path) for method in getattr(route, "methods", None) or ())
routes = {*walk(create_app().routes), *walk(execution_api_router.routes, "/execution")}
print("ROUTES", json.dumps(sorted(routes)))
"""

PAGES = ("/", "/reports/nights/2026-11-14/index.html")
"""Of our plugin's app, which Airflow builds at the first request only."""

SAYS_NOTHING = frozenset(
    {
        *("/api/v2/monitor/health", "/api/v2/version", "/execution/health", "/execution/health/ping"),
        *("/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc"),  # Airflow's manual of its own interface
        *("/auth/openapi.json", "/auth/docs", "/auth/docs/oauth2-redirect", "/auth/redoc"),
        *("/execution/openapi.json", "/execution/docs", "/execution/docs/oauth2-redirect", "/execution/redoc"),
        "/execution/changelog",
        "/auth/{rest_of_path:path}",  # the form to sign in
        "/{rest_of_path:path}",  # the frame of the interface, which then asks for data
    }
)
"""Routes that answer everybody, and the same to everybody."""

SIGNS_IN = frozenset(
    {"/auth/token", "/auth/token/cli", "/auth/token/login", "/api/v2/auth/login", "/api/v2/auth/logout"}
)
"""Where one signs in or out: without a name they answer what is missing, or lead to the form."""

REFUSED = frozenset({401, 403})
NOT_THERE = frozenset({404, 405})


def listening(stack: Stack) -> set[tuple[str, int]]:
    """Address and port of every socket at which a process of the stack waits for others."""
    found = set()
    for process in stack.processes():
        with contextlib.suppress(psutil.NoSuchProcess):  # tasks come and go
            for connection in process.net_connections("inet"):
                if connection.status == psutil.CONN_LISTEN:
                    found.add((connection.laddr.ip, connection.laddr.port))
    return found


def routes(stack: Stack) -> list[tuple[str, str]]:
    """Method and path of everything that Airflow's server serves, and of our pages."""
    environment = environment_of(API_SERVER, stack.services[API_SERVER], stack.places, 1)
    done = subprocess.run(
        [sys.executable, "-c", WALK], env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    line = next((line for line in done.stdout.splitlines() if line.startswith("ROUTES ")), None)
    assert line is not None, done.stderr
    found = [(str(method), str(path)) for method, path in json.loads(line.removeprefix("ROUTES "))]
    return [*found, *(("GET", f"/lvbag{page}") for page in PAGES)]


def answers_to_strangers(stack: Stack) -> dict[str, int]:
    """What each route answers to a request without any sign of who asks."""
    found = {}
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Connection"] = "close"  # a busy server ends kept connections while the next request is sent
        for method, path in routes(stack):
            address = re.sub(r"\{[^}]*\}", "1", path)
            reply = session.request(method, f"{stack.url}{address}", timeout=30, allow_redirects=False)
            found[f"{method} {path}"] = reply.status_code
    return found


def signs_in(stack: Stack, user: str, password: str) -> bool:
    """Whether Airflow gives somebody a token."""
    reply = requests.post(f"{stack.url}/auth/token", json={"username": user, "password": password}, timeout=30)
    return reply.status_code == 201
