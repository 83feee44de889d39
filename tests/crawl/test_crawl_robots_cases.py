"""The compliance cases of others (robots content, URL, agent, expected outcome), all of them, Google's own included."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lvbag.crawl.fetching.robots import read_rules
from shared_data import SHARED_DATA

ROBOTS = SHARED_DATA / "robots"
CASES = ROBOTS / "ctc"

_TOKEN = re.compile(
    rb"""#[^\n]*|\s+|[,;]|(?P<mark>[\[\]{}<>:])|(?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?P<word>[\w.+-]+)""",
    re.S,
)
_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|[xX]([0-9a-fA-F]{1,2})|(.))", re.S)
_LETTERS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}


@dataclass(frozen=True)
class Case:
    file: str
    robots: bytes
    url: str
    agent: str
    allowed: bool
    kind: str


def read_cases(path: Path) -> Iterator[Case]:
    for test in parse_textproto(path.read_bytes())["tests"]:
        for expected in test["test_expectations"]:
            yield Case(
                file=path.name,
                robots=test.get("robotstxt", [b""])[0],
                url=expected["testurl"][0].decode(),
                agent=expected["useragent"][0].decode(),
                allowed={b"ALLOWED": True, b"DISALLOWED": False}[expected["expected_outcome"][0]],
                kind=expected.get("test_type", [b"RFC"])[0].decode(),
            )


def parse_textproto(text: bytes) -> dict:
    """Messages as dicts of lists; several strings in a row are one; lists in brackets and repeated fields are alike."""
    tokens = [(match.lastgroup, match.group()) for match in _TOKEN.finditer(text) if match.lastgroup]
    tokens.reverse()
    return _message(tokens, None)


def _message(tokens: list, end: bytes | None) -> dict:
    fields: dict = {}
    while tokens and tokens[-1][1] != end:
        name = tokens.pop()[1].decode()
        if tokens[-1][1] == b":":
            tokens.pop()
        fields.setdefault(name, []).extend(_values(tokens))
    if tokens:
        tokens.pop()
    return fields


def _values(tokens: list) -> list:
    kind, text = tokens.pop()
    if text == b"[":
        values = []
        while tokens[-1][1] != b"]":
            values += _values(tokens)
        tokens.pop()
        return values
    if text in (b"{", b"<"):
        return [_message(tokens, b"}" if text == b"{" else b">")]
    if kind != "string":
        return [text]
    parts = [text]
    while tokens and tokens[-1][0] == "string":
        parts.append(tokens.pop()[1])
    return [b"".join(_ESCAPE.sub(_unescape, part[1:-1]) for part in parts)]


def _unescape(match: re.Match[bytes]) -> bytes:
    octal, digits, letter = match.groups()
    if letter is not None:
        return _LETTERS.get(letter, letter)
    return bytes([int(octal, 8) if octal else int(digits, 16)])


def test_the_reader_of_cases_joins_strings_and_reads_escapes() -> None:
    text = rb"""# a comment with "quotes"
    tests: [ { robotstxt: "a\n" 'b\'\t' "\303\251\xff" many { x: 1 } many < x: -2.5 > } , { kind: ODD } ]"""
    assert parse_textproto(text) == {
        "tests": [
            {"robotstxt": [b"a\nb'\t\xc3\xa9\xff"], "many": [{"x": [b"1"]}, {"x": [b"-2.5"]}]},
            {"kind": [b"ODD"]},
        ]
    }


@pytest.mark.skipif(not CASES.is_dir(), reason="the shared robots cases are not here")
@pytest.mark.parametrize("file", sorted(CASES.glob("*.textproto")), ids=lambda path: path.stem)
def test_every_compliance_case_has_the_expected_outcome(file: Path) -> None:
    cases = list(read_cases(file))
    assert cases
    wrong = [
        case for case in cases if read_rules(200, case.robots).verdict(case.url, case.agent).allowed != case.allowed
    ]
    assert wrong == []


@pytest.mark.skipif(not CASES.is_dir(), reason="the shared robots cases are not here")
def test_the_deciding_line_of_every_case_stands_in_the_file_and_says_the_verdict() -> None:
    for file in CASES.glob("*.textproto"):
        for case in read_cases(file):
            verdict = read_rules(200, case.robots).verdict(case.url, case.agent)
            if verdict.rule is None:
                assert verdict.allowed, case
            else:
                assert verdict.rule.encode() in case.robots
                assert verdict.rule.lower().startswith("allow" if verdict.allowed else "dis"), case


@pytest.mark.skipif(not ROBOTS.is_dir(), reason="the shared robots files are not here")
@pytest.mark.parametrize(
    ("host", "agent", "path", "allowed", "rule"),
    [
        ("www.ebay.com", "lvbag", "/sch/i.html?_nkw=louis+vuitton+speedy&_sacat=169291", True, None),
        ("www.ebay.com", "lvbag", "/sch/i.html?_nkw=x&LH_BIN=1", False, "Disallow: /sch/*LH_"),
        ("www.ebay.com", "lvbag", "/itm/1234567890", True, None),
        ("www.ebay.com", "lvbag", "/itm/1234567890?_nkw=speedy", False, "Disallow: /itm/*_nkw"),
        ("www.google.com", "lvbag", "/search?q=x", False, "Disallow: /search"),
        ("www.google.com", "lvbag", "/search/about", True, "Allow: /search/about"),
        ("www.google.com", "lvbag", "/?hl=en&gws_rd=ssl", True, "Allow: /?hl=*&gws_rd=ssl$"),
        ("www.google.com", "lvbag", "/?hl=en&a=b&gws_rd=ssl", False, "Disallow: /?hl=*&*&gws_rd=ssl"),
        ("www.google.com", "lvbag", "/books?id=a&zoom=1", True, "Allow: /books?*zoom=1*"),
        ("www.therealreal.com", "lvbag", "/consignments/1", False, "Disallow: /consignments/*"),
        ("www.therealreal.com", "lvbag", "/products/women/handbags", True, None),
        ("www.etsy.com", "lvbag", "/de/api/x", False, "Disallow: /de/api/"),
    ],
)
def test_real_files_are_read_as_their_owners_meant_them(host, agent, path, allowed, rule) -> None:
    rules = read_rules(200, (ROBOTS / f"{host}.robots.txt").read_bytes())
    verdict = rules.verdict(f"https://{host}{path}", agent)
    assert (verdict.allowed, verdict.rule) == (allowed, rule)
