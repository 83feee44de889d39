"""Currencies by what shops write for them: codes, symbols and words, in many languages. Nothing here reads numbers.

A symbol that several currencies share ("$", "kr", "Rs") is no answer by itself: the caller says which one is meant
where the page does not. Codes: ISO 4217.
"""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


CODES = _words(
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF "
    "CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HRK "
    "HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL "
    "MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON "
    "RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH "
    "UGX USD UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWL"
)
"""The currencies in use, and those that old pages still name."""

THREE_DECIMALS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
NO_DECIMALS = _words("CLP COP HUF IDR IRR ISK JPY KRW PYG UGX VND XAF XOF XPF")
"""Currencies whose prices are not written with decimals, so that a separator before three digits groups them."""

_OTHER_CODES = {"RUR": "RUB", "NTD": "TWD", "RMB": "CNY", "CNH": "CNY", "STG": "GBP", "YEN": "JPY", "BYR": "BYN"}

# the key is in lower case and without spaces and dots; the text may have them
_CERTAIN = {
    token: line.split()[0]
    for line in """
    AED dh dhs د.إ درهم
    AMD ֏
    ARS ar$
    AUD au$ a$ $au aus$
    AZN ₼
    BBD bds$
    BDT ৳
    BGN лв
    BHD د.ب
    BND bn$
    BRL r$
    BZD bz$
    CAD c$ ca$ cdn$ $ca can$
    CHF sfr fr franken
    CLP cl$ clp$
    CNY cn¥ 人民币 rmb
    COP co$ col$
    CRC ₡
    CZK kč
    DOP rd$
    EGP ج.م le جنيه
    EUR € euro euros евро ευρώ 유로 ユーロ 欧元 歐元 يورو
    FJD fj$
    GEL ₾
    GHS ₵ gh₵
    HKD hk$ $hk 港币 港元
    HRK kn
    HUF ft
    IDR rp
    ILS ₪
    INR ₹
    IRR تومان
    JMD j$ ja$
    JOD د.أ jd
    JPY jp¥ 円 日圓 엔 yen 日元
    KES ksh kshs
    KHR ៛
    KRW 원 ₩ won
    KWD د.ك kd
    KZT ₸ тг
    LAK ₭
    MKD ден
    MNT ₮
    MOP mop$
    MXN mx$ mex$ $mx
    MYR rm
    NAD n$
    NGN ₦
    NZD nz$ $nz
    OMR ر.ع
    PEN s/
    PHP ₱
    PLN zł zl
    PYG ₲ gs
    QAR ر.ق
    RON lei leu
    RSD дин din
    RUB ₽ руб р рублей
    SAR ر.س sr ريال
    SGD s$ sg$
    THB ฿ บาท baht
    TRY ₺ tl
    TTD tt$
    TWD nt$ 新台幣 台幣
    UAH грн ₴
    USD us$ $us usd$ ドル 달러 美元
    UYU $u
    VND ₫ đ vnđ
    XCD ec$
    XOF fcfa
    """.strip().splitlines()
    for token in line.split()[1:]
}

_DOLLARS = _words(
    "USD CAD AUD NZD HKD SGD TWD MXN ARS CLP COP UYU DOP BBD BZD XCD FJD JMD TTD NAD BMD BSD BND KYD GYD LRD SBD SRD "
    "MOP"
)
_CROWNS = frozenset({"SEK", "NOK", "DKK", "ISK"})
_RUPEES = frozenset({"INR", "PKR", "LKR", "NPR", "MUR", "SCR"})
_RIALS = frozenset({"IRR", "SAR", "QAR", "OMR", "YER"})

# what a shared symbol may mean, and what it means where nothing else is said (None: nothing for sure)
_SHARED: dict[str, tuple[str | None, frozenset[str]]] = {
    **dict.fromkeys(("$", "dollar", "dollars"), (None, _DOLLARS)),
    **dict.fromkeys(("kr", "kronor", "kroner"), (None, _CROWNS)),
    **dict.fromkeys(("rs", "rupees"), (None, _RUPEES)),
    **dict.fromkeys(("ریال", "rial"), (None, _RIALS)),
    **dict.fromkeys(("£", "pounds"), ("GBP", frozenset({"GBP", "EGP", "LBP", "SYP", "GIP", "FKP", "SHP", "SDG"}))),
    "¥": ("JPY", frozenset({"JPY", "CNY"})),
    "元": ("CNY", frozenset({"CNY", "TWD", "HKD", "MOP"})),
    "圓": ("TWD", frozenset({"CNY", "TWD", "HKD", "MOP"})),
    "r": ("ZAR", frozenset({"ZAR", "BRL"})),
    "bs": (None, frozenset({"BOB", "VES"})),
    "q": ("GTQ", frozenset({"GTQ"})),
}
_UPPER_ONLY = _words("r q le sr kd jd rm tl dh all ang bam bob cop cup gel lak mad mop pen ron sos top try")
"""Tokens that in lower case are letters or words, not money."""
_LATIN_OR_CYRILLIC = re.compile(r"[a-zà-žα-ωά-ώа-яё]", re.IGNORECASE)
_JOINED = re.compile(r"[\s.]+")


def _pattern(key: str) -> str:
    """A key as a regular expression; spaces and dots may stand between a prefix and its "$", and after words."""
    if "$" in key:
        before, after = key.split("$")
        dotted = r"\.?".join(before)
        return rf"(?<![^\W\d_]){dotted}\.?\s?\$" if before else rf"\$\s?{after}(?![^\W\d_])"
    found = re.escape(key)
    if _LATIN_OR_CYRILLIC.match(key):
        found = rf"(?<![^\W\d_]){found}(?![^\W\d_])"
    return rf"{found}\.?" if key[-1].isalpha() else found


_CODE = r"(?<![^\W\d_])(?:{})(?![^\W\d_])".format("|".join(sorted(CODES | _OTHER_CODES.keys())))
_KEYS = sorted((_CERTAIN.keys() | _SHARED.keys()) - {"$"}, key=len, reverse=True)
TOKEN = rf"(?:{_CODE}\s?[$€£¥]?|[$€£¥]?\s?{_CODE}|{'|'.join(_pattern(key) for key in _KEYS)}|\$)"
"""A regular expression for one currency in a text, to be used without regard to case."""


def currency_of(token: str, default: str | None = None) -> str | None:
    """The ISO 4217 code that a code, symbol or word stands for; None: none, or several and the default is none of them.

    >>> currency_of("US $"), currency_of("kr", "SEK"), currency_of("kr")
    ('USD', 'SEK', None)
    """
    if not means_money(token):
        return None
    key = _key(token)
    if (code := _code(key)) is not None:
        return code
    if key in _CERTAIN:
        return _CERTAIN[key]
    usual, meanings = _SHARED[key]
    return default if default in meanings else usual


def means_money(token: str) -> bool:
    """Whether the token is a currency at all: "TRY" is one and "try" is none."""
    key = _key(token)
    if key in _UPPER_ONLY and token != token.upper():
        return False
    return key in _CERTAIN or key in _SHARED or _code(key) is not None


def is_certain(token: str) -> bool:
    """Whether the token alone says which currency is meant."""
    return means_money(token) and _key(token) not in _SHARED


def _code(key: str) -> str | None:
    """The code in a key such as "usd" or "cad$"."""
    for code in (key.upper(), key.upper().strip("$€£¥")):
        if code in CODES or code in _OTHER_CODES:
            return _OTHER_CODES.get(code, code)
    return None


def _key(token: str) -> str:
    folded = token.strip(" .").casefold()
    return folded if folded in _CERTAIN else _JOINED.sub("", folded)  # the dot of "د.إ" belongs to it
