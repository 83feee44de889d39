"""The shop's HTML: search, item pages with schema.org data, and a front page to browse from. Pure functions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from urllib.parse import urlencode

from lvbag.catalog import Product
from lvbag.demo.listings import Listing, PageKind

PER_PAGE = 12
SHOP = "Bag Bazaar"

_STYLE = """
body{margin:0;font:15px/1.45 system-ui,sans-serif;color:#2a2623;background:#f7f4f0}
header{background:#3b2a20;color:#f3e6d3;padding:14px 28px;display:flex;gap:24px;align-items:center}
header a{color:inherit;text-decoration:none;font-weight:600;font-size:19px}
header input{padding:7px 12px;border-radius:18px;border:0;width:300px}
main{max-width:1080px;margin:0 auto;padding:22px}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(220px,1fr));gap:18px}
.card{background:#fff;border-radius:10px;overflow:hidden;box-shadow:0 1px 4px #0002;color:inherit;text-decoration:none}
.card img{width:100%;height:210px;object-fit:contain;background:#fff}
.card div{padding:10px 14px 14px}.price{font-weight:650}.muted{color:#857a70;font-size:13px}
.photos{display:grid;grid-template-columns:repeat(auto-fill,minmax(300px,1fr));gap:14px}
.photos img{width:100%;border-radius:10px;background:#fff}
nav.pages{margin:24px 0;display:flex;gap:16px}
"""


def front_page(products: Sequence[Product], night: int) -> str:
    """Links to a search for every product."""
    cards = "".join(
        f'<a class="card" href="/search?{escape(urlencode({"q": product.style_code}))}"><div>{escape(product.name)}'
        f'<p class="muted">{escape(product.style_code)} · {escape(product.material)}</p></div></a>'
        for product in products
    )
    return _page(
        SHOP, f'<h1>What people look for</h1><p class="muted">night {night}</p><div class="grid">{cards}</div>'
    )


def search_page(base: str, query: str, number: int, found: Sequence[Listing]) -> str:
    """One page (from 1) of a search's results: a heading with their number, cards, links to the next page."""
    last = max(1, -(-len(found) // PER_PAGE))
    shown = found[(number - 1) * PER_PAGE : number * PER_PAGE]
    heading = f"{len(found)} result{'' if len(found) == 1 else 's'} for “{escape(query)}”"
    cards = "".join(_card(listing) for listing in shown)
    following = f"/search?{urlencode({'q': query, 'page': number + 1})}" if number < last else None
    earlier = f"/search?{urlencode({'q': query, 'page': number - 1})}" if number > 1 else None
    links = (f'<a rel="prev" href="{escape(earlier)}">← Previous</a>' if earlier else "") + (
        f'<a rel="next" href="{escape(following)}">Next →</a>' if following else ""
    )
    head = (f'<link rel="next" href="{escape(following)}">' if following else "") + _json_ld(
        _item_list(base, number, shown)
    )
    body = (
        f'<h1 class="count">{heading}</h1><p class="muted">page {number} of {last}</p>'
        f'<div class="grid">{cards}</div><nav class="pages">{links}</nav>'
    )
    return _page(f"{query} | {SHOP}", body, head, query)


def item_page(base: str, listing: Listing) -> str:
    """A listing's page, as its `PageKind` wants it; `NOT_HTML` has none (see `server`)."""
    pictures = "".join(
        f'<a href="{photo.path}"><img src="{photo.path}" alt="photo {position + 1}" loading="lazy"></a>'
        for position, photo in enumerate(listing.photos)
    )
    if listing.page is PageKind.NO_PRODUCT:
        return _page(f"Sold | {SHOP}", "<h1>This offer has ended</h1><p>Have a look at similar ones.</p>")
    data = product_data(base, listing)
    head = _json_ld(data)
    if listing.page is PageKind.BROKEN_JSON:
        head = '<script type="application/ld+json">{"@type": "Product", "name": "unfinished, image: [</script>'
    body = (
        f"<h1>{escape(listing.title)}</h1>"
        f'<p><span class="price">{escape(_price(listing))}</span> · {escape(listing.condition)} · '
        f"sold by {escape(listing.seller)}</p>"
        f'<p>{escape(listing.description)}</p><div class="photos">{pictures}</div>'
        f'<p class="muted">Offer {listing.listing_id}</p>'
    )
    return _page(f"{listing.title} | {SHOP}", body, head)


def product_data(base: str, listing: Listing) -> dict[str, object]:
    """The schema.org Product of a listing (JSON-LD)."""
    return {
        "@context": "https://schema.org",
        "@type": "Product",
        "name": listing.title,
        "sku": listing.listing_id,
        "url": f"{base}{listing.path}",
        "description": listing.description,
        "brand": {"@type": "Brand", "name": "Louis Vuitton"} if "vuitton" in listing.title.lower() else None,
        "image": [f"{base}{photo.path}" for photo in listing.photos],
        "offers": {
            "@type": "Offer",
            "price": f"{listing.price:.2f}",
            "priceCurrency": listing.currency,
            "availability": "https://schema.org/InStock",
            "itemCondition": "https://schema.org/UsedCondition",
            "seller": {"@type": "Organization", "name": listing.seller},
        },
    }


def error_page(status: int, text: str) -> str:
    """A page for what is not there."""
    return _page(f"{status} | {SHOP}", f"<h1>{status}</h1><p>{escape(text)}</p>")


ROBOTS = "User-agent: *\nDisallow: /private/\n"


def _item_list(base: str, number: int, shown: Sequence[Listing]) -> dict[str, object]:
    return {
        "@context": "https://schema.org",
        "@type": "ItemList",
        "itemListElement": [
            {
                "@type": "ListItem",
                "position": (number - 1) * PER_PAGE + place,
                "url": f"{base}{listing.path}",
                "name": listing.title,
            }
            for place, listing in enumerate(shown, 1)
        ],
    }


def _json_ld(data: dict[str, object]) -> str:
    """A script element; `<` is escaped, so that no title can end it."""
    text = json.dumps({key: value for key, value in data.items() if value is not None}, ensure_ascii=False)
    return f'<script type="application/ld+json">{text.replace("<", chr(92) + "u003c")}</script>'


def _card(listing: Listing) -> str:
    picture = f'<img src="{listing.photos[0].path}" alt="" loading="lazy">' if listing.photos else ""
    return (
        f'<a class="card" href="{listing.path}">{picture}<div>{escape(listing.title)}'
        f'<p class="price">{escape(_price(listing))}</p><p class="muted">{escape(listing.seller)}</p></div></a>'
    )


def _price(listing: Listing) -> str:
    return f"{listing.price:,.0f} {listing.currency}"


def _page(title: str, body: str, head: str = "", query: str = "") -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>{head}</head>'
        f'<body><header><a href="/">{SHOP}</a><form action="/search"><input name="q" aria-label="Search" '
        f'placeholder="Search bags" value="{escape(query)}"></form></header><main>{body}</main></body></html>\n'
    )
