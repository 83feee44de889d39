"""A real S3 server (MiniStack) on loopback: started, emptied, stopped by process id."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from lvbag.services.object_store import environment
from lvbag.services.ports import free_port

ACCESS_KEY = "111122223333"
SECRET_KEY = "a-secret-of-the-tests"


@contextlib.contextmanager
def store_server(folder: Path) -> Iterator[str]:
    """The endpoint of a server that keeps its objects in this folder."""
    port = free_port()
    started_with = {**os.environ, **environment(port, folder, ACCESS_KEY, SECRET_KEY)}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "ministack"], env=started_with, stdout=log, stderr=log, start_new_session=True
        )
    endpoint = f"http://127.0.0.1:{port}"
    try:
        _wait(process, endpoint, folder / "log")
        yield endpoint
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


def empty_server(endpoint: str) -> None:
    """Take all buckets away."""
    answer = urllib3.request("POST", f"{endpoint}/_ministack/reset", timeout=60)
    assert answer.status == 200, answer.data


def _wait(process: subprocess.Popen[bytes], endpoint: str, log: Path) -> None:
    http = urllib3.PoolManager(retries=False)
    deadline = time.monotonic() + 60
    while True:
        try:
            http.request("GET", f"{endpoint}/_ministack/health", timeout=1)
            return
        except urllib3.exceptions.HTTPError:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"MiniStack did not start:\n{log.read_text()}")
            time.sleep(0.1)
