"""Sitemaps: the addresses that a shop lists for robots, with the day on which each was changed.

Reads urlset, sitemapindex and plain lists of addresses, also gzipped (https://www.sitemaps.org/protocol.html), with any
namespaces; extensions such as image and video are passed over. Entities are never expanded and what comes out of a gzip
is bounded, so a hostile sitemap is refused and costs little.

Sources keep no state, so the time since which changes are wanted travels in the fragment of a sitemap's address, which
is never sent to a server: `https://shop.example/sitemap.xml#since=2026-11-20T02:00:00+00:00`.
"""

from __future__ import annotations

import datetime as dt
import re
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from urllib.parse import quote, unquote

import lxml.etree

from lvbag.crawl.sources.base import NOT_UNDERSTOOD, Page, PageNotUnderstood, Results
from lvbag.crawl.sources.html import shop_of

MAX_BYTES = 50 * 1024 * 1024
"""The protocol's own limit of a sitemap, unpacked."""

OTHER_SHOP = "other_shop"
OTHER_PAGE = "other_page"
OLDER = "older"

_MAX_ENTRIES = 50_000  # the protocol's own limit
_MAX_URL = 2_000
_GZIP = b"\x1f\x8b"
_ROOT = re.compile(rb"<(?:[\w.-]{1,30}:)?(urlset|sitemapindex)[\s>/]")
_DOCTYPE = re.compile(r"<!\s*(?:doctype|entity)", re.IGNORECASE)
_HEAD = 4096
_SINCE = "since="
_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?\Z")
_LIKELY = re.compile(r"product|(?<!s)item|listing|produit|producto|prodott|artikel|article|bag", re.IGNORECASE)


@dataclass(frozen=True)
class Wanted:
    """Which addresses of a sitemap are item pages: of these shops, with this pattern, changed since."""

    shops: Collection[str]  # hosts as `shop_of` makes them
    pattern: re.Pattern[str] | None = None
    since: dt.datetime | None = None


def with_since(url: str, since: dt.datetime | None) -> str:
    """A sitemap's address that remembers since when changes are wanted."""
    bare = url.split("#", 1)[0]
    if since is None:
        return bare
    aware = since if since.tzinfo else since.replace(tzinfo=dt.UTC)
    return f"{bare}#{_SINCE}{quote(aware.isoformat(timespec='seconds'), safe=':+-')}"


def since_of(url: str) -> dt.datetime | None:
    """The time that `with_since` put into an address, or None."""
    _, _, fragment = url.partition("#")
    if not fragment.startswith(_SINCE):
        return None
    try:
        found = dt.datetime.fromisoformat(unquote(fragment.removeprefix(_SINCE)))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def is_sitemap(page: Page) -> bool:
    """Whether a page is a sitemap, by its content; of a plain list of addresses and of a gzip also by its address."""
    head = page.body[:_HEAD]
    if head.startswith(_GZIP):
        return True
    if _ROOT.search(head) and not re.search(rb"<html[\s>]", head, re.IGNORECASE):
        return True
    kind = page.content_type.split(";", 1)[0].strip()
    return kind in ("", "text/plain") and re.match(rb"\s*https?://\S+\s*(?:\n|\Z)", head) is not None


def read_sitemap(page: Page, wanted: Wanted) -> Results:
    """The item pages of a sitemap as links, the sitemaps of an index as further pages."""
    body = _unpacked(page)
    if _ROOT.search(body[:_HEAD]) is None:
        return _results(_plain_list(body), wanted, is_index=False)
    root = _parse(body, page)
    is_index = _local(root) == "sitemapindex"
    return _results(_entries(root, "sitemap" if is_index else "url"), wanted, is_index)


# ------------------------------------------------------------------ bytes to entries


@dataclass(frozen=True)
class _Entry:
    url: str
    changed: dt.datetime | None


def _unpacked(page: Page) -> bytes:
    body, rounds = page.body, 0
    while body.startswith(_GZIP):
        rounds += 1
        if rounds > 2:
            raise _refused("sitemap_too_large: gzipped again and again", page)
        unpack = zlib.decompressobj(wbits=31)
        try:
            body = unpack.decompress(body, MAX_BYTES + 1)
        except zlib.error as error:
            raise _refused(f"sitemap_broken: {error}"[:200], page) from None
        if len(body) > MAX_BYTES:
            raise _refused(f"sitemap_too_large: unpacks to more than {MAX_BYTES} bytes", page)
    return body


def _parse(body: bytes, page: Page) -> lxml.etree._Element:
    # in whatever encoding: a document type is where entities come from, and a sitemap needs none
    for encoding in ("latin-1", "utf-16-le", "utf-16-be"):
        if _DOCTYPE.search(body.decode(encoding, errors="replace")):
            raise _refused("sitemap_doctype: has a document type, which sitemaps have not", page)
    parser = lxml.etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=True, remove_comments=True
    )
    try:
        root = lxml.etree.fromstring(body, parser=parser)
    except (lxml.etree.LxmlError, ValueError) as error:
        raise _refused(f"sitemap_broken: {error}"[:200], page) from None
    if root is None:
        raise _refused("sitemap_broken: no XML in its content", page)
    return root


def _entries(root: lxml.etree._Element, name: str) -> Iterator[_Entry]:
    for element in root:
        if _local(element) != name:
            continue
        values: dict[str, str] = {}
        for child in element:
            # an extension's own loc stands in elements of its own (image:image), one level below
            if (key := _local(child)) in ("loc", "lastmod") and not _is_extension(child):
                values.setdefault(key, "".join(child.itertext()).strip())
        yield _Entry(values.get("loc", ""), _time(values.get("lastmod", "")))


def _plain_list(body: bytes) -> Iterator[_Entry]:
    for line in body.decode("utf-8-sig", errors="replace").splitlines():
        if line.strip():
            yield _Entry(line.strip(), None)


def _local(element: lxml.etree._Element) -> str:
    return lxml.etree.QName(element).localname.lower() if isinstance(element.tag, str) else ""


def _is_extension(element: lxml.etree._Element) -> bool:
    parent = element.getparent()
    own = lxml.etree.QName(parent).namespace if parent is not None else None
    return lxml.etree.QName(element).namespace not in (own, None)


def _time(value: str) -> dt.datetime | None:
    """The last moment that a W3C date may mean, or None where it is none."""
    if match := _DATE.match(value):
        year, month, day = match.group(1), match.group(2) or "12", match.group(3) or "28"
        try:
            moment = dt.datetime(int(year), int(month), int(day), 23, 59, 59, tzinfo=dt.UTC)
        except ValueError:
            return None
        return moment if match.group(3) else moment + dt.timedelta(days=3)
    try:
        found = dt.datetime.fromisoformat(value)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC) + dt.timedelta(hours=12)


# ------------------------------------------------------------------ entries to results


def _results(entries: Iterator[_Entry], wanted: Wanted, is_index: bool) -> Results:
    found: dict[str, None] = {}
    dropped: dict[str, int] = {}
    for number, entry in enumerate(entries):
        reason = _unwanted(entry, wanted, is_index)
        if reason is None:
            found[entry.url.split("#", 1)[0]] = None
        else:
            dropped[reason] = dropped.get(reason, 0) + 1
        if number >= _MAX_ENTRIES:
            break
    if not is_index:
        return Results(links=tuple(found), dropped=dropped)
    # what is read before max_pages ends the reading should be items
    parts = sorted(found, key=lambda url: _LIKELY.search(url.split("/", 3)[-1]) is None)
    return Results(more=tuple(with_since(url, wanted.since) for url in parts), dropped=dropped)


def _unwanted(entry: _Entry, wanted: Wanted, is_index: bool) -> str | None:
    if not entry.url.startswith(("http://", "https://")) or len(entry.url) > _MAX_URL:
        return NOT_UNDERSTOOD
    if shop_of(entry.url) not in wanted.shops:
        return OTHER_SHOP
    if wanted.pattern is not None and not is_index and wanted.pattern.search(entry.url) is None:
        return OTHER_PAGE
    return OLDER if entry.changed and wanted.since and entry.changed < wanted.since else None


def _refused(reason: str, page: Page) -> PageNotUnderstood:
    return PageNotUnderstood(reason, 200, len(page.body))
