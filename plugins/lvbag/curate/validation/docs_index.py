"""The first page of a night's data docs: every source with its verdict, every suite with its pages, what failed.

HTML that needs nothing but itself; every text is escaped. Great Expectations' own index needs scripts to show anything.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import polars as pl

from lvbag.curate.reasons import KEPT
from lvbag.curate.validation.drift import Drift
from lvbag.curate.validation.expected import SUITES, Expected, Failure, Suite
from lvbag.curate.validation.statistics import SourceStatistics

POLICY = (
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
    "style-src 'self' 'unsafe-inline'; img-src 'self'; font-src 'self'\">"
)
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --bad: #c0392b; --good: #2e8b57; --note: #b4792b }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem; margin-bottom: .2rem } h2 { font-size: 1.15rem; margin-top: 2.2rem }
.soft { opacity: .75 }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top;
  overflow-wrap: anywhere }
th, td:first-child { overflow-wrap: normal; white-space: nowrap }
td { min-width: 4rem }
th.n, td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; overflow-wrap: normal }
.bad { color: var(--bad); font-weight: 600 } .good { color: var(--good) } .noted { color: var(--note) }
"""
_ABOUT = {
    "listings": "the kept listings, one a row",
    "fetches": "the pictures that were fetched or are unchanged, one a row",
    "images": "the new pictures that are kept so far, one a row",
    "night": "the sources as batches, one a row, against their trailing nights",
}
_DOES = {"row": "pictures refused", "batch": "source set aside", "note": "noted"}
_CLASS = {"row": "bad", "batch": "bad", "note": "noted"}


@dataclass(frozen=True)
class SourceLine:
    """A source in figures; the usual ones are medians of its trailing nights, None where there are too few."""

    name: str
    listings: int
    usual_listings: float | None
    pictures: int
    usual_pictures: float | None
    price_loss: float | None  # share of listings without a price
    usual_price_loss: float | None
    nights: int  # sound ones
    before: int  # new pictures kept before validation, and after
    after: int
    quarantined: str | None


@dataclass(frozen=True)
class IndexPage:
    """Everything that the page shows; `pages` are the addresses of the suites' results, relative to it."""

    night: dt.date
    sources: Sequence[SourceLine]
    declared: Sequence[Expected]
    failures: Sequence[Failure]
    pages: Mapping[Suite, str]


def source_lines(
    sources: Mapping[str, SourceStatistics],
    drifts: Mapping[str, Drift],
    validated: pl.DataFrame,
    quarantined: Mapping[str, str],
) -> list[SourceLine]:
    """A line a source; `validated` is the table with every verdict."""
    after = dict(validated.filter(pl.col("verdict") == KEPT)["source"].value_counts().iter_rows())
    return [
        SourceLine(
            name=name,
            listings=one.listings,
            usual_listings=drifts[name].usual_listings,
            pictures=one.pictures,
            usual_pictures=drifts[name].usual_pictures,
            price_loss=one.missing_prices / one.listings if one.listings else None,
            usual_price_loss=drifts[name].usual_price_loss,
            nights=drifts[name].nights,
            before=one.kept,
            after=after.get(name, 0),
            quarantined=quarantined.get(name),
        )
        for name, one in sources.items()
    ]


def render_index(page: IndexPage) -> str:
    """The page as HTML; the same text for the same content."""
    title = f"Validation of night {page.night.isoformat()}"
    aside = [source.name for source in page.sources if source.quarantined]
    summary = f"Set aside: {', '.join(aside)}." if aside else "No source was set aside."
    return "\n".join(
        (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            f'<meta name="viewport" content="width=device-width, initial-scale=1">{POLICY}',
            f"<title>{title}</title><style>{_STYLE}</style></head><body>",
            f'<h1>{title}</h1><p class="{"bad" if aside else "good"}">{escape(summary)}</p>',
            "<h2>Sources</h2>",
            _sources(page.sources),
            "<h2>Suites</h2>",
            _suites(page),
            "<h2>What does not hold</h2>",
            _failures(page.failures),
            '<p class="soft">A figure that cannot be judged yet (too few rows or trailing nights) passes. Where a '
            "source changed for good, set <code>curate.normal_since</code> to this night and curate it again.</p>",
            "</body></html>\n",
        )
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """Cells are HTML already; `numbers` are the columns that stand to the right."""
    side = [' class="n"' if column in numbers else "" for column in range(len(head))]
    lines = ["".join(f"<th{at}>{escape(cell)}</th>" for at, cell in zip(side, head, strict=True))]
    lines += ["".join(f"<td{at}>{cell}</td>" for at, cell in zip(side, row, strict=True)) for row in rows]
    return "<table>" + "\n".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def _sources(sources: Sequence[SourceLine]) -> str:
    head = ("source", "verdict", "listings", "pictures", "without a price", "trailing nights", "new pictures kept")
    rows = [
        (
            escape(one.name),
            _verdict(one),
            _beside(f"{one.listings:,}", None if one.usual_listings is None else f"{one.usual_listings:,.0f}"),
            _beside(f"{one.pictures:,}", None if one.usual_pictures is None else f"{one.usual_pictures:,.0f}"),
            _beside(_share(one.price_loss), None if one.usual_price_loss is None else _share(one.usual_price_loss)),
            f"{one.nights}",
            f"{one.after:,} of {one.before:,}",
        )
        for one in sources
    ]
    return _table(head, rows, range(2, 7)) if rows else "<p>None.</p>"


def _verdict(source: SourceLine) -> str:
    if source.quarantined:
        return f'<span class="bad">set aside: {escape(source.quarantined)}</span>'
    if not source.listings and not source.pictures:
        return '<span class="noted">gave nothing</span>'
    return '<span class="good">sound</span>'


def _beside(value: str, usual: str | None) -> str:
    return value if usual is None else f'{value} <span class="soft">(usually {usual})</span>'


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def _suites(page: IndexPage) -> str:
    rows = []
    for suite in SUITES:
        mine = [one for one in page.declared if one.suite == suite]
        failed = [one for one in page.failures if one.expected.suite == suite]
        worst = next((_CLASS[one.expected.severity] for one in failed if one.expected.severity != "note"), "noted")
        holds = f"{len(mine) - len(failed)} of {len(mine)} hold"
        rows.append(
            (
                f"{suite}<br><span class=soft>{_ABOUT[suite]}</span>",
                f'<span class="{worst if failed else "good"}">{holds}</span>',
                f'<a href="{escape(page.pages[suite])}">what was seen</a>',
                f'<a href="expectations/{suite}.html">what is expected, and why</a>',
            )
        )
    return _table(("suite", "result", "", ""), rows)


def _failures(failures: Sequence[Failure]) -> str:
    if not failures:
        return '<p class="good">Everything holds.</p>'
    rows = [
        (
            f"{one.expected.name}",
            f'<span class="{_CLASS[one.expected.severity]}">{_DOES[one.expected.severity]}</span>',
            f"{len(one.rows):,}",
            escape(", ".join(one.sources)),
            escape(one.seen),
            escape(one.expected.why),
        )
        for one in failures
    ]
    return _table(("expectation", "does", "rows", "of", "seen first", "why it is there"), rows, (2,))
