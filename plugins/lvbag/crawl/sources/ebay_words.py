"""eBay's words in its languages, and its marketplaces: what a divider says, what is no part of a title, which currency.

Where the words of a language are missing here, the heading's count still ends the results (`ebay_html`).
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

FEWER_WORDS = "fewer_words"
"""Below this divider stand listings that miss words of the query."""
ELSEWHERE = "international_sellers"
"""Below this divider stand listings from outside the country that was asked for; the heading does not count them."""

_FEWER = re.compile(
    r"""
      \b(?:fewer|less)\b.{0,20}\b(?:key)?(?:words?|terms?)\b
    | \bweniger\s+(?:such|stich)?(?:begriffe?n?|w[öo]rte?r?n?)\b
    | \bmoins\sde\s(?:mots|termes)\b
    | \bmenos\s(?:palabras|t[ée]rminos|palavras|termos)\b
    | \bmeno\s(?:parole|termini)\b | \bnumero\s(?:inferiore|minore)\sdi\s(?:parole|termini)\b
    | \bminor\snumero\sdi\s(?:parole|termini)\b
    | \bminder\s(?:zoek|tref)?(?:woorden|termen)\b
    | \bmniej\w*\s(?:\w+\s)?(?:słów|słowami|słowom|wyraz\w*|haseł)
    | \bменьш\w+\s(?:\w+\s)?слов
    | \bfärre\s(?:sök)?ord\b
    | [較较更]少.{0,6}[字詞词] | 少ない.{0,6}(?:キーワード|単語)
    """,
    re.IGNORECASE | re.VERBOSE,
)
_ABROAD = re.compile(
    r"""
      \binternational\s(?:ebay\s)?sellers?\b | \bsellers?\soutside\b
    | \binternationalen?\s(?:ebay[-\s])?(?:verkäufern?|anbietern?)\b
    | \bvendeurs\s(?:internationaux|étrangers)\b
    | \b(?:vendedores|vendedor)\s(?:internacionales|internacionais)\b
    | \bvenditori\s(?:internazionali|esteri)\b
    | \binternationale\sverkopers\b
    | \bsprzedawc\w+\s(?:międzynarodow|zagraniczn|z\szagranicy)\w* | \b(?:międzynarodow|zagraniczn)\w+\ssprzedawc
    | 國際賣家 | 国际卖家
    """,
    re.IGNORECASE | re.VERBOSE,
)

_MAX_ABROAD_CHARS = 80  # longer ones are advice about customs

_NEW_LISTING = re.compile(
    r"^(?:new\s?listing(?!s\b)|neues\s?angebot|neu\s?eingestellt|nouvelle\s?annonce|nuevo\s?anuncio|anuncio\s?nuevo|"
    r"nueva\s?publicación|nuova\s?inserzione|nieuwe?\s?(?:aanbieding|advertentie)|nowa\s?oferta|novo\s?an[úu]ncio|"
    r"нов(?:ое\s?объявление|ый\s?лот)|全新刊登物品|新刊登物品)[\s:·|–-]*",
    re.IGNORECASE,
)
_OPENS = re.compile(
    r"""
    \s*[(\[]?(?:
        opens\sin\s(?:a\s)?new\s(?:window|tab)
      | (?:wird\s)?in\s(?:einem\s)?neue[mn]\s(?:fenster|tab)\b.*geöffnet
      | (?:la\spage\s)?s['’]ouvre\sdans\sune?\snouv(?:elle|el)\s(?:fenêtre|onglet)
      | se\sabre\sen\suna\s(?:nueva\s)?(?:ventana|pestaña)
      | (?:viene\saperta|si\sapre\sin|apre)\suna?\snuova\s(?:finestra|scheda)
      | (?:wordt\s)?in\s(?:een\s)?nieuw\svenster\b.*geopend
      | otwiera\ssię\sw\snow(?:ym\soknie|ej\skarcie)
      | abre\sem\s(?:uma\s)?nova\s(?:janela|guia)
      | 在新(?:視窗|窗口|标签)
    ).*$
    """,
    re.IGNORECASE | re.VERBOSE,
)

PLACEHOLDER_TITLE = re.compile(r"^shop on ebay$", re.IGNORECASE)
"""What the cards say that eBay puts onto every page for measurement, in every language."""

_HOST = re.compile(r"(?:[\w-]+\.)*ebay\.((?:com?\.)?[a-z]{2}|com)", re.IGNORECASE)
_CURRENCIES = {
    "com": "USD",
    "co.uk": "GBP",
    "ca": "CAD",
    "com.au": "AUD",
    "com.hk": "HKD",
    "com.sg": "SGD",
    "com.my": "MYR",
    "com.tw": "TWD",
    "ph": "PHP",
    "in": "INR",
    "ch": "CHF",
    "pl": "PLN",
    "vn": "VND",
} | dict.fromkeys(("de", "fr", "it", "es", "nl", "be", "at", "ie"), "EUR")


def divider(text: str) -> str | None:
    """What ends the results when this text stands between two cards; None: nothing does."""
    if _FEWER.search(text):
        return FEWER_WORDS
    return ELSEWHERE if len(text) <= _MAX_ABROAD_CHARS and _ABROAD.search(text) else None


def clean_title(title: str) -> str:
    """A title without what eBay adds to it for screen readers.

    >>> clean_title("New Listing Louis Vuitton Speedy 30 Opens in a new window or tab")
    'Louis Vuitton Speedy 30'
    """
    return _OPENS.sub("", _NEW_LISTING.sub("", title.strip(), count=1)).strip()


def marketplace(url: str) -> str | None:
    """The marketplace that an address belongs to, such as `https://www.ebay.de`; None: it is not eBay's.

    >>> marketplace("https://ebay.com/itm/1"), marketplace("https://notebay.com/")
    ('https://www.ebay.com', None)
    """
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return None
    if not _HOST.fullmatch(host):
        return None
    return f"https://www.{host}" if host.startswith("ebay.") else f"https://{host}"


def currency_of(site: str) -> str | None:
    """What a `$` or a bare number means at a marketplace; None where that is not known.

    >>> currency_of("https://www.ebay.com.au"), currency_of("http://127.0.0.1:8080")
    ('AUD', None)
    """
    match = _HOST.fullmatch(urlsplit(site).hostname or "")
    return _CURRENCIES.get(match.group(1).lower()) if match else None
