"""HTML as a tree, and the small things that every parser needs: absolute URLs and text that a table can hold."""

from __future__ import annotations

import html
import re
import warnings
from functools import cached_property
from urllib.parse import urljoin, urlsplit

import lxml.etree
import lxml.html
from bs4 import BeautifulSoup
from bs4.dammit import UnicodeDammit
from bs4.exceptions import ParserRejectedMarkup

from lvbag.crawl.sources.base import Page, PageNotUnderstood

_LOOKS_LIKE_HTML = re.compile(
    rb"<\s*(!doctype\s+html|html|head|body|script|meta|title|link|div|article|main|section|header|nav|table|ul|ol|li|"
    rb"span|img|h1|p|a)\b",
    re.IGNORECASE,
)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)")
_TYPES = ("text/html", "application/xhtml+xml")
_HTTP = ("http://", "https://")
_NOWHERE = ".invalid"
"""The domain of addresses that stand for none (RFC 2606)."""
_HEAD = 4096
_MAX_TEXT = 500
_MAX_URL = 2000


class Document:
    """A parsed page with its base URL: `tree` (lxml, fast) and, made when it is first asked for, `soup` (bs4).

    A page that was saved without its address (or with one in `.invalid`) has the one that it names itself (canonical or
    og:url). Where it names
    none either, links stay as the page writes them and every host counts as the page's own.
    """

    def __init__(self, page: Page) -> None:
        self._fill(_decode(page), page.url)

    @classmethod
    def of_text(cls, markup: str, url: str) -> Document:
        """A document of markup that was found inside of something else, such as a JSON answer."""
        document = cls.__new__(cls)
        document._fill(markup, url)
        return document

    def _fill(self, markup: str, url: str) -> None:
        self.text = markup
        self.tree = _tree(markup)
        own = self._own_address()
        known = url.startswith(_HTTP) and not shop_of(url).endswith(_NOWHERE)
        self.url = url.split("#", 1)[0] if known else (own or "")
        base = next((str(href) for href in self.tree.xpath("//base/@href")[:1]), "")
        based = _join(self.url, base.strip())
        self.base = based if base.strip() and shop_of(based) else self.url
        self.canonical = _canonical(own, self.url)

    @cached_property
    def soup(self) -> BeautifulSoup:
        """The page for parsers that look at classes and neighbours; ten times as dear as `tree`."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # bs4 warns of XHTML; it reads it well enough
                return BeautifulSoup(self.text, "lxml")
        except (ParserRejectedMarkup, RecursionError) as error:
            raise _not_html(type(error).__name__, self.text.encode(errors="replace")) from None

    def absolute(self, link: str) -> str:
        """A link of the page as an absolute URL without fragment; what is no http(s) link comes back shortened."""
        url = _join(self.base, link.strip().replace(" ", "%20"))
        if url.startswith(_HTTP):
            return url.split("#", 1)[0]
        relative = not self.base and not re.match(r"[a-zA-Z][\w+.-]*:", url)
        return url.split("#", 1)[0][:_MAX_URL] if relative else url[:100]

    def is_address(self, url: str) -> bool:
        """Whether something that `absolute` made is an address to follow."""
        if url.startswith(_HTTP):
            return len(url) <= _MAX_URL and bool(shop_of(url))
        return not self.base and bool(url) and ":" not in url.split("/", 1)[0]

    def same_shop(self, url: str) -> bool:
        """Whether a URL is on the page's own host (with or without `www.`)."""
        return not self.url or not url.startswith(_HTTP) or shop_of(url) == shop_of(self.url)

    def is_own(self, url: str) -> bool:
        """Whether a URL of the page is the address of the page itself."""
        return bool(self.url) and _bare(self.absolute(url)) in (_bare(self.url), _bare(self.canonical))

    def _own_address(self) -> str | None:
        """The first absolute address that the page gives as its own."""
        for link in self.tree.iter("link", "meta"):
            named = f"{link.get('rel') or ''} {link.get('property') or ''}".lower().split()
            address = (link.get("href") or link.get("content") or "").strip()
            if ("canonical" in named or "og:url" in named) and address.startswith(_HTTP) and len(address) <= _MAX_URL:
                return str(address).split("#", 1)[0]
        return None


def text(value: object) -> str | None:
    """A text for a table: entities resolved, white space and control characters folded, at most 500 characters."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        plain = html.unescape(str(value)).encode("utf-8", errors="replace").decode("utf-8")
    except ValueError:  # a whole number of thousands of digits
        return None
    folded = " ".join("".join(c if c.isprintable() else " " for c in plain).split())
    return folded[:_MAX_TEXT].strip() or None


def words(line: str) -> frozenset[str]:
    """A set of words that a module writes in a line."""
    return frozenset(line.split())


def shop_of(url: str) -> str:
    """The host of a URL without `www.`, empty where there is none."""
    try:
        return urlsplit(url).netloc.lower().removeprefix("www.")
    except ValueError:
        return ""


def _decode(page: Page) -> str:
    kind = page.content_type.split(";", 1)[0].strip()
    if kind and kind not in _TYPES:
        raise _not_html(f"content type {kind[:60]}", page.body)
    if b"\x00" in page.body[:_HEAD] or not _LOOKS_LIKE_HTML.search(page.body[:_HEAD]):
        raise _not_html("no HTML in its content", page.body)
    charset = _CHARSET.search(page.content_type)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            known = [charset.group(1)] if charset else []
            decoded = UnicodeDammit(page.body, known_definite_encodings=known, is_html=True).unicode_markup
    except (LookupError, ValueError) as error:
        raise _not_html(type(error).__name__, page.body) from None
    return decoded if decoded is not None else page.body.decode("utf-8", errors="replace")


def _tree(markup: str) -> lxml.html.HtmlElement:
    """The markup as a tree; through bytes, for lxml refuses a text that declares an encoding."""
    body = markup.replace("\x00", "\ufffd").encode("utf-8", errors="replace")
    try:
        return lxml.html.document_fromstring(body, parser=lxml.html.HTMLParser(encoding="utf-8"))
    except (lxml.etree.LxmlError, ValueError, AssertionError) as error:
        raise _not_html(type(error).__name__, body) from None


def _not_html(why: str, body: bytes) -> PageNotUnderstood:
    return PageNotUnderstood(f"not_html: {why}", 200, len(body))


def _canonical(own: str | None, url: str) -> str:
    """The page's address as the page gives it, unless that is another shop, or the front page of this one."""
    if own is None or not url:
        return own or url
    front_page = _path(own) in ("", "/") and _path(url) not in ("", "/")
    return url if front_page or shop_of(own) != shop_of(url) else own


def _bare(url: str) -> str:
    """What makes two addresses the same page: no scheme, no `www.`, no closing slash."""
    return url.split("://", 1)[-1].removeprefix("www.").rstrip("/")


def _path(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def _join(base: str, link: str) -> str:
    try:
        return urljoin(base, link)
    except ValueError:
        return link
