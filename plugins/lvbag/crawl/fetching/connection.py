"""One connection to one host, to an address that was checked before, with a limit on the whole answer's time.

`requests` resolves a name itself and limits only the time between two reads; both are replaced here.
"""

from __future__ import annotations

import http.cookiejar
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool

from lvbag.crawl.fetching.addresses import Target

_LONGEST_POLL_S = 0.25


@dataclass
class Cut:
    """When (time.monotonic) an answer is cut off, and whether it was."""

    at: float
    happened: bool = False


class PinnedAdapter(HTTPAdapter):
    """Sends every request of its session to the given addresses, whatever the name resolves to now."""

    def __init__(self, host: str, addresses: Sequence[str]) -> None:
        self._host = host
        self._addresses = tuple(addresses)
        self._current = 0
        self._socket: socket.socket | None = None
        self._cut: Cut | None = None
        self._watcher: threading.Thread | None = None
        self._closed = threading.Event()
        super().__init__(pool_connections=1, pool_maxsize=1, pool_block=True)

    def try_next_address(self) -> None:
        """After a failed connection: use the host's next address, if it has more than one."""
        self._current = (self._current + 1) % len(self._addresses)

    @contextmanager
    def cut_after(self, seconds: float) -> Iterator[Cut]:
        """Shut the socket after this time, however the server trickles; `Cut.happened` tells whether that was so."""
        self._watch(min(_LONGEST_POLL_S, seconds / 4))
        cut = self._cut = Cut(time.monotonic() + seconds)
        try:
            yield cut
        finally:
            self._cut = None

    def close(self) -> None:
        """Close the connection and end the thread that watches it."""
        self._closed.set()
        super().close()

    def _watch(self, poll_s: float) -> None:
        """One thread a connection, not one a request: starting a thread costs as much as fetching a picture."""
        if self._watcher is None:
            self._watcher = threading.Thread(target=self._keep_watching, args=(poll_s,), daemon=True)
            self._watcher.start()

    def _keep_watching(self, poll_s: float) -> None:
        while not self._closed.wait(poll_s):
            cut = self._cut
            if cut is None or time.monotonic() < cut.at:
                continue
            cut.happened = True
            if self._socket is not None:
                try:
                    # past ssl's own shutdown, which would touch the state that the reading thread is using
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
                except OSError:
                    continue  # it is closed already

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: bool | str, cert: str | tuple[str, str] | None = None
    ) -> Any:
        """The pool's address is the pinned one; certificates are still checked against the name."""
        host_params, pool_kwargs = super().build_connection_pool_key_attributes(request, verify, cert)
        pinned: dict[str, Any] = {**host_params, "host": self._addresses[self._current]}
        names: dict[str, Any] = dict(pool_kwargs)
        if pinned["scheme"] == "https":
            names |= {"server_hostname": self._host, "assert_hostname": self._host}
        return pinned, names

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """The pool, made to tell this adapter its socket."""
        pool = super().get_connection_with_tls_context(*args, **kwargs)
        if isinstance(pool, HTTPConnectionPool) and not hasattr(pool.ConnectionCls, "reports_socket"):
            pool.ConnectionCls = _reporting(pool.ConnectionCls, self._note_socket)
        return pool

    def _note_socket(self, sock: socket.socket | None) -> None:
        self._socket = sock


class _Session(requests.Session):
    """`requests` would read a redirect's whole body, without a limit, and parse its address before we see either."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """No answer counts as a redirect here; `lvbag.crawl.fetching.wire` reads the Location itself."""


def open_session(target: Target, addresses: Sequence[str], user_agent: str) -> tuple[requests.Session, PinnedAdapter]:
    """A session with one connection to the target's host, blind to proxies and credentials of the environment."""
    session = _Session()
    session.trust_env = False
    session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))  # nobody is followed around
    session.headers.clear()
    session.headers.update({"User-Agent": user_agent, "Accept-Encoding": "gzip, deflate", "Host": target.host_header})
    adapter = PinnedAdapter(target.host, addresses)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session, adapter


def _reporting(base: Any, note: Any) -> type[HTTPConnection] | type[HTTPSConnection]:
    """The connection class of a pool, which hands out its socket when it is connected."""

    class Reporting(base):  # type: ignore[misc]
        reports_socket = True

        def connect(self) -> None:
            super().connect()
            note(self.sock)

    return Reporting
