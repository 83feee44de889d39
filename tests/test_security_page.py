"""docs/security.md: each test that it names exists, and nothing is claimed without one."""

from __future__ import annotations

import re

from lvbag.settings import PROJECT_ROOT

TESTS = PROJECT_ROOT / "tests"
PAGE = (PROJECT_ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def test_each_test_that_the_page_names_exists() -> None:
    files = {path.stem: path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py")}
    named = re.findall(r"`(test_\w+)::(test_\w+)`", PAGE)
    assert len(named) > 40
    assert [f"{file}::{name}" for file, name in named if f"\ndef {name}(" not in files.get(file, "")] == []


def test_each_threat_has_a_test_and_each_part_says_what_remains() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| threat")]
    assert [row[:60] for row in rows if "::test_" not in row and "`make lint`" not in row] == []
    parts = PAGE.split("\n## ")[1:]
    assert [part.splitlines()[0] for part in parts if "**Remains:**" not in part] == []
