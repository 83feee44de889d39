"""The marketplace over HTTP, as a crawler meets it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from bs4 import BeautifulSoup

from lvbag.demo.listings import Fault, MarketError, PageKind
from lvbag.demo.market import Market
from lvbag.demo.server import MarketServer

SEED = 11


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MarketServer]:
    with MarketServer(Market(SEED), tmp_path_factory.mktemp("cache")) as running:
        yield running


@pytest.fixture
def shop(server: MarketServer) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


def item_data(text: str) -> dict[str, object]:
    return json.loads(BeautifulSoup(text, "lxml").find("script", type="application/ld+json").string)


def test_robots_forbids_only_the_private_part(server: MarketServer, shop: requests.Session) -> None:
    answer = shop.get(f"{server.url}/robots.txt")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.text == "User-agent: *\nDisallow: /private/\n"


def test_following_next_reaches_every_listing_of_a_search_once(server: MarketServer, shop: requests.Session) -> None:
    url: str | None = f"{server.url}/search?q=Louis+Vuitton+M41108"
    found: list[str] = []
    pages = 0
    while url:
        soup = BeautifulSoup(shop.get(url).text, "lxml")
        pages += 1
        cards = [card["href"] for card in soup.select("a.card")]
        listed = [item["url"] for item in item_data(str(soup))["itemListElement"]]
        assert listed == [server.url + path for path in cards]
        assert len(cards) <= 12
        found += cards
        assert soup.h1.text.startswith(f"{len(server.shop.market.search('M41108'))} results")
        following = soup.select_one("a[rel=next]")
        url = server.url + following["href"] if following else None
    assert pages == 2
    assert sorted(found) == sorted(item.path for item in server.shop.market.search("M41108"))


def test_a_page_past_the_last_is_not_found(server: MarketServer, shop: requests.Session) -> None:
    for page in ("3", "0", "x", "9" * 30):
        assert shop.get(f"{server.url}/search?q=M41108&page={page}").status_code == 404
    assert shop.get(f"{server.url}/search?q=zeppelin").status_code == 200


def test_good_item_pages_carry_a_schema_org_product(server: MarketServer, shop: requests.Session) -> None:
    listings = [item for item in server.shop.market.listings if item.page is PageKind.GOOD and not item.flaky]
    for listing in listings[::40]:
        answer = shop.get(server.url + listing.path)
        data = item_data(answer.text)
        assert data["@type"] == "Product"
        assert data["name"] == listing.title
        assert data["sku"] == listing.listing_id
        assert data["offers"]["priceCurrency"] == listing.currency
        assert float(data["offers"]["price"]) == listing.price
        assert data["image"] == [server.url + photo.path for photo in listing.photos]


def test_odd_pages_are_odd(server: MarketServer, shop: requests.Session) -> None:
    odd = {item.page: item for item in server.shop.market.listings}
    broken = shop.get(server.url + odd[PageKind.BROKEN_JSON].path)
    with pytest.raises(json.JSONDecodeError):
        item_data(broken.text)
    assert BeautifulSoup(shop.get(server.url + odd[PageKind.NO_PRODUCT].path).text, "lxml").find("script") is None
    assert b"<html" not in shop.get(server.url + odd[PageKind.NOT_HTML].path).content
    private = odd[PageKind.PRIVATE]
    assert private.path.startswith("/private/")
    assert shop.get(server.url + private.path.removeprefix("/private")).status_code == 404


def test_what_has_not_changed_is_not_sent_again(server: MarketServer, shop: requests.Session) -> None:
    listing = next(item for item in server.shop.market.listings if not item.flaky and item.photos)
    for path in (listing.path, listing.photos[0].path):
        first = shop.get(server.url + path)
        assert first.status_code == 200
        assert first.content
        again = shop.get(server.url + path, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        other = shop.get(server.url + path, headers={"If-None-Match": '"something-else"'})
        assert other.content == first.content


def test_head_answers_like_get_without_the_body(server: MarketServer, shop: requests.Session) -> None:
    path = server.shop.market.listings[0].photos[1].path
    head, get = shop.head(server.url + path), shop.get(server.url + path)
    assert head.content == b""
    assert head.headers["Content-Length"] == str(len(get.content))
    assert head.headers["ETag"] == get.headers["ETag"]


def test_a_drawn_photo_is_kept_on_disk(server: MarketServer, shop: requests.Session) -> None:
    photo = server.shop.market.listings[1].photos[0]
    first = shop.get(server.url + photo.path).content
    kept = server.shop._cache / photo.etag[:2] / photo.etag
    assert kept.read_bytes() == first


def test_a_few_addresses_answer_503_once(server: MarketServer, shop: requests.Session) -> None:
    flaky = [item.path for item in server.shop.market.listings if item.flaky]
    flaky += [photo.path for photo in server.shop.market.photos if photo.flaky]
    assert 1 <= len(flaky) <= 4
    for path in flaky:
        first = shop.get(server.url + path)
        assert (first.status_code, first.headers["Retry-After"]) == (503, "1")
        assert shop.get(server.url + path).status_code == 200


def test_broken_images_say_that_they_are_images(server: MarketServer, shop: requests.Session) -> None:
    faulty = {photo.fault: photo for photo in server.shop.market.photos if photo.fault}
    assert shop.get(server.url + faulty[Fault.TEXT_FILE].path).headers["Content-Type"] == "image/jpeg"
    assert shop.get(server.url + faulty[Fault.MISSING].path).status_code == 404


def test_unknown_addresses_are_not_found(server: MarketServer, shop: requests.Session) -> None:
    for path in ("/item/1", "/img/1/0.jpg", "/nothing", "/img/../../etc/passwd"):
        assert shop.get(server.url + path).status_code == 404
    assert shop.get(server.url).status_code == 200


def test_another_host_name_is_turned_away(server: MarketServer, shop: requests.Session) -> None:
    answer = shop.post(f"{server.url}/_market/night", json={"night": 2}, headers={"Host": "evil.example"})
    assert answer.status_code == 421
    assert shop.get(f"{server.url}/_market/status").json()["night"] == 1


def test_the_night_moves_while_the_shop_runs_and_old_etags_stay(tmp_path: Path, shop: requests.Session) -> None:
    with MarketServer(Market(SEED), tmp_path) as running:
        before = shop.get(f"{running.url}/_market/status").json()
        path = running.shop.market.listings[0].path
        etag = shop.get(running.url + path).headers["ETag"]
        after = shop.post(f"{running.url}/_market/night", json={"night": 2}).json()
        assert after["night"] == 2
        assert after["images"] > before["images"]
        assert shop.get(f"{running.url}/_market/status").json() == after
        assert shop.get(running.url + path, headers={"If-None-Match": etag}).status_code == 304
        for wrong in (b"{}", b"not json", b'{"night": "2"}', b'{"night": 0}', b"[]"):
            assert shop.post(f"{running.url}/_market/night", data=wrong).status_code == 400
        assert shop.post(f"{running.url}/elsewhere", data=b"{}").status_code == 404
        assert shop.post(f"{running.url}/_market/night", data=b"x" * 5000).status_code == 413
        assert shop.get(f"{running.url}/_market/status").json()["night"] == 2


def test_a_taken_port_is_a_clear_error(server: MarketServer, tmp_path: Path) -> None:
    with pytest.raises(MarketError, match=f"127.0.0.1:{server.port}"):
        MarketServer(Market(SEED), tmp_path, server.port)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_the_process_announces_its_port_and_ends_cleanly_on_a_signal(
    tmp_path: Path, shop: requests.Session, signum: signal.Signals
) -> None:
    port_file = tmp_path / "port"
    command = [sys.executable, "-m", "lvbag.demo.server", "--port", "0", "--cache", str(tmp_path / "cache")]
    process = subprocess.Popen(
        [*command, "--port-file", str(port_file), "--night", "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        deadline = time.monotonic() + 20
        while not port_file.exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        status = shop.get(f"http://127.0.0.1:{port_file.read_text().strip()}/_market/status").json()
        assert status["night"] == 2
        os.kill(process.pid, signum)
        out, _ = process.communicate(timeout=10)
    finally:
        process.kill()
    assert (process.returncode, out) == (0, b"")


def test_a_wrong_night_ends_the_process_with_its_reason(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lvbag.demo.server", "--cache", str(tmp_path), "--night", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "night 0" in done.stderr
    assert "Traceback" not in done.stderr
