from __future__ import annotations

from lvbag.commands.settings import markdown_page, rows
from lvbag.settings import PROJECT_ROOT


def test_the_page_of_settings_is_true() -> None:
    page = (PROJECT_ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert page == markdown_page(), "run: lvbag settings --markdown > docs/settings.md"


def test_every_setting_has_a_reason() -> None:
    assert [row.name for row in rows() if not row.reason] == []
