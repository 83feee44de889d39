"""What a night crawls: products shared out over shards, and the request budget over the shards.

The plan only grows: a shard keeps its products for the night, and products that are asked for later get shards of
their own. So a shard's name means the same, however often and by whom it is run again.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Sequence
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from lvbag.catalog import Catalog
from lvbag.crawl.errors import CrawlError
from lvbag.crawl.results import NightPlan
from lvbag.settings import CrawlSettings, Settings
from lvbag.store import CorruptObject, ObjectMissing, Store, keys

log = logging.getLogger(__name__)


class PlannedShard(BaseModel):
    """One mapped task: some products at one source."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str  # <source>.<nnn>
    source: str
    products: tuple[str, ...]  # style codes
    requests: int  # the most that the shard may send


class Plan(BaseModel):
    """`keys.plan`: all shards of a night."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    night: dt.date
    shards: tuple[PlannedShard, ...]

    def shard(self, name: str) -> PlannedShard:
        """The shard of this name; raises `CrawlError` when the night has none."""
        for shard in self.shards:
            if shard.name == name:
                return shard
        raise CrawlError(
            f"night {self.night} has no shard {name!r}; it has {', '.join(s.name for s in self.shards) or 'none'}"
        )


def plan_night(
    store: Store, settings: Settings, catalog: Catalog, night: dt.date, products: Sequence[str] = ()
) -> NightPlan:
    """Plan a night for these style codes (none: the whole catalog) and write `keys.plan`.

    Returns the shards that hold one of the products. Raises `CrawlError` when a style code is not in the catalog, no
    source is enabled, or a source lies beyond this machine and `crawl.contact` is empty.
    """
    wanted = _wanted(catalog, products)
    sources = enabled_sources(settings.crawl)
    earlier = _stored_plan(store, night)
    plan = share_out(earlier, night, sources, wanted, settings.crawl)
    store.put_json(keys.plan(night), plan.model_dump(mode="json"))
    names = tuple(s.name for s in plan.shards if s.source in sources and set(s.products) & set(wanted))
    total = sum(s.requests for s in plan.shards)
    log.info("crawl.plan night=%s shards=%d products=%d requests=%d", night, len(names), len(wanted), total)
    return NightPlan(night, names, total)


def share_out(
    earlier: Plan | None, night: dt.date, sources: Sequence[str], wanted: Sequence[str], settings: CrawlSettings
) -> Plan:
    """Put every product that no shard of its source holds yet into new shards, and share the budget equally."""
    shards = list(earlier.shards) if earlier else []
    for source in sources:
        own = [s for s in shards if s.source == source]
        held = {code for s in own for code in s.products}
        new = [code for code in wanted if code not in held]
        size = settings.products_per_shard
        for number, start in enumerate(range(0, len(new), size), len(own)):
            codes = tuple(new[start : start + size])
            shards.append(PlannedShard(name=f"{source}.{number:03d}", source=source, products=codes, requests=0))
    share = settings.max_requests // max(1, len(shards))
    if shards and share < 1:
        raise CrawlError(
            f"night {night} has {len(shards)} shards but crawl.max_requests is {settings.max_requests}; raise it, or "
            "raise crawl.products_per_shard"
        )
    return Plan(night=night, shards=tuple(s.model_copy(update={"requests": share}) for s in shards))


def load_plan(store: Store, night: dt.date) -> Plan:
    """The night's plan; raises `CrawlError` when there is none."""
    plan = _stored_plan(store, night)
    if plan is None:
        raise CrawlError(f"night {night} has no plan ({store.uri(keys.plan(night))}); plan the night first")
    return plan


def enabled_sources(settings: CrawlSettings) -> tuple[str, ...]:
    """The names of the sources to crawl, sorted; raises `CrawlError` when there is none or a contact is missing."""
    names = tuple(sorted(name for name, source in settings.sources.items() if source.enabled))
    if not names:
        raise CrawlError("no source is enabled, so there is nothing to crawl; add a shop under crawl.sources")
    for name in names:
        require_contact(settings, name)
    return names


def require_contact(settings: CrawlSettings, source: str) -> None:
    """Nobody's shop is crawled without an address to complain to; raises `CrawlError` naming `crawl.contact`."""
    where = urlsplit(settings.sources[source].search_url).netloc.lower()
    if where not in settings.loopback_hosts and not settings.contact.strip():
        raise CrawlError(
            f"source {source} is a shop of somebody else ({where}) and the setting crawl.contact is empty; set it to "
            "an address or page where the shop's operator reaches you"
        )


def _wanted(catalog: Catalog, products: Sequence[str]) -> tuple[str, ...]:
    known = tuple(product.style_code for product in catalog.products)
    for code in products:
        if code not in known:
            raise CrawlError(f"style code {code!r} is not in the catalog; add a line for it to catalog.csv")
    return tuple(code for code in known if not products or code in products)


def _stored_plan(store: Store, night: dt.date) -> Plan | None:
    ref = keys.plan(night)
    try:
        return Plan.model_validate(store.get_json(ref))
    except ObjectMissing:
        return None
    except ValidationError as error:
        raise CorruptObject(
            f"{store.uri(ref)} is no plan ({error.error_count()} wrong fields); delete it and plan the night again"
        ) from None
