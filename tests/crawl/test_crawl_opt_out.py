"""Opt-outs in headers and meta tags: every way they are written, and what only looks like one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from lvbag.crawl.fetching.opt_out import DIRECTIVES, forbids_following, gravest, opt_out, page_opt_out

FILLING = b"<p class='x'>words &amp; more</p>" * 30_000


@pytest.mark.parametrize("directive", ["noai", "noimageai", "noindex", "noimageindex", "noml", "none"])
def test_every_directive_keeps_us_out_wherever_it_stands(directive: str) -> None:
    assert opt_out([directive]) == directive
    assert opt_out([f"nofollow, {directive.upper()}"]) == directive
    assert opt_out([f"lvbag: {directive}"]) == directive
    assert page_opt_out(f'<head><meta name="robots" content="{directive}"></head>'.encode()) == directive


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], None),
        ([""], None),
        (["all", "index, follow", "noarchive,nosnippet"], None),
        (["otherbot: noai"], None),
        (["otherbot: nofollow, noai, noindex"], None),
        (["otherbot: noindex, lvbag: noai, noml"], "noai"),
        (["lvbag: noml, otherbot: noai"], "noml"),
        (["otherbot: noindex", "noai"], "noai"),
        (["*: noai"], "noai"),
        (["LVBAG : NoAI"], "noai"),
        (["lvbagger: noai"], None),
        (["max-snippet: 5, noai"], "noai"),
        (["otherbot: max-image-preview: large, noai"], None),
        (["unavailable_after: 25 Jun 2010 15:00:00 PST"], None),
        (["unavailable_after: Wednesday, 25-Jun-10 15:00:00 GMT, noml"], "noml"),
        (["noai; noimageai"], "noai"),
        (["noindex noai"], "noai"),
        (["noindex, none"], "none"),
        (["noaix, xnoai, no-ai"], None),
        ([":", "::", ",;,", ": noai"], "noai"),
    ],
)
def test_headers_are_read_with_their_addressees(headers: list[str], expected: str | None) -> None:
    assert opt_out(headers) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [("1", "tdm-reservation"), (" 1 ", "tdm-reservation"), ("0", None), ("", None), ("10", None)]
)
def test_a_reservation_of_text_and_data_mining_keeps_us_out(value: str, expected: str | None) -> None:
    assert opt_out([], value) == expected
    assert opt_out(["noindex"], value) == (expected or "noindex")
    assert page_opt_out(f"<meta name='tdm-reservation' content='{value}'>".encode()) == expected


def test_what_only_forbids_indexing_a_page_of_results_does_not_forbid_following_its_links() -> None:
    assert {directive for directive in DIRECTIVES if not forbids_following(directive)} == {"noindex", "noimageindex"}


@pytest.mark.parametrize(
    "tag",
    [
        '<meta name="robots" content="noai">',
        "<META NAME='ROBOTS' CONTENT='NoAI'/>",
        "<meta content=noai name=robots>",
        '<meta\n\tdata-x="a>b"\n content="index, noai"\n name = "robots" >',
        '<meta name="lvbag" content="noai">',
        '<meta http-equiv="X-Robots-Tag" content="noai">',
        '<meta property="robots" content="noai">',
        '<meta name="robots" content="index&#44;&#32;noai">',
        '<meta name="robots" content="index"><meta name="robots" content="noai">',
        '<meta name="robots" content="lvbag: noai">',
        '<meta/name="robots"/content="noai"/>',
        '<!--><meta name="robots" content="noai">',
        '<script>"<!--"</script><style></style><meta name="robots" content="noai">',
        '<meta name="description" content="what > robots do"><meta name="robots" content="noai">',
        '<meta name="robots" content="noai" content="all">',
        '<meta name="a" content="' + "x" * 5000 + '"><meta name="robots" content="noai">',
    ],
)
def test_a_meta_tag_is_read_however_it_is_written(tag: str) -> None:
    page = f"<!doctype html><html><head><title>bag</title>{tag}</head><body>".encode() + FILLING
    assert page_opt_out(page) == "noai"


@pytest.mark.parametrize(
    "tag",
    [
        '<meta name="robots" content="index, follow, max-image-preview:large">',
        '<meta name="otherbot" content="noai">',
        '<meta name="description" content="robots noai">',
        '<meta name="robots" content="otherbot: noai">',
        '<!-- <meta name="robots" content="noai"> -->',
        '<script>var x = \'<meta name="robots" content="noai">\'</script>',
        '<script>var x = \'<meta name="robots" content="noai">\'',
        '<!-- <meta name="robots" content="noai">',
        '<title><meta name="robots" content="noai"></title>',
        '<template><meta name="robots" content="noai"></template>',
        '<metadata name="robots" content="noai">',
        '<meta name="robots">',
        '<meta name="robots" content="all" content="noai">',
        '</head><body><meta name="robots" content="noai">',
        '<meta name="robots" content="noai',
    ],
)
def test_what_only_looks_like_an_opt_out_is_none(tag: str) -> None:
    assert page_opt_out(f"<!doctype html><html><head>{tag}".encode()) is None


def test_the_gravest_of_several_is_reported() -> None:
    assert page_opt_out(b'<meta name="robots" content="noindex"><meta name="lvbag" content="noml">') == "noml"
    assert gravest(("noindex", None, "noai", "none")) == "noai"
    assert gravest((None, None)) is None


@pytest.mark.parametrize("body", [b"", b"\x00\xff" * 1000, b'{"robots": "noai"}', "robots ä <meta ".encode("utf-16")])
def test_what_is_no_page_says_nothing(body: bytes) -> None:
    assert page_opt_out(body) is None


@budget(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "<meta ",
                "<script",
                "</script>",
                "<!--",
                "-->",
                "<title>",
                '"',
                "'",
                ">",
                "=",
                "/",
                "name=robots",
                "content=",
                " ",
            ]
        )
    ),
    st.text(max_size=20),
)
def test_no_page_and_no_header_raises(pieces: list[str], text: str) -> None:
    page_opt_out(("robots" + "".join(pieces) + text).encode())
    opt_out([text, "".join(pieces)])


@pytest.mark.parametrize(
    "piece", [b"<meta ", b"<script ", b"<!-- ", b'<meta a="', b"<meta a=", b"<title>x</title>", b"<meta a a"]
)
def test_a_hostile_page_ends(piece: bytes) -> None:
    assert page_opt_out(b"robots" + piece * 200_000) is None
