"""The offers of a product: one, many, a range, or those of its variants; and prices as structured data writes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lvbag.crawl.sources.currencies import currency_of
from lvbag.crawl.sources.facts import GTIN_KEYS, NOTHING, Facts, first_text, identifier, last_part, read_gtin
from lvbag.crawl.sources.html import words
from lvbag.crawl.sources.json_ld import Node, as_list, things, types
from lvbag.crawl.sources.prices import read_number, read_price

_STRUCK = words("listprice srp msrp strikethroughprice suggestedretailprice invoiceprice")
"""Kinds of prices that nobody pays."""
_GONE = frozenset({"OutOfStock", "SoldOut", "Discontinued", "Reserved"})
_RANGES = frozenset({"aggregateoffer", "offercatalog"})
_MAX_OFFERS = 50


def best_offer(products: Sequence[Node], ids: Mapping[str, Node]) -> Facts:
    """The cheapest offer of those that are not gone, of a product and its variants.

    What it does not say is filled in from the others.
    """
    offers = [offer for node in products for offer in _offers(node, ids)][:_MAX_OFFERS]
    if not offers:
        return NOTHING
    priced = [offer for offer in offers if offer.price] or [offer for offer in offers if offer.price is not None]
    still_there = [offer for offer in priced if offer.availability not in _GONE] or priced or offers
    currency = next((offer.currency for offer in still_there if offer.currency), None)
    comparable = [offer for offer in still_there if offer.currency in (currency, None)]
    best = min(comparable, key=lambda offer: offer.price or 0.0)
    for offer in offers:
        best = best.or_else(replace(offer, sku=None, gtin=None))
    # an offer's own number is that of the product only where all offers agree on it
    same_sku, same_gtin = (len({getattr(offer, name) for offer in offers}) == 1 for name in ("sku", "gtin"))
    return replace(best, sku=best.sku if same_sku else None, gtin=best.gtin if same_gtin else None)


def amount(value: Any, currency: str | None = None) -> tuple[float | None, str | None]:
    """A price of structured data, plain or written for people, and the currency that stands in it or was given."""
    for item in as_list(value):
        inner = item
        if isinstance(item, dict):
            inner = next((item[key] for key in ("@value", "value", "price") if key in item), None)
        if (number := read_number(inner, currency)) is not None:
            return number, currency
        if isinstance(inner, str) and (price := read_price(inner, currency)) is not None:
            return price.amount, currency or price.currency
    return None, currency


def _offers(node: Node, ids: Mapping[str, Node]) -> list[Facts]:
    found: list[Facts] = []
    waiting = things(node, "offers", ids)
    while waiting and len(found) < _MAX_OFFERS:
        offer = waiting.pop(0)
        found.append(_offer(offer, ids))
        if offer.get("@type") is None or types(offer) & _RANGES:
            waiting.extend(inner for key in ("offers", "itemlistelement") for inner in things(offer, key, ids))
    return found + [Facts(price=price, currency=code) for price, code in _bare_prices(node)]


def _bare_prices(node: Node) -> Iterator[tuple[float, str | None]]:
    """Prices that stand on the product instead of an offer."""
    if node.get("price") is not None:
        price, currency = amount(node["price"], _currency(node))
        if price is not None:
            yield price, currency


def _offer(offer: Node, ids: Mapping[str, Node]) -> Facts:
    specifications = [thing for thing in things(offer, "pricespecification", ids) if not _is_struck(thing)]
    currency = next((code for place in (offer, *specifications) if (code := _currency(place)) is not None), None)
    places = [offer.get("price"), offer.get("lowprice")]
    places += [thing.get(key) for thing in specifications for key in ("price", "minprice")]
    price = None
    for place in places:
        price, read_currency = amount(place, currency)
        if price is not None:
            currency = currency or read_currency
            break
    sellers = (things(offer, key, ids) or offer.get(key) for key in ("seller", "offeredby"))
    return Facts(
        price=price,
        currency=currency,
        seller=next((found for seller in sellers if (found := first_text(seller)) is not None), None),
        sku=identifier(offer.get("sku")),
        gtin=read_gtin(*(offer.get(key) for key in GTIN_KEYS)),
        condition=last_part(offer.get("itemcondition") or offer.get("condition")),
        availability=last_part(offer.get("availability")),
    )


def _is_struck(specification: Node) -> bool:
    return (last_part(specification.get("pricetype")) or "").lower() in _STRUCK


def _currency(place: Node) -> str | None:
    return currency_of(first_text(place.get("pricecurrency")) or first_text(place.get("currency")) or "")
