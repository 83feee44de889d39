"""The crawl's tools from the shell: pages, robots.txt, titles, shards by hand, hosts."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard
from PIL import Image
from typer.testing import CliRunner

from lvbag.cli import app
from lvbag.demo.configuration import write_configuration
from lvbag.demo.market import Market
from lvbag.demo.server import MarketServer
from lvbag.errors import LvbagError
from lvbag.settings import Settings
from lvbag.store import Store
from store_env import name_store

Run = Callable[..., str]

ITEM = """<!doctype html><html><head><link rel="canonical" href="https://shop.example/bags/7">
<script type="application/ld+json">{"@type": "Product", "name": "Louis Vuitton Speedy 30 [rare]", "sku": "S7",
"image": ["/a.jpg"], "offers": {"price": "450", "priceCurrency": "EUR"}}</script></head><body></body></html>"""


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def rows(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def market(tmp_path: Path, store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[MarketServer]:
    """A market of two products, and a configuration that names it."""
    photos = tmp_path / "photos"
    for product in ("Blue Tote", "Red Clutch"):
        (photos / product).mkdir(parents=True)
        for number in range(6):
            Image.effect_noise((160, 160), 40 + number).convert("RGB").save(photos / product / f"{number}.jpg")
    home = tmp_path / "home"
    monkeypatch.setenv("LVBAG_HOME", str(home))
    name_store(monkeypatch, settings.store)
    with MarketServer(Market(0, night=2, photos=photos), tmp_path / "market") as server:
        (home / "config").mkdir(parents=True)
        write_configuration(home, server.port, photos)
        yield server


def test_a_dry_run_prints_the_requests_and_makes_none(market: MarketServer) -> None:
    planned = rows(run("crawl", "run", "--source", "market", "--dry-run", "--json"))
    assert planned[0]["url"] == f"{market.url}/robots.txt"
    assert all(str(row["url"]).startswith(f"{market.url}/search?q=") for row in planned[1:])
    assert rows(run("crawl", "hosts", "--json")) == []
    assert "/robots.txt" in run("crawl", "run", "--source", "market", "--dry-run")


def test_a_shard_by_hand_is_limited_goes_into_the_night_and_shows_its_host(market: MarketServer) -> None:
    night = ("--night", "2026-11-23")
    done = rows(run("crawl", "run", "--source", "market", "--limit", "2", *night, "--json"))[-1]
    assert (done["listings"], done["reused"]) == (2, False)
    assert rows(run("crawl", "run", "--source", "market", "--limit", "2", *night, "--json"))[-1]["reused"] is True
    assert rows(run("crawl", "close", *night, "--json"))[0]["listings"] == 2
    hosts = {row["name"]: row for row in rows(run("crawl", "hosts", *night, "--json"))}
    host = hosts[f"127.0.0.1:{market.port}"]
    assert host["requests"] > 2
    assert (host["holder"], host["given_up"]) == ("", None)
    assert f"127.0.0.1:{market.port}" in run("crawl", "hosts", *night)
    run("crawl", "hosts", *night, "--forgive", f"127.0.0.1:{market.port}")
    with pytest.raises(LvbagError, match=r"no host 'nobody\.example' was crawled in night 2026-11-23"):
        run("crawl", "hosts", *night, "--forgive", "nobody.example")
    with pytest.raises(LvbagError, match=r"no source 'nowhere' under crawl\.sources; there are: market"):
        run("crawl", "run", "--source", "nowhere")


@pytest.mark.parametrize("suffix", ["html", "html.zst"])
def test_parse_shows_what_a_parser_sees_in_a_saved_page(tmp_path: Path, suffix: str) -> None:
    page = tmp_path / f"page.{suffix}"
    body = ITEM.encode()
    page.write_bytes(zstandard.compress(body) if suffix.endswith("zst") else body)
    (row,) = rows(run("crawl", "parse", "--source", "schema_org", str(page), "--json"))
    assert (row["file"], row["challenge"], row["dropped"]) == (str(page), False, {})
    (listing,) = row["listings"]
    assert (listing["listing_id"], listing["title"]) == ("S7", "Louis Vuitton Speedy 30 [rare]")
    assert (listing["price"], listing["currency"]) == (450.0, "EUR")
    assert listing["image_urls"] == ["https://shop.example/a.jpg"], "the page says where it came from"
    assert "Speedy 30 [rare]" in run("crawl", "parse", "--source", "schema_org", str(page))


def test_parse_says_why_it_sees_nothing(tmp_path: Path) -> None:
    blocked = tmp_path / "blocked.html"
    blocked.write_text(
        "<html><head><title>Pardon Our Interruption...</title></head><body><h1>Pardon Our Interruption</h1>"
        "<p>something about your browser made us think you were a bot</p></body></html>"
    )
    (row,) = rows(run("crawl", "parse", "--source", "ebay_html", str(blocked), "--json"))
    assert (row["challenge"], row["listings"]) == (True, [])
    assert str(row["why"])
    with pytest.raises(LvbagError, match=r"there is no source 'ebey'; there are the kinds schema_org, ebay_html"):
        run("crawl", "parse", "--source", "ebey", str(blocked))
    with pytest.raises(LvbagError, match=r"missing\.html cannot be read: No such file"):
        run("crawl", "parse", "--source", "ebay_html", str(tmp_path / "missing.html"))


def test_robots_says_which_rule_decides(tmp_path: Path) -> None:
    robots = tmp_path / "robots.txt"
    robots.write_text("User-agent: *\nDisallow: /private\nAllow: /private/open\nCrawl-delay: 2\n")
    urls = ("https://shop.example/private/x", "https://shop.example/private/open", "https://shop.example/")
    found = rows(run("crawl", "robots", "--agent", "AnyBot", "--robots", str(robots), *urls, "--json"))
    assert [(row["allowed"], row["rule"]) for row in found] == [
        (False, "Disallow: /private"),
        (True, "Allow: /private/open"),
        (True, None),
    ]
    assert {row["crawl_delay"] for row in found} == {2.0}


def test_match_names_product_and_line(market: MarketServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LVBAG_CONFIG_DIR", str(Path(__file__).resolve().parents[2] / "config"))
    titles = tmp_path / "titles.json"
    titles.write_text(json.dumps([{"title": "Louis Vuitton Neverfull MM Monogram"}, "Louis Vuitton bag"]))
    found = rows(run("crawl", "match", "--file", str(titles), "--json"))
    assert [row["line"] for row in found] == ["neverfull", None]
    assert found[0]["confidence"] > 0.5
    assert all(row["reason"] for row in found)


def test_secrets_of_a_source_show_nowhere(
    market: MarketServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("LVBAG_CRAWL__SOURCES__EBAY__KIND", "ebay_api")
    monkeypatch.setenv("LVBAG_CRAWL__SOURCES__EBAY__CLIENT_SECRET", "sesame-open")
    with caplog.at_level(logging.DEBUG), pytest.raises(LvbagError, match="needs a permission") as caught:
        run("settings", "--json")
    assert "sesame-open" not in str(caught.value)
    monkeypatch.setenv("LVBAG_CRAWL__SOURCES__EBAY__ENABLED", "false")
    assert "sesame-open" not in run("settings", "--json")
    assert "sesame-open" not in caplog.text
