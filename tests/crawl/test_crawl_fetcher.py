"""Politeness and safety of the fetcher, against a real server."""

from __future__ import annotations

import datetime as dt
import gzip
import itertools
import resource
import socket
import ssl
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lvbag.crawl.errors import Refused
from lvbag.crawl.fetching import wire as wire_module
from lvbag.crawl.fetching.addresses import parse_target, refusal
from lvbag.crawl.fetching.answers import Validators
from lvbag.crawl.fetching.fetcher import CallLimit, HostClosed
from lvbag.crawl.fetching.pace import backoff_s, retry_after_s
from lvbag.crawl.fetching.robots import read_rules
from lvbag.settings import CrawlSettings

LIMIT = 100_000


def reason(open_fetcher, settings: CrawlSettings, url: str) -> str:
    with open_fetcher(settings) as fetcher, pytest.raises(Refused) as caught:
        fetcher.fetch(url, LIMIT)
    return caught.value.reason


def test_what_robots_txt_disallows_is_not_asked_for(shop, open_fetcher, polite) -> None:
    shop.robots("User-agent: lvbag\nDisallow: /private\n\nUser-agent: *\nDisallow: /")
    shop.pages["/open"] = shop.Reply(b"fine")
    with open_fetcher() as fetcher:
        assert fetcher.fetch(f"{shop.url}/open", LIMIT).body == b"fine"
        with pytest.raises(Refused, match="robots: disallowed"):
            fetcher.fetch(f"{shop.url}/private/bag", LIMIT)
    assert shop.paths() == ["/robots.txt", "/open"], "one robots.txt a host, and nothing forbidden"


@pytest.mark.parametrize(("status", "allowed"), [(404, True), (403, True), (500, False), (503, False)])
def test_a_missing_robots_txt_allows_and_a_failing_one_forbids_the_host(
    shop, open_fetcher, polite, status, allowed
) -> None:
    shop.pages |= {"/robots.txt": shop.Reply(b"", status), "/open": shop.Reply(b"fine")}
    with open_fetcher(polite.model_copy(update={"retries": 0})) as fetcher:
        if allowed:
            assert fetcher.fetch(f"{shop.url}/open", LIMIT).status == 200
        else:
            with pytest.raises(Refused, match=f"robots_unreachable: the answer was {status}"):
                fetcher.fetch(f"{shop.url}/open", LIMIT)
    assert ("/open" in shop.paths()) is allowed


def test_a_crawl_delay_longer_than_the_setting_wins(shop, open_fetcher, polite) -> None:
    shop.robots("User-agent: *\nCrawl-delay: 0.3")
    shop.pages |= {"/a": shop.Reply(b"a"), "/b": shop.Reply(b"b")}
    with open_fetcher() as fetcher:
        fetcher.fetch(f"{shop.url}/a", LIMIT)
        fetcher.fetch(f"{shop.url}/b", LIMIT)
    gaps = [after.at - before.at for before, after in itertools.pairwise(shop.hits)]
    assert len(gaps) == 2
    assert min(gaps) >= 0.3


def test_retry_after_is_waited_for_and_too_long_a_wait_gives_the_host_up(shop, open_fetcher, polite) -> None:
    answers = iter([shop.Reply(b"", 429, headers={"Retry-After": "1"}), shop.Reply(b"now")])
    shop.pages["/busy"] = lambda: next(answers)
    shop.pages["/later"] = shop.Reply(b"", 503, headers={"Retry-After": "3600"})
    with open_fetcher() as fetcher:
        assert fetcher.fetch(f"{shop.url}/busy", LIMIT).body == b"now"
        first, second = [hit.at for hit in shop.hits if hit.path == "/busy"]
        assert second - first >= 1.0
        for _ in range(2):
            with pytest.raises(Refused, match="host_given_up: answer 503 with Retry-After of 3600 s"):
                fetcher.fetch(f"{shop.url}/later", LIMIT)
    assert shop.paths().count("/later") == 1, "a host that was given up is left alone"


def test_a_cut_connection_is_tried_again(shop, open_fetcher) -> None:
    answers = iter([shop.Reply(b"x" * 1000, cut_at=10), shop.Reply(b"whole")])
    shop.pages["/cut"] = lambda: next(answers)
    with open_fetcher() as fetcher:
        assert fetcher.fetch(f"{shop.url}/cut", LIMIT).body == b"whole"


def test_a_host_that_keeps_failing_is_paused_then_given_up_for_every_shard_of_the_night(
    shop, open_fetcher, polite
) -> None:
    shop.pages["/always"] = shop.Reply(b"", 500)
    shop.pages["/fine"] = shop.Reply(b"fine")
    settings = polite.model_copy(
        update={"retries": 0, "breaker_openings": 1, "breaker_pause_s": 0.3, "robots_max_age_s": 60.0}
    )
    for expected in (
        ["http_status", "http_status", "http_status"],
        ["host_given_up", "host_given_up"],
    ):
        with open_fetcher(settings, holder="another shard") as fetcher:
            reasons = []
            for _ in expected:
                with pytest.raises(Refused) as caught:
                    fetcher.fetch(f"{shop.url}/always", LIMIT)
                reasons.append(caught.value.reason.split(":")[0])
            assert reasons == expected
    asked = [hit.at for hit in shop.hits if hit.path == "/always"]
    assert len(asked) == 4, "the last one was a probe, and after it the host is left alone"
    assert asked[3] - asked[2] >= 0.29, "the pause holds for the next shard, too"
    with open_fetcher(settings) as fetcher, pytest.raises(Refused, match="host_given_up: 4 fetches in a row failed"):
        fetcher.fetch(f"{shop.url}/fine", LIMIT)


def test_one_good_answer_closes_the_breaker(shop, open_fetcher, polite) -> None:
    answers = iter([*(shop.Reply(b"", 500) for _ in range(3)), shop.Reply(b"back"), shop.Reply(b"", 500)])
    shop.pages["/shaky"] = lambda: next(answers)
    settings = polite.model_copy(update={"retries": 0, "breaker_openings": 1})
    with open_fetcher(settings) as fetcher:
        for _ in range(3):
            with pytest.raises(Refused, match="http_status: 500"):
                fetcher.fetch(f"{shop.url}/shaky", LIMIT)
        assert fetcher.fetch(f"{shop.url}/shaky", LIMIT).body == b"back"
        with pytest.raises(Refused, match="http_status: 500"):
            fetcher.fetch(f"{shop.url}/shaky", LIMIT)


def test_a_pause_between_requests_holds_from_one_shard_to_the_next(shop, open_fetcher, polite) -> None:
    shop.pages["/a"] = shop.Reply(b"a")
    settings = polite.model_copy(update={"min_delay_s": 0.4, "robots_max_age_s": 60.0})
    for holder in ("one", "two", "three"):
        with open_fetcher(settings, holder=holder) as fetcher:
            fetcher.fetch(f"{shop.url}/a", LIMIT)
    assert shop.paths() == ["/robots.txt", "/a", "/a", "/a"], "robots.txt is read once for all shards"
    gaps = [after.at - before.at for before, after in itertools.pairwise(shop.hits)]
    assert min(gaps) >= 0.39


def test_a_challenge_page_stops_the_host_for_the_night_in_every_shard(shop, open_fetcher) -> None:
    shop.pages["/search"] = None
    shop.reply = lambda path: (
        shop.Reply(b"", 404)
        if path == "/robots.txt"
        else shop.Reply(
            b"<html><head><title>Pardon Our Interruption...</title></head><body><h1>Pardon Our Interruption</h1>"
            b"<p>As you were browsing something about your browser made us think you were a bot.</p></body></html>"
        )
    )
    for _ in range(2):
        with open_fetcher() as fetcher, pytest.raises(Refused, match="challenge: "):
            fetcher.fetch(f"{shop.url}/search", LIMIT)
    assert shop.paths().count("/search") == 1


def test_cookies_are_not_kept(shop, open_fetcher) -> None:
    shop.pages["/a"] = shop.Reply(b"a", headers={"Set-Cookie": "visitor=7; Path=/"})
    with open_fetcher() as fetcher:
        for _ in range(2):
            fetcher.fetch(f"{shop.url}/a", LIMIT)
    assert all("Cookie" not in hit.headers for hit in shop.hits)


@pytest.mark.parametrize(("claimed", "body"), [(5000, b"short"), (3, b"longer than it says")])
def test_a_wrong_length_harms_no_later_answer(shop, open_fetcher, claimed, body) -> None:
    shop.pages["/wrong"] = shop.Reply(body, length=claimed)
    shop.pages["/right"] = shop.Reply(b"right")
    with open_fetcher() as fetcher:
        try:
            assert fetcher.fetch(f"{shop.url}/wrong", LIMIT).body == body[:claimed]
        except Refused as error:
            assert error.reason.startswith("no_answer")
        assert fetcher.fetch(f"{shop.url}/right", LIMIT).body == b"right"


def test_a_name_that_resolves_to_a_private_address_is_refused_also_behind_a_redirect(
    shop, open_fetcher, polite, monkeypatch
) -> None:
    real = socket.getaddrinfo
    inward = {"inside.example": "10.1.2.3", "mixed.example": "10.9.9.9"}

    def resolve(host, port, *args, **kwargs):
        if host == "mixed.example":  # one public address does not excuse the other
            public = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", port))
            return [public, (socket.AF_INET, socket.SOCK_STREAM, 6, "", (inward[host], port))]
        return real(inward.get(host, host), port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    for host, address in inward.items():
        shop.pages["/out"] = shop.Reply(b"", 302, headers={"Location": f"http://{host}/x.jpg"})
        why = reason(open_fetcher, polite, f"{shop.url}/out")
        assert why == f"address: {host}:80 is {address}, which is not a public address"


def test_a_known_version_is_asked_for_conditionally(shop, open_fetcher, polite) -> None:
    shop.pages["/a"] = shop.Reply(b"a")
    with open_fetcher() as fetcher:
        first = fetcher.fetch(f"{shop.url}/a", LIMIT)
        again = fetcher.fetch(f"{shop.url}/a", LIMIT, first.validators)
        assert (again.status, again.body) == (304, b"")
        assert fetcher.fetch(f"{shop.url}/a", LIMIT, Validators('"other"')).status == 200


def test_an_endless_body_a_declared_giant_and_a_compressed_bomb_are_cut_at_the_limit(
    shop, open_fetcher, polite
) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    shop.pages |= {
        "/endless": shop.Reply(endless=True),
        "/giant": shop.Reply(b"x" * (LIMIT + 1)),
        "/bomb": shop.Reply(bomb, headers={"Content-Encoding": "gzip"}),
    }
    assert len(bomb) < LIMIT
    assert reason(open_fetcher, polite, f"{shop.url}/endless") == f"too_large: more than {LIMIT} bytes"
    assert (
        reason(open_fetcher, polite, f"{shop.url}/giant") == f"too_large: {LIMIT + 1} bytes declared, {LIMIT} allowed"
    )
    assert reason(open_fetcher, polite, f"{shop.url}/bomb") == f"too_large: more than {LIMIT} bytes"


def test_a_trickling_answer_ends_at_the_total_time(shop, open_fetcher, polite) -> None:
    shop.pages["/drip"] = shop.Reply(b"x" * 1000, drip_s=0.05)
    started = time.monotonic()
    why = reason(open_fetcher, polite.model_copy(update={"total_timeout_s": 0.5}), f"{shop.url}/drip")
    assert why == "timeout: not complete after 0.5 s"
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        (
            "http://169.254.169.254/latest/meta-data/",
            "address: 169.254.169.254:80 is 169.254.169.254, which is not a pub",
        ),
        ("http://127.0.0.1:9/", "address: 127.0.0.1:9 is 127.0.0.1, which is on this machine and not in"),
        ("http://[::ffff:10.0.0.1]/", "address: [::ffff:"),
        ("http://0x7f000001:9/", "address: 0x7f000001:9 is 127.0.0.1"),
        ("file:///etc/passwd", "bad_url: scheme 'file'"),
        ("http://user:secret@127.0.0.1/", "bad_url: it carries credentials"),
        ("/around", "redirects: more than 5"),
    ],
)
def test_a_redirect_to_where_the_crawler_may_not_go_is_refused(shop, open_fetcher, polite, location, expected) -> None:
    shop.pages |= {p: shop.Reply(b"", 302, headers={"Location": location}) for p in ("/out", "/around")}
    assert reason(open_fetcher, polite, f"{shop.url}/out").startswith(expected)


def test_the_budget_ends_the_requests(shop, open_fetcher, polite) -> None:
    shop.pages["/a"] = shop.Reply(b"a")
    with open_fetcher(budget=2) as fetcher:
        fetcher.fetch(f"{shop.url}/a", LIMIT)
        assert fetcher.exhausted
        with pytest.raises(Refused, match="request_budget"):
            fetcher.fetch(f"{shop.url}/a", LIMIT)
    assert len(shop.hits) == 2


def test_the_shop_learns_who_asks_over_one_connection_and_no_proxy(shop, open_fetcher, polite, monkeypatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    shop.pages["/a"] = shop.Reply(b"a")
    with open_fetcher(polite.model_copy(update={"contact": "ops@example.org"})) as fetcher:
        fetcher.fetch(f"{shop.url}/a", LIMIT)
    headers = shop.hits[-1].headers
    assert headers["User-Agent"].startswith("lvbag/")
    assert headers["User-Agent"].endswith("(+ops@example.org)")
    assert headers["Host"] == shop.netloc


INWARD = """
    10.0.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 224.0.0.1 255.255.255.255 127.0.0.1 ::1 :: fe80::1 fc00::1
    ::ffff:127.0.0.1 2002:7f00:1:: 64:ff9b::7f00:1 64:ff9b::a00:1
"""


@pytest.mark.parametrize("address", INWARD.split())
def test_only_public_addresses_may_be_connected_to(address: str) -> None:
    assert refusal(address, listed=False)


def test_a_public_address_is_fine_but_not_under_a_name_that_is_listed_as_loopback() -> None:
    assert refusal("93.184.216.34", listed=False) is None
    assert refusal("2606:4700::1111", listed=False) is None
    assert refusal("127.0.0.1", listed=True) is None
    assert refusal("93.184.216.34", listed=True)


def test_a_target_is_split_without_its_fragment() -> None:
    target = parse_target("HTTPS://Example.COM/a b?q=ü#part")
    assert (target.url, target.netloc) == ("https://example.com/a%20b?q=%C3%BC", "example.com:443")
    assert target.host_header == "example.com"


def certificate(folder: Path, name: str) -> Path:
    """A self-signed certificate for a DNS name, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(pem + signed.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.parametrize(("name", "accepted"), [("localhost", True), ("other.example", False)])
def test_over_tls_the_certificate_is_checked_against_the_name_and_not_the_pinned_address(
    shop, open_fetcher, polite, tmp_path, monkeypatch, name, accepted
) -> None:
    pem = certificate(tmp_path, name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    shop.server.socket = context.wrap_socket(shop.server.socket, server_side=True)
    host = shop.netloc.replace("127.0.0.1", "localhost")
    opened = wire_module.open_session

    def open_trusting(*args: object) -> object:
        session, adapter = opened(*args)
        session.verify = str(pem)
        return session, adapter

    monkeypatch.setattr(wire_module, "open_session", open_trusting)
    shop.pages["/a"] = shop.Reply(b"a")
    settings = polite.model_copy(update={"loopback_hosts": (host,), "retries": 0})
    with open_fetcher(settings) as fetcher:
        if accepted:
            assert fetcher.fetch(f"https://{host}/a", LIMIT).body == b"a"
            assert shop.hits[-1].headers["Host"] == host
        else:
            with pytest.raises(Refused, match="no_answer: SSLError"):
                fetcher.fetch(f"https://{host}/a", LIMIT)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("Mon, 23 Nov 2026 02:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 02:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        ("-5", None),
        (None, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(value, seconds) -> None:
    assert retry_after_s(value, dt.datetime(2026, 11, 23, 2, tzinfo=dt.UTC)) == seconds


def test_the_back_off_doubles_up_to_a_ceiling() -> None:
    assert [backoff_s(n) for n in (0, 1, 2, 20)] == [0.5, 1.0, 2.0, 30.0]


def test_a_robots_txt_with_a_byte_order_mark_and_odd_bytes_is_read() -> None:
    rules = read_rules(200, b"\xef\xbb\xbfUser-agent: *\nDisallow: /\xff\nDisallow: /p*/x$")
    assert rules.refusal("https://shop.example/page/x")
    assert rules.refusal("https://shop.example/page/xy") is None


# ------------------------------------------------------------------ what a server can do before we see its answer


@pytest.mark.parametrize("endless", [False, True])
def test_the_body_of_a_redirect_is_not_unpacked(shop, open_fetcher, endless) -> None:
    bomb = gzip.compress(bytes(200_000_000), 6)
    headers = {"Location": "/open", "Content-Encoding": "gzip"}
    shop.pages["/bomb"] = shop.Reply(bomb, 302, headers=headers, endless=endless)
    shop.pages["/open"] = shop.Reply(b"fine")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with open_fetcher() as fetcher:
        try:
            assert fetcher.fetch(f"{shop.url}/bomb", LIMIT).body == b"fine"
        except Refused as error:
            assert error.reason.startswith(("no_answer", "timeout"))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000, "kilobytes"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Location": "http://[::1"}, 302),
        ({"Location": "//[x]/"}, 302),
        ({"Location": "\xff\xfe"}, 302),
        ({"Location": "http://\xed\xa0\x80/"}, 301),
        ({"Location": ""}, 302),
        ({"Transfer-Encoding": "chunked"}, 200),  # its "chunks" are pixels
    ],
)
def test_an_answer_that_no_client_understands_is_a_refusal_and_no_crash(shop, open_fetcher, headers, status) -> None:
    shop.pages["/odd"] = shop.Reply(b"-5\r\nxx", status, headers=headers)
    with open_fetcher() as fetcher, pytest.raises(Refused):
        fetcher.fetch(f"{shop.url}/odd", LIMIT)


# ------------------------------------------------------------------ waiting as we are told


def test_a_retry_after_holds_although_the_fetch_is_given_up_and_for_the_next_shard(shop, open_fetcher, polite) -> None:
    shop.pages["/busy"] = shop.Reply(b"", 503, headers={"Retry-After": "1"})
    shop.pages["/moved"] = shop.Reply(b"", 301, headers={"Retry-After": "1", "Location": "/open"})
    shop.pages["/open"] = shop.Reply(b"fine")
    settings = polite.model_copy(update={"retries": 0, "robots_max_age_s": 60.0})
    with open_fetcher(settings) as fetcher, pytest.raises(Refused, match="http_status: 503"):
        fetcher.fetch(f"{shop.url}/busy", LIMIT)
    with open_fetcher(settings, holder="the next shard") as fetcher:
        assert fetcher.fetch(f"{shop.url}/moved", LIMIT).body == b"fine"
    at = {hit.path: hit.at for hit in shop.hits}
    assert at["/moved"] - at["/busy"] >= 0.99
    assert at["/open"] - at["/moved"] >= 0.99, "a redirect may ask for a pause, too"


def test_every_answer_from_500_on_is_a_complaint(shop, open_fetcher, polite) -> None:
    shop.pages["/down"] = shop.Reply(b"", 521)
    settings = polite.model_copy(update={"retries": 0, "breaker_openings": 1, "robots_max_age_s": 60.0})
    with open_fetcher(settings) as fetcher:
        for _ in range(8):
            with pytest.raises(Refused):
                fetcher.fetch(f"{shop.url}/down", LIMIT)
    assert shop.paths().count("/down") == 4


def test_a_robots_txt_is_read_again_when_it_is_too_old(shop, open_fetcher, polite) -> None:
    shop.pages["/a"] = shop.Reply(b"a")
    with open_fetcher(polite.model_copy(update={"robots_max_age_s": 0.3})) as fetcher:
        fetcher.fetch(f"{shop.url}/a", LIMIT)
        shop.robots("User-agent: *\nDisallow: /")
        time.sleep(0.4)
        with pytest.raises(Refused, match="robots: disallowed"):
            fetcher.fetch(f"{shop.url}/a", LIMIT)


def test_a_lost_lease_forbids_one_fetch_and_not_the_host(shop, open_fetcher) -> None:
    shop.pages["/a"] = shop.Reply(b"a")
    with open_fetcher() as fetcher:
        real = fetcher._wait_turn
        fetcher._wait_turn = lambda host, limit: (_ for _ in ()).throw(HostClosed("lease_lost: just now"))
        with pytest.raises(Refused, match="lease_lost"):
            fetcher.fetch(f"{shop.url}/a", LIMIT)
        fetcher._wait_turn = real
        assert fetcher.fetch(f"{shop.url}/a", LIMIT).body == b"a"


def test_nothing_beyond_this_machine_is_asked_without_a_contact(open_fetcher, monkeypatch) -> None:
    public = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: public)
    with open_fetcher() as fetcher, pytest.raises(Refused, match=r"no_contact: .* crawl\.contact"):
        fetcher.fetch("http://shop.example/", LIMIT)


def test_a_name_is_resolved_again_after_its_address_failed(shop, open_fetcher, polite, monkeypatch) -> None:
    port = int(shop.netloc.rsplit(":", 1)[1])
    asked = itertools.count()
    real = socket.getaddrinfo

    def resolve(host, *args, **kwargs):
        if host != "moving.example":
            return real(host, *args, **kwargs)
        address = "127.0.0.1" if next(asked) else "127.0.0.99"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    shop.pages["/a"] = shop.Reply(b"a")
    settings = polite.model_copy(update={"loopback_hosts": (f"moving.example:{port}",)})
    with open_fetcher(settings) as fetcher:
        assert fetcher.fetch(f"http://moving.example:{port}/a", LIMIT).body == b"a"


def test_the_calls_of_an_api_are_counted_with_their_tries(shop, open_fetcher) -> None:
    shop.pages["/api"] = shop.Reply(b"", 503)
    limit = CallLimit(1, "crawl.sources.x.daily_calls")
    with (
        open_fetcher() as fetcher,
        pytest.raises(Refused, match=r"daily_calls: 1 calls of .*sources\.x\.daily_calls\)"),
    ):
        fetcher.call(f"{shop.url}/api", LIMIT, limit=limit)
    assert shop.paths() == ["/api"]


@pytest.mark.parametrize(
    "address", ["::10.0.0.1", "64:ff9b:1::a00:1", "::ffff:0:10.0.0.1", "fec0::1", "5f00::1", "fd00::1"]
)
def test_ipv6_has_no_way_around(address) -> None:
    assert refusal(address, listed=False) is not None
    assert refusal("2606:4700::6810:84e5", listed=False) is None


def test_a_dot_at_the_end_makes_no_other_host() -> None:
    assert parse_target("https://Shop.Example./a?b#c") == parse_target("https://shop.example/a?b")
    with pytest.raises(Refused, match="bad_url"):
        parse_target("http://./")
