"""Opt-outs: what a server's X-Robots-Tag says about the use of a page or picture."""

from __future__ import annotations

from collections.abc import Iterable

from lvbag.crawl.robots import AGENT

_DIRECTIVES = frozenset({"noai", "noimageai", "noindex", "noimageindex", "noml", "none"})


def opt_out(robots_tags: Iterable[str]) -> str | None:
    """The first directive that keeps us out, or None; a directive may be addressed to one crawler by its name.

    An address holds for the directives after it up to the next one (`otherbot: noindex, noai`).
    """
    addressee = ""
    for tag in robots_tags:
        name, colon, rest = tag.strip().lower().partition(":")
        if colon and not name.startswith(("max-", "unavailable_after")):
            addressee, name = name.strip(), rest.strip()
        if name in _DIRECTIVES and addressee in ("", "*", AGENT):
            return name
    return None
