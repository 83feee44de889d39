"""JSON answers of shops whose pages load their results later: the pieces of HTML in their texts."""

from __future__ import annotations

import json
import re
from typing import Any

from lvbag.crawl.sources.base import Page, PageNotUnderstood, Results
from lvbag.crawl.sources.grids import read_grid
from lvbag.crawl.sources.html import Document
from lvbag.crawl.sources.item_pages import Data

_MARKUP = re.compile(r"<\s*(?:div|ul|ol|li|article|section|a|table|span|script|main|html|body)\b[^<>]*>", re.IGNORECASE)
_MAX_PIECES = 500
_MAX_CHARS = 20_000_000


def is_json(page: Page) -> bool:
    """Whether a page is JSON, by its content type or else by how it begins."""
    kind = page.content_type.split(";", 1)[0].strip()
    if kind in ("application/json", "text/json", "application/x-json") or kind.endswith("+json"):
        return True
    return re.match(rb"(?:\xef\xbb\xbf)?\s*[\[{]\s*[\[{\"\]}\d]", page.body[:200]) is not None


def read_fragments(page: Page) -> Results:
    """The results in the answer's HTML, without a next page; raises `PageNotUnderstood` when the answer is no JSON."""
    try:
        value = json.loads(page.body.decode("utf-8-sig", errors="replace"), strict=False)
        pieces = _pieces(value)
    except (ValueError, RecursionError) as error:
        raise PageNotUnderstood(f"not_json: {str(error)[:100]}", 200, len(page.body)) from None
    markup = "\n".join(pieces)[:_MAX_CHARS]
    if not markup:
        return Results()
    return read_grid(Data(Document.of_text(f"<!doctype html><html><body>{markup}</body></html>", page.url)))


def _pieces(value: Any) -> list[str]:
    """The texts that are markup, in their order."""
    found: list[str] = []
    waiting = [value]
    while waiting and len(found) < _MAX_PIECES:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting.extend(reversed(list(item.values())))
        elif isinstance(item, list):
            waiting.extend(reversed(item))
        elif isinstance(item, str) and _MARKUP.search(item):
            found.append(item)
    return found
