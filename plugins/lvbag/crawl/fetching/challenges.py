"""Pages that stand in the way of a page: checks of the browser, captchas and refusals that come with status 200.

A page is one when it bears the mark of a known guard, or says so in its title or its few words, and has no content
besides. Scripts of the same guards run on ordinary pages too, and shops mention captchas: neither is enough. Whether
the host is then left alone is the fetcher's business.
"""

from __future__ import annotations

import html
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from lvbag.crawl.fetching.challenge_words import QUESTIONS, TITLES, TITLES_OF_SUCCESS, WORDS, WORDS_OF_SUCCESS

_BLOCKED = frozenset({202, 401, 403, 405, 406, 418, 429, 456, 503})
"""Statuses with which guards answer; a page with one of them needs less to be recognised."""

_TITLE_WITHIN = 256_000
_MARKS_WITHIN = 200_000
_LARGEST = 512_000
_WORDS_WITHIN = 128_000
_A_LINE = 80
_VERY_FEW_CHARS = 700
_FEW_CHARS = 1_500
_SOME_CHARS = 4_000
_MANY_LINKS = 60
_FEW_LINKS = 25


@dataclass(frozen=True)
class _Mark:
    """What stands in the source of a guard's pages. `everywhere`: on ordinary pages too, so words must confirm it."""

    guard: str
    seen: bytes
    everywhere: bool = False

    @property
    def named(self) -> str:
        return f"{self.guard}: {self.seen.decode()}"


_MARKS = (
    _Mark("ebay", b"/splashui/captcha"),
    _Mark("ebay", b"/splashui/challenge"),
    _Mark("ebay", b"AppName: splashui"),
    _Mark("cloudflare", b"_cf_chl_opt"),
    _Mark("cloudflare", b"cf-browser-verification"),
    _Mark("cloudflare", b"cf_captcha_kind"),
    _Mark("cloudflare", b"cf-error-details", everywhere=True),
    _Mark("cloudflare", b"/orchestrate/chl_"),
    _Mark("cloudflare", b"/orchestrate/managed/"),
    _Mark("cloudflare", b"/orchestrate/jsch/"),
    _Mark("cloudflare", b"/cdn-cgi/challenge-platform/", everywhere=True),
    _Mark("cloudflare", b"challenges.cloudflare.com/turnstile", everywhere=True),
    _Mark("akamai", b"errors.edgesuite.net"),
    _Mark("akamai", b"sec-if-cpt-container"),
    _Mark("akamai", b"/_sec/cp_challenge/"),
    _Mark("akamai", b"bm-verify"),
    _Mark("perimeterx", b"px-captcha"),
    _Mark("perimeterx", b"captcha.px-cdn.net"),
    _Mark("perimeterx", b"captcha.px-cloud.net"),
    _Mark("perimeterx", b"_pxAppId", everywhere=True),
    _Mark("datadome", b"ct.captcha-delivery.com"),
    _Mark("datadome", b"captcha-delivery.com/captcha"),
    _Mark("datadome", b"captcha-delivery.com/interstitial"),
    _Mark("datadome", b"captcha-delivery.com", everywhere=True),
    _Mark("imperva", b"Incapsula incident ID"),
    _Mark("imperva", b"_Incapsula_Resource?CWUDNSAI"),
    _Mark("imperva", b"_Incapsula_Resource?SWUDNSAI"),
    _Mark("imperva", b"distil_referrer"),
    _Mark("imperva", b"_Incapsula_Resource", everywhere=True),
    _Mark("distil", b"distil_r_captcha"),
    _Mark("distil", b"distilIdentificationBlock"),
    _Mark("aws_waf", b"gokuProps"),
    _Mark("aws_waf", b"awsWafCookieDomainList", everywhere=True),
    _Mark("aws_waf", b"awswaf.com", everywhere=True),
    _Mark("kasada", b"KPSDK", everywhere=True),
    _Mark("f5", b"/TSPD/", everywhere=True),
    _Mark("f5", b"APM_DO_NOT_TOUCH", everywhere=True),
    _Mark("sucuri", b"sucuri_cloudproxy_js"),
    _Mark("sucuri", b"Sucuri WebSite Firewall"),
    _Mark("ddos_guard", b"/.well-known/ddos-guard/", everywhere=True),
    _Mark("radware", b"validate.perfdrive.com"),
    _Mark("radware", b"captcha.perfdrive.com"),
    _Mark("amazon", b"/errors/validateCaptcha"),
    _Mark("siteground", b"/.well-known/sgcaptcha"),
    _Mark("siteground", b"/.well-known/captcha"),
    _Mark("fastly", b"/_fs-ch-"),
    _Mark("vercel", b"/.well-known/vercel/security/"),
    _Mark("alibaba", b"/_____tmd_____/punish"),
    _Mark("anubis", b"/.within.website/x/cmd/anubis/"),
    _Mark("yandex", b"/showcaptcha"),
    _Mark("google", b"/sorry/index"),
    _Mark("queue_it", b"queue-it.net", everywhere=True),
    _Mark("captcha", b"g-recaptcha", everywhere=True),
    _Mark("captcha", b"h-captcha", everywhere=True),
    _Mark("captcha", b"hcaptcha.com", everywhere=True),
    _Mark("captcha", b"geetest", everywhere=True),
)

_TITLE = re.compile(rb"<title\b[^>]{0,200}>([^<]{0,300})<", re.IGNORECASE)
_CONTENT = re.compile(
    rb"""["']@type["']\s*:\s*(?:\[\s*)?["'](?:https?://schema\.org/)?(?:Individual)?Product|schema\.org/Product\b"""
    rb"""|og:type["'][^>]{0,80}product|srp-results|srp-river-results""",
    re.IGNORECASE,
)
_PRICE = re.compile(r"[€£$¥]\s?\d|\d\s?(?:€|EUR\b|USD\b|GBP\b|zł|kr\b|円|元)")
_OTHER_FORM = re.compile(rb"<textarea(?![^>]{0,300}captcha)|type\s*=\s*[\"']?(?:email|password|tel)\b", re.IGNORECASE)
_PROOF = re.compile(rb"captcha|<form\b|<iframe\b|<button\b|<input\b|<script\b", re.IGNORECASE)
_INVISIBLE = re.compile(
    rb"<(script|style|svg|template)\b.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)|<title\b[^<]*(?:</title\s*>)?",
    re.IGNORECASE | re.DOTALL,
)
_TAG = re.compile(rb"<[^<>]*>")
_JSON_GUARDS = (
    ("datadome", b"captcha-delivery.com"),
    ("perimeterx", b'"blockScript"'),
    ("alibaba", b"/_____tmd_____/punish"),
)


def challenge(body: bytes, content_type: str = "", status: int = 200) -> str | None:
    """What makes an answer a challenge instead of content, as `<guard>: <what was seen>`; None: it is none.

    >>> challenge(b"<html><title>Just a moment...</title><script>window._cf_chl_opt={}</script>")
    'cloudflare: _cf_chl_opt'
    """
    kind = content_type.split(";", 1)[0].strip().lower()
    if "json" in kind or body[:64].lstrip()[:1] in (b"{", b"["):
        return _json_challenge(body)
    if kind and not kind.startswith("text/") and kind != "application/xhtml+xml":
        return None
    if b"<" not in body[:1024] and (len(body) > _FEW_CHARS or b"\x00" in body):
        return None
    page = _Page(body, status)
    mark = page.mark()
    if not page.says_it_in_title and ((mark is None and len(body) > _WORDS_WITHIN) or page.links > _MANY_LINKS):
        return None
    if _CONTENT.search(body) is not None:
        return None
    if mark is not None and (_is_stopped(page) if not mark.everywhere else _is_bare(page)):
        return mark.named
    said = _by_title(page) or _by_words(page)
    return mark.named if said and mark is not None else said


class _Page:
    """A page, looked at no closer than it takes."""

    def __init__(self, body: bytes, status: int) -> None:
        self.body = body
        self.blocked = status in _BLOCKED
        self.words = WORDS_OF_SUCCESS if status == 200 else WORDS
        match = _TITLE.search(body, 0, _TITLE_WITHIN)
        self.title = _plain(match.group(1)) if match else ""
        self.titles = TITLES_OF_SUCCESS if status == 200 else TITLES
        self.says_it_in_title = self.titles.fullmatch(self.title) is not None

    def mark(self) -> _Mark | None:
        """The first mark of a guard, one that needs no confirmation before one that does."""
        if len(self.body) > _LARGEST or self.links > _MANY_LINKS:
            return None
        found = [mark for mark in _MARKS if self.body.find(mark.seen, 0, _MARKS_WITHIN) >= 0]
        return next((mark for mark in found if not mark.everywhere), found[0] if found else None)

    @cached_property
    def links(self) -> int:
        """How many there are."""
        return self.body.count(b"<a ") + self.body.count(b"<A ")

    @cached_property
    def text(self) -> str:
        """What a reader sees, with or without scripts."""
        return _plain(_TAG.sub(b" ", _INVISIBLE.sub(b" ", self.body)))

    @cached_property
    def phrases(self) -> list[str]:
        """What the text says of a challenge."""
        return [match.group() for match in self.words.finditer(self.text[:_SOME_CHARS])]


def _is_stopped(page: _Page) -> bool:
    """A page with a guard's mark and little else; what it says lets it be longer."""
    confirmed = page.blocked or page.says_it_in_title or bool(page.phrases)
    return len(page.text) <= (_SOME_CHARS if confirmed else _FEW_CHARS)


def _by_title(page: _Page) -> str | None:
    if not page.says_it_in_title:
        return None
    most = _SOME_CHARS if page.blocked or page.phrases else _FEW_CHARS
    return f"title: {page.title[:80]}" if len(page.text) <= most else None


def _by_words(page: _Page) -> str | None:
    """A page of few words that says little else, offers nothing and asks for nothing but a proof."""
    if len(page.body) > _WORDS_WITHIN or len(page.text) > _FEW_CHARS or page.links > _FEW_LINKS:
        return None
    if _PRICE.search(page.text) or _OTHER_FORM.search(page.body):
        return None
    if len(page.text) <= _A_LINE and page.titles.fullmatch(page.text):
        return f"words: {page.text}"
    phrases = list(dict.fromkeys(phrase.casefold() for phrase in page.phrases))
    proof = _PROOF.search(page.body) is not None or len(page.text) <= _A_LINE
    told = [phrase for phrase in phrases if proof or not QUESTIONS.fullmatch(phrase)]
    if not told or (len(told) == 1 and len(page.text) > _VERY_FEW_CHARS):
        return None
    return f"words: {told[0][:80]}"


def _is_bare(page: _Page) -> bool:
    """A page of nothing but a guard's script: no word, no picture, no element that another script could fill."""
    return not page.text and page.links == 0 and b"<img" not in page.body and b" id=" not in page.body


def _json_challenge(body: bytes) -> str | None:
    if len(body) > 16_000:
        return None
    return next((f"{guard}: {seen.decode()}" for guard, seen in _JSON_GUARDS if seen in body), None)


def _plain(markup: bytes) -> str:
    words = markup.decode("utf-8", errors="replace")
    with suppress(ValueError):  # a reference to a character by thousands of digits
        words = html.unescape(words)
    return " ".join(words.split())
