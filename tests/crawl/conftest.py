"""What the crawl's tests share: shops on loopback, a fetcher with its leases, settings with short waits."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from crawl_shop import Shop, running_shop

from lvbag.catalog import Catalog, Product
from lvbag.crawl.fetching.fetcher import Fetcher
from lvbag.crawl.fetching.leases import Leases
from lvbag.crawl.fetching.robots_cache import RobotsCache
from lvbag.settings import CrawlSettings, Settings
from lvbag.source_settings import SchemaOrgSettings
from lvbag.store import Store

NIGHT = dt.date(2026, 11, 23)


@pytest.fixture
def shop() -> Iterator[Shop]:
    with running_shop() as shop:
        yield shop


@pytest.fixture
def other_shop() -> Iterator[Shop]:
    """A second host."""
    with running_shop() as shop:
        yield shop


@pytest.fixture
def polite(shop: Shop) -> CrawlSettings:
    """Crawl settings for the shop, with short waits."""
    return CrawlSettings(
        sources={"market": SchemaOrgSettings(search_url=f"{shop.url}/search?q={{query}}")},
        loopback_hosts=(shop.netloc,),
        products_per_shard=1,
        min_delay_s=0.0,
        delay_factor=0.0,
        breaker_pause_s=0.1,
        robots_max_age_s=0.0,
        lease_s=5.0,
        retries=1,
        timeout_s=3.0,
        total_timeout_s=4.0,
        max_retry_after_s=5.0,
        max_page_bytes=200_000,
        max_image_bytes=200_000,
    )


OpenFetcher = Callable[..., AbstractContextManager[Fetcher]]


@pytest.fixture
def open_fetcher(store: Store, polite: CrawlSettings) -> OpenFetcher:
    """Opens a fetcher with leases of its own, as a shard has them."""

    @contextmanager
    def opened(settings: CrawlSettings = polite, budget: int = 50, holder: str = "a test") -> Iterator[Fetcher]:
        cache = RobotsCache(store, NIGHT, settings.robots_max_age_s)
        with Leases(store, NIGHT, holder, settings.lease_s) as leases, Fetcher(settings, leases, cache, budget) as it:
            yield it

    return opened


@pytest.fixture
def night_settings(settings: Settings, polite: CrawlSettings) -> Settings:
    """The settings of a whole crawl over the test's own buckets."""
    return settings.model_copy(update={"crawl": polite})


@pytest.fixture
def catalog() -> Catalog:
    return Catalog(
        (
            Product("M41108", "Speedy 30", "speedy", "Monogram", "30", ("speedy 30 monogram",)),
            Product("M42226", "Petit Noé", "noe", "Monogram", "", ()),
        )
    )
