"""The night's page: HTML that needs nothing but itself. Every text from outside is escaped; scripts are forbidden."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from lvbag.curate.reports.outlier_maps import Outliers, ProductMap

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --bar: #b4792b; --soft: #8881; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: .2rem; }
h2 { font-size: 1.15rem; margin-top: 2.2rem; }
h3 { font-size: 1rem; margin: 1.3rem 0 .2rem; }
.note { background: var(--soft); border-left: 4px solid var(--bar); padding: .5rem .9rem; margin: 1rem 0; }
.soft { opacity: .7; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid var(--line); }
th.n, td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; width: 6rem; }
td.b { width: 45%; }
.bar { display: block; height: .8rem; min-width: 1px; background: var(--bar); border-radius: 2px; }
.less .bar { opacity: .45; }
.less td:first-child { padding-left: 1.4rem; }
figure { display: inline-block; margin: .3rem .5rem .3rem 0; vertical-align: top; width: 104px; }
figure img { display: block; width: 104px; height: 104px; object-fit: contain; background: #fff; }
figure.map { width: 100%; max-width: 720px; }
figure.map img { width: 100%; height: auto; }
figcaption { font-size: .72rem; overflow-wrap: anywhere; line-height: 1.25; }
code { font-size: .9em; }
"""
_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
"""


@dataclass(frozen=True)
class Example:
    """A refused picture: its listing or address, the whole reason, a small JPEG (None where nothing can be shown)."""

    listing: str
    reason: str
    thumbnail: bytes | None


@dataclass(frozen=True)
class Refusal:
    """What one rule of one step refused, with a few examples, and a sentence about the rule where there is one."""

    title: str
    count: int
    examples: tuple[Example, ...]
    why: str = ""


@dataclass(frozen=True)
class ProductLine:
    """A product of the snapshot: images by split, and how many this night brought."""

    style_code: str
    train: int
    val: int
    test: int
    new: int


@dataclass(frozen=True)
class NightPage:
    """Everything that the page shows; `data_docs` is an address relative to the page, None where there are none."""

    night: str
    notes: tuple[str, ...]
    snapshot: str | None
    data_docs: str | None
    funnel: Mapping[str, int]
    refusals: tuple[Refusal, ...]
    products: tuple[ProductLine, ...]
    outliers: Outliers | None = None


def render(page: NightPage) -> str:
    """The page as HTML; the same text for the same content."""
    title = f"Night {escape(page.night)}"
    snapshot = f"<code>{escape(page.snapshot)}</code>" if page.snapshot else "none yet"
    docs = (
        f'<a href="{escape(page.data_docs)}">what validation checked</a>'
        if page.data_docs
        else "validation had nothing to check"
    )
    return "\n".join(
        (
            f"{_HEAD}<title>{title}</title><style>{_STYLE}</style></head><body>",
            f'<h1>{title}</h1><p class="soft">Snapshot after this night: {snapshot} · {docs}</p>',
            *(f'<p class="note">{escape(note)}</p>' for note in page.notes),
            "<h2>From listings to the data set</h2>",
            _funnel(page.funnel),
            "<h2>What was refused, and why</h2>",
            *(_refusal(refusal) for refusal in page.refusals),
            *(() if page.refusals else ("<p>Nothing.</p>",)),
            "<h2>Products in the snapshot</h2>",
            _products(page.products),
            *(_outliers(page.outliers) if page.outliers is not None else ()),
            "</body></html>\n",
        )
    )


def _funnel(funnel: Mapping[str, int]) -> str:
    largest = max([*funnel.values(), 1])
    rows = [
        f'<tr{" class=less" if "refused" in name else ""}><td>{escape(name)}</td><td class="n">{count:,}</td>'
        f'<td class="b">{_bar(count / largest)}</td></tr>'
        for name, count in funnel.items()
    ]
    return "<table>" + "\n".join(rows) + "</table>"


def _bar(share: float) -> str:
    return f'<span class="bar" style="width:{100 * share:.1f}%"></span>' if share else ""


def _refusal(refusal: Refusal) -> str:
    figures = "".join(_figure(example) for example in refusal.examples)
    why = f'<p class="soft">{escape(refusal.why)}</p>' if refusal.why else ""
    return f"<h3>{escape(refusal.title)} · {refusal.count:,}</h3>{why}\n<div>{figures}</div>"


def _figure(example: Example) -> str:
    if example.thumbnail is None:
        return f'<p class="soft">{escape(example.listing)}: {escape(_short(example.reason))}</p>'
    caption = f'<figcaption title="{escape(example.reason)}">{escape(_short(example.reason))}</figcaption>'
    data = base64.b64encode(example.thumbnail).decode()
    return f'<figure><img alt="{escape(example.listing)}" src="data:image/jpeg;base64,{data}">{caption}</figure>'


def _products(products: Sequence[ProductLine]) -> str:
    if not products:
        return "<p>There is no snapshot yet.</p>"
    head = "".join(f'<th class="n">{name}</th>' for name in ("train", "val", "test", "of this night"))
    rows = "\n".join(
        f"<tr><td>{escape(line.style_code)}</td>"
        + "".join(f'<td class="n">{count:,}</td>' for count in (line.train, line.val, line.test, line.new))
        + "</tr>"
        for line in products
    )
    return f"<table><tr><th>style code</th>{head}</tr>\n{rows}</table>"


def _outliers(found: Outliers) -> list[str]:
    said = (
        f"{found.judged:,} pictures of {found.products:,} products were compared with the others of their product; "
        f"{found.odd:,} are odd, and wait for an answer (lvbag review list --kind outlier)."
        if found.judged
        else "No product has enough pictures yet to say which are odd."
    )
    return ["<h2>Unlike the others of their product</h2>", f"<p>{said}</p>", *(_map(one) for one in found.maps)]


def _map(one: ProductMap) -> str:
    code, count = escape(one.style_code), len(one.odd)
    alt = f"Map of {one.judged:,} pictures of {code} by likeness, {count} odd ones framed and numbered"
    data = base64.b64encode(one.jpeg).decode()
    lines = "".join(
        f"<br>{odd.number}: {escape(odd.listing)}, score {odd.score:.1f} (distance {odd.distance_z:.1f}, "
        f"reconstruction {odd.reconstruction_z:.1f})"
        for odd in one.odd
    )
    return (
        f"<h3>{code} · {one.judged:,} pictures, {one.new:,} of this night, {count} odd</h3>\n"
        f'<figure class="map"><img alt="{alt}" data-listings="{escape(" ".join(one.listings))}" '
        f'src="data:image/jpeg;base64,{data}"><figcaption>Alike stands close together.{lines}</figcaption></figure>'
    )


def _short(text: str) -> str:
    text = re.sub(r"\b([0-9a-f]{12})[0-9a-f]{52}\b", r"\1…", text)  # a digest's beginning tells it apart
    return text if len(text) <= 110 else text[:109] + "…"
