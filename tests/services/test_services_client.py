"""Airflow's API on a busy machine: a question is asked again, an order is not."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lvbag.services.airflow_client import AirflowClient
from lvbag.services.errors import AirflowError

RUN = {"dag_run_id": "r", "state": "success", "run_type": "manual", "start_date": None, "end_date": None}


class Slow(ThreadingHTTPServer):
    """Signs anybody in; what else is asked for the first time is not answered."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: Counter[str] = Counter()
        self.over = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    server: Slow

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer("token" if self.path.endswith("/token") else "POST")

    def _answer(self, what: str) -> None:
        self.server.asked[what] += 1
        if what != "token" and self.server.asked[what] == 1:
            self.server.over.wait(20)
            return
        data = json.dumps({"access_token": "t"} | RUN).encode()
        self.send_response(201)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def slow() -> Iterator[Slow]:
    with Slow() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


def client(server: Slow) -> AirflowClient:
    return AirflowClient(f"http://127.0.0.1:{server.server_port}", "admin", "secret", timeout_s=0.5)


def test_a_question_without_an_answer_is_asked_again(slow: Slow) -> None:
    assert client(slow).run("lvbag_crawl", "r").state == "success"
    assert slow.asked["GET"] == 2


def test_an_order_without_an_answer_is_not_given_twice(slow: Slow) -> None:
    with pytest.raises(AirflowError, match=r"does not answer \(ReadTimeout\)"):
        client(slow).trigger("lvbag_crawl")
    assert slow.asked["POST"] == 1


def test_nobody_there_is_said_at_once() -> None:
    server = Slow()
    server.server_close()
    with pytest.raises(AirflowError, match="`lvbag up` starts it"):
        client(server).run("lvbag_crawl", "r")
