"""robots.txt: which groups and rules hold, however the file is written, and what a hostile one costs."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st
from typer.testing import CliRunner

from lvbag.commands.crawl_robots import robots
from lvbag.crawl.errors import CrawlError
from lvbag.crawl.fetching.robots import AGENT, MAX_BYTES, RobotsRules, Verdict, forbid, path_of, read_rules
from lvbag.crawl.fetching.robots_match import Rule, RuleSet, matches

HOST = "https://shop.example"


def verdict(text: str | bytes, path: str, agent: str = AGENT) -> Verdict:
    body = text if isinstance(text, bytes) else text.encode()
    return read_rules(200, body).verdict(HOST + path, agent)


def allowed(text: str | bytes, path: str, agent: str = AGENT) -> bool:
    return verdict(text, path, agent).allowed


# ------------------------------------------------------------------ what an answer means


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451])
def test_a_missing_or_refused_file_allows_everything(status: int) -> None:
    assert read_rules(status, b"User-agent: *\nDisallow: /").refusal(f"{HOST}/") is None


@pytest.mark.parametrize("status", [429, 500, 503, 599])
def test_a_server_in_trouble_forbids_everything_and_says_why(status: int) -> None:
    rules = read_rules(status, b"")
    assert rules.refusal(f"{HOST}/") == f"robots_unreachable: the answer was {status}"
    assert not rules.verdict(f"{HOST}/", AGENT).allowed
    assert forbid("no answer").refusal(f"{HOST}/") == "robots_unreachable: no answer"


def test_a_refusal_names_the_rule_and_a_delay_is_known_in_seconds() -> None:
    rules = read_rules(200, b"User-agent: *\nCrawl-delay: 2.5\nDisallow: /private # ours")
    assert rules.refusal(f"{HOST}/private/x") == "robots: disallowed by Disallow: /private"
    assert rules.refusal(f"{HOST}/public") is None
    assert rules.delay_s == 2.5
    assert RobotsRules().delay_s == 0.0


def test_a_long_rule_is_shortened_in_a_reason_and_cannot_steer_a_terminal() -> None:
    rules = read_rules(200, b"User-agent: *\nDisallow: /\x1b[2J*" + b"*" * 4000)
    why = rules.refusal(f"{HOST}/%1B[2J")
    assert why is not None
    assert "\x1b" not in why
    assert len(why) < 300


def test_a_last_line_that_the_limit_cuts_short_does_not_count() -> None:
    head = b"User-agent: *\nDisallow: /a\n"
    filling = b"# " + b"x" * (MAX_BYTES - len(head) - len(b"\nDisallow: /") - 2) + b"\n"
    cut = head + filling + b"Disallow: /private"
    assert len(head + filling + b"Disallow: /") == MAX_BYTES
    assert (allowed(cut, "/open"), allowed(cut, "/a")) == (True, False)


# ------------------------------------------------------------------ groups and agents


def test_the_group_of_an_agent_replaces_that_of_everybody() -> None:
    text = "User-agent: *\nDisallow: /\n\nUser-agent: lvbag\nDisallow: /cart"
    assert (allowed(text, "/bags"), allowed(text, "/cart"), allowed(text, "/bags", "other")) == (True, False, False)


def test_groups_of_one_agent_are_merged_and_agents_may_share_a_group() -> None:
    text = "user-agent: LVBAG\nuser-agent: other\ndisallow: /a\nuser-agent: x\ndisallow: /\n"
    text += "user-agent: lvbag\ndisallow: /b"
    assert [allowed(text, path) for path in ("/a", "/b", "/c")] == [False, False, True]
    assert [allowed(text, path, "other") for path in ("/a", "/b")] == [False, True]


def test_an_empty_rule_completes_a_group_and_forbids_nothing() -> None:
    text = "User-agent: lvbag\nDisallow:\nUser-agent: *\nDisallow: /"
    assert verdict(text, "/x") == Verdict(allowed=True)
    assert not allowed(text, "/x", "other")


def test_lines_that_are_no_rules_do_not_end_the_list_of_agents() -> None:
    text = "User-agent: lvbag\nSitemap: https://shop.example/map.xml\nfoo: bar\n\nUser-agent: other\nDisallow: /x"
    assert not allowed(text, "/x")
    assert not allowed(text, "/x", "other")


def test_rules_before_the_first_agent_hold_for_nobody() -> None:
    assert allowed("Disallow: /\nCrawl-delay: 9\nUser-agent: *\nDisallow: /x", "/y")
    assert verdict("Crawl-delay: 9\nUser-agent: *\nDisallow: /x", "/y").crawl_delay is None


@pytest.mark.parametrize(
    ("named", "agent", "addressed"),
    [
        ("lvbag", "LvBag", True),
        ("lvbag/1.0", "lvbag", True),
        ("lvbag and friends", "lvbag", True),
        ("lvbagger", "lvbag", False),
        ("lv", "lvbag", False),
        ("lvbag", "lvbag/0.1 (+https://team.example)", True),
        ("lvbag", "Mozilla/5.0 (compatible; lvbag/0.1; +https://team.example/bot)", True),
        ("team", "lvbag/0.1 (+https://team.example/bot)", False),
        ("lvbag", "my lvbag", False),
        ("* all of you", "lvbag", True),
        ("*bot", "lvbag", False),
        ("", "", False),
    ],
)
def test_agents_are_matched_by_their_product_token(named: str, agent: str, addressed: bool) -> None:
    assert allowed(f"User-agent: {named}\nDisallow: /", "/x", agent) is not addressed


# ------------------------------------------------------------------ how lines are written


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffUser-agent: *\r\nDisallow: /x\r\n",
        b"\xef\xbbUser-agent: *\nDisallow: /x",
        "User-agent: *\rDisallow: /x\r",
        "  uSeR-aGeNt :*\n\t DISALLOW\t:\t/x \t# because",
        "user-agent *\ndisallow /x",
        "useragent: *\ndissallow: /x",
        "user agent: *\ndisalow: /x",
        "<html>\x00\x01\x02\nUser-agent: *\n<br>\nDisallow: /x\n</html>",
        "User-agent: *\n" + "y" * 100_000 + "\nDisallow: /x",
        "User-agent: *\nDis\0allow: /x",
        "User-agent: *\nDisallow: /x".encode("utf-16"),
        b"\xfe\xff" + "User-agent: *\nDisallow: /x".encode("utf-16-be"),
        b"User-agent: *\nDisallow: /\xff\xfe\nDisallow: /x",
    ],
)
def test_a_rule_is_read_however_the_line_is_written(text: str | bytes) -> None:
    assert (allowed(text, "/x/y"), allowed(text, "/y")) == (False, True)


def test_of_an_endless_line_the_beginning_counts() -> None:
    start = "/x/" + "a" * 17_000
    rules = read_rules(200, f"User-agent: *\nDisallow: {start}/y".encode())
    assert not rules.verdict(f"{HOST}{start}/z", AGENT).allowed
    assert rules.verdict(f"{HOST}/x/a", AGENT).allowed


def test_a_line_of_many_words_without_a_colon_is_no_rule() -> None:
    assert allowed("User-agent: *\nDisallow nobody anything", "/nobody")


def test_the_rule_is_given_as_written() -> None:
    text = "USER-AGENT: *\ndisalow /a\nAllow:   /ä/index.html   # welcome"
    assert verdict(text, "/a").rule == "disalow /a"
    assert verdict(text, "/%C3%A4/") == Verdict(allowed=True, rule="Allow:   /ä/index.html")


@pytest.mark.parametrize(
    ("lines", "delay"),
    [
        ("Crawl-delay: 10", 10.0),
        ("crawl-DELAY 0.5", 0.5),
        ("Crawl-delay: 3 # please", 3.0),
        ("Crawl-delay: .25", 0.25),
        ("Crawl-delay: 0", 0.0),
        ("Crawl-delay: 2\nDisallow: /x\nCrawl-delay: 7\nCrawl-delay: 4", 7.0),
        *((f"Crawl-delay: {value}", None) for value in ("", "-1", "soon", "nan", "inf", "1e9", "1,5", "٣", "9" * 400)),
    ],
)
def test_a_crawl_delay_is_read_where_it_is_a_number(lines: str, delay: float | None) -> None:
    assert verdict(f"User-agent: *\n{lines}\nDisallow: /cart", "/").crawl_delay == delay


def test_a_crawl_delay_holds_for_the_agents_above_it_and_not_for_those_below() -> None:
    text = "User-agent: slow\nCrawl-delay: 9\n\nUser-agent: a\nUser-agent: lvbag\nCrawl-delay: 1\n\n"
    text += "User-agent: *\nDisallow: /x"
    assert [verdict(text, "/", agent).crawl_delay for agent in ("slow", "a", "lvbag", "other")] == [9.0, 1.0, 1.0, None]
    assert [allowed(text, "/x", agent) for agent in ("slow", "lvbag", "other")] == [False, False, False]


# ------------------------------------------------------------------ which rule decides


@pytest.mark.parametrize(
    ("rules", "path", "rule"),
    [
        ("Disallow: /a\nAllow: /a/b", "/a/b/c", "Allow: /a/b"),
        ("Allow: /a\nDisallow: /a/b", "/a/b/c", "Disallow: /a/b"),
        ("Disallow: /page\nAllow: /page", "/page", "Allow: /page"),
        ("Disallow: /*.gif$\nAllow: /img", "/img/x.gif", "Disallow: /*.gif$"),
        ("Disallow: /*.gif\nAllow: /img/x", "/img/x.gif", "Allow: /img/x"),
        ("Disallow: /*.gif\nAllow: /abcde", "/abcde.gif", "Allow: /abcde"),
        ("Disallow: /$", "/", "Disallow: /$"),
        ("Disallow: /$", "/x", None),
        ("Disallow: /*$", "/x", "Disallow: /*$"),
        ("Disallow: *x", "/y/x", "Disallow: *x"),
        ("Disallow: private", "/private", None),
        ("Disallow: /Private", "/private", None),
        ("Disallow: /a$b", "/a$bc", "Disallow: /a$b"),
        ("Disallow: /?q=", "?q=1", "Disallow: /?q="),
        ("Disallow: /a#b", "/a", "Disallow: /a"),
        ("Disallow: /x", "/y#/x", None),
        ("Disallow: /x/index.html", "/x/", None),
    ],
)
def test_the_longest_match_decides_and_of_two_as_long_the_one_that_allows(rules, path, rule) -> None:
    assert verdict(f"User-agent: *\n{rules}", path).rule == rule


@pytest.mark.parametrize(
    ("rule", "path", "forbidden"),
    [
        ("/käse", "/k%C3%A4se", True),
        ("/k%c3%a4se", "/käse", True),
        ("/a%3cd.html", "/a%3Cd.html", True),
        ("/%7ejoe", "/~joe", True),
        ("/~joe", "/%7Ejoe/x", True),
        ("/a%2fb.html", "/a%2Fb.html", True),
        ("/a%2fb.html", "/a/b.html", False),
        ("/a/b.html", "/a%2fb.html", False),
        ("/a b", "/a%20b", True),
        ("/a%2A", "/a*", True),
        ("/a%2A", "/ab", False),
        ("/a%24", "/a$b", True),
        ("/a%", "/a%25", True),
    ],
)
def test_percent_encoding_makes_no_difference_but_for_reserved_characters(rule, path, forbidden) -> None:
    assert allowed(f"User-agent: *\nDisallow: {rule}", path) is not forbidden


def test_what_only_one_of_the_two_readings_of_percent_encoding_allows_is_forbidden() -> None:
    text = "User-agent: *\nDisallow: /\nAllow: /%7Ejoe"
    assert verdict(text, "/~joe") == Verdict(allowed=False, rule="Disallow: /")
    assert verdict(text, "/%7Ejoe") == Verdict(allowed=True, rule="Allow: /%7Ejoe")


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://shop.example", "/"),
        ("https://shop.example/a/b?c=d;e#f", "/a/b?c=d;e"),
        ("https://shop.example?q=http://x/", "/?q=http://x/"),
        ("https://shop.example#/x", "/"),
        ("//shop.example/x", "/x"),
        ("/x?u=http://y/z", "/x?u=http://y/z"),
        ("shop.example/x", "/x"),
        ("shop.example;p", "/;p"),
        ("a/", "/"),
        ("a", "/"),
        ("//a/b/c", "/b/c"),
        ("", "/"),
    ],
)
def test_the_path_of_a_url_is_taken_as_it_stands(url: str, path: str) -> None:
    assert path_of(url) == path


# ------------------------------------------------------------------ properties


def naive(pattern: bytes, path: bytes) -> bool:
    """The definition, one character at a time."""

    @functools.cache
    def match(p: int, t: int) -> bool:
        if p == len(pattern):
            return True
        if pattern[p : p + 1] == b"$" and p == len(pattern) - 1:
            return t == len(path)
        if pattern[p : p + 1] == b"*":
            return match(p + 1, t) or (t < len(path) and match(p, t + 1))
        return t < len(path) and pattern[p] == path[t] and match(p + 1, t + 1)

    return match(0, 0)


PATTERNS = st.text("/ab*$", max_size=8).map(str.encode)
PATHS = st.text("/ab$", max_size=10).map(lambda text: b"/" + text.encode())


@budget(max_examples=400, deadline=None)
@given(PATTERNS, PATHS)
def test_a_pattern_matches_what_its_definition_says(pattern: bytes, path: bytes) -> None:
    assert matches(pattern, path) == naive(pattern, path)


@budget(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.booleans(), PATTERNS.filter(bool)), max_size=8), st.text("/ab", max_size=8))
def test_of_many_rules_the_best_is_found(rules: list[tuple[bool, bytes]], rest: str) -> None:
    path = b"/" + rest.encode()
    found = RuleSet([Rule(allow, pattern, b"") for allow, pattern in rules]).deciding(path)
    ranks = [(len(pattern), allow) for allow, pattern in rules if naive(pattern, path)]
    assert (found and (len(found.pattern), found.allow)) == max(ranks, default=None)


@budget(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.text(max_size=60), st.text(max_size=20))
def test_no_file_url_or_agent_raises(body: bytes, url: str, agent: str) -> None:
    for start in (b"", b"User-agent: *\nDisallow:"):
        rules = read_rules(200, start + body)
        rules.verdict(url, agent)
        rules.refusal(url)


@pytest.mark.parametrize(
    "body",
    [
        b"User-agent: *\nDisallow: /" + b"a*" * 20_000 + b"$",
        b"User-agent: *\n" + b"Disallow: /*a*a*a*a*b$\n" * 20_000,
        b"".join(b"User-agent: a%d\n" % number for number in range(15_000)) + b"Disallow: /\n" * 15_000,
        b"User-agent: *\n" + b"".join(b"Allow:/%d\n" % number for number in range(40_000)),
        b"\n" * MAX_BYTES,
        b":" * MAX_BYTES,
        b"User-agent: *\nDisallow: /" + b"%" * (MAX_BYTES - 30),
    ],
    ids=["one long pattern", "many patterns", "many agents", "many rules", "empty lines", "colons", "percents"],
)
def test_a_hostile_file_ends_with_a_verdict(body: bytes) -> None:
    rules = read_rules(200, body)
    for agent in (AGENT, "a"):
        assert rules.verdict(f"{HOST}/{'a' * 2000}", agent).allowed in (True, False)


# ------------------------------------------------------------------ the command


@pytest.fixture
def command() -> typer.Typer:
    app = typer.Typer()
    app.command()(robots)
    return app


def test_the_command_prints_one_object_a_url(command: typer.Typer, tmp_path: Path) -> None:
    file = tmp_path / "robots.txt"
    file.write_text("User-agent: FooBot\nCrawl-delay: 3\nDisallow: /private\n", encoding="utf-8")
    urls = [f"{HOST}/private/x", f"{HOST}/open"]
    result = CliRunner().invoke(command, ["--agent", "FooBot", "--robots", str(file), *urls, "--json"])
    assert result.exit_code == 0
    assert [json.loads(line) for line in result.stdout.splitlines()] == [
        {"url": urls[0], "allowed": False, "rule": "Disallow: /private", "crawl_delay": 3.0},
        {"url": urls[1], "allowed": True, "rule": None, "crawl_delay": 3.0},
    ]
    plain = CliRunner().invoke(command, ["--agent", "FooBot", "--robots", str(file), *urls])
    assert plain.exit_code == 0
    assert "forbidden" in plain.stdout


def test_the_command_speaks_for_our_own_agent_and_reads_stdin(command: typer.Typer) -> None:
    result = CliRunner().invoke(
        command, ["--robots", "-", f"{HOST}/x", "--json"], input=b"User-agent: lvbag\nDisallow: /x"
    )
    assert json.loads(result.stdout)["allowed"] is False


def test_the_command_says_which_file_is_missing(command: typer.Typer, tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["--robots", str(tmp_path / "none.txt"), f"{HOST}/x"])
    assert isinstance(result.exception, CrawlError)
    assert "none.txt: No such file" in str(result.exception)
