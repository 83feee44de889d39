"""A store that is cut off: a proxy on loopback in front of a real one, which resets connections at a chosen request.

Requests are counted from 1 as they come in, whoever sends them. `Cut` says what happens at which of them.
"""

from __future__ import annotations

import http.client
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

Where = Literal["nowhere", "before", "after", "answer", "instead", "flipped"]
"""Not at all; before the request is passed on; after it was, with no answer; in the middle of the answer; an answer of
our own instead; one bit of the answer's body turned over."""

SLOW_DOWN = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n"


@dataclass(frozen=True)
class Cut:
    """What goes wrong: from request `at` on, or at this one alone, or (`every`) at each of a rhythm."""

    where: Where
    at: int = 1
    once: bool = True
    every: int | None = None
    path: str = ""
    """Only requests whose method and path hold this text are counted and cut."""
    instead: bytes = SLOW_DOWN
    """What is answered where it is answered `instead`."""
    meanwhile: Callable[[], object] = field(default=lambda: None)
    """Called when a cut request has come in, before anything is passed on: whatever happens in that moment."""

    def strikes(self, number: int) -> bool:
        if self.every is not None:
            return number % self.every == 0
        return number == self.at if self.once else number >= self.at


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: CuttingStore

    def setup(self) -> None:
        super().setup()
        place = urlsplit(self.server.behind)
        self.upstream = http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)

    def finish(self) -> None:
        self.upstream.close()
        with suppress(OSError):
            super().finish()

    def forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        cut = self.server.count(f"{self.command} {self.path}") or Cut("nowhere")
        cut.meanwhile()
        where = cut.where
        if where == "before":
            return self.reset(b"")
        if where == "instead":
            self.wfile.write(cut.instead)
            return None
        status, headers, data = self.ask(body)
        if where == "after":
            return self.reset(b"")
        if where == "flipped" and data:
            middle = len(data) // 2
            data = data[:middle] + bytes([data[middle] ^ 0x10]) + data[middle + 1 :]
        answer = self.packed(status, headers, data)
        if where == "answer":
            return self.reset(answer[: len(answer) // 2])
        self.wfile.write(answer)
        return None

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = forward

    def ask(self, body: bytes) -> tuple[bytes, list[tuple[str, str]], bytes]:
        self.upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            self.upstream.putheader(name, value)
        self.upstream.endheaders(body)
        reply = self.upstream.getresponse()
        data = reply.read()
        return f"HTTP/1.1 {reply.status} {reply.reason}".encode(), reply.getheaders(), data

    def packed(self, status: bytes, headers: list[tuple[str, str]], data: bytes) -> bytes:
        """The answer as bytes; its length is that of the body, but what a HEAD says of a body stays."""
        dropped = {"transfer-encoding", "connection"} | (set() if self.command == "HEAD" else {"content-length"})
        lines = [status, *(f"{name}: {value}".encode() for name, value in headers if name.lower() not in dropped)]
        if self.command != "HEAD" and b" 204" not in status:
            lines.append(f"Content-Length: {len(data)}".encode())
        return b"\r\n".join([*lines, b"", b""]) + data

    def reset(self, first: bytes) -> None:
        """Send the beginning of an answer and hang up, so that the other side sees `connection reset`."""
        self.close_connection = True
        with suppress(OSError):
            if first:
                self.wfile.write(first)
                self.wfile.flush()
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def log_message(self, *_: object) -> None:
        pass


@dataclass(eq=False)
class _State:
    lock: threading.Lock = field(default_factory=threading.Lock)
    number: int = 0
    cut: Cut | None = None
    asked: list[str] = field(default_factory=list)


class CuttingStore(ThreadingHTTPServer):
    """The proxy; `endpoint` is its address, `asked` what came since `begin`, as `GET /bucket/key`."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, behind: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = behind
        self._state = _State()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def asked(self) -> list[str]:
        return list(self._state.asked)

    def begin(self, cut: Cut | None = None) -> None:
        """Count from 1 again, and cut there; None: only count."""
        with self._state.lock:
            self._state.number, self._state.cut, self._state.asked = 0, cut, []

    def count(self, asked: str) -> Cut | None:
        """Note a request; how it is cut."""
        state = self._state
        with state.lock:
            state.asked.append(asked)
            if state.cut is None or state.cut.path not in asked:
                return None
            state.number += 1
            return state.cut if state.cut.strikes(state.number) else None

    def handle_error(self, *_: object) -> None:
        pass


@contextmanager
def cutting_store(behind: str) -> Iterator[CuttingStore]:
    """A running proxy before the store at this address."""
    with CuttingStore(behind) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
