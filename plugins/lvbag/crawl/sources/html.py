"""HTML as a tree, and the small things that every parser needs: absolute URLs and text that a table can hold."""

from __future__ import annotations

import html
import re
import warnings
from urllib.parse import urljoin, urlsplit

from bs4 import BeautifulSoup, Tag
from bs4.exceptions import ParserRejectedMarkup

from lvbag.crawl.sources.base import Page, PageNotUnderstood

_LOOKS_LIKE_HTML = re.compile(
    rb"<\s*(!doctype\s+html|html|head|body|script|meta|title|link|div|article|main|section|table|p|a)\b", re.IGNORECASE
)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)")
_TYPES = ("text/html", "application/xhtml+xml")
_HEAD = 4096
_MAX_TEXT = 500


class Document:
    """A parsed page with its base URL."""

    def __init__(self, page: Page) -> None:
        self.soup = _parse(page)
        base = self.soup.find("base", href=True)
        self.base = _join(page.url, str(base["href"])) if isinstance(base, Tag) else page.url
        self.url = page.url

    def absolute(self, link: str) -> str:
        """A link of the page as an absolute URL without fragment; what is no http(s) link comes back shortened."""
        url = _join(self.base, link.strip())
        return url.split("#", 1)[0] if url.startswith(("http://", "https://")) else url[:100]

    def same_shop(self, url: str) -> bool:
        """Whether a URL is on the page's own host (with or without `www.`)."""
        return _shop(url) == _shop(self.url)


def text(value: object) -> str | None:
    """A text for a table: entities resolved, white space and control characters folded, at most 500 characters."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    plain = html.unescape(str(value)).encode("utf-8", errors="replace").decode("utf-8")
    folded = " ".join("".join(c if c.isprintable() else " " for c in plain).split())
    return folded[:_MAX_TEXT].strip() or None


def _parse(page: Page) -> BeautifulSoup:
    kind = page.content_type.split(";", 1)[0].strip()
    if kind and kind not in _TYPES:
        raise PageNotUnderstood(f"not_html: content type {kind[:60]}", 200, len(page.body))
    if b"\x00" in page.body[:_HEAD] or not _LOOKS_LIKE_HTML.search(page.body[:_HEAD]):
        raise PageNotUnderstood("not_html: no HTML in its content", 200, len(page.body))
    charset = _CHARSET.search(page.content_type)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # bs4 warns of XHTML; it reads it well enough
            return BeautifulSoup(page.body, "lxml", from_encoding=charset.group(1) if charset else None)
    except (ParserRejectedMarkup, RecursionError, LookupError) as error:
        raise PageNotUnderstood(f"not_html: {type(error).__name__}", 200, len(page.body)) from None


def _join(base: str, link: str) -> str:
    try:
        return urljoin(base, link)
    except ValueError:
        return link


def _shop(url: str) -> str:
    try:
        return urlsplit(url).netloc.lower().removeprefix("www.")
    except ValueError:
        return ""
