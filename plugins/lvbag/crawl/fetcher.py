"""Fetching: politely (robots.txt, one connection a host, delays, Retry-After, a budget) and safely (checked
addresses, limits on bytes, seconds and redirects).

`Fetcher.fetch` returns an answer or raises `Refused` with the reason that goes into the row. A host that asks for a
longer wait than `crawl.max_retry_after_s`, keeps answering 429 or does not answer at all is given up for the shard.
"""

from __future__ import annotations

import datetime as dt
import http.client
import logging
import time
from dataclasses import dataclass
from types import TracebackType
from urllib.parse import urljoin

import requests
import urllib3

from lvbag import __version__
from lvbag.crawl import pace, robots
from lvbag.crawl.addresses import Target, parse_target, resolve
from lvbag.crawl.connection import PinnedAdapter, open_session
from lvbag.crawl.errors import Refused
from lvbag.settings import CrawlSettings

log = logging.getLogger(__name__)

_CHUNK = 64 * 1024
_UNREAD_BODY = 64 * 1024
"""Bytes read of an answer that is not wanted, so that its connection can be used again."""
_SILENT_LIMIT = 3
"""Fetches in a row without an answer after which a host is given up."""
_MAX_HEADER = 512
_WIRE_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError)


@dataclass(frozen=True)
class Validators:
    """What makes a request conditional: the entity tag and date of the version that is known already."""

    etag: str | None = None
    last_modified: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """The request's headers; none where nothing is known."""
        pairs = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in pairs.items() if value}

    def or_else(self, other: Validators) -> Validators:
        """These, or the others where these are empty (a 304 need not repeat them)."""
        return Validators(self.etag or other.etag, self.last_modified or other.last_modified)


NO_VALIDATORS = Validators()


@dataclass(frozen=True)
class Answer:
    """One answer of a server: `body` is decompressed and no longer than the limit."""

    url: str  # that gave the answer, after redirects
    status: int
    body: bytes
    content_type: str  # lower case, with parameters; empty when there was none
    validators: Validators
    robots_tags: tuple[str, ...]  # the values of X-Robots-Tag
    redirect: str | None = None
    retry_after: str | None = None


@dataclass
class _Host:
    """What is known of one origin (scheme, host, port) during a shard."""

    session: requests.Session
    adapter: PinnedAdapter
    delay_s: float
    rules: robots.RobotsRules | None = None
    not_before: float = 0.0  # time.monotonic()
    silent: int = 0  # fetches in a row without an answer
    given_up: str | None = None


class Fetcher:
    """All requests of one shard, one after the other. Not for use by several threads."""

    def __init__(self, settings: CrawlSettings, budget: int) -> None:
        self._settings = settings
        self._left = budget
        self._hosts: dict[str, _Host] = {}
        self.requests = 0
        contact = settings.contact.strip()
        self._user_agent = f"lvbag/{__version__}" + (f" (+{contact})" if contact else "")

    @property
    def exhausted(self) -> bool:
        """Whether the budget is spent."""
        return self._left <= 0

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        for host in self._hosts.values():
            host.session.close()

    def fetch(self, url: str, max_bytes: int, validators: Validators = NO_VALIDATORS) -> Answer:
        """GET a URL: status 200, or 304 when validators were sent. Anything else raises `Refused`.

        Redirects are followed up to `crawl.max_redirects`, and robots.txt and addresses checked at each.
        """
        target = parse_target(url)
        for _ in range(self._settings.max_redirects + 1):
            host = self._host(target)
            self._obey_robots(host, target)
            answer = self._ask(host, target, max_bytes, validators.headers)
            if answer.redirect is None:
                return _accepted(answer, conditional=bool(validators.headers))
            target = _next_hop(target, answer.redirect)
        raise Refused(f"redirects: more than {self._settings.max_redirects}")

    # -------------------------------------------------------------- hosts and their robots.txt

    def _host(self, target: Target) -> _Host:
        host = self._hosts.get(target.origin)
        if host is None:
            addresses = resolve(target, self._settings.loopback_hosts)
            session, adapter = open_session(target, addresses, self._user_agent)
            host = self._hosts[target.origin] = _Host(session, adapter, self._settings.min_delay_s)
        return host

    def _obey_robots(self, host: _Host, target: Target) -> None:
        if host.rules is None:
            host.rules = self._load_robots(target)
            host.delay_s = max(self._settings.min_delay_s, host.rules.delay_s)
            if host.delay_s > self._settings.max_retry_after_s:
                self._give_up(host, target, f"crawl-delay of {host.delay_s:g} s")
            host.not_before = max(host.not_before, time.monotonic() + host.delay_s)
        if why := host.rules.refusal(target.url):
            raise Refused(why)

    def _load_robots(self, target: Target) -> robots.RobotsRules:
        try:
            answer = self._ask_robots(parse_target(f"{target.origin}/robots.txt"))
        except _BudgetSpent:
            raise
        except Refused as error:
            return robots.read_rules(error.status, b"") if error.status else robots.forbid(error.reason)
        # a chain of more than five redirects counts as "unavailable", which allows (RFC 9309 2.3.1.2)
        return robots.RobotsRules() if answer is None else robots.read_rules(answer.status, answer.body)

    def _ask_robots(self, target: Target) -> Answer | None:
        for _ in range(robots.MAX_REDIRECTS + 1):
            answer = self._ask(self._host(target), target, robots.MAX_BYTES, {}, cut=True)
            if answer.redirect is None:
                return answer
            target = _next_hop(target, answer.redirect)
        return None

    # -------------------------------------------------------------- one request with its retries

    def _ask(self, host: _Host, target: Target, limit: int, headers: dict[str, str], cut: bool = False) -> Answer:
        """Ask until there is an answer that waiting would not change; `cut`: shorten a long body, do not refuse it."""
        for attempt in range(self._settings.retries + 1):
            self._wait_turn(host)
            try:
                answer = self._send(host, target, limit, headers, cut)
            except _Interrupted as error:
                last: Refused = error
                wait = pace.backoff_s(attempt)
                host.adapter.try_next_address()
            else:
                host.silent = 0
                if answer.status not in pace.RETRIED_STATUS:
                    return answer
                last = Refused(f"http_status: {answer.status}", answer.status)
                wait = self._wait_of(host, target, answer, attempt)
            host.not_before = max(host.not_before, time.monotonic() + wait)
            log.debug("crawl.retry url=%s attempt=%d reason=%s wait_s=%.1f", target.url, attempt, last.reason, wait)
        self._note_failure(host, target, last)
        raise last

    def _wait_of(self, host: _Host, target: Target, answer: Answer, attempt: int) -> float:
        asked = pace.retry_after_s(answer.retry_after, dt.datetime.now(dt.UTC))
        if asked is not None and asked > self._settings.max_retry_after_s:
            self._give_up(host, target, f"answer {answer.status} with Retry-After of {asked:g} s", answer.status)
        return pace.backoff_s(attempt) if asked is None else asked

    def _note_failure(self, host: _Host, target: Target, last: Refused) -> None:
        if last.status == 429:
            self._give_up(host, target, f"answer 429 to {self._settings.retries + 1} requests", 429)
        if last.status is None:
            host.silent += 1
            if host.silent >= _SILENT_LIMIT:
                self._give_up(host, target, f"{host.silent} fetches without an answer; {last.reason}")

    def _give_up(self, host: _Host, target: Target, why: str, status: int | None = None) -> None:
        host.given_up = f"host_given_up: {why}"
        log.warning("crawl.host given up host=%s why=%s", target.netloc, why)
        raise Refused(host.given_up, status)

    def _wait_turn(self, host: _Host) -> None:
        if host.given_up is not None:
            raise Refused(host.given_up)
        if self._left <= 0:
            raise _BudgetSpent("request_budget: the shard's share of crawl.max_requests is spent")
        time.sleep(max(0.0, host.not_before - time.monotonic()))
        self._left -= 1
        self.requests += 1

    # -------------------------------------------------------------- the wire

    def _send(self, host: _Host, target: Target, limit: int, headers: dict[str, str], cut: bool) -> Answer:
        settings = self._settings
        with host.adapter.cut_after(settings.total_timeout_s) as too_late:
            try:
                request = host.session.prepare_request(requests.Request("GET", target.url, headers=headers))
                with host.session.send(
                    request, stream=True, allow_redirects=False, timeout=settings.timeout_s
                ) as response:
                    answer = _read(target, response, _redirect(host.session, response), limit, cut)
            except _WIRE_ERRORS as error:
                if not too_late.is_set():
                    raise _Interrupted(f"no_answer: {type(error).__name__}") from None
            else:
                # a body whose length nobody stated ends like a complete one when its socket is shut
                if not too_late.is_set():
                    return answer
            finally:
                host.not_before = time.monotonic() + host.delay_s
        refused = Refused(f"timeout: not complete after {settings.total_timeout_s:g} s")
        self._note_failure(host, target, refused)
        raise refused


class _Interrupted(Refused):
    """There was no complete answer; asking again may help."""


class _BudgetSpent(Refused):
    """The shard may send no further request."""


def _read(target: Target, response: requests.Response, redirect: str | None, limit: int, cut: bool) -> Answer:
    wanted = response.status_code == 200
    body = _read_body(response, limit if wanted else _UNREAD_BODY, cut or not wanted)
    headers = response.headers
    return Answer(
        url=target.url,
        status=response.status_code,
        body=body,
        content_type=headers.get("Content-Type", "").lower(),
        validators=Validators(_clean(headers.get("ETag")), _clean(headers.get("Last-Modified"))),
        robots_tags=tuple(headers.get("X-Robots-Tag", "").split(",")),
        redirect=redirect,
        retry_after=headers.get("Retry-After"),
    )


def _redirect(session: requests.Session, response: requests.Response) -> str | None:
    try:
        return session.get_redirect_target(response)
    except UnicodeError:
        raise Refused("redirects: the Location header is not readable", response.status_code) from None


def _next_hop(target: Target, location: str) -> Target:
    try:
        url = urljoin(target.url, location)
    except ValueError as error:
        raise Refused(f"bad_url: {str(error)[:200]}") from None
    return parse_target(url)


def _read_body(response: requests.Response, limit: int, cut: bool) -> bytes:
    """The decompressed body; one byte more than the limit is refused, or left out where it may be cut."""
    declared = response.headers.get("Content-Length", "")
    if not cut and declared.isdigit() and len(declared) < 20 and int(declared) > limit:
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


def _accepted(answer: Answer, conditional: bool) -> Answer:
    if answer.status == 200 or (answer.status == 304 and conditional):
        return answer
    raise Refused(f"http_status: {answer.status}", answer.status)
