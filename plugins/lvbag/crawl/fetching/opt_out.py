"""Opt-outs: what a server's headers and a page's meta tags say about the use of a page or picture.

Read are `X-Robots-Tag`, `<meta name="robots">` and its namesakes for us alone, and the reservation of rights for text
and data mining (`tdm-reservation: 1`, the W3C community group's protocol for article 4 of the EU's copyright
directive). Nothing is fetched here, so a host's `/.well-known/tdmrep.json` is not read.

An item page or picture with any opt-out is left alone. A page of results is left alone only where `forbids_following`;
else it forbids no more than taking listings from the page itself, and the pages it links to speak for themselves.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping

from lvbag.crawl.fetching.robots import AGENT

TDM_RESERVATION = "tdm-reservation"
DIRECTIVES = ("noai", "noimageai", "noml", TDM_RESERVATION, "none", "noindex", "noimageindex")
"""The gravest first: of several, this is the one that is reported."""

_INDEX_ONLY = frozenset({"noindex", "noimageindex"})
_WITH_VALUE = ("max-", "unavailable_after")
"""Directives with a colon of their own: what stands before it is no addressee."""

_NAME = re.compile(r"[\w*-]*")
"""An addressee; a time of day in a date is none."""
_ADDRESSED = frozenset({"", "*", AGENT})
_META_NAMES = frozenset({"robots", "x-robots-tag", AGENT})

_HEAD_BYTES = 256 * 1024
"""Meta tags are looked for before the body, and no further than this."""
_TAG_BYTES = 1024
_WORDS = (b"robots", b"lvbag", b"tdm-reservation")
_TOKEN = re.compile(rb"<(?:(!--)|(script|style|title|textarea|template)\b|(meta)[\s/]|(body)\b)")
_ATTRIBUTE = re.compile(r"""([^\s"'>/=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?|(>)""")


def opt_out(robots_tags: Iterable[str], tdm_reservation: str | None = None) -> str | None:
    """The gravest directive that keeps us out, or None.

    `robots_tags` are the values of the X-Robots-Tag headers, one a header, not taken apart at commas: a directive may
    be addressed to one crawler by its name, and the address holds for the directives after it up to the next one or
    the end of the header (`otherbot: noindex, noai`). `tdm_reservation` is the header of that name.
    """
    found = {directive for tag in robots_tags for directive in _directives(tag)}
    if tdm_reservation is not None and _reserves(tdm_reservation):
        found.add(TDM_RESERVATION)
    return gravest(found)


def page_opt_out(body: bytes) -> str | None:
    """The gravest directive of a page's meta tags that keeps us out, or None."""
    head = body[:_HEAD_BYTES].lower()
    if not any(word in head for word in _WORDS):
        return None
    found: set[str] = set()
    for attributes in _metas(head):
        names = {attributes.get(key, "").strip() for key in ("name", "http-equiv", "property")}
        content = attributes.get("content", "")
        if names & _META_NAMES:
            found.update(_directives(content))
        elif TDM_RESERVATION in names and _reserves(content):
            found.add(TDM_RESERVATION)
    return gravest(found)


def gravest(found: Iterable[str | None]) -> str | None:
    """The gravest of some directives, such as those of a page's headers and of its tags; None where there is none."""
    known = set(found)
    return next((directive for directive in DIRECTIVES if directive in known), None)


def forbids_following(directive: str) -> bool:
    """Whether a page of results with this directive is left alone with all its links.

    `noindex` and `noimageindex` speak of the page itself: shops set them on their searches as a matter of course, and
    mean the items to be found.
    """
    return directive not in _INDEX_ONLY


def _directives(tag: str) -> Iterator[str]:
    """The directives of one header or meta tag that are meant for us, known or not."""
    addressee = ""
    for part in re.split(r"[,;]", tag.lower()):
        name, colon, rest = (piece.strip() for piece in part.partition(":"))
        if colon and (name.startswith(_WITH_VALUE) or not _NAME.fullmatch(name)):
            continue
        if colon:
            addressee, name = name, rest
        if addressee in _ADDRESSED:
            yield from name.split()


def _reserves(value: str) -> bool:
    """1: rights are reserved, 0: they are not; a server that says it twice gives a list."""
    return "1" in re.split(r"[,\s]+", value)


# ------------------------------------------------------------------ meta tags


def _metas(head: bytes) -> Iterator[Mapping[str, str]]:
    """The attributes of the meta tags before the body, without those in comments, scripts and the like."""
    at = 0
    while token := _TOKEN.search(head, at):
        comment, raw, meta, _body = token.groups()
        if comment:
            at = head.find(b"-->", token.start() + 2) + 3
        elif raw:
            at = head.find(b"</" + raw, token.end()) + 2
        elif meta:
            attributes, length = _attributes(head[token.end() - 1 : token.end() + _TAG_BYTES])
            at = token.end() - 1 + length
            yield attributes
        else:
            return
        if at <= token.start():
            return  # it never ends, so all that follows is part of it


def _attributes(tag: bytes) -> tuple[Mapping[str, str], int]:
    """The attributes of a tag and where it ends; of two with one name the first counts, as in browsers."""
    text = tag.decode("latin-1")
    found: dict[str, str] = {}
    end = len(text)
    for match in _ATTRIBUTE.finditer(text):
        name, double, single, bare, closing = match.groups()
        if closing:
            end = match.end()
            break
        value = double if double is not None else single if single is not None else bare or ""
        found.setdefault(name, html.unescape(value))
    return found, max(1, end)
