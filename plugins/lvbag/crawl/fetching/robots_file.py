"""The lines of a robots.txt: who is named, which rules hold for them, how long they wait (RFC 9309, 2.1 and 2.2).

Read as forgivingly as Google's crawler reads it, since what the writer meant counts: a missing colon, common
misspellings, any line ends, comments, nonsense between the lines. Which rule decides stands in
`lvbag.crawl.fetching.robots_match`.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from lvbag.crawl.fetching.robots_match import Rule, RuleSet

EVERYBODY = "*"

_AGENT_KEYS = (b"user-agent", b"useragent", b"user agent")
_DISALLOW_KEYS = (b"disallow", b"dissallow", b"dissalow", b"disalow", b"diasllow", b"disallaw")
_ALLOW_KEYS = (b"allow",)
_DELAY_KEYS = (b"crawl-delay", b"crawldelay", b"crawl delay")
_LINE_BYTES = 2083 * 8 - 1
"""Google's crawler reads no more of a line, which is eight times the longest URL that browsers took."""
_MARK = re.compile(rb"\A\xef(?:\xbb\xbf?)?")
"""The mark of byte order, or what a careless tool has left of it."""
_TOKEN = re.compile(rb"[A-Za-z_-]*")
_NAMED_WITH_VERSION = re.compile(r"(?<![\w-])([A-Za-z_-]+)/\d")
_SECONDS = re.compile(rb"(?:\d{1,12}(?:\.\d{0,12})?|\.\d{1,12})")


@dataclass
class _Group:
    """The agents that follow one another, and what is said to them."""

    agents: set[str] = field(default_factory=set)  # product tokens in lower case
    rules: list[Rule] = field(default_factory=list)
    complete: bool = False  # it has a rule (even an empty one): the next agent begins another group


@dataclass
class _Delay:
    """The longest crawl-delay below some agents. It is no part of the RFC, so it does not complete their group."""

    agents: set[str] = field(default_factory=set)
    seconds: float | None = None


class RobotsFile:
    """A robots.txt that was read."""

    def __init__(self, body: bytes) -> None:
        self._groups: list[_Group] = []
        self._delays: list[_Delay] = []
        self._said: dict[str, tuple[RuleSet, float | None]] = {}
        self._read(body)
        self._named = frozenset().union(*(group.agents for group in self._groups))

    def said_to(self, agent: str) -> tuple[RuleSet, float | None]:
        """The rules of all groups that name an agent, those of `*` where none does, and the longest crawl-delay."""
        if agent not in self._said:
            names = (product_tokens(agent) & self._named) or frozenset((EVERYBODY,))
            rules = [rule for group in self._groups if names & group.agents for rule in group.rules]
            delays = [delay.seconds for delay in self._delays if delay.seconds is not None and names & delay.agents]
            self._said[agent] = RuleSet(rules), max(delays, default=None)
        return self._said[agent]

    def _read(self, body: bytes) -> None:
        group, delay, after_agent = _Group(), _Delay(), False
        for line, key, value in _records(body):
            if key.startswith(_AGENT_KEYS):
                if group.complete or not group.agents:
                    group = _Group()
                    self._groups.append(group)
                if not after_agent:
                    delay = _Delay()
                    self._delays.append(delay)
                token = _group_token(value)
                group.agents.add(token)
                delay.agents.add(token)
                after_agent = True
            elif key.startswith(_DELAY_KEYS):
                after_agent = False
                if _SECONDS.fullmatch(value):
                    delay.seconds = max(delay.seconds or 0.0, float(value))
            elif group.agents and (allow := _allows(key)) is not None:
                after_agent = False
                group.complete = True
                if value:
                    group.rules.append(Rule(allow, value, line))


def product_tokens(agent: str) -> frozenset[str]:
    """The names under which a robots.txt can speak to an agent: a token as it is, or those of a User-Agent header."""
    named = _NAMED_WITH_VERSION.findall(agent) if "/" in agent else [agent.strip()]
    return frozenset(token.lower() for token in named if token)


# ------------------------------------------------------------------ one line


def _records(body: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Line without comment, key in lower case and value of each line that has both."""
    for written in _as_utf8(body).splitlines():
        line = written[:_LINE_BYTES].split(b"#", 1)[0].strip()
        key, colon, value = line.partition(b":")
        if not colon:
            words = line.split()
            if len(words) != 2:
                continue
            key, value = words
        if key := key.strip():
            yield line, key.lower(), value.strip()


def _as_utf8(body: bytes) -> bytes:
    """Without marks of byte order and NULs; what an editor saved as UTF-16 is read all the same."""
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        body = body.decode("utf-16", errors="replace").encode("utf-8", errors="replace")
    return _MARK.sub(b"", body).replace(b"\0", b"")


def _group_token(value: bytes) -> str:
    """The product token that a User-agent line names: letters, `-` and `_`, what follows is a version or a remark."""
    if value.startswith(b"*") and not value[1:2].strip():
        return EVERYBODY
    match = _TOKEN.match(value)
    return match.group().decode("ascii").lower() if match else ""


def _allows(key: bytes) -> bool | None:
    if key.startswith(_DISALLOW_KEYS):
        return False
    return True if key.startswith(_ALLOW_KEYS) else None
