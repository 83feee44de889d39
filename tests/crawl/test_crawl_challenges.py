"""Which pages are challenges, and which only look a little like one."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvbag.crawl.fetching.challenges import challenge
from shared_data import SHARED_DATA

PAGES = Path(__file__).parent / "pages"
EBAY = SHARED_DATA / "ebay"
SHOPS = SHARED_DATA / "shops"

PROSE = "<p>A Speedy 30 in Monogram canvas with light patina, one owner, with lock and two keys.</p>" * 40
"""About 3,500 characters that a reader sees."""


def page(title: str = "", body: str = "", head: str = "") -> bytes:
    return f"<!doctype html><html><head><title>{title}</title>{head}</head><body>{body}</body></html>".encode()


@pytest.mark.parametrize(
    ("name", "guard"),
    [
        ("ebay_wait", "ebay: "),
        ("ebay_captcha", "ebay: /splashui/captcha"),
        ("cloudflare", "cloudflare: _cf_chl_opt"),
        ("akamai", "title: Access Denied"),
        ("perimeterx", "perimeterx: px-captcha"),
        ("datadome", "datadome: "),
        ("imperva", "imperva: "),
        ("aws_waf", "aws_waf: gokuProps"),
        ("google", "captcha: g-recaptcha"),
        ("amazon", "amazon: "),
    ],
)
def test_the_page_of_each_guard_is_recognised_and_named(name: str, guard: str) -> None:
    assert str(challenge((PAGES / f"challenge_{name}.html").read_bytes(), "text/html; charset=utf-8")).startswith(guard)


@pytest.mark.parametrize(
    "title",
    [
        "Pardon Our Interruption...",
        "Just a moment...",
        "Attention Required! | Cloudflare",
        "Access Denied | bags.example",
        "Robot or human?",
        "Human Verification",
        "Vercel Security Checkpoint",
        "Client Challenge",
        "Radware Captcha Page",
        "Request Rejected",
        "Making sure you&#39;re not a bot!",
        "429 Too Many Requests",
        "Einen Moment, bitte...",
        "Nur einen Moment…",
        "Sicherheitsüberprüfung | eBay",
        "Un instant, s’il vous plaît…",
        "Veuillez nous excuser pour cette interruption",
        "Disculpa la interrupción...",
        "Un momento…",
        "Ci scusiamo per l'interruzione",
        "Przepraszamy za przerwę",
        "Een moment geduld...",
        "Só um momento…",
        "Доступ ограничен",
        "请稍候…",
        "しばらくお待ちください...",
        "잠시만 기다리십시오…",
    ],
)
def test_a_page_of_few_words_is_recognised_by_its_title_in_many_languages(title: str) -> None:
    assert str(challenge(page(title, "<p>Ray 0</p>"))).startswith("title: ")


@pytest.mark.parametrize(
    "body",
    [
        "<h1>Checking your browser before accessing bags.example</h1><script src=x></script>",
        "<div>Verifying you are human. This may take a few seconds.</div><iframe></iframe>",
        "<p>The requested URL was rejected. Please consult with your administrator. Your support ID is: 1</p>",
        "<p>We want to make sure it is actually you we are dealing with and not a robot.</p>"
        "<p>Please complete the security check to access the site.</p><button>ok</button>",
        "<form><label><input type=checkbox> Ich bin kein Roboter</label></form>",
        "<form><button>Je ne suis pas un robot</button></form>",
        "<form><button>No soy un robot</button></form>",
        "<form><button>Non sono un robot</button></form>",
        "<form><button>Ik ben geen robot</button></form>",
        "<form><button>Nie jestem robotem</button></form>",
        "<form><button>Não sou um robô</button></form>",
        "<form><button>Я не робот</button></form>",
        "<form><button>我不是机器人</button></form>",
        "<form><button>私はロボットではありません</button></form>",
        "<p>You are now in line. Thank you for your patience.</p>",
        "Just a moment...",
    ],
)
def test_a_page_of_few_words_is_recognised_by_what_it_says(body: str) -> None:
    assert challenge(page("bags.example", body)) is not None


@pytest.mark.parametrize(
    "body",
    [
        b'<html><head><script src="/_Incapsula_Resource?SWJIYLWA=0"></script></head></html>',
        b"<html><body><script>window.KPSDK={};KPSDK.now=1</script><script src='/0/0/ips.js'></script></body></html>",
        b"<script>window.awsWafCookieDomainList=[]</script>",
        b"Please enable JS and disable any ad blocker",
    ],
)
def test_a_page_of_nothing_but_a_guard_s_script_is_recognised(body: bytes) -> None:
    assert challenge(body) is not None


@pytest.mark.parametrize(
    ("body", "guard"),
    [
        (b'{"url":"https://geo.captcha-delivery.com/captcha/?cid=0"}', "datadome: captcha-delivery.com"),
        (b'{"appId":"PX0","blockScript":"/0/captcha.js"}', 'perimeterx: "blockScript"'),
        (b'{"itemSummaries": [], "total": 0}', None),
        (b'{"error": "invalid_client"}', None),
    ],
)
def test_a_guard_s_json_answer_is_recognised(body: bytes, guard: str | None) -> None:
    assert challenge(body, "application/json") == guard


SCRIPTS = (
    '<script src="/cdn-cgi/challenge-platform/scripts/jsd/main.js"></script>',
    '<script>window.__CF$cv$params={r:"0"};a.src="/cdn-cgi/challenge-platform/scripts/jsd/main.js"</script>',
    '<script src="https://challenges.cloudflare.com/turnstile/v0/api.js"></script>',
    '<script>window._pxAppId="PX0000"</script><script src="/0000/init.js"></script>',
    '<script src="https://js.datadome.co/tags.js"></script>',
    '<script src="/_Incapsula_Resource?SWJIYLWA=0"></script>',
    '<script src="https://0.edge.sdk.awswaf.com/0/challenge.js" defer></script>',
    '<script src="https://www.google.com/recaptcha/api.js"></script><div class="g-recaptcha"></div>',
    '<meta http-equiv="Content-Security-Policy" content="frame-src geo.captcha-delivery.com">',
    '<script type="text/javascript" src="/TSPD/0?type=9"></script>',
)


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("body", [PROSE, '<div id="root"></div>', "<h1>Speedy 30</h1><p>In stock.</p>"])
def test_ordinary_pages_that_load_a_guard_s_script_are_none(script: str, body: str) -> None:
    assert challenge(page("Speedy 30 Monogram | Bags", body, head=script)) is None


@pytest.mark.parametrize(
    ("title", "body"),
    [
        ("Access Denied", PROSE),
        ("Robot or human? T-shirt", "<h1>Robot or human?</h1><p>€ 25</p><button>Buy</button>"),
        ("Are you a robot? A robotics fair", "<h1>Are you a robot?</h1><p>" + "We build robots. " * 8 + "</p>"),
        (
            "Contact",
            "<form><input type=email><textarea></textarea>I am not a robot <div class=g-recaptcha></div></form>",
        ),
        ("How captchas work", "<p>Sites ask whether you are human.</p>" + PROSE),
        ("Why was my request blocked?", "<p>Your request was blocked, says the firewall.</p>" + PROSE),
        ("Just a Moment – a novel", "<p>A novel of 300 pages.</p>"),
        ("Blocked", '<script type="application/ld+json">{"@type": "Product", "name": "Blocked"}</script>'),
        ("", '<noscript>You need to enable JavaScript to run this app.</noscript><div id="root"></div>'),
        ("Bags", ""),
        ("", ""),
    ],
)
def test_ordinary_pages_that_speak_of_such_things_are_none(title: str, body: str) -> None:
    assert challenge(page(title, body)) is None


def test_a_long_page_with_a_guard_s_mark_is_content() -> None:
    assert challenge(page("Bags", PROSE * 3 + '<div id="px-captcha"></div>')) is None
    assert (
        challenge(page("Pardon Our Interruption", "<a href=x>x</a>" * 61 + "made us think you were a bot")) is not None
    )


@pytest.mark.parametrize(("status", "found"), [(200, True), (403, False), (429, False)])
def test_a_plain_refusal_is_a_lie_only_with_status_200(status: int, found: bool) -> None:
    assert (challenge(page("403 Forbidden", "<h1>403 Forbidden</h1>"), status=status) is not None) is found


@pytest.mark.parametrize("kind", ["image/jpeg", "application/octet-stream", "application/pdf"])
def test_what_is_no_page_is_none(kind: str) -> None:
    assert challenge((PAGES / "challenge_cloudflare.html").read_bytes(), kind) is None
    assert challenge(b"\xff\xd8\xff\xe0" + bytes(5000)) is None


def test_a_reference_to_an_impossible_character_is_no_trap() -> None:
    assert challenge(page("&#" + "9" * 6000 + ";", "&#" + "9" * 6000 + ";")) is None


@given(st.binary(max_size=400), st.text(max_size=200), st.integers(100, 599))
@settings(max_examples=200, deadline=None)
def test_no_bytes_break_it(junk: bytes, text: str, status: int) -> None:
    for body in (junk, b"<html><title>" + junk, page(text, text), text.encode(errors="replace")):
        assert challenge(body, status=status) is None or challenge(body, status=status)


@pytest.mark.skipif(not EBAY.is_dir(), reason="the shared eBay pages are not here")
def test_real_pages_of_ebay_are_told_apart() -> None:
    found = {path.name: challenge(path.read_bytes()) for path in sorted(EBAY.iterdir())}
    assert {name for name, why in found.items() if why} == {name for name in found if name.startswith("challenge_")}


@pytest.mark.skipif(not SHOPS.is_dir(), reason="the shared shop pages are not here")
def test_no_real_page_of_a_shop_is_a_challenge() -> None:
    paths = [path for path in sorted(SHOPS.rglob("*")) if path.suffix in (".gz", ".html", ".json", ".jsonld")]
    bodies = {path: path.read_bytes() for path in paths}
    pages = {path: gzip.decompress(body) if path.suffix == ".gz" else body for path, body in bodies.items()}
    assert len(pages) > 40
    assert [path for path, body in pages.items() if challenge(body)] == []
