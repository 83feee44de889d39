"""What a shard by hand would ask for, without asking: `lvbag crawl run --dry-run`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lvbag.catalog import Catalog
from lvbag.crawl.errors import CrawlError
from lvbag.crawl.fetching.addresses import parse_target
from lvbag.crawl.plan import wanted_products
from lvbag.crawl.sources import Query, open_source
from lvbag.settings import Settings


@dataclass(frozen=True)
class PlannedRequest:
    """One request that is known before the first answer; `product` is empty where it belongs to none."""

    url: str
    product: str
    why: str


def rehearse(
    settings: Settings, catalog: Catalog, source: str, products: Sequence[str] = ()
) -> Iterator[PlannedRequest]:
    """The first requests of a shard: robots.txt, and the first page of results of each query.

    What follows (further pages, items, pictures) depends on the answers. Raises `CrawlError` for an unknown source or
    product.
    """
    entry = settings.crawl.sources.get(source)
    if entry is None:
        known = ", ".join(sorted(settings.crawl.sources)) or "none"
        raise CrawlError(f"there is no source {source!r} under crawl.sources; there are: {known}")
    opened = open_source(entry)
    origins: set[str] = set()
    wanted = (None,) if opened.whole else wanted_products(catalog, products)
    for product in wanted:
        for words in ("",) if product is None else opened.queries(product):
            url = opened.first_url(Query(words))
            if not opened.local and not opened.api and (origin := parse_target(url).origin) not in origins:
                origins.add(origin)
                yield PlannedRequest(f"{origin}/robots.txt", "", "what the host allows")
            code = "" if product is None else product.style_code
            yield PlannedRequest(url, code, f"results of {words!r}" if words else "all that the source has")
