"""What decisions do to tables: pure functions of decisions and frames, no store but for reading them.

A picture may be asked about for several reasons, so it follows the newest decision of all its items. A near-duplicate
shows the same, so the decision holds for the kept copies in its cluster, too, unless they have one of their own. A
listing's decision holds for all its pictures that have none. Who belongs to which split is not decided here, nor
changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import polars as pl

from lvbag.review.decisions import Decision, History, Verdict, standing
from lvbag.review.ledger import read_history
from lvbag.store import Store

Place = tuple[str, str]
"""(source, listing_id)"""

_NEW_STYLE = "_decided_style_code"
_VERDICT = "_decided"


@dataclass(frozen=True)
class Decided:
    """The decisions that count, by what they are about: a picture's sha256, or a listing.

    `withdrawn`: listings that people gave a product and took it away again, with every product that was given.
    """

    pictures: Mapping[str, Decision] = field(default_factory=dict)
    listings: Mapping[Place, Decision] = field(default_factory=dict)
    withdrawn: Mapping[Place, frozenset[str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.pictures or self.listings or self.withdrawn)


@dataclass(frozen=True)
class Reviewed:
    """What decisions made of kept pictures: `kept` those that stay, `dropped` those that people refused.

    `relabelled`: how many of those that stay have another product now.
    """

    kept: pl.DataFrame
    dropped: pl.DataFrame
    relabelled: int


def read_decided(store: Store) -> Decided:
    """The decisions that count now; raises `CorruptObject` naming an object that is no decision."""
    return decided(read_history(store))


def decided(history: History) -> Decided:
    """What counts of everything that people decided."""
    pictures: dict[str, list[Decision]] = defaultdict(list)
    listings: dict[Place, list[Decision]] = defaultdict(list)
    given: dict[Place, set[str]] = defaultdict(set)
    for decisions in history.values():
        subject, current = decisions[0].id, standing(decisions)
        if subject.sha256 is not None and current is not None:
            pictures[subject.sha256].append(current)
        if subject.listing is not None:
            given[subject.listing] |= {one.style_code for one in decisions if one.style_code is not None}
            if current is not None:
                listings[subject.listing].append(current)
    return Decided(
        {sha256: _newest(found) for sha256, found in pictures.items()},
        {place: _newest(found) for place, found in listings.items()},
        {place: frozenset(codes) for place, codes in given.items() if codes and place not in listings},
    )


def overruled(decisions: Decided, sha256: str) -> Verdict | None:
    """Whether people say that a picture shows its bag, against any rule of cleaning: `keep`, `refuse`, None unasked.

    To give a picture another product is to say that it shows one.
    """
    found = decisions.pictures.get(sha256)
    if found is None:
        return None
    return Verdict.REFUSE if found.verdict is Verdict.REFUSE else Verdict.KEEP


def with_products(listings: pl.DataFrame, decisions: Decided) -> pl.DataFrame:
    """Listings with the products that people gave them; `listings` fits `schemas.LISTINGS`."""
    given = {place: one for place, one in decisions.listings.items() if one.verdict is Verdict.RELABEL}
    if not given:
        return listings
    codes = [_product(given.get(place)) for place in listings.select("source", "listing_id").iter_rows()]
    found = pl.Series(codes, dtype=pl.String)
    return listings.with_columns(pl.coalesce(found, "style_code").alias("style_code"))


def apply_decisions(kept: pl.DataFrame, decisions: Decided) -> Reviewed:
    """Apply decisions to kept pictures, which have sha256, cluster, source, listing_id and style_code."""
    if not decisions:
        return Reviewed(kept, kept.clear(), 0)
    of_clusters = _by_cluster(kept, decisions.pictures)
    verdicts: list[str | None] = []
    styles: list[str | None] = []
    for sha256, cluster, source, listing_id, style_code in kept.select(
        "sha256", "cluster", "source", "listing_id", "style_code"
    ).iter_rows():
        place = (source, listing_id)
        own, whole = decisions.pictures.get(sha256) or of_clusters.get(cluster), decisions.listings.get(place)
        code = _product(own) or _product(whole)
        lost = code is None and style_code in decisions.withdrawn.get(place, ())
        found = own or whole
        verdicts.append(Verdict.REFUSE.value if lost else found.verdict.value if found else None)
        styles.append(code)
    marked = kept.with_columns(
        pl.Series(_VERDICT, verdicts, dtype=pl.String), pl.Series(_NEW_STYLE, styles, dtype=pl.String)
    )
    gone = (pl.col(_VERDICT) == Verdict.REFUSE.value).fill_null(value=False)
    other = (pl.col(_NEW_STYLE) != pl.col("style_code")).fill_null(value=False)
    stays = marked.filter(~gone)
    return Reviewed(
        stays.with_columns(pl.coalesce(_NEW_STYLE, "style_code").alias("style_code")).select(kept.columns),
        marked.filter(gone).select(kept.columns),
        stays.filter(other).height,
    )


def _by_cluster(kept: pl.DataFrame, pictures: Mapping[str, Decision]) -> dict[str, Decision]:
    """The newest decision on a picture of each cluster."""
    wanted = pl.Series(list(pictures), dtype=pl.String).implode()
    found: dict[str, list[Decision]] = defaultdict(list)
    for sha256, cluster in kept.filter(pl.col("sha256").is_in(wanted)).select("sha256", "cluster").iter_rows():
        found[cluster].append(pictures[sha256])
    return {cluster: _newest(decisions) for cluster, decisions in found.items()}


def _newest(decisions: Iterable[Decision]) -> Decision:
    return max(decisions, key=lambda one: (one.name, one.item))


def _product(decision: Decision | None) -> str | None:
    return None if decision is None else decision.style_code
