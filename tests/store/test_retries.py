"""A store that fails for a while, and one that keeps failing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lvbag.settings import StoreSettings
from lvbag.store import Bucket, Ref, Store, StoreUnavailable

REF = Ref(Bucket.RAW, "images/aa/x.jpg")


class Flaky(ThreadingHTTPServer):
    """Answers 503 `failures` times, then 200."""

    failures = 0
    asked = 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Flaky

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked += 1
        status, body = (503, b"") if self.server.asked <= self.server.failures else (200, b"bytes")
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"e"')
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = answer

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Flaky]:
    with Flaky(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def store_of(server: Flaky, retries: int) -> Store:
    endpoint = f"http://127.0.0.1:{server.server_port}"
    return Store(
        StoreSettings.model_validate(
            {"endpoint": endpoint, "access_key": "a", "secret_key": "b", "retries": retries, "timeout_s": 5}
        )
    )


def test_reading_and_writing_outlast_a_store_that_fails_twice(server: Flaky) -> None:
    store = store_of(server, retries=3)
    server.failures = 2
    assert store.get(REF) == b"bytes"
    assert server.asked == 3
    server.asked = 0
    assert store.put(REF, b"bytes").etag == "e"
    assert server.asked == 3
    server.asked = 0
    assert store.compare_and_swap(REF, b'{"nonce": "n"}', "old") == "e"
    assert server.asked == 3


@pytest.mark.parametrize("write", [False, True])
def test_a_store_that_keeps_failing_is_named(server: Flaky, write: bool) -> None:
    store = store_of(server, retries=1)
    server.failures = 99
    with pytest.raises(StoreUnavailable, match=rf"store at http://127.0.0.1:{server.server_port}/"):
        store.put(REF, b"bytes") if write else store.get(REF)
    assert server.asked == 2
