"""Prices as shops write them, in many places of the world."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvbag.crawl.sources.currencies import CODES, currency_of
from lvbag.crawl.sources.prices import MAX_AMOUNT, Price, read_number, read_price


@pytest.mark.parametrize(
    ("text", "default", "amount", "currency"),
    [
        ("CHF 2’300.–", None, 2300.0, "CHF"),
        ("CHF 2'300.-", None, 2300.0, "CHF"),
        ("SFr. 1'290.50", None, 1290.5, "CHF"),
        ("19'90 Fr.", None, 19.9, "CHF"),
        ("1.234,50 €", None, 1234.5, "EUR"),
        ("EUR 1.234,56", None, 1234.56, "EUR"),
        ("€ 1.299,-", None, 1299.0, "EUR"),
        ("2.300,-- €", None, 2300.0, "EUR"),
        ("1.500 €", None, 1500.0, "EUR"),
        ("99€95", None, 99.95, "EUR"),
        ("35€ 99", None, 35.99, "EUR"),
        ("&euro; 12,50", None, 12.5, "EUR"),
        ("1 234,50 zł", None, 1234.5, "PLN"),
        ("1\u00a0234,50\u00a0zł", None, 1234.5, "PLN"),
        ("1\u202f234,50\u202f€", None, 1234.5, "EUR"),
        ("₹1,23,456.00", None, 123456.0, "INR"),
        ("₹1.5 lakh", None, 150000.0, "INR"),
        ("23.450 Rs", "PKR", 23450.0, "PKR"),
        ("Rs. 500", None, 500.0, None),
        ("£1,200", None, 1200.0, "GBP"),
        ("US $1,234.56", None, 1234.56, "USD"),
        ("US $1,234.56", "EUR", 1234.56, "USD"),
        ("C $12.50", "USD", 12.5, "CAD"),
        ("AU $50", "USD", 50.0, "AUD"),
        ("HK$1,200", None, 1200.0, "HKD"),
        ("99,95 $ CA", None, 99.95, "CAD"),
        ("$99 AUD", "USD", 99.0, "AUD"),
        ("CAD $45.00", None, 45.0, "CAD"),
        ("$20", "USD", 20.0, "USD"),
        ("$20", None, 20.0, None),
        ("$20", "EUR", 20.0, None),
        ("$ 1.500", "CLP", 1500.0, "CLP"),
        ("$19⁹⁹", "USD", 19.99, "USD"),
        ("R$ 1.234,56", None, 1234.56, "BRL"),
        ("MX$1,200.00", None, 1200.0, "MXN"),
        ("¥120,000", None, 120000.0, "JPY"),
        ("¥120", "CNY", 120.0, "CNY"),
        ("￥120,000", None, 120000.0, "JPY"),
        ("１２，０００円（税込）", None, 12000.0, "JPY"),
        ("12万円", None, 120000.0, "JPY"),
        ("1万2,000円", None, 12000.0, "JPY"),
        ("5,000 엔", None, 5000.0, "JPY"),
        ("₩1,500,000", None, 1500000.0, "KRW"),
        ("150만원", None, 1500000.0, "KRW"),
        ("1 299:-", "SEK", 1299.0, "SEK"),
        ("12:50 kr", "SEK", 12.5, "SEK"),
        ("1 200 Kč", None, 1200.0, "CZK"),
        ("45 000 Ft", None, 45000.0, "HUF"),
        ("1 234 руб.", None, 1234.0, "RUB"),
        ("1.234,50 TL", None, 1234.5, "TRY"),
        ("1.200.000 ₫", None, 1200000.0, "VND"),
        ("Rp 1.500.000", None, 1500000.0, "IDR"),
        ("12.500 KWD", None, 12.5, "KWD"),
        ("١٬٢٣٤٫٥٠ ر.س", None, 1234.5, "SAR"),
        ("د.إ. 1,200", None, 1200.0, "AED"),
        (".75 €", None, 0.75, "EUR"),
        ("1234.50", "USD", 1234.5, "USD"),
    ],
)
def test_prices_are_read_as_they_are_written_there(
    text: str, default: str | None, amount: float, currency: str | None
) -> None:
    assert read_price(text, default) == Price(amount, currency)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("$10.00 to $20.00", 10.0),
        ("EUR 10,50 bis EUR 20,00", 10.5),
        ("15,00 EUR a 20,00 EUR", 15.0),
        ("10 - 20 €", 10.0),
        ("€10–€20", 10.0),
        ("CHF 10.– – 20.–", 10.0),
        ("5,000円～8,000円", 5000.0),
        ("от 5 000 до 7 000 руб.", 5000.0),
    ],
)
def test_of_a_range_the_lower_end_counts(text: str, amount: float) -> None:
    found = read_price(text)
    assert found is not None
    assert found.amount == amount


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("2 for $30", 30.0),
        ("-20% $80", 80.0),
        ("All 50 for 20 €", 20.0),
        ("Approximately US $12.34", 12.34),
        ("US $20.00 C $30.00", 20.0),
        ("10 € 20 $", 10.0),
    ],
)
def test_the_number_beside_the_currency_is_the_price(text: str, amount: float) -> None:
    found = read_price(text, "USD")
    assert found is not None
    assert found.amount == amount


@pytest.mark.parametrize(
    "text",
    ["", "Price on request", "EUR", "20% off", "-5 €", "$-5", "-$5.00", "1234567890123456789", "\x00", "€€€", "12:50"],
)
def test_what_is_no_price_is_none(text: str) -> None:
    assert read_price(text) is None


def test_words_that_look_like_codes_are_currencies_only_in_capitals() -> None:
    assert (currency_of("TRY"), currency_of("try"), currency_of("eur"), currency_of("Rur")) == (
        *("TRY", None),
        *("EUR", "RUB"),
    )


@pytest.mark.parametrize(
    ("value", "currency", "number"),
    [
        (12, None, 12.0),
        (1234.5, None, 1234.5),
        ("1234.50", None, 1234.5),
        ("1,234.50", None, 1234.5),
        ("1.234,50", None, 1234.5),
        ("1 234,50", None, 1234.5),
        ("2'300.00", None, 2300.0),
        ("2,300", None, 2300.0),
        ("1.500", None, 1.5),
        ("1.500", "CLP", 1500.0),
        ("1.234.567", None, 1234567.0),
        ("249.000000", None, 249.0),
        ("1e3", None, 1000.0),
        ("ask", None, None),
        ("USD 5", None, None),
        ("-1", None, None),
        (-1, None, None),
        (True, None, None),
        (None, None, None),
        ([], None, None),
        (10**400, None, None),
        ("nan", None, None),
        (float("inf"), None, None),
    ],
)
def test_machine_numbers_are_read_or_left_out(value: object, currency: str | None, number: float | None) -> None:
    assert read_number(value, currency) == number


def grouped(whole: int, separator: str) -> str:
    return f"{whole:,}".replace(",", separator)


@given(
    whole=st.integers(1, 99_999_999),
    cents=st.integers(0, 99),
    style=st.sampled_from(
        [(",", "."), (".", ","), (" ", ","), ("\u00a0", ","), ("\u202f", ","), ("'", "."), ("’", ".")]
    ),
    code=st.sampled_from(sorted(CODES - {"KWD", "BHD", "OMR", "JOD", "TND", "LYD", "IQD"})),
    place=st.sampled_from(["{code} {n}", "{n} {code}", "{code}{n}", "{n}\u00a0{code}", "Price: {code} {n} *"]),
)
@settings(max_examples=300, deadline=None)
def test_an_amount_of_any_size_reads_back_in_every_locale(
    whole: int, cents: int, style: tuple[str, str], code: str, place: str
) -> None:
    number = f"{grouped(whole, style[0])}{style[1]}{cents:02d}"
    assert read_price(place.format(code=code, n=number)) == Price(float(f"{whole}.{cents:02d}"), code)
    assert read_price(place.format(code=code, n=grouped(whole, style[0]))) == Price(float(whole), code)
    assert read_number(number) == float(f"{whole}.{cents:02d}")


@given(st.text(max_size=120) | st.text("0123456789.,' €$-–:%krRs万to", max_size=40), st.sampled_from([None, "USD"]))
@settings(max_examples=400, deadline=None)
def test_no_text_breaks_the_reader_and_every_price_is_sane(text: str, default: str | None) -> None:
    found = read_price(text, default)
    if found is not None:
        assert 0 <= found.amount <= MAX_AMOUNT
        assert found.currency is None or found.currency in CODES
    read_number(text)
