"""The marketplace as an HTTP server on 127.0.0.1, in this process (`serve`) or as `python -m lvbag.demo.server`.

`POST /_market/night` with `{"night": 2}` moves it to another night while it runs; `GET /_market/status` tells where it
stands. It listens on loopback only, and speaks to clients that name a loopback host only: a web page that a browser on
this machine has open cannot reach it under a name of its own.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

from lvbag.demo.listings import MarketError
from lvbag.demo.market import Market
from lvbag.demo.shop import Reply, Shop

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
_MAX_BODY_BYTES = 4096
_LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost"})


class MarketServer:
    """A running marketplace; use it in a `with` block. `port` 0 takes a free one."""

    def __init__(self, market: Market, cache: Path, port: int = 0) -> None:
        try:
            self._http = _Http((HOST, port), _Handler)
        except OSError as error:
            raise MarketError(
                f"the demo marketplace cannot listen on {HOST}:{port}: {error.strerror}; choose another port"
            ) from None
        self.port = int(self._http.server_address[1])
        self.url = f"http://{HOST}:{self.port}"
        self.shop = Shop(market, cache, self.url)
        self._http.shop = self.shop
        self._thread = threading.Thread(target=self._http.serve_forever, name="lvbag-demo", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


def serve(port: int, seed: int, night: int, photos: Path | None, cache: Path, *, port_file: Path | None = None) -> None:
    """Serve the market until SIGINT or SIGTERM; call it from the main thread.

    `port` 0 takes a free one; `port_file` receives its number once the server listens. Raises `MarketError` if the
    port is taken, the night is out of range or the folder of photographs is unusable.
    """
    asked_to_stop = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        asked_to_stop.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with MarketServer(Market(seed, night, photos), cache, port) as server:
            status = server.shop.status()
            log.info("demo.serve up url=%s night=%d images=%d", server.url, status["night"], status["images"])
            if port_file is not None:
                _announce(port_file, server.port)
            asked_to_stop.wait()
        log.info("demo.serve down url=%s", server.url)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _announce(port_file: Path, port: int) -> None:
    port_file.parent.mkdir(parents=True, exist_ok=True)
    part = port_file.with_name(f"{port_file.name}.part")
    part.write_text(f"{port}\n", encoding="utf-8")
    part.replace(port_file)


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    shop: Shop


class _Handler(BaseHTTPRequestHandler):
    server: _Http
    protocol_version = "HTTP/1.1"
    server_version = "lvbag-demo"
    sys_version = ""
    timeout = 60
    wbufsize = -1  # head and body leave in one piece; sent apart, each reply would wait 40 ms for an acknowledgement
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer(self._get(), with_body=True)

    def do_HEAD(self) -> None:
        self._answer(self._get(), with_body=False)

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > _MAX_BODY_BYTES:
            self.close_connection = True
            self._answer(
                Reply(413, b"too long\n", {"Content-Type": "text/plain", "Connection": "close"}), with_body=True
            )
            return
        body = self.rfile.read(int(length))
        reply = self.server.shop.post(self.path, body) if self._is_local() else _MISDIRECTED
        self._answer(reply, with_body=True)

    def _get(self) -> Reply:
        if not self._is_local():
            return _MISDIRECTED
        try:
            return self.server.shop.get(self.path, dict(self.headers.items()))
        except (MarketError, OSError) as error:
            log.warning("demo.request failed path=%s error=%s", self.path, error)
            return Reply(500, f"{error}\n".encode(), {"Content-Type": "text/plain; charset=utf-8"})

    def _is_local(self) -> bool:
        return self.headers.get("Host", HOST).rsplit(":", 1)[0] in _LOOPBACK_NAMES

    def _answer(self, reply: Reply, with_body: bool) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.status != 304:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if with_body:
            self.wfile.write(reply.body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        log.debug("demo.request %s", format % args)


_MISDIRECTED = Reply(421, b"this server answers to 127.0.0.1 only\n", {"Content-Type": "text/plain; charset=utf-8"})


def main(arguments: list[str] | None = None) -> int:
    """The command line of `python -m lvbag.demo.server`."""
    parser = argparse.ArgumentParser(
        prog="python -m lvbag.demo.server", description="the demo marketplace on 127.0.0.1"
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--night", type=int, default=1)
    parser.add_argument("--cache", type=Path, required=True, help="folder for drawn photos")
    parser.add_argument("--photos", type=Path, default=None, help="a folder of real photographs, one folder a product")
    parser.add_argument("--port-file", type=Path, default=None, help="receives the port's number")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        serve(chosen.port, chosen.seed, chosen.night, chosen.photos, chosen.cache, port_file=chosen.port_file)
    except MarketError as error:
        log.critical("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
