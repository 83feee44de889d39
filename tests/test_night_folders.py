"""Names of nights, and folders that are named after one."""

from __future__ import annotations

import datetime as dt

import pytest

from lvbag.nights import NightError, nights_in, parse_night


@pytest.mark.parametrize("text", ["2026-1-3", "20261123", "2026-11-31", "night=2026-11-23", ""])
def test_what_is_no_day_is_no_night(text: str) -> None:
    with pytest.raises(NightError, match="is not a day written YYYY-MM-DD"):
        parse_night(text)


def test_nights_are_read_off_folders_in_order_and_other_folders_are_left_alone() -> None:
    names = ["night=2026-11-24", "2026-11-23", "night=2026-11-24", "night=20261125", "data-docs", ""]
    assert nights_in(names) == [dt.date(2026, 11, 23), dt.date(2026, 11, 24)]
