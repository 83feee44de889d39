"""What a night looked like, source by source: counted once, written down, and what later nights are compared with.

Volume, prices and the mix of products are of all that the crawl found, also what it had found before; the measures of
quality and the mix of classes are of the pictures that are new. The listing is the unit of both mixes and of the
measures: the photos of one listing resemble one another. Comparing is done elsewhere (`lvbag.curate.validation.drift`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lvbag.curate.errors import CurateError
from lvbag.curate.reasons import KEPT, REFUSED, rule_is
from lvbag.nights import NightError, parse_night
from lvbag.store import Bucket, CorruptObject, ObjectMissing, Store, keys

MEASURES: dict[str, pl.Expr] = {
    "brightness": pl.col("brightness"),
    "contrast": pl.col("contrast"),
    "blur": pl.col("blur").log1p(),  # measured over five orders of magnitude
    "entropy": pl.col("entropy"),
    "white_share": pl.col("white_share"),
    "chroma": pl.col("chroma").log1p(),
    "aspect": (pl.col("width") / pl.col("height")).log(),
    "side": (pl.col("width").cast(pl.Float64) * pl.col("height")).sqrt().log(),
}
"""The measures of quality, each on the scale on which it is compared."""

NOT_UNDERSTOOD = ("not_understood",)
"""Rules by which the crawl refuses a listing page that came and could not be read."""

NO_PRODUCT = "no product"
"""Among the products: kept listings whose title names none."""

_PLACE = ("source", "listing_id", "position")
_SHOWN = ("kept", "unchanged", "duplicate_url")
_DIGITS = 6
"""Sums of floats depend on their order in the last digits; these do not."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Measure(_Model):
    """Mean and standard deviation over listings, of each listing's mean."""

    mean: float
    sd: float


class SourceStatistics(_Model):
    """One source in one night."""

    listings: int = 0  # kept, by identifier
    missing_prices: int = 0  # of these
    pages_read: int = 0  # of items, understood
    pages_not_understood: int = 0
    fetches: int = 0
    failed_fetches: int = 0
    pictures: int = 0  # fetched or known to be as they were, by place
    new_pictures: int = 0  # fetched now
    same_picture: int = 0  # the most frequent one of these, near-duplicates counted together
    rows: int = 0  # of the stage `near`
    kept: int = 0  # of these, before validation
    products: dict[str, int] = Field(default_factory=dict)  # kept listings by style code, or `NO_PRODUCT`
    classes: dict[str, int] = Field(default_factory=dict)  # listings with new kept pictures by style code
    shown_listings: int = 0  # listings with new kept pictures
    measures: dict[str, Measure] = Field(default_factory=dict)  # of the new kept pictures
    method: str | None = None  # version of the method by which they were looked at; others do not compare
    quarantined: str | None = None  # why the source was set aside in this night

    @property
    def found(self) -> int:
        """Listings and pictures: 0 where the source gave nothing."""
        return self.listings + self.pictures


class NightStatistics(_Model):
    """All sources of a night, and what validation noted without refusing anything."""

    version: Literal[1] = 1
    night: dt.date
    sources: dict[str, SourceStatistics]
    notes: tuple[str, ...] = ()


# ------------------------------------------------------------------ counting


def count_sources(listings: pl.DataFrame, fetches: pl.DataFrame, near: pl.DataFrame) -> dict[str, SourceStatistics]:
    """Count a night's tables by source, in alphabetical order; a pure function."""
    names = pl.concat([frame["source"] for frame in (listings, fetches, near)]).unique().drop_nulls().sort()
    return {
        name: _count(*(frame.filter(pl.col("source") == name) for frame in (listings, fetches, near))) for name in names
    }


def _count(listings: pl.DataFrame, fetches: pl.DataFrame, near: pl.DataFrame) -> SourceStatistics:
    # two shards may meet one listing: once a kept one counts, with a price and a product where one of them has it
    kept = (
        listings.filter(pl.col("verdict") == KEPT)
        .group_by("listing_id")
        .agg(pl.col("price").is_null().all().alias("missing"), pl.col("style_code").drop_nulls().min())
    )
    new = near.filter(pl.col("verdict") == KEPT)
    by_listing = new.select("listing_id", "style_code").unique()
    new_pictures, same_picture = _same_picture(fetches, near)
    return SourceStatistics(
        listings=kept.height,
        missing_prices=int(kept["missing"].sum()),
        pages_read=listings.filter(pl.col("title").is_not_null()).height,
        pages_not_understood=listings.filter(rule_is(*NOT_UNDERSTOOD)).height,
        fetches=fetches.height,
        failed_fetches=fetches.filter(pl.col("verdict") == REFUSED).height,
        pictures=fetches.filter(pl.col("verdict").is_in(_SHOWN)).select(_PLACE).unique().height,
        new_pictures=new_pictures,
        same_picture=same_picture,
        rows=near.height,
        kept=new.height,
        products=_counts(kept["style_code"].fill_null(NO_PRODUCT)),
        classes=_counts(by_listing["style_code"]),
        shown_listings=by_listing["listing_id"].n_unique(),
        measures=_measures(new),
        method=max(new["fingerprint"].drop_nulls(), default=None),
    )


def _same_picture(fetches: pl.DataFrame, near: pl.DataFrame) -> tuple[int, int]:
    """How many new pictures there are, and how often the most frequent one stands among them."""
    clusters = near.filter(pl.col("cluster").is_not_null()).select("sha256", "cluster").unique("sha256", keep="first")
    shown = (
        fetches.filter((pl.col("verdict") == KEPT) & pl.col("sha256").is_not_null())
        .unique(_PLACE, keep="first", maintain_order=True)
        .join(clusters, on="sha256", how="left")
        .select(pl.coalesce("cluster", "sha256").alias("picture"))
    )
    counts = shown["picture"].value_counts()["count"].to_list()
    return shown.height, max(counts, default=0)


def _counts(values: pl.Series) -> dict[str, int]:
    counted = values.drop_nulls().value_counts().sort(values.name)
    return dict(counted.iter_rows())


def _measures(new: pl.DataFrame) -> dict[str, Measure]:
    by_listing = (
        new.select("listing_id", *(value.alias(name) for name, value in MEASURES.items()))
        .group_by("listing_id")
        .mean()
        .sort("listing_id")
    )
    found = {}
    for name in MEASURES:
        values = by_listing[name].drop_nulls()
        if len(values):
            mean, spread = values.mean(), values.std(ddof=0)
            found[name] = Measure(mean=round(float(mean), _DIGITS), sd=round(float(spread or 0.0), _DIGITS))  # type: ignore[arg-type]
    return found


# ------------------------------------------------------------------ kept


def write_statistics(store: Store, statistics: NightStatistics) -> None:
    """Write a night's statistics; the same bytes for the same values."""
    store.put_json(keys.statistics(statistics.night), statistics.model_dump(mode="json"))


def read_statistics(store: Store, night: dt.date) -> NightStatistics:
    """A night's statistics; raises `ObjectMissing`, and `CurateError` for an object that is none."""
    ref = keys.statistics(night)
    try:
        return NightStatistics.model_validate(store.get_json(ref))
    except (CorruptObject, ValidationError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else None
        what = f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}" if first else "no JSON"
        raise CurateError(
            f"{store.uri(ref)} holds no statistics of a night ({what}); later nights are compared with it: run "
            f"`lvbag curate run --night {night}` to write it anew, or delete the object to leave that night out"
        ) from None


def statistics_of(store: Store, night: dt.date) -> NightStatistics | None:
    """A night's statistics, None for a night that was not validated yet; raises `CurateError` as `read_statistics`."""
    try:
        return read_statistics(store, night)
    except ObjectMissing:
        return None


def quarantined_sources(store: Store, night: dt.date) -> dict[str, str]:
    """The sources of a night that were set aside whole, with the reason; what an operator has to look at."""
    seen = statistics_of(store, night)
    return {} if seen is None else {name: one.quarantined for name, one in seen.sources.items() if one.quarantined}


def read_trailing(store: Store, night: dt.date, count: int, since: dt.date | None = None) -> list[NightStatistics]:
    """The last `count` nights before this one that left statistics, oldest first; none from before `since`."""
    nights = []
    for item in store.list_objects(Bucket.CURATED, keys.statistics_prefix()):
        name = item.ref.key.removeprefix(keys.statistics_prefix()).removeprefix("night=").removesuffix(".json")
        try:
            found = parse_night(name)
        except NightError:
            raise CurateError(f"{store.uri(item.ref)} is no night's statistics; remove the object") from None
        if found < night and (since is None or found >= since):
            nights.append(found)
    return [read_statistics(store, found) for found in sorted(nights)[-count:]] if count else []


def absent_sources(tonight: Mapping[str, SourceStatistics], trailing: list[NightStatistics]) -> list[str]:
    """Sources that gave something in most of the trailing nights and are not among tonight's at all."""
    nights: dict[str, int] = {}
    for night in trailing:
        for name, source in night.sources.items():
            nights[name] = nights.get(name, 0) + (source.found > 0)
    return sorted(name for name, count in nights.items() if name not in tonight and count > len(trailing) / 2)
