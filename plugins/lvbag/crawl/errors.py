"""What can go wrong in a crawl.

`CrawlError` stops a step. `Refused` concerns one page or picture: it is caught, written into the row as its reason,
and the crawl goes on with the next.
"""

from __future__ import annotations

from lvbag.errors import LvbagError


class CrawlError(LvbagError):
    """A step of the crawl cannot do its work; the message names the setting, shard or night at fault."""


class Refused(CrawlError):
    """One page or picture is not taken. `reason` is `<rule>: <what was seen>` or just `<rule>`."""

    def __init__(self, reason: str, status: int | None = None, size: int | None = None) -> None:
        super().__init__(reason)
        self.reason = clean_text(reason)
        self.status = status  # of the answer, None when none came
        self.size = size  # bytes that were read, None when nothing was


def clean_text(text: str) -> str:
    """The text without halves of surrogate pairs, which no table and no address can hold."""
    return text.encode("utf-8", errors="replace").decode("utf-8")
