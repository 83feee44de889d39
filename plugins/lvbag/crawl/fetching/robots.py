"""What a host's robots.txt allows, with the meaning of RFC 9309.

- 2xx: the rules hold; the first `MAX_BYTES` are read.
- 4xx: there are no rules, everything is allowed. (429 is taken as a server that wants to be left alone.)
- 5xx and no answer: everything is forbidden for the night.

How the lines are read stands in `robots_file`, which rule decides in `robots_match`. Asking for
the file, following its redirects and its age are the fetcher's.
"""

from __future__ import annotations

from dataclasses import dataclass

from lvbag.crawl.fetching.robots_file import RobotsFile

MAX_BYTES = 500 * 1024
MAX_REDIRECTS = 5
AGENT = "lvbag"
"""The product token that a robots.txt names."""

_MAX_SHOWN = 200
"""Characters of a rule that go into a reason."""


@dataclass(frozen=True)
class Verdict:
    """What a robots.txt says about one URL and agent.

    `rule` is the line that decides, as written but without its comment; None where no rule matches.
    """

    allowed: bool
    rule: str | None = None
    crawl_delay: float | None = None  # seconds


@dataclass(frozen=True)
class RobotsRules:
    """The rules of one host; `forbidden` says why nothing at all is allowed."""

    file: RobotsFile | None = None
    forbidden: str | None = None

    @property
    def delay_s(self) -> float:
        """The host's crawl-delay for us (0: none)."""
        return (self.file.said_to(AGENT)[1] or 0.0) if self.file is not None else 0.0

    def refusal(self, url: str) -> str | None:
        """Why we may not fetch a URL, or None."""
        if self.forbidden is not None:
            return self.forbidden
        verdict = self.verdict(url, AGENT)
        if verdict.allowed:
            return None
        rule = verdict.rule or ""
        return f"robots: disallowed by {rule if len(rule) <= _MAX_SHOWN else f'{rule[:_MAX_SHOWN]}…'}"

    def verdict(self, url: str, agent: str) -> Verdict:
        """What holds for a URL and an agent, given by its product token or its whole User-Agent."""
        if self.forbidden is not None or self.file is None:
            return Verdict(allowed=self.forbidden is None)
        rules, delay = self.file.said_to(agent)
        rule = rules.deciding(path_of(url).encode("utf-8", errors="surrogatepass"))
        if rule is None:
            return Verdict(allowed=True, crawl_delay=delay)
        return Verdict(rule.allow, _printable(rule.line), delay)


def read_rules(status: int, body: bytes) -> RobotsRules:
    """The rules that an answer to /robots.txt means."""
    if 200 <= status < 300:
        return RobotsRules(RobotsFile(_whole_lines(body)))
    if status >= 500 or status == 429:
        return forbid(f"the answer was {status}")
    return RobotsRules()


def forbid(why: str) -> RobotsRules:
    """Rules that allow nothing."""
    return RobotsRules(forbidden=f"robots_unreachable: {why}")


def path_of(url: str) -> str:
    """Path, parameters and query of a URL as they stand, beginning with a slash, without the fragment."""
    start = url.find("://")
    early = min((at for mark in "/?;" if (at := url.find(mark)) >= 0), default=len(url))
    begin = start + 3 if 0 <= start <= early else 2 if url.startswith("//") else 0
    rest = url[begin:].partition("#")[0]
    path = min((at for mark in "/?;" if (at := rest.find(mark)) >= 0), default=-1)
    if path < 0:
        return "/"
    return rest[path:] if rest[path] == "/" else f"/{rest[path:]}"


def _printable(line: bytes) -> str:
    """The line as text; what would steer a terminal is replaced."""
    return "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in line.decode("utf-8", errors="replace"))


def _whole_lines(body: bytes) -> bytes:
    """What is read of a file; a last line that was cut short could forbid everything, or allow it."""
    if len(body) < MAX_BYTES:
        return body
    cut = body[:MAX_BYTES]
    return cut[: max(cut.rfind(b"\n"), cut.rfind(b"\r")) + 1]
