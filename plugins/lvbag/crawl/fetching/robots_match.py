"""Which rule of a robots.txt decides about a path: the longest one that matches, and of two as long the one that
allows (RFC 9309, 2.2.2).

Rules and paths are bytes, as they stand in the file and in the request. Nothing here knows of agents and groups.

A percent-encoded path is read in two ways, because the two authorities differ. Google's parser encodes what is not
ASCII in rules and compares the rest as it stands; RFC 9309 decodes `%7E` to `~` before it compares. A path is allowed
only where both readings allow it, so whichever of the two the writer of the file had in mind is obeyed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_NOT_ASCII = re.compile(rb"[\x80-\xff]|%[0-9a-fA-F]{2}")
_NOT_NORMAL = re.compile(rb"%[0-9a-fA-F]{2}|[^A-Za-z0-9\-._~!&'()+,;=:@/?#\[\]]")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_INDEX_PAGE = b"/index.htm"


@dataclass(frozen=True)
class Rule:
    """One Allow or Disallow: its pattern (never empty) and the line that says so, as written."""

    allow: bool
    pattern: bytes
    line: bytes


class RuleSet:
    """All rules that hold for one agent, ready for many paths. Time grows with the rules' length, never faster."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        unique: dict[tuple[bytes, bool], Rule] = {}
        for rule in rules:
            unique.setdefault((rule.pattern, rule.allow), rule)
        literal = [(_literal(rule.pattern), rule) for rule in unique.values()]
        normal = [(_normal_pattern(rule.pattern), rule) for rule in unique.values()]
        self._literal = _Reading(literal)
        self._normal = self._literal if normal == literal else _Reading(normal)

    def deciding(self, path: bytes) -> Rule | None:
        """The rule that decides about a path (with its query, beginning with a slash); None: no rule matches."""
        first = self._literal.best(path)
        if first is not None and not first.allow:
            return first
        normal = _normal(path)
        if normal == path and self._normal is self._literal:
            return first
        second = self._normal.best(normal)
        return second if second is not None and (first is None or not second.allow) else first


def matches(pattern: bytes, path: bytes) -> bool:
    """Whether one pattern matches the beginning of a path: `*` stands for anything, `$` at the end for the end."""
    return _Glob(pattern).matches(path)


# ------------------------------------------------------------------ the best of many rules


class _Reading:
    """The rules in one of the two readings. Those without wildcards are found by their length in a table."""

    def __init__(self, rules: Iterable[tuple[bytes, Rule]]) -> None:
        self._plain: dict[bytes, Rule] = {}
        wild: dict[tuple[bytes, bool], Rule] = {}
        for pattern, rule in rules:
            if b"*" in pattern or pattern.endswith(b"$"):
                wild.setdefault((pattern, rule.allow), rule)
            elif rule.allow and not self._plain.get(pattern, _NOTHING).allow:
                self._plain[pattern] = rule
            else:
                self._plain.setdefault(pattern, rule)
            if rule.allow and (folder := _folder_of_index(pattern)) is not None:
                wild.setdefault((folder, True), rule)
        self._lengths = sorted({len(pattern) for pattern in self._plain}, reverse=True)
        self._wild = sorted(
            (((len(pattern), allow), _Glob(pattern), rule) for (pattern, allow), rule in wild.items()),
            key=lambda entry: entry[0],
            reverse=True,
        )

    def best(self, path: bytes) -> Rule | None:
        found, rank = None, (0, False)
        for length in self._lengths:
            if length <= len(path) and (plain := self._plain.get(path[:length])) is not None:
                found, rank = plain, (length, plain.allow)
                break
        for other, glob, rule in self._wild:
            if other <= rank:
                break
            if glob.matches(path):
                return rule
        return found


_NOTHING = Rule(allow=False, pattern=b"", line=b"")


def _folder_of_index(pattern: bytes) -> bytes | None:
    """Who allows `/x/index.html` allows `/x/` (as Google reads it): the pattern of that folder."""
    slash = pattern.rfind(b"/")
    return pattern[: slash + 1] + b"$" if slash >= 0 and pattern.startswith(_INDEX_PAGE, slash) else None


class _Glob:
    """A pattern taken apart at its wildcards; each piece is looked for once, so no pattern takes exponential time."""

    __slots__ = ("_anchored", "_head", "_middle", "_tail")

    def __init__(self, pattern: bytes) -> None:
        self._anchored = pattern.endswith(b"$")
        pieces = (pattern[:-1] if self._anchored else pattern).split(b"*")
        self._head = pieces[0]
        self._tail = pieces[-1] if len(pieces) > 1 else None
        self._middle = tuple(piece for piece in pieces[1:-1] if piece)

    def matches(self, path: bytes) -> bool:
        if not path.startswith(self._head):
            return False
        if self._tail is None:
            return not self._anchored or len(path) == len(self._head)
        at = len(self._head)
        for piece in self._middle:
            found = path.find(piece, at)
            if found < 0:
                return False
            at = found + len(piece)
        if self._anchored:
            return path.endswith(self._tail) and len(path) - at >= len(self._tail)
        return path.find(self._tail, at) >= 0


# ------------------------------------------------------------------ the two readings of percent-encoding


def _literal(pattern: bytes) -> bytes:
    """As Google compares: octets beyond ASCII percent-encoded, hexadecimal digits in upper case."""
    return _NOT_ASCII.sub(_encoded, pattern)


def _normal(text: bytes) -> bytes:
    """As RFC 9309 compares: what needs no encoding has none, everything else has it; reserved characters stay."""
    return _NOT_NORMAL.sub(_normalised, text)


def _normal_pattern(pattern: bytes) -> bytes:
    """The same for a pattern: its wildcards stay, while `%2A` and a `$` in the middle mean the characters."""
    if not _NOT_NORMAL.search(pattern):
        return pattern
    anchored = pattern.endswith(b"$")
    pieces = (pattern[:-1] if anchored else pattern).split(b"*")
    return b"*".join(_normal(piece) for piece in pieces) + (b"$" if anchored else b"")


def _encoded(match: re.Match[bytes]) -> bytes:
    octet = match.group()
    return octet.upper() if octet.startswith(b"%") else b"%%%02X" % octet[0]


def _normalised(match: re.Match[bytes]) -> bytes:
    octet = match.group()
    value = int(octet[1:], 16) if len(octet) == 3 else octet[0]
    return bytes([value]) if value in _UNRESERVED else b"%%%02X" % value
