"""The next page of results: by `rel=next`, else by the template of the settings. Pure functions over addresses."""

from __future__ import annotations

import re
from urllib.parse import quote

from lvbag.crawl.sources.html import Document

_MAX_PAGE = 100_000


def fill(template: str, query: str, page: int = 1) -> str:
    """A template of the settings with its query, percent-encoded already, and page."""
    return template.replace("{query}", query).replace("{page}", str(page))


def encode(words: str) -> str:
    """The words of a query as they stand in an address."""
    return quote(words, safe="")


def linked_next(document: Document) -> str | None:
    """The next page as the page itself links to it, if that is a page of the same shop."""
    for link in document.tree.xpath("//link[@rel and @href] | //a[@rel and @href]"):
        if "next" in link.get("rel").lower().split():
            url = document.absolute(link.get("href"))
            return url if document.is_address(url) and document.same_shop(url) else None
    return None


def templated_next(url: str, search_url: str, page_url: str) -> str | None:
    """The page after the one at this address, or None where there is no template or the address fits none.

    >>> templated_next("https://s.example/?q=a%20b", "https://s.example/?q={query}", "https://s.example/?q={query}&p={page}")
    'https://s.example/?q=a%20b&p=2'
    """
    if not page_url:
        return None
    # the further pages first: the address of a first page may be how theirs begin
    for template in (page_url, search_url):
        if template and (found := _pattern(template).fullmatch(url.split("#", 1)[0])):
            parts = found.groupdict()
            page = int(parts.get("page") or 1)
            if page < _MAX_PAGE:
                return fill(page_url, parts["query"], page + 1)
    return None


def _pattern(template: str) -> re.Pattern[str]:
    """A template as a pattern. The server may have sent us from http to https, to `www.`, or added parameters."""
    escaped = re.escape(template)
    escaped = re.sub(r"\Ahttps?://(?:www\\\.)?", lambda _: r"https?://(?:www\.)?", escaped)
    for name, value in (("query", r"[^&/?#]*"), ("page", r"[0-9]{1,6}")):
        first, *others = escaped.split(rf"\{{{name}\}}")
        escaped = first + "".join(
            (rf"(?P<{name}>{value})" if place == 0 else rf"(?P={name})") + other for place, other in enumerate(others)
        )
    return re.compile(rf"{escaped}/?(?:[?&].*)?", re.IGNORECASE | re.DOTALL)
