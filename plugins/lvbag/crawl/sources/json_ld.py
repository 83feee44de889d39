"""JSON-LD as shops write it: arrays, @graph, comments, control characters, and blocks that are no JSON at all.

Nothing here knows what a product is; see `schema_org`. Vocabulary: https://schema.org, syntax: JSON-LD 1.1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bs4 import BeautifulSoup

Node = dict[str, Any]

# a string is matched first, so that what looks like a comment inside of one stays
_STRING_OR_COMMENT = re.compile(r'"(?:\\.|[^"\\])*"|/\*.*?\*/|//[^\n]*|<!--.*?-->', re.DOTALL)
_WRAPPER = re.compile(r"^\s*(?:<!--|//\s*<!\[CDATA\[|/\*\s*<!\[CDATA\[\s*\*/|<!\[CDATA\[)")
_WRAPPER_END = re.compile(r"(?:-->|(?://|/\*)?\s*\]\]>\s*(?:\*/)?)\s*;?\s*$")
_TRAILING_COMMA = re.compile(r'("(?:\\.|[^"\\])*")|,(?=\s*[}\]])')


@dataclass(frozen=True)
class JsonLd:
    """All nodes of a page's blocks in their order, and what was wrong with the blocks that could not be read."""

    nodes: tuple[Node, ...]
    errors: tuple[str, ...]


def read_json_ld(soup: BeautifulSoup) -> JsonLd:
    """Read every `script` of type `application/ld+json`; a broken block never hides another."""
    nodes: list[Node] = []
    errors: list[str] = []
    for script in soup.find_all("script"):
        kind = str(script.get("type") or "").split(";", 1)[0].strip().lower()
        content = script.string or script.get_text()
        if kind != "application/ld+json" or not content.strip():
            continue
        try:
            nodes.extend(_top_nodes(_loads(content)))
        except (ValueError, RecursionError) as error:
            errors.append(_explain(error))
    return JsonLd(tuple(nodes), tuple(errors))


def types(node: Node) -> frozenset[str]:
    """The node's types in lower case, without the vocabulary's address."""
    return frozenset(str(kind).rsplit("/", 1)[-1].rsplit(":", 1)[-1].lower() for kind in as_list(node.get("@type")))


def as_list(value: Any) -> list[Any]:
    """JSON-LD writes a single value alone and several in a list, which may be nested; None is no value."""
    if isinstance(value, list):
        return [inner for item in value for inner in as_list(item)]
    return [] if value is None else [value]


def _top_nodes(value: Any) -> Iterator[Node]:
    """The things that a block is about, not those that these merely mention (such as related products)."""
    for node in as_list(value):
        if not isinstance(node, dict):
            continue
        yield node
        for wrapper in ("@graph", "mainEntity", "mainEntityOfPage"):
            yield from _top_nodes(node.get(wrapper))


def _loads(content: str) -> Any:
    try:
        return json.loads(content, strict=False)
    except ValueError:
        bare = _WRAPPER_END.sub("", _WRAPPER.sub("", content))
        bare = _STRING_OR_COMMENT.sub(lambda m: m.group() if m.group().startswith('"') else " ", bare)
        return json.loads(_TRAILING_COMMA.sub(lambda m: m.group(1) or "", bare), strict=False)


def _explain(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} (line {error.lineno}, column {error.colno})"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)[:100]
