"""JSON-LD as shops write it: arrays, @graph, comments, control characters, and blocks that are no JSON at all.

Nothing here knows what a product is; see `products`. Vocabulary: https://schema.org, syntax: JSON-LD 1.1. It reads more
than extruct's reader, which drops all blocks of a page when one of them is broken.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Node = dict[str, Any]
"""A thing. Its keys are in lower case and without the vocabulary's address, for shops spell them in many ways."""

_MAX_NODES = 50_000
_MAX_THINGS = 1_000
_TAIL = 40
# a string is matched first, so that what looks like a comment inside of one stays; what never ends is matched to the
# end, so that no text takes longer than its length
_STRING_OR_COMMENT = re.compile(
    r'"(?:\\.|[^"\\])*+\\?(?:"|\Z)|/\*(?:.*?\*/|.*\Z)|//[^\n]*|<!--(?:.*?-->|.*\Z)', re.DOTALL
)
_WRAPPER = re.compile(r"^\s*(?:<!--|//\s*<!\[CDATA\[|/\*\s*<!\[CDATA\[\s*\*/|<!\[CDATA\[)")
_WRAPPER_END = re.compile(r"(?:-->|(?://|/\*)?\s*\]\]>\s*(?:\*/)?)\s*;?\s*\Z")
_TRAILING_COMMA = re.compile(r'("(?:\\.|[^"\\])*+\\?(?:"|\Z))|,(?=\s*[}\]])')
_ESCAPE = re.compile(r'\\(?:(["\\/bfnrt]|u[0-9a-fA-F]{4})|(.)|\Z)', re.DOTALL)


@dataclass(frozen=True)
class JsonLd:
    """All nodes of a page's blocks in their order, what they are called, and what was wrong with unreadable blocks."""

    nodes: tuple[Node, ...] = ()
    errors: tuple[str, ...] = ()
    ids: Mapping[str, Node] = field(default_factory=dict)


def read_json_ld(blocks: Iterable[str]) -> JsonLd:
    """Read the contents of a page's blocks; a broken one never hides another."""
    nodes: list[Node] = []
    errors: list[str] = []
    ids: dict[str, Node] = {}
    for content in blocks:
        if not content.strip():
            continue
        try:
            for value in _loads(content):
                plain = _plain(value)
                ids.update((name, node) for name, node in _named(plain) if name not in ids)
                nodes.extend(_top_nodes(plain))
        except (ValueError, RecursionError) as error:
            errors.append(_explain(error))
    return JsonLd(tuple(nodes[:_MAX_NODES]), tuple(errors), ids)


def types(node: Node) -> frozenset[str]:
    """The node's types in lower case, without the vocabulary's address."""
    return frozenset(_word(str(kind)) for kind in as_list(node.get("@type")))


def as_list(value: Any) -> list[Any]:
    """JSON-LD writes a single value alone and several in a list, which may be nested; None is no value."""
    if isinstance(value, list):
        return [inner for item in value for inner in as_list(item)]
    return [] if value is None else [value]


def things(node: Node, key: str, ids: Mapping[str, Node]) -> list[Node]:
    """The things that a property names, also those that it only refers to by their `@id`."""
    found = []
    for value in as_list(node.get(key))[:_MAX_THINGS]:
        name = value if isinstance(value, str) else value.get("@id") if isinstance(value, dict) else None
        refers = isinstance(value, str) or (isinstance(value, dict) and not value.keys() - {"@id", "@type"})
        thing = ids.get(name, value) if refers and isinstance(name, str) else value
        if isinstance(thing, dict):
            found.append(thing)
    return found


def _top_nodes(value: Any) -> Iterator[Node]:
    """The things that a block is about, not those that these merely mention (such as related products)."""
    for node in as_list(value):
        if not isinstance(node, dict):
            continue
        yield node
        for wrapper in ("@graph", "mainentity", "mainentityofpage"):
            yield from _top_nodes(node.get(wrapper))


def _named(value: Any) -> Iterator[tuple[str, Node]]:
    """Every thing that says more than its name, by its name."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            name = item.get("@id")
            if isinstance(name, str) and item.keys() - {"@id", "@type"}:
                yield name, item
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {_word(key): _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _word(name: str) -> str:
    """`http://schema.org/Product`, `schema:Product` and `Product` as one word."""
    return re.split(r"[/:#]", name.rstrip("/"))[-1].strip().lower()


def _loads(content: str) -> list[Any]:
    """The values of a block: one, or several that were simply written one after the other."""
    plain = content.lstrip("\ufeff")
    try:
        return [json.loads(plain, strict=False)]
    except ValueError as error:
        first = error
    # a comment may stand before the block, or be wrapped around it
    for bare in (_mended(plain), _mended(_unwrapped(plain))):
        for candidate in (bare, html.unescape(bare) if "&quot;" in bare else ""):
            try:
                return _values(candidate)
            except ValueError:
                continue
    raise first


def _unwrapped(content: str) -> str:
    bare = _WRAPPER.sub("", content, count=1).rstrip()
    return bare[:-_TAIL] + _WRAPPER_END.sub("", bare[-_TAIL:])


def _mended(content: str) -> str:
    """The block without comments, commas at an end and escapes that JSON does not know."""
    bare = _STRING_OR_COMMENT.sub(lambda m: m.group() if m.group().startswith('"') else " ", content)
    bare = _TRAILING_COMMA.sub(lambda m: m.group(1) or "", bare)
    return _ESCAPE.sub(lambda m: "\\" + m.group(1) if m.group(1) else m.group(2) or "", bare).strip().rstrip(";")


def _values(content: str) -> list[Any]:
    decoder, found, place = json.JSONDecoder(strict=False), [], 0
    while True:
        value, place = decoder.raw_decode(content, place)
        found.append(value)
        while place < len(content) and content[place] in " \t\r\n;,":
            place += 1
        if place >= len(content):
            return found


def _explain(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} (line {error.lineno}, column {error.colno})"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)[:100]
