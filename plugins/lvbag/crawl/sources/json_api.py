"""Answers of JSON APIs: an object, or an error in the API's own words. It knows no API in particular."""

from __future__ import annotations

import json
from typing import Any

from lvbag.crawl.sources.base import Page, PageNotUnderstood
from lvbag.crawl.sources.html import text

Node = dict[str, Any]

_MAX_MESSAGE = 200


def read_object(page: Page) -> Node:
    """The object that a page consists of; raises `PageNotUnderstood` when it is none or says what went wrong."""
    try:
        found = json.loads(page.body)
    except (ValueError, RecursionError):
        raise PageNotUnderstood("not_json: the API's answer is no JSON", 200, len(page.body)) from None
    if not isinstance(found, dict):
        raise PageNotUnderstood("not_json: the API's answer is no JSON object", 200, len(page.body))
    if problem := error_message(found):
        raise PageNotUnderstood(f"api_error: {problem}", 200, len(page.body))
    return found


def error_message(answer: Node) -> str | None:
    """What an answer says went wrong: `errors` of eBay, `error` of OAuth and of Google; None: nothing."""
    errors = answer.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else answer.get("error")
    if not first:
        return None
    if isinstance(first, dict):
        parts = (first.get("errorId") or first.get("code"), first.get("longMessage") or first.get("message"))
    else:
        parts = (first, answer.get("error_description"))
    said = [found for part in parts if (found := text(part))]
    return ": ".join(said)[:_MAX_MESSAGE] or "no message"


def nodes(value: Any) -> list[Node]:
    """The objects of a list; whatever else is there is left out."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def whole_number(value: Any) -> int | None:
    """A count, written as a number or as a text."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if 0 <= value < 10**15 else None
    return int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 15 else None
