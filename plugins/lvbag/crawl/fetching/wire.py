"""One request and its answer on the wire, to one origin: bytes, seconds and headers limited, nothing decided.

What the answer means (whether to try again, whom to leave alone) is `fetcher`'s business.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urljoin

import requests
import urllib3

from lvbag.crawl.errors import Refused
from lvbag.crawl.fetching.addresses import Target, parse_target
from lvbag.crawl.fetching.answers import Answer, Validators
from lvbag.crawl.fetching.connection import open_session
from lvbag.settings import CrawlSettings

_CHUNK = 64 * 1024
_UNREAD_BODY = 64 * 1024
"""Bytes read of an answer that is not wanted: its connection can be used again, and a challenge page be recognised."""
_MAX_HEADER = 512
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# ValueError: http.client's answer to a chunk of negative size
_WIRE_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError)


class Interrupted(Refused):
    """There was no complete answer; asking again may help."""


class TooSlow(Refused):
    """The answer was not complete in time; asking again would only bind the host once more."""


@dataclass(frozen=True)
class Ask:
    """One request. `limit`: bytes of the decompressed body; `cut`: shorten a longer one instead of refusing it.

    A `body` makes it a POST. Neither headers nor body are ever logged: they may carry secrets.
    """

    target: Target
    limit: int
    headers: Mapping[str, str]
    body: bytes | None = None
    cut: bool = False


class Wire:
    """One connection to one origin, at addresses that were checked."""

    def __init__(self, target: Target, addresses: Sequence[str], user_agent: str, settings: CrawlSettings) -> None:
        self._settings = settings
        self._session, self._adapter = open_session(target, addresses, user_agent)
        self.took_s = 0.0  # of the last request, until its answer was complete

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def send(self, ask: Ask) -> Answer:
        """The answer, whatever its status; raises `Interrupted`, `TooSlow`, or `Refused` for a body over the limit."""
        total_s = self._settings.total_timeout_s
        started = time.monotonic()
        with self._adapter.cut_after(total_s) as too_late:
            try:
                answer = self._exchange(ask)
            except _WIRE_ERRORS as error:
                if not too_late.happened:
                    self._adapter.try_next_address()
                    raise Interrupted(f"no_answer: {type(error).__name__}") from None
            else:
                # a body whose length nobody stated ends like a complete one when its socket is shut
                if not too_late.happened:
                    return answer
            finally:
                self.took_s = time.monotonic() - started
        raise TooSlow(f"timeout: not complete after {total_s:g} s")

    def _exchange(self, ask: Ask) -> Answer:
        method = "GET" if ask.body is None else "POST"
        request = self._session.prepare_request(
            requests.Request(method, ask.target.url, headers=dict(ask.headers), data=ask.body)
        )
        with self._session.send(
            request, stream=True, allow_redirects=False, timeout=self._settings.timeout_s
        ) as response:
            return _read(ask, response)


def next_hop(target: Target, location: str) -> Target:
    """Where a redirect leads; raises `Refused` when it is nothing that may be asked for."""
    try:
        url = urljoin(target.url, location)
    except ValueError as error:
        raise Refused(f"bad_url: {str(error)[:200]}") from None
    return parse_target(url)


def _redirect(response: requests.Response) -> str | None:
    location = response.headers.get("Location")
    if location is None or response.status_code not in _REDIRECTS:
        return None
    try:
        return location.encode("latin-1").decode("utf-8")  # http.client reads every header as Latin-1
    except UnicodeError:
        raise Refused("redirects: the Location header is not readable", response.status_code) from None


def _read(ask: Ask, response: requests.Response) -> Answer:
    redirect = _redirect(response)
    wanted = response.status_code == 200
    body = _read_body(response, ask.limit if wanted else _UNREAD_BODY, ask.cut or not wanted)
    headers = response.headers
    return Answer(
        url=ask.target.url,
        status=response.status_code,
        body=body,
        content_type=headers.get("Content-Type", "").lower(),
        validators=Validators(_clean(headers.get("ETag")), _clean(headers.get("Last-Modified"))),
        robots_tags=tuple(response.raw.headers.getlist("X-Robots-Tag")),
        tdm_reservation=headers.get("TDM-Reservation"),
        redirect=redirect,
        retry_after=headers.get("Retry-After"),
    )


def _read_body(response: requests.Response, limit: int, cut: bool) -> bytes:
    """The decompressed body; one byte more than the limit is refused, or left out where it may be cut."""
    declared = response.headers.get("Content-Length", "")
    if not cut and declared.isascii() and declared.isdigit() and len(declared) < 20 and int(declared) > limit:
        raise Refused(f"too_large: {declared} bytes declared, {limit} allowed", response.status_code)
    body = bytearray()
    for chunk in response.iter_content(_CHUNK):
        body += chunk
        if len(body) > limit:
            if cut:
                return bytes(body[:limit])
            raise Refused(f"too_large: more than {limit} bytes", response.status_code, len(body))
    return bytes(body)


def _clean(value: str | None) -> str | None:
    """A validator that can be sent back as it is; anything odd counts as none."""
    if value is None or not value.isascii() or not value.isprintable() or len(value) > _MAX_HEADER:
        return None
    return value.strip() or None
