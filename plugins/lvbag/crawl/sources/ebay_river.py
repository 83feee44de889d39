"""The list of a page of eBay results in its order: cards, and what stands between them.

It knows where a card is and what part of the page it belongs to, for every generation of markup (`s-item`, `s-card`,
`su-item-card`, and pages that mix them); what a card says is read in `ebay_cards`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bs4 import BeautifulSoup, Tag

from lvbag.crawl.sources.ebay_words import divider
from lvbag.crawl.sources.html import text

PLACEHOLDER = "placeholder"
"""A card that eBay puts onto every page for measurement."""
CAROUSEL = "sponsored_carousel"
"""A card of a band inside or below the results: recommendations, live events, what was seen last."""
OTHER_SECTION = "other_section"
"""A card outside of the list of results."""

_CARDS = {"s-item", "s-card", "su-item-card", "s-item-card"}
_CONTAINER = "su-card-container"  # inside of every newer card; alone where the card's own class is scrambled
_AREAS = ({"srp-results", "srp-river-results", "srp-river-main"}, {"su-grid"})
_HIDDEN = {"clipped", "s-clipped"}
_REWRITE = "srp-river-answer--REWRITE_START"
_NULL_SEARCH = "srp-save-null-search"
_MAX_DIVIDER_CHARS = 300


@dataclass(frozen=True)
class Card:
    """A card; `section`: the reason why it is no result wherever it stands, None: it is one if it can be read."""

    tag: Tag
    section: str | None


@dataclass(frozen=True)
class Break:
    """Something between cards; `reason`: why the cards below are no results, None: its words do not say."""

    reason: str | None


def has_results(soup: BeautifulSoup) -> bool:
    """Whether the page has a place for results, whatever is in it."""
    return any(_area(soup, names) for names in _AREAS)


def finds_nothing(soup: BeautifulSoup) -> bool:
    """Whether the page says in so many words that nothing matches."""
    return soup.find(class_=_NULL_SEARCH) is not None


def river(soup: BeautifulSoup) -> Iterator[Card | Break]:
    """All cards and breaks of the page in its order, each once."""
    area = next((names for names in _AREAS if _area(soup, names)), set[str]())
    named = soup.find_all(lambda tag: bool(_CARDS.intersection(names_of(tag))))
    cards = {id(tag) for tag in named}
    around_cards = {id(parent) for tag in named for parent in tag.parents}
    last: Tag | None = None
    for tag in soup.find_all(_is_of_interest):
        if last is not None and any(parent is last for parent in tag.parents):
            continue
        around = {name for parent in tag.parents for name in names_of(parent)}
        if id(tag) in cards or (_CONTAINER in names_of(tag) and id(tag) not in around_cards):
            last = tag
            yield Card(tag, _section(around, area))
        elif (not area or around & area) and (found := _break(tag)):
            yield found


def names_of(tag: Tag) -> list[str]:
    """The classes of an element, and its id."""
    classes = tag.get("class")
    return [*(str(name) for name in classes or [] if isinstance(classes, list)), str(tag.get("id") or "")]


def _area(soup: BeautifulSoup, names: set[str]) -> bool:
    return soup.find(lambda tag: bool(names.intersection(names_of(tag)))) is not None


def _is_of_interest(tag: Tag) -> bool:
    names = names_of(tag)
    return tag.name in ("h2", "h3") or any(name in _CARDS or name == _CONTAINER or _is_notice(name) for name in names)


def _is_notice(name: str) -> bool:
    return name.startswith("srp-river-answer") or name.endswith("-notice")


def _section(around: set[str], area: set[str]) -> str | None:
    if around & _HIDDEN:
        return PLACEHOLDER
    if any("carousel" in name or (name.startswith("srp-river-answer--") and name != _REWRITE) for name in around):
        return CAROUSEL
    return OTHER_SECTION if area and not around & area else None


def _break(tag: Tag) -> Break | None:
    names = names_of(tag)
    said = text(tag.get_text(" ")) or ""
    reason = divider(said) if len(said) <= _MAX_DIVIDER_CHARS else None
    if reason or _REWRITE in names:
        return Break(reason)
    return Break(None) if any(name.endswith("-notice") for name in names) else None
