"""Fetching politely: robots.txt, one connection and one pace a host over all shards of a night, Retry-After, a budget,
a circuit breaker, and hosts that are left alone once they show a challenge.

`Fetcher.fetch` returns an answer or raises `Refused` with the reason that goes into the row. Safety (addresses, bytes,
seconds) is in `addresses`, `connection` and `wire`; what a host said earlier tonight comes from its lease.
"""

from __future__ import annotations

import datetime as dt
import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType

from lvbag import __version__
from lvbag.crawl.errors import Refused
from lvbag.crawl.fetching import pace, robots
from lvbag.crawl.fetching.addresses import Target, parse_target, resolve
from lvbag.crawl.fetching.answers import NO_VALIDATORS, Answer, Validators
from lvbag.crawl.fetching.challenges import challenge
from lvbag.crawl.fetching.leases import Lease, Leases
from lvbag.crawl.fetching.pace import PaceRules
from lvbag.crawl.fetching.robots_cache import RobotsCache
from lvbag.crawl.fetching.wire import Ask, Interrupted, TooSlow, Wire, next_hop
from lvbag.settings import CrawlSettings

log = logging.getLogger(__name__)

_NOTHING: Mapping[str, str] = {}


class Challenged(Refused):
    """The host answered with a challenge page instead of content, and is left alone for the night."""

    def __init__(self, reason: str, answer: Answer) -> None:
        super().__init__(reason, answer.status, len(answer.body))
        self.answer = answer


class BudgetSpent(Refused):
    """The shard may send no further request."""


class HostClosed(Refused):
    """The host is left alone for the night, or is no longer ours to talk to."""


@dataclass(frozen=True)
class CallLimit:
    """How many calls of an API's host may be made in a night, and the setting that says so."""

    calls: int
    setting: str


@dataclass
class _Host:
    """One host while its lease is ours: its one connection, and when it may be asked next."""

    name: str
    lease: Lease
    origin: str = ""
    wire: Wire | None = None
    not_before: float = 0.0  # time.monotonic()

    def close(self) -> None:
        if self.wire is not None:
            self.wire.close()
        self.wire = None


class Fetcher:
    """All requests of one shard, one after the other. Not for use by several threads."""

    def __init__(self, settings: CrawlSettings, leases: Leases, cache: RobotsCache, budget: int = 0) -> None:
        self._settings = settings
        self._leases = leases
        self._cache = cache
        self._allowed = budget
        self._hosts: dict[str, _Host] = {}
        self._robots: dict[str, tuple[robots.RobotsRules, float]] = {}  # by origin, with time.monotonic()
        self._crawl_delays: dict[str, float] = {}  # by host
        self.requests = 0
        contact = settings.contact.strip()
        self._user_agent = f"lvbag/{__version__}" + (f" (+{contact})" if contact else "")

    @property
    def exhausted(self) -> bool:
        """Whether the budget is spent."""
        return self.requests >= self._allowed

    def grant(self, requests: int) -> None:
        """Add to the budget."""
        self._allowed += requests

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections. The leases stay with who opened them."""
        for host in self._hosts.values():
            host.close()
        self._hosts.clear()

    def fetch(self, url: str, max_bytes: int, validators: Validators = NO_VALIDATORS) -> Answer:
        """GET a URL: status 200, or 304 when validators were sent. Anything else raises `Refused`.

        Redirects are followed up to `crawl.max_redirects`, and robots.txt and addresses checked at each.
        """
        target = parse_target(url)
        for _ in range(self._settings.max_redirects + 1):
            self._obey_robots(target)
            # only now: reading a robots.txt can lead to another host, and waiting for that one gives this one back
            answer = self._ask(self._host(target), Ask(target, max_bytes, validators.headers))
            if answer.redirect is None:
                return _accepted(answer, conditional=bool(validators.headers))
            target = next_hop(target, answer.redirect)
        raise Refused(f"redirects: more than {self._settings.max_redirects}")

    def call(
        self,
        url: str,
        max_bytes: int,
        headers: Mapping[str, str] = _NOTHING,
        body: bytes | None = None,
        limit: CallLimit | None = None,
    ) -> Answer:
        """Call an API that gave us a key: no robots.txt, no redirects.

        Only status 200 is returned; anything else raises `Refused`.
        """
        target = parse_target(url)
        host = self._host(target)
        return _accepted(self._ask(host, Ask(target, max_bytes, headers, body), limit), conditional=False)

    # -------------------------------------------------------------- hosts

    def _host(self, target: Target) -> _Host:
        """The target's host, ours alone: waits while another shard talks to it."""
        name = target.host_header
        host = self._hosts.get(name)
        if host is None or not host.lease.is_valid:
            host = self._take(name)
        self._connect(host, target)
        return host

    def _connect(self, host: _Host, target: Target) -> Wire:
        """The host's one connection, made anew for another origin, or after it broke."""
        if host.wire is None or host.origin != target.origin:
            host.close()
            addresses = resolve(target, self._settings.loopback_hosts)
            if not self._settings.contact.strip() and target.netloc not in self._settings.loopback_hosts:
                raise Refused("no_contact: nothing beyond this machine is asked before crawl.contact is set")
            host.wire = Wire(target, addresses, self._user_agent, self._settings)
            host.origin = target.origin
        return host.wire

    def _take(self, name: str) -> _Host:
        old = self._hosts.pop(name, None)
        if old is not None:
            old.close()
        lease = self._leases.take(name)
        for other in [other for other in self._hosts if not self._leases.holds(other)]:
            self._hosts.pop(other).close()  # given back while we waited; its next holder connects alone
        host = self._hosts[name] = _Host(name, lease)
        if lease.record.not_before is not None:
            wait_s = (lease.record.not_before - dt.datetime.now(dt.UTC)).total_seconds()
            host.not_before = time.monotonic() + min(wait_s, self._longest_wait_s)
        return host

    @property
    def _longest_wait_s(self) -> float:
        """Longer waits are never asked for, so a clock that is wrong cannot stall the night."""
        settings = self._settings
        return max(settings.max_retry_after_s, settings.breaker_pause_s * 2.0**settings.breaker_openings)

    def _rules(self, name: str) -> PaceRules:
        settings = self._settings
        crawl_delay_s = self._crawl_delays.get(name, 0.0)
        return PaceRules(
            base_s=max(settings.min_delay_s, crawl_delay_s),
            factor=settings.delay_factor,
            max_delay_s=max(settings.max_delay_s, crawl_delay_s),
            breaker_failures=settings.breaker_failures,
            breaker_pause_s=settings.breaker_pause_s,
            breaker_openings=settings.breaker_openings,
        )

    # -------------------------------------------------------------- robots.txt

    def _obey_robots(self, target: Target) -> None:
        rules, read_at = self._robots.get(target.origin, (None, 0.0))
        max_age_s = self._settings.robots_max_age_s or math.inf
        if rules is None or time.monotonic() - read_at > max_age_s:
            rules = self._load_robots(target)
            self._robots[target.origin] = (rules, time.monotonic())
            self._keep_crawl_delay(self._host(target), rules.delay_s)
        if why := rules.refusal(target.url):
            raise Refused(why)

    def _keep_crawl_delay(self, host: _Host, delay_s: float) -> None:
        crawl_delay_s = self._crawl_delays[host.name] = max(delay_s, self._crawl_delays.get(host.name, 0.0))
        if crawl_delay_s > self._settings.max_retry_after_s:
            self._give_up(host, f"crawl-delay of {crawl_delay_s:g} s")
        slower_s = max(host.lease.record.delay_s, self._rules(host.name).base_s)
        host.lease.note(delay_s=slower_s)
        if host.lease.record.requests:
            self._rest(host, slower_s)

    def _load_robots(self, target: Target) -> robots.RobotsRules:
        cached = self._cache.load(target.origin)
        if cached is not None:
            return cached
        try:
            answer = self._ask_robots(parse_target(f"{target.origin}/robots.txt"))
        except (BudgetSpent, Challenged, HostClosed):
            raise
        except Refused as error:
            if error.status is None:
                return robots.forbid(error.reason)
            return self._cache.store(target.origin, error.status, b"")
        # a chain of more than five redirects counts as "unavailable", which allows (RFC 9309 2.3.1.2)
        status, body = (404, b"") if answer is None else (answer.status, answer.body)
        return self._cache.store(target.origin, status, body)

    def _ask_robots(self, target: Target) -> Answer | None:
        for _ in range(robots.MAX_REDIRECTS + 1):
            answer = self._ask(self._host(target), Ask(target, robots.MAX_BYTES, _NOTHING, cut=True))
            if answer.redirect is None:
                return answer
            target = next_hop(target, answer.redirect)
        return None

    # -------------------------------------------------------------- one request with its tries

    def _ask(self, host: _Host, ask: Ask, limit: CallLimit | None = None) -> Answer:
        """Ask until there is an answer that waiting would not change."""
        for attempt in range(self._settings.retries + 1):
            self._wait_turn(host, limit)
            try:
                answer = self._send(host, ask)
            except Interrupted as error:
                last: Refused = error
                wait_s = pace.backoff_s(attempt)
                host.close()  # the next try resolves the name again
            else:
                if answer.status not in pace.RETRIED_STATUS:
                    if pace.is_complaint(answer.status):
                        self._note_failed_fetch(host, Refused(f"http_status: {answer.status}", answer.status))
                    return answer
                last = Refused(f"http_status: {answer.status}", answer.status)
                wait_s = self._wait_of(host, answer, attempt)
            self._rest(host, wait_s)
            log.debug("crawl.retry url=%s attempt=%d reason=%s", ask.target.url, attempt, last.reason)
        self._note_failed_fetch(host, last)
        raise last

    def _send(self, host: _Host, ask: Ask) -> Answer:
        """One exchange; what it says of the host goes into the host's record."""
        wire = self._connect(host, ask.target)
        rules = self._rules(host.name)
        try:
            answer = wire.send(ask)
        except (Interrupted, TooSlow) as error:
            self._note_pace(host, host.lease.record.pace.after_complaint(rules))
            if isinstance(error, TooSlow):
                self._note_failed_fetch(host, error)
            raise
        except Refused:
            self._note_pace(host, host.lease.record.pace.after_answer(rules, wire.took_s))
            raise
        if pace.is_complaint(answer.status):
            self._note_pace(host, host.lease.record.pace.after_complaint(rules))
        else:
            self._note_pace(host, host.lease.record.pace.after_answer(rules, wire.took_s))
            asked_s = pace.retry_after_s(answer.retry_after, dt.datetime.now(dt.UTC)) or 0.0
            self._rest(host, min(asked_s, self._settings.max_retry_after_s))  # a redirect can carry one, too
        if why := challenge(answer.body, answer.content_type, answer.status):
            self._leave_alone(host, f"challenge: {why}")
            raise Challenged(f"challenge: {why}", answer)
        return answer

    def _wait_of(self, host: _Host, answer: Answer, attempt: int) -> float:
        asked = pace.retry_after_s(answer.retry_after, dt.datetime.now(dt.UTC))
        if asked is not None and asked > self._settings.max_retry_after_s:
            self._give_up(host, f"answer {answer.status} with Retry-After of {asked:g} s", answer.status)
        return pace.backoff_s(attempt) if asked is None else asked

    def _wait_turn(self, host: _Host, limit: CallLimit | None) -> None:
        if host.lease.record.given_up is not None:
            raise HostClosed(host.lease.record.given_up)
        if limit is not None and host.lease.record.requests >= limit.calls:
            raise BudgetSpent(f"daily_calls: {limit.calls} calls of {host.name} are made tonight ({limit.setting})")
        if self.exhausted:
            raise BudgetSpent("request_budget: the share of crawl.max_requests is spent")
        if (wait_s := host.not_before - time.monotonic()) > 0:
            time.sleep(wait_s)
        if not host.lease.is_valid:
            raise HostClosed(f"lease_lost: another shard may talk to {host.name} now; the store was away for too long")
        self.requests += 1
        host.lease.note(requests=host.lease.record.requests + 1)

    # -------------------------------------------------------------- what a host's answers mean for it

    def _note_pace(self, host: _Host, now: pace.Pace) -> None:
        host.lease.note(delay_s=now.delay_s, failures=now.failures, openings=now.openings)
        self._rest(host, now.delay_s)

    def _rest(self, host: _Host, wait_s: float) -> None:
        """No request before this time, by whomever; long waits are told to the others at once."""
        host.not_before = max(host.not_before, time.monotonic() + wait_s)
        at = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=wait_s)
        host.lease.note(not_before=max(at, host.lease.record.not_before or at))
        if wait_s > self._settings.lease_s / 3:
            self._leases.save(host.name)

    def _note_failed_fetch(self, host: _Host, last: Refused) -> None:
        """After all tries of one fetch: slow down, pause, or give the host up."""
        if last.status == 429:
            self._give_up(host, f"answer 429 to {self._settings.retries + 1} requests", 429)
        rules = self._rules(host.name)
        now = host.lease.record.pace.after_failed_fetch(rules)
        self._note_pace(host, now)
        if now.is_hopeless(rules):
            self._give_up(host, f"{now.failures} fetches in a row failed; {last.reason}", last.status)
        if now.pause_s:
            log.warning("crawl.host paused host=%s pause_s=%.0f why=%s", host.name, now.pause_s, last.reason)
            self._rest(host, now.pause_s)
            self._leases.save(host.name)

    def _give_up(self, host: _Host, why: str, status: int | None = None) -> None:
        reason = f"host_given_up: {why}"
        self._leave_alone(host, reason)
        raise HostClosed(reason, status)

    def _leave_alone(self, host: _Host, reason: str) -> None:
        """For the rest of the night, in every shard."""
        host.lease.note(given_up=reason)
        self._leases.save(host.name)
        log.warning("crawl.host given up host=%s why=%s", host.name, reason)


def _accepted(answer: Answer, conditional: bool) -> Answer:
    if answer.status == 200 or (answer.status == 304 and conditional):
        return answer
    raise Refused(f"http_status: {answer.status}", answer.status)
