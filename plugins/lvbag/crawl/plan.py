"""What a night crawls: the request budget shared among products by need, and products put into shards.

The plan only grows: a shard keeps its products for the night, and products that are asked for later get shards of
their own. So a shard's name means the same, however often and by whom it is run again.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from lvbag.catalog import Catalog, Product
from lvbag.crawl.errors import CrawlError
from lvbag.crawl.need import SEARCH_REQUESTS, share_budget
from lvbag.crawl.progress import kept_images
from lvbag.crawl.results import NightPlan
from lvbag.crawl.sources import Source, open_source
from lvbag.settings import Settings
from lvbag.source_settings import AnySource
from lvbag.store import CorruptObject, ObjectMissing, PreconditionFailed, Store, json_bytes, keys

log = logging.getLogger(__name__)

_BY_HAND = "hand-"


class PlannedShard(BaseModel):
    """One mapped task: some products at one source, or a source that is read whole."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str  # <source>.<nnn>, or <source>.hand-<digest> of a shard that was started by hand
    source: str
    products: tuple[str, ...]  # neediest first; empty where the source is read whole
    requests: tuple[int, ...]  # each product's share of the budget; what one leaves over the next may spend
    limit: int | None = None  # listings at most; a shard by hand

    @property
    def by_hand(self) -> bool:
        """Whether a person started it; its products stand in a shard of the night as well."""
        return self.name.startswith(f"{self.source}.{_BY_HAND}")


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
    """Plan a night for these products (none: the whole catalog) and write `keys.plan`.

    Returns the shards that hold one of the products, shards of different sources by turns. There are none when every
    product has `crawl.target_images` already. Raises `CrawlError` when a product is not in the catalog, no source is
    enabled, or a source lies beyond this machine and `crawl.contact` is empty.
    """
    wanted = [product.style_code for product in wanted_products(catalog, products)]
    sources = {name: open_source(settings.crawl.sources[name]) for name in enabled_sources(settings)}
    images = kept_images(store, [product.style_code for product in catalog.products], before=night)
    plan = _change_plan(store, night, lambda plan: share_out(plan, night, sources, wanted, images, settings))
    mine = [s for s in plan.shards if s.source in sources and not s.by_hand]
    names = _by_turns([s for s in mine if not s.products or set(s.products) & set(wanted)])
    total = sum(sum(s.requests) for s in plan.shards)
    log.info("crawl.plan night=%s shards=%d products=%d requests=%d", night, len(names), len(wanted), total)
    return NightPlan(night, names, total)


def plan_by_hand(  # noqa: PLR0917 - what a person asks for
    store: Store,
    settings: Settings,
    catalog: Catalog,
    night: dt.date,
    source: str,
    products: Sequence[str] = (),
    limit: int | None = None,
) -> str:
    """Add one shard to the night for these products at one source; returns its name, the same for the same wishes."""
    wanted = [product.style_code for product in wanted_products(catalog, products)]
    if source not in settings.crawl.sources:
        known = ", ".join(sorted(settings.crawl.sources)) or "none"
        raise CrawlError(f"there is no source {source!r} under crawl.sources; there are: {known}")
    opened = open_source(settings.crawl.sources[source])
    require_contact(settings, source)
    codes = () if opened.whole else tuple(wanted)
    digest = hashlib.sha256("\n".join((*codes, str(limit))).encode()).hexdigest()[:8]
    name = f"{source}.{_BY_HAND}{digest}"
    share = settings.crawl.max_requests // max(1, len(codes))
    shard = PlannedShard(name=name, source=source, products=codes, requests=(share,) * max(1, len(codes)), limit=limit)

    def add(plan: Plan | None) -> Plan:
        shards = plan.shards if plan else ()
        return Plan(night=night, shards=shards if name in {s.name for s in shards} else (*shards, shard))

    _change_plan(store, night, add)
    return name


def share_out(  # noqa: PLR0917 - a pure function of all that counts
    earlier: Plan | None,
    night: dt.date,
    sources: Mapping[str, Source[AnySource]],
    wanted: Sequence[str],
    images: Mapping[str, int],
    settings: Settings,
) -> Plan:
    """Put every wanted product that needs images, and that no shard of its source holds yet, into new shards.

    Each source that sends requests has the same part of the budget. Where no product is new, all stays as it is.
    `images`: kept images by product, of the whole catalog.
    """
    shards = list(earlier.shards) if earlier else []
    part = settings.crawl.max_requests // max(1, sum(not source.local for source in sources.values()))
    if part < SEARCH_REQUESTS:
        raise CrawlError(
            f"night {night}: crawl.max_requests is {settings.crawl.max_requests}, which leaves {part} for each of "
            f"{len(sources)} sources; one product alone needs about {SEARCH_REQUESTS}: raise it"
        )
    for name, source in sources.items():
        own = [s for s in shards if s.source == name and not s.by_hand]
        if source.whole:
            if not own:
                shards.append(PlannedShard(name=f"{name}.000", source=name, products=(), requests=(part,)))
            continue
        held = {code for s in own for code in s.products}
        counts = {code: images[code] for code in images if code in held or code in wanted}
        shares = share_budget(counts, part, settings.curate.min_images, settings.crawl.target_images)
        new = [(code, share) for code, share in shares.items() if code not in held]
        if new:
            shards = [_shared_anew(s, shares) if s in own else s for s in shards]
            shards += _in_shards(name, len(own), new, settings.crawl.products_per_shard)
    return Plan(night=night, shards=tuple(shards))


def _shared_anew(shard: PlannedShard, shares: Mapping[str, int]) -> PlannedShard:
    return shard.model_copy(update={"requests": tuple(shares.get(code, 0) for code in shard.products)})


def _in_shards(source: str, first: int, shares: Sequence[tuple[str, int]], size: int) -> list[PlannedShard]:
    pieces = [shares[start : start + size] for start in range(0, len(shares), size)]
    return [
        PlannedShard(
            name=f"{source}.{number:03d}",
            source=source,
            products=tuple(code for code, _ in piece),
            requests=tuple(share for _, share in piece),
        )
        for number, piece in enumerate(pieces, first)
    ]


def _by_turns(shards: Sequence[PlannedShard]) -> tuple[str, ...]:
    """Shards that run at the same time should not wait for each other's hosts."""
    order = {name: index for index, name in enumerate(dict.fromkeys(s.source for s in shards))}
    turns: dict[str, int] = {}
    ranked = []
    for shard in shards:
        turn = turns[shard.source] = turns.get(shard.source, 0) + 1
        ranked.append((turn, order[shard.source], shard.name))
    return tuple(name for _, _, name in sorted(ranked))


def load_plan(store: Store, night: dt.date) -> Plan:
    """The night's plan; raises `CrawlError` when there is none."""
    plan, _ = _stored_plan(store, night)
    if plan is None:
        raise CrawlError(f"night {night} has no plan ({store.uri(keys.plan(night))}); plan the night first")
    return plan


def enabled_sources(settings: Settings) -> tuple[str, ...]:
    """The names of the sources to crawl, sorted; raises `CrawlError` when there is none or a contact is missing."""
    names = tuple(sorted(name for name, source in settings.crawl.sources.items() if source.enabled))
    if not names:
        raise CrawlError("no source is enabled, so there is nothing to crawl; add a shop under crawl.sources")
    for name in names:
        require_contact(settings, name)
    return names


def require_contact(settings: Settings, source: str) -> None:
    """Nobody's shop is crawled without an address to complain to; raises `CrawlError` naming `crawl.contact`."""
    entry = settings.crawl.sources[source]
    for address in (getattr(entry, name, "") for name in ("search_url", "sitemap_url", "site", "endpoint")):
        where = urlsplit(address).netloc.lower()
        if where and where not in settings.crawl.loopback_hosts and not settings.crawl.contact.strip():
            raise CrawlError(
                f"source {source} is a shop of somebody else ({where}) and the setting crawl.contact is empty; set it "
                "to an address or page where the shop's operator reaches you"
            )


def wanted_products(catalog: Catalog, products: Sequence[str]) -> tuple[Product, ...]:
    """The products of these identities, all of the catalog for none; raises `CrawlError` for one that is not in it."""
    for code in products:
        if catalog.get(code) is None:
            raise CrawlError(f"style code {code!r} is not in the catalog; add a line for it to catalog.csv")
    return tuple(product for product in catalog.products if not products or product.style_code in products)


def _change_plan(store: Store, night: dt.date, change: Callable[[Plan | None], Plan]) -> Plan:
    """Replace the night's plan by what `change` makes of it, whoever else changes it at the same time."""
    while True:
        earlier, etag = _stored_plan(store, night)
        plan = change(earlier)
        if plan == earlier:
            return plan
        try:
            store.compare_and_swap(keys.plan(night), json_bytes(plan.model_dump(mode="json")), etag)
        except PreconditionFailed:
            continue
        return plan


def _stored_plan(store: Store, night: dt.date) -> tuple[Plan | None, str | None]:
    ref = keys.plan(night)
    try:
        data, etag = store.get_with_etag(ref)
        return Plan.model_validate_json(data), etag
    except ObjectMissing:
        return None, None
    except ValidationError as error:
        raise CorruptObject(
            f"{store.uri(ref)} is no plan ({error.error_count()} wrong fields); delete it and plan the night again"
        ) from None
