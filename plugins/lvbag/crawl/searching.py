"""One query of a shard: its pages of results, read to their end, and every result taken.

A page that was read stands in the journal, so a shard that is tried again asks for it no second time. A page that
failed is recorded and asked for again by the next try.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections import deque
from dataclasses import asdict, dataclass, replace
from typing import Any

from lvbag.crawl.errors import Refused
from lvbag.crawl.fetching.answers import Answer
from lvbag.crawl.fetching.fetcher import CallLimit, Challenged
from lvbag.crawl.fetching.opt_out import forbids_following
from lvbag.crawl.journal import RESULTS
from lvbag.crawl.listing import Listings
from lvbag.crawl.rows import is_our_own
from lvbag.crawl.run import ShardRun, now
from lvbag.crawl.sources import Listing, Page, PageNotUnderstood, Query, Results, TokenRequest, understood
from lvbag.crawl.summary import OVERLAP
from lvbag.crawl.understanding import parser_failure

log = logging.getLogger(__name__)


@dataclass
class Search:
    """The searches of one running shard."""

    run: ShardRun
    listings: Listings

    def read(self, words: str, product: str) -> None:
        """Read one query to its end; `product`: the identity of the product that it searches for, or empty."""
        run = self.run
        began = now()
        since = run.watermarks.get(words)
        url = run.source.first_url(Query(words, None if since is None else since - OVERLAP))
        run.left_something = False
        if self._read_pages(url, product, since) and not run.left_something:
            run.completed[words] = began

    def _read_pages(self, url: str, product: str, since: dt.datetime | None) -> bool:
        """Whether the pages were read to their end."""
        run = self.run
        waiting, asked = deque([url]), set[str]()
        count = 0  # of results understood
        while waiting:
            url = waiting.popleft()
            if url in asked:
                continue
            if len(asked) >= run.source.settings.max_pages or run.is_full:
                return False
            asked.add(url)
            results = self._page(url, product, count, is_last=not waiting)
            if results is None:
                return False
            waiting += _following(results)
            count += len(results.listings) + len(results.links)
            only_known = self._take(results, product)
            if self.run.is_full:
                return False
            if run.source.newest_first and since is not None and only_known:
                return True
        return True

    def _take(self, results: Results, product: str) -> bool:
        """Take every result; whether an earlier night knew them all."""
        run = self.run
        only_known = True
        for listing in results.listings:
            only_known &= run.memory.knows(listing.url)
            if not run.is_full:
                self.listings.take(listing.url, product, listing)
        for link in results.links:
            only_known &= run.memory.knows(link)
            if not run.is_full:
                self.listings.take(link, product)
        return only_known

    # -------------------------------------------------------------- one page of results

    def _page(self, url: str, product: str, count: int, is_last: bool) -> Results | None:
        """One page of results, or None when it cannot be read.

        A page that cannot be read, or that keeps less than it promises, is recorded; what it does say is taken.
        """
        run = self.run
        noted, _ = run.journal.meet(RESULTS, url)
        if noted is not None:
            results: Results | None = _results_of(noted)
        else:
            results = self._ask(url, product, count, is_last)
        if results is not None:
            run.tally.pages += 1
            run.dropped.update(dict(results.dropped))
        return results

    def _ask(self, url: str, product: str, count: int, is_last: bool) -> Results | None:
        run = self.run
        answer: Answer | None = None
        try:
            answer = self._fetch(url)
            # what a source has noted in the fragment of an address never travels, and comes back to it here
            fragment = url[url.index("#") :] if "#" in url else ""
            page = Page(answer.url + fragment, answer.body, answer.content_type)
            results = understood(run.source.read_results, page)
            results = _as_far_as_allowed(results, run.opt_out_of(answer, is_page=True))
        except PageNotUnderstood as error:
            if answer is not None:
                run.keep_page(answer.body)
            why = error.reason
        except Refused as error:
            why = error.reason
        else:
            if broken := parser_failure(results, count, is_last and not _following(results)):
                run.keep_page(answer.body)
                self._fail(url, product, broken)
            else:
                run.journal.note(RESULTS, url, asdict(results), run.requests)
            return results
        run.tally.pages += not is_our_own(why)
        self._fail(url, product, why)
        return None

    def _fail(self, url: str, product: str, why: str) -> None:
        log.warning("crawl.search failed shard=%s url=%s reason=%s", self.run.planned.name, url, why)
        if not is_our_own(why):
            self.run.tally.pages_failed += 1
            self.run.tally.example = self.run.tally.example or f"{url} ({why})"
        self.listings.note_failed_search(url, product, why)

    def _fetch(self, url: str) -> Answer:
        run = self.run
        if not run.source.api or run.fetcher is None:
            return run.ask(url, run.settings.crawl.max_page_bytes)
        run.journal.settle()
        try:
            return self._call(url)
        except Challenged as error:
            run.keep_page(error.answer.body)
            raise
        except Refused as error:
            if error.status != 401 or not run.source.renew():
                raise
            return self._call(url)

    def _call(self, url: str) -> Answer:
        fetcher, crawl = self.run.fetcher, self.run.settings.crawl
        if fetcher is None:
            raise Refused("no_answer: there is no network for this source")
        calls = getattr(self.run.source.settings, "daily_calls", None)
        limit = None if calls is None else CallLimit(calls, f"crawl.sources.{self.run.planned.source}.daily_calls")

        def post(token: TokenRequest) -> Page:
            answer = fetcher.call(token.url, crawl.max_page_bytes, token.headers, token.body, limit)
            return Page(answer.url, answer.body, answer.content_type)

        return fetcher.call(url, crawl.max_page_bytes, self.run.source.headers(post), limit=limit)


def _following(results: Results) -> list[str]:
    """The pages of results that this one leads to."""
    return [page for page in (results.next_url, *results.more) if page is not None]


def _as_far_as_allowed(results: Results, directive: str | None) -> Results:
    """The results as far as the page's opt-out allows them; raises `Refused` when it allows nothing."""
    if directive is None:
        return results
    if forbids_following(directive):
        raise Refused(f"opt_out: {directive}")
    links = tuple(dict.fromkeys((*(listing.url for listing in results.listings), *results.links)))
    return replace(results, listings=(), links=links)


def _results_of(noted: dict[str, Any]) -> Results:
    listings = tuple(Listing(**{**value, "image_urls": tuple(value["image_urls"])}) for value in noted["listings"])
    return Results(
        listings, tuple(noted["links"]), noted["next_url"], tuple(noted["more"]), noted["announced"], noted["dropped"]
    )
