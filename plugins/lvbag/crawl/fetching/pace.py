"""How long to wait, as pure functions: Retry-After, the back-off between tries, and the pace of one host.

The pace follows what the host can bear: never faster than the setting and its crawl-delay, slower where answers take
longer, twice as slow after each answer that says "too much", and back in small steps. Several fetches in a row that
fail open a circuit breaker: a long pause, then one probe; too many pauses, and the host is left alone for the night.
"""

from __future__ import annotations

import datetime as dt
import email.utils
from dataclasses import dataclass, replace

RETRIED_STATUS = frozenset({429, 500, 502, 503, 504})

_FIRST_BACKOFF_S = 0.5
_LONGEST_BACKOFF_S = 30.0
_RECOVERY = 0.8
"""What is left of a delay's excess after each good answer."""
_FIRST_SLOWER_S = 1.0


def retry_after_s(value: str | None, now: dt.datetime) -> float | None:
    """Seconds that Retry-After asks for: a number or an HTTP date (RFC 9110 10.2.3); None when it is neither."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:12])
    try:
        at = email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=dt.UTC)
    return max(0.0, (at - now).total_seconds())


def is_complaint(status: int) -> bool:
    """Whether an answer says that we ask too much, or that the server is in trouble."""
    return status == 429 or status >= 500


def backoff_s(attempt: int) -> float:
    """Seconds before try `attempt` + 1 (from 0): 0.5, 1, 2 … up to 30."""
    return min(_LONGEST_BACKOFF_S, _FIRST_BACKOFF_S * 2.0 ** min(attempt, 10))


@dataclass(frozen=True)
class PaceRules:
    """Settings of the pace. `base_s`: the shortest delay; `factor`: delay as a multiple of the time an answer took."""

    base_s: float
    factor: float
    max_delay_s: float
    breaker_failures: int  # failed fetches in a row that open the breaker
    breaker_pause_s: float  # doubled at each opening
    breaker_openings: int  # more than these give the host up


@dataclass(frozen=True)
class Pace:
    """The pace of one host now. `pause_s` is what the last event asks for once, `delay_s` lies between all requests."""

    delay_s: float = 0.0
    failures: int = 0  # fetches in a row that failed
    openings: int = 0  # of the breaker since the last good answer
    pause_s: float = 0.0

    def after_answer(self, rules: PaceRules, took_s: float) -> Pace:
        """An answer that is no complaint, after this many seconds."""
        wanted = min(rules.max_delay_s, max(rules.base_s, rules.factor * took_s))
        eased = wanted + max(0.0, self.delay_s - wanted) * _RECOVERY
        return Pace(delay_s=max(rules.base_s, eased if eased - wanted > 0.01 else wanted))

    def after_complaint(self, rules: PaceRules) -> Pace:
        """An answer 429 or 5xx, or none in time: twice as slow."""
        slower = max(_FIRST_SLOWER_S if rules.base_s else 0.0, rules.base_s, 2 * self.delay_s)
        return replace(self, delay_s=max(rules.base_s, min(rules.max_delay_s, slower)), pause_s=0.0)

    def after_failed_fetch(self, rules: PaceRules) -> Pace:
        """A fetch that failed after all its tries; opens the breaker when there are too many in a row."""
        failures = self.failures + 1
        if failures < rules.breaker_failures and not self.openings:
            return replace(self, failures=failures, pause_s=0.0)
        # while the breaker is open a single failed probe opens it again
        pause = rules.breaker_pause_s * 2.0**self.openings
        return replace(self, failures=failures, openings=self.openings + 1, pause_s=pause)

    def is_hopeless(self, rules: PaceRules) -> bool:
        """Whether the breaker has opened more often than the rules allow."""
        return self.openings > rules.breaker_openings
