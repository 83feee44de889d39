"""Whether a page of results was understood, and whether a shard understood its source: pure functions.

A page says how many results there are. One that announces results and yields none, or far fewer, is a failure of the
parser and not an empty market; where that is the rule, the source has changed its pages and somebody must look.
"""

from __future__ import annotations

from dataclasses import dataclass

from lvbag.crawl.sources import NOT_UNDERSTOOD, Results

PARSER_FAILURE = "parser_failure"
_FAR_FEWER = 0.5
_COUNTABLE = 1000
"""Places cut the paging of long lists short, so a promise is held against them only up to this number of results."""
_FEW_ITEMS = 10


def parser_failure(results: Results, understood_before: int, is_last: bool) -> str | None:
    """Why a page of results counts as not understood, or None.

    `understood_before`: results understood on the query's earlier pages. `is_last`: no further page follows, and the
    paging was not cut short by ourselves.
    """
    here = len(results.listings) + len(results.links)
    odd = results.dropped.get(NOT_UNDERSTOOD, 0)
    if odd > here:
        return f"{PARSER_FAILURE}: {odd} of {odd + here} results on the page are not understood"
    announced = results.announced or 0
    total = understood_before + here
    if announced and not total:
        return f"{PARSER_FAILURE}: the page announces {announced} results and none is understood"
    if is_last and total < announced * _FAR_FEWER and announced <= _COUNTABLE:
        return f"{PARSER_FAILURE}: {announced} results are announced and {total} understood"
    return None


@dataclass
class Tally:
    """What one shard has read so far. Failures are of the place or the parser, never of our own budget.

    A few odd items prove nothing: a sold bag's page often says nothing any more.
    """

    pages: int = 0
    pages_failed: int = 0
    items: int = 0
    items_not_understood: int = 0
    example: str = ""  # the first page of results that failed, and why

    def failure(self) -> str | None:
        """Why the shard counts as failed, or None: what it did not understand is the rule, not the exception."""
        if self.pages_failed * 2 > self.pages:
            such_as = f", such as {self.example}" if self.example else ""
            return f"{self.pages_failed} of {self.pages} pages of results could not be read{such_as}"
        if self.items >= _FEW_ITEMS and self.items_not_understood * 2 > self.items:
            return f"{self.items_not_understood} of {self.items} item pages were not understood"
        return None
