"""What a host's robots.txt allows, with the meaning of RFC 9309.

- 2xx: the rules hold; at least the first 500 KiB are read.
- 4xx: there are no rules, everything is allowed. (429 is taken as a server that wants to be left alone.)
- 5xx and no answer: everything is forbidden for the night.
"""

from __future__ import annotations

from dataclasses import dataclass

from protego import Protego

MAX_BYTES = 500 * 1024
MAX_REDIRECTS = 5
AGENT = "lvbag"
"""The product token that a robots.txt names."""


@dataclass(frozen=True)
class RobotsRules:
    """`delay_s` is the host's crawl-delay (0: none); `forbidden` says why nothing at all is allowed."""

    parsed: Protego | None = None
    delay_s: float = 0.0
    forbidden: str | None = None

    def refusal(self, url: str) -> str | None:
        """Why a URL may not be fetched, or None."""
        if self.forbidden is not None:
            return self.forbidden
        if self.parsed is not None and not self.parsed.can_fetch(url, AGENT):
            return "robots: disallowed by robots.txt"
        return None


def read_rules(status: int, body: bytes) -> RobotsRules:
    """The rules that an answer to /robots.txt means."""
    if 200 <= status < 300:
        return _parse(body)
    if status >= 500 or status == 429:
        return forbid(f"the answer was {status}")
    return RobotsRules()


def forbid(why: str) -> RobotsRules:
    """Rules that allow nothing."""
    return RobotsRules(forbidden=f"robots_unreachable: {why}")


def _parse(body: bytes) -> RobotsRules:
    text = body.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace")
    parsed = Protego.parse(text)
    return RobotsRules(parsed, max(0.0, parsed.crawl_delay(AGENT) or 0.0))
