"""What the eBay source reads in search pages of every generation of markup, and in item pages."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvbag.crawl.sources import NOT_UNDERSTOOD, Listing, Page, PageNotUnderstood, Query, Results, open_source
from lvbag.crawl.sources.ebay_html import EbayHtmlSource
from lvbag.crawl.sources.ebay_pictures import full_size, pictures
from lvbag.crawl.sources.ebay_words import clean_title, divider
from lvbag.source_settings import EbayHtmlSettings
from shared_data import SHARED_DATA

PAGES = Path(__file__).parent / "pages"
EBAY = SHARED_DATA / "ebay"
SEARCH = "https://www.ebay.com/sch/i.html?_nkw=speedy"


@pytest.fixture
def source() -> EbayHtmlSource:
    return EbayHtmlSource(EbayHtmlSettings(kind="ebay_html", permission=EbayHtmlSettings.SENTENCE))


def read(source: EbayHtmlSource, name: str, url: str = "") -> Results:
    return source.read_results(Page(url, (PAGES / f"ebay_{name}.html").read_bytes()))


def numbers(results: Results) -> list[str | None]:
    return [listing.listing_id for listing in results.listings]


def results_page(*parts: str, heading: str = "12,000+ results for speedy") -> bytes:
    return (
        f'<html><div id="srp-river-main"><h1 class="srp-controls__count-heading">{heading}</h1>'
        f'<ul class="srp-results">{"".join(parts)}</ul></div></html>'
    ).encode()


def card(number: int, inside: str = "", title: str = "Speedy 30") -> str:
    return (
        f'<li class="s-card" data-listingid="{number}"><a class="s-card__link" href="/itm/{number}">'
        f'<div class="s-card__title">{title}</div></a>{inside}</li>'
    )


def one(source: EbayHtmlSource, markup: str, url: str = SEARCH) -> Listing:
    (listing,) = source.read_results(Page(url, results_page(markup))).listings
    return listing


def test_a_search_asks_for_the_newest_listings_of_the_category() -> None:
    settings = EbayHtmlSettings(kind="ebay_html", enabled=False, site="https://www.ebay.de/", details=True)
    source = open_source(settings)
    parts = urlsplit(source.first_url(Query("Louis Vuitton Noé & co")))
    assert (parts.netloc, parts.path) == ("www.ebay.de", "/sch/i.html")
    assert parse_qs(parts.query) == {
        "_nkw": ["Louis Vuitton Noé & co"],
        "_sop": ["10"],
        "_ipg": ["240"],
        "_sacat": ["169291"],
    }
    assert source.details
    assert "_sacat" not in EbayHtmlSource(settings.model_copy(update={"category": ""})).first_url(Query("a"))


# ------------------------------------------------------------------ generations of markup


def test_classic_cards_are_read(source: EbayHtmlSource) -> None:
    results = read(source, "classic")
    assert results.listings == (
        Listing(
            listing_id="164901451112",
            url="https://www.ebay.co.uk/itm/164901451112",
            title="Louis Vuitton Speedy 30 & lock",
            price=425.0,
            currency="GBP",
            seller="bag.lady_7",
            image_urls=("https://i.ebayimg.com/images/g/AAAAAOSwaaaaaaaa/s-l1600.jpg",),
            condition="Pre-owned",
        ),
        Listing(
            listing_id="264901451113",
            url="https://www.ebay.co.uk/itm/264901451113",
            title="Speedy 25 to 40, choose size",
            price=1199.0,
            currency="GBP",
            image_urls=("https://i.ebayimg.com/images/m/mBBBBBBBBBBBBBBBBBBBB/s-l1600.webp",),
        ),
    )
    assert results.announced == 1240
    assert dict(results.dropped) == {
        "placeholder": 1,
        "sponsored_carousel": 1,
        "duplicate": 1,
        "no_listing": 1,
        NOT_UNDERSTOOD: 1,
        "fewer_words": 1,
    }


def test_a_page_that_mixes_generations_is_read_whole(source: EbayHtmlSource) -> None:
    results = read(source, "mixed")
    first, second = results.listings
    assert first == Listing(
        listing_id="254654754368",
        url="https://www.ebay.com/itm/254654754368",
        title="Louis Vuitton Speedy 30",
        price=1149.26,
        currency="USD",
        seller="bags.of-joy",
        image_urls=("https://i.ebayimg.com/images/g/CCCCAAeSwcccccccc/s-l1600.webp",),
        condition="Pre-Owned",
    )
    assert (second.title, second.price, second.currency) == ("Left-over Speedy 25", 80.0, "CAD")
    assert results.announced == 10_000
    assert dict(results.dropped) == {"placeholder": 2, "sponsored_carousel": 1}


def test_cards_of_other_languages_are_read(source: EbayHtmlSource) -> None:
    results = read(source, "s_card_de")
    first, second = results.listings
    assert first.title == "Louis Vuitton Speedy 40 Größe"
    assert first.url == "https://www.ebay.de/itm/166831246079"
    assert (first.price, first.currency, first.condition, first.seller) == (1217.72, "EUR", "Gebraucht", "taschen_haus")
    assert len(first.image_urls) == 2
    assert (second.price, second.currency) == (1234.56, "EUR")
    assert (results.announced, dict(results.dropped)) == (2, {"fewer_words": 1})


def test_the_newest_cards_are_read_though_their_links_lead_nowhere(source: EbayHtmlSource) -> None:
    results = read(source, "item_card")
    first, second = results.listings
    assert first == Listing(
        listing_id="377305506170",
        url="https://www.ebay.com.au/itm/377305506170",
        title="Louis Vuitton Speedy 35",
        price=645.0,
        currency="AUD",
        seller="sunny_coast",
        image_urls=("https://i.ebayimg.com/images/g/ffffAAeSwffff/s-l1600.webp",),
        condition="Pre-owned",
    )
    assert (second.listing_id, second.price, second.currency) == ("267717942253", 27.99, "USD")
    assert dict(results.dropped) == {"placeholder": 1, "no_listing": 1, "fewer_words": 1}


# ------------------------------------------------------------------ where the results end


def test_a_page_without_results_yields_none_of_those_that_match_fewer_words(source: EbayHtmlSource) -> None:
    results = read(source, "zero_fr")
    assert (results.announced, results.listings, results.next_url) == (0, (), None)
    assert dict(results.dropped) == {"fewer_words": 2}


def test_a_notice_that_results_were_tidied_hides_nothing(source: EbayHtmlSource) -> None:
    results = read(source, "tidied_es")
    (listing,) = results.listings
    assert (listing.title, listing.price, listing.currency) == ("Bolso Speedy 30 monograma", 5005.32, "PEN")
    assert (results.announced, dict(results.dropped)) == (240_000, {})
    assert results.next_url == "https://www.ebay.com/sch/i.html?_nkw=bolso+speedy&_pgn=2"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("Results matching fewer words", "fewer_words"),
        ("Ergebnisse für weniger Suchbegriffe", "fewer_words"),
        ("Résultats correspondant à moins de mots", "fewer_words"),
        ("Resultados que coinciden con menos palabras", "fewer_words"),
        ("Risultati che corrispondono a un numero inferiore di parole", "fewer_words"),
        ("Risultati che contengono meno parole", "fewer_words"),
        ("Resultaten met minder zoekwoorden", "fewer_words"),
        ("Wyniki pasujące do mniejszej liczby słów", "fewer_words"),
        ("Resultados com menos palavras", "fewer_words"),
        ("符合較少關鍵字的結果", "fewer_words"),
        ("12 items found from eBay international sellers", "international_sellers"),
        ("3 Artikel von internationalen Verkäufern gefunden", "international_sellers"),
        ("Objets de vendeurs internationaux", "international_sellers"),
        ("Simplificamos tus resultados de búsqueda para mostrarte los mejores anuncios.", None),
        ("We tidied your results. See more results", None),
        ("Did you mean: speedy", None),
        ("Se han eliminado algunos resultados", None),
        ("Related searches", None),
        ("Goods of international sellers may be held by customs, and duties and taxes may be due on delivery.", None),
    ],
)
def test_what_a_divider_says_decides(source: EbayHtmlSource, words: str, reason: str | None) -> None:
    assert divider(words) == reason
    notice = f'<li class="srp-river-answer srp-river-answer--REWRITE_START"><p><b>{words}</b></p></li>'
    results = source.read_results(Page(SEARCH, results_page(card(111111111111), notice, card(222222222222))))
    assert len(results.listings) == (1 if reason else 2)
    assert dict(results.dropped) == ({reason: 1} if reason else {})


def test_in_unknown_words_a_divider_ends_the_results_once_all_announced_ones_are_read(source: EbayHtmlSource) -> None:
    notice = '<li class="srp-river-answer--REWRITE_START">Palabras desconocidas</li>'
    parts = (card(111111111111), card(222222222222), notice, card(333333333333))
    for heading, found in (("2 results for a", 2), ("3 results for a", 3), ("2+ results for a", 3)):
        page = Page(SEARCH, results_page(*parts, heading=heading))
        assert len(source.read_results(page).listings) == found
    later = Page(SEARCH + "&_pgn=2&_ipg=240", results_page(*parts, heading="240 results for a"))
    assert dict(source.read_results(later).dropped) == {"fewer_words": 3}


@pytest.mark.parametrize(
    ("heading", "announced"),
    [
        ("185,510 results for warhammer", 185_510),
        ('<span class="BOLD">1.300</span>+ Ergebnisse für <span class="BOLD">40 cm</span>', 1_300),
        ("1 234 résultats pour sac 30", 1_234),
        ("1\N{NO-BREAK SPACE}234 résultats", 1_234),
        ("5 matching items", 5),
        ("10K+ results for speedy", 10_000),
        ("Wyniki: 17", 17),
        ("0 results for 40 speedy", 0),
        ("speedy", None),
    ],
)
def test_the_heading_says_how_many_there_are(source: EbayHtmlSource, heading: str, announced: int | None) -> None:
    assert source.read_results(Page(SEARCH, results_page(heading=heading))).announced == announced


def test_a_heading_without_its_class_is_found_by_what_it_says(source: EbayHtmlSource) -> None:
    body = b'<html><h1>2026 handbags</h1><h1>1.234 Ergebnisse</h1><ul class="srp-results"></ul></html>'
    assert source.read_results(Page(SEARCH, body)).announced == 1234


# ------------------------------------------------------------------ one card


@pytest.mark.parametrize(
    ("price", "site", "amount", "currency"),
    [
        ("$1,234.56", "com", 1234.56, "USD"),
        ("$1,234.56", "com.au", 1234.56, "AUD"),
        ("C $20.00", "com", 20.0, "CAD"),
        ("AU $20.00 to AU $30.00", "com", 20.0, "AUD"),
        ("$20.00", "ca", 20.0, "CAD"),
        ("US $971.45", "de", 971.45, "USD"),
        ("EUR 1.234,56", "de", 1234.56, "EUR"),
        ("1.234,56 EUR", "it", 1234.56, "EUR"),
        ("10,00 EUR a 20,00 EUR", "it", 10.0, "EUR"),
        ("1 234,56 zł", "pl", 1234.56, "PLN"),
        ("£10.00 to £20.00", "co.uk", 10.0, "GBP"),
        ("CHF 1'200.00", "ch", 1200.0, "CHF"),
        ("Rs. 1,23,456.00", "in", 123456.0, "INR"),
        ('<i class="STRIKETHROUGH">$35.00</i>', "com", 35.0, "USD"),
        ('<i class="STRIKETHROUGH">$35.00</i> $30.00', "com", 30.0, "USD"),
        ("Tap item to see current price", "com", None, None),
    ],
)
def test_prices_are_read_as_the_marketplace_writes_them(
    source: EbayHtmlSource, price: str, site: str, amount: float | None, currency: str | None
) -> None:
    listing = one(
        source, card(111111111111, f'<span class="s-card__price">{price}</span>'), f"https://www.ebay.{site}/"
    )
    assert (listing.price, listing.currency) == (amount, currency)
    assert listing.url == f"https://www.ebay.{site}/itm/111111111111"


@pytest.mark.parametrize(
    ("link", "number"),
    [
        ("/itm/254654754368?_skw=x", "254654754368"),
        ("https://www.ebay.com/itm/Some-Title-99380101121/254654754368?hash=item1", "254654754368"),
        ("https://www.ebay.com/p/15038983780?iid=254654754368", "254654754368"),
        ("https://cgi.ebay.com/ws/eBayISAPI.dll?ViewItem&item=254654754368", "254654754368"),
    ],
)
def test_a_listing_is_known_by_its_number_wherever_it_stands(source: EbayHtmlSource, link: str, number: str) -> None:
    listing = one(source, f'<li class="s-item"><a href="{link}"><h3 class="s-item__title">Bag</h3></a></li>')
    assert (listing.listing_id, listing.url) == (number, f"https://www.ebay.com/itm/{number}")


@pytest.mark.parametrize(
    "title",
    [
        "New Listing Speedy 30",
        "New ListingSpeedy 30",
        "Neues Angebot Speedy 30 Wird in neuem Fenster oder Tab geöffnet",
        "Nouvelle annonce Speedy 30 La page s'ouvre dans une nouvelle fenêtre ou un nouvel onglet",
        "Nuevo anuncio Speedy 30 Se abre en una ventana nueva",
        "Nuova inserzione Speedy 30 Viene aperta una nuova finestra o scheda",
        "Nieuwe aanbieding Speedy 30 Wordt in nieuw venster of op nieuw tabblad geopend",
        "Nowa oferta Speedy 30 Otwiera się w nowym oknie lub karcie",
        "Speedy 30",
    ],
)
def test_a_title_loses_what_ebay_adds(title: str) -> None:
    assert clean_title(title) == "Speedy 30"


def test_a_title_keeps_what_the_seller_wrote() -> None:
    for title in ("New listings binder", "Puppe in neuem Fenster", "Speedy opens wide"):
        assert clean_title(title) == title


@pytest.mark.parametrize(
    "markup",
    [
        '<li class="s-card"></li>',
        card(111111111111, title="").replace("Speedy", ""),
        '<li class="s-card"><a href="/itm/123456"><div class="s-card__title">Real title</div></a>'
        '<span class="s-card__price">$5.00</span></li>',
    ],
)
def test_a_card_that_cannot_be_read_is_counted_as_such(source: EbayHtmlSource, markup: str) -> None:
    results = source.read_results(Page(SEARCH, results_page(markup)))
    assert (results.listings, dict(results.dropped)) == ((), {NOT_UNDERSTOOD: 1})


@pytest.mark.parametrize(
    ("seller", "name"),
    [
        ("bags_1 (132,409) 98.7%", "bags_1"),
        ("bags.1 99.3% positive (983)", "bags.1"),
        ("The Purse Affair  100% positiv (2,3 Tsd.)", "The Purse Affair"),
        ("Verkäufer: bags-1 (7) 100%", "bags-1"),
        ("sac_1 99,5% d'évaluations positives (12)", "sac_1"),
        ("Save up to 5% when you buy more", None),
        ("36% off", None),
    ],
)
def test_a_seller_is_told_from_other_percentages(source: EbayHtmlSource, seller: str, name: str | None) -> None:
    assert one(source, card(111111111111, f'<div class="s-card__attribute-row">{seller}</div>')).seller == name


@pytest.mark.parametrize(
    ("url", "full"),
    [
        ("https://i.ebayimg.com/images/g/a~b/s-l140.webp", "https://i.ebayimg.com/images/g/a~b/s-l1600.webp"),
        ("https://i.ebayimg.com/thumbs/images/g/ab/s-l225.jpg", "https://i.ebayimg.com/images/g/ab/s-l1600.jpg"),
        ("https://i.ebayimg.com/images/g/ab/s-l2400.png?x=1", "https://i.ebayimg.com/images/g/ab/s-l2400.png"),
        ("https://i.ebayimg.com/00/s/MTY=/z/ab/$_57.JPG?set_id=8", "https://i.ebayimg.com/images/g/ab/s-l1600.jpg"),
        ("https://thumbs2.ebaystatic.com/images/g/ab/s-l225.jpg", "https://i.ebayimg.com/images/g/ab/s-l1600.jpg"),
        ("https://galleryplus.ebayimg.com/ws/web/1_2_0_1/225x225.jpg", None),
        ("https://elsewhere.example/images/g/ab/s-l140.jpg", None),
        ("https://notebayimg.com/images/g/ab/s-l140.jpg", None),
    ],
)
def test_a_picture_is_asked_for_in_full_size(url: str, full: str | None) -> None:
    assert full_size(url) == (full or url)


def test_a_picture_is_taken_once_and_graphics_never() -> None:
    assert pictures(
        [
            "https://i.ebayimg.com/images/g/ab/s-l140.jpg",
            "https://i.ebayimg.com/images/g/ab/s-l500.webp",
            "https://ir.ebaystatic.com/cr/v/c1/s_1x2.png",
            "https://i.ebayimg.com/images/g/blank.gif",
            "data:image/gif;base64,R0lGOD",
            "https://cdn.example/a.jpg",
            "https://cdn.example/a.png",
            "https://[bad",
        ]
    ) == ("https://i.ebayimg.com/images/g/ab/s-l1600.jpg", "https://cdn.example/a.jpg", "https://cdn.example/a.png")


# ------------------------------------------------------------------ paging, items, hostile input


@pytest.mark.parametrize(
    ("link", "found"),
    [
        ('<a class="pagination__next" href="?_pgn=2">', "https://www.ebay.com/sch/i.html?_pgn=2"),
        ('<a type="next" href="/sch/i.html?_pgn=3#x">', "https://www.ebay.com/sch/i.html?_pgn=3"),
        ('<a class="pagination__next" href="https://evil.example/sch?_pgn=2">', None),
        ('<a class="pagination__next" href="https://www.ebay.com.evil.example/sch?_pgn=2">', None),
        ('<a class="pagination__next" aria-disabled="true" href="?_pgn=2">', None),
        ('<a class="pagination__next" href="#">', None),
        ('<a class="pagination__next" href="javascript:void(0)">', None),
        ('<button class="pagination__next" href="?_pgn=2">', None),
        ("", None),
    ],
)
def test_the_next_page_is_on_the_same_host_or_there_is_none(
    source: EbayHtmlSource, link: str, found: str | None
) -> None:
    body = results_page(card(111111111111)) + link.encode()
    assert source.read_results(Page(SEARCH, body)).next_url == found


def test_the_marketplace_of_a_saved_page_is_the_one_that_it_names(source: EbayHtmlSource) -> None:
    body = results_page('<li class="s-item"><a href="https://www.ebay.fr/itm/254654754368"><h3 role="heading">Sac</h3>')
    assert source.read_results(Page("https://shop.invalid/", body)).listings[0].url.startswith("https://www.ebay.fr/")
    local = EbayHtmlSource(EbayHtmlSettings(kind="ebay_html", enabled=False, site="http://127.0.0.1:8080"))
    results = local.read_results(Page("http://127.0.0.1:8080/sch/i.html", results_page(card(111111111111))))
    assert results.listings[0].url == "http://127.0.0.1:8080/itm/111111111111"


def test_an_item_page_is_read_with_all_its_pictures(source: EbayHtmlSource) -> None:
    item = source.read_item(Page("", (PAGES / "ebay_item.html").read_bytes()))
    assert item == Listing(
        listing_id="226771798286",
        url="https://www.ebay.com/itm/226771798286",
        title="Louis Vuitton Speedy 30",
        price=971.45,
        currency="USD",
        seller="bags.of-joy",
        image_urls=(
            "https://i.ebayimg.com/images/g/ggggAAOSwggg/s-l1600.jpg",
            "https://i.ebayimg.com/images/g/hhhhAAOSwhhh/s-l1600.jpg",
        ),
        brand="Louis Vuitton",
        sku="M41108",
        gtin="4006381333931",
        condition="Pre-owned - Good",
        availability="InStock",
    )


def test_an_item_page_without_structured_data_is_read_from_what_it_shows(source: EbayHtmlSource) -> None:
    whole = (PAGES / "ebay_item.html").read_text()
    bare = re.sub(r"(?s)<script.*?</script>", "", whole).encode()
    item = source.read_item(Page("", bare))
    assert (item.title, item.price, item.currency) == ("Louis Vuitton Speedy 30", 850.0, "EUR")
    assert len(item.image_urls) == 2


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            b"<html><h1 class='x-item-title__mainTitle'>Bag</h1></html>",
            "no_item: the page does not tell the listing's n",
        ),
        (b"<html><link rel=canonical href='https://www.ebay.com/itm/226771798286'></html>", "no_item: "),
        (b"{}", "not_html: "),
        (b"<html>" + b"<div class=s-card>" * 5000, "too_deep: "),
    ],
)
def test_what_is_no_item_page_is_refused(source: EbayHtmlSource, body: bytes, reason: str) -> None:
    with pytest.raises(PageNotUnderstood) as caught:
        source.read_item(Page("https://www.ebay.com/", body))
    assert caught.value.reason.startswith(reason)


def test_what_is_no_page_of_results_is_refused(source: EbayHtmlSource) -> None:
    for body in (b"<html><h1>Sign in</h1><a href='/x'>x</a></html>", (PAGES / "challenge_ebay_wait.html").read_bytes()):
        with pytest.raises(PageNotUnderstood, match="no_results_page"):
            source.read_results(Page(SEARCH, body))


@given(st.binary(max_size=300), st.text(max_size=100), st.text(max_size=60))
@settings(max_examples=150, deadline=None)
def test_no_bytes_break_the_parser(junk: bytes, words: str, link: str) -> None:
    source = EbayHtmlSource(EbayHtmlSettings(kind="ebay_html", enabled=False))
    odd = (
        f'<li class="s-item"><a href="{link}"><h3 class="s-item__title">{words}</h3><img src="{link}"></a>{words}</li>'
    )
    marked = f'<link rel="canonical" href="{link}"><script type="application/ld+json">{words}</script>'
    for body in (junk, b"<html>" + junk, results_page(odd, card(111111111111, words), heading=words + marked)):
        for url in (SEARCH, "https://www.ebay.com/itm/111111111111", "", link):
            try:
                results = source.read_results(Page(url, body))
            except PageNotUnderstood:
                results = Results()
            assert all(listing.listing_id and listing.title for listing in results.listings)
            try:
                assert source.read_item(Page(url, body)).listing_id
            except PageNotUnderstood:
                continue


# ------------------------------------------------------------------ real pages


@pytest.mark.skipif(not EBAY.is_dir(), reason="the shared eBay pages are not here")
@pytest.mark.parametrize(
    ("name", "found", "announced", "dropped"),
    [
        ("srp_ZERO_*", 0, 0, {"placeholder": 2, "fewer_words": 60}),
        ("srp_classic_uk_*", 61, 185_510, {"placeholder": 1}),
        ("srp_scard_2025-06-30_us_*", 60, 10_000, {"placeholder": 2}),
        ("srp_scard_2025-11-08_es_*", 60, 240_000, {"placeholder": 2}),
        ("srp_scard_2026-04-07_de_*", 60, 1_300, {"placeholder": 2}),
        ("srp_scard_2026-07-21_us_*", 60, 12_000_000, {"placeholder": 2, "sponsored_carousel": 5}),
    ],
)
def test_every_result_of_a_real_page_is_found_and_none_too_many(
    source: EbayHtmlSource, name: str, found: int, announced: int, dropped: dict[str, int]
) -> None:
    (path,) = EBAY.glob(name)
    results = source.read_results(Page("", path.read_bytes()))
    assert (len(set(numbers(results))), results.announced, dict(results.dropped)) == (found, announced, dropped)
    for listing in results.listings:
        assert listing.price is not None
        assert listing.currency is not None
        assert all(re.search(r"/s-l1600\.\w+$", url) for url in listing.image_urls)
        assert len(listing.image_urls) >= 1


@pytest.mark.skipif(not EBAY.is_dir(), reason="the shared eBay pages are not here")
def test_a_real_item_page_is_read(source: EbayHtmlSource) -> None:
    (path,) = EBAY.glob("item_us_*")
    item = source.read_item(Page("", path.read_bytes()))
    assert item.listing_id is not None
    assert (item.currency, item.condition, item.availability) == ("USD", "New", "InStock")
    assert item.seller
    assert item.image_urls
