"""The house keeps its floors: what a module imports stands below it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from lvbag.settings import PROJECT_ROOT

PACKAGE = PROJECT_ROOT / "plugins" / "lvbag"
GROUND = {
    "errors",
    "lazy",
    "nights",
    "setting_types",
    "source_settings",
    "validation_settings",
    "notify_settings",
    "store_roles",
    "settings",
    "catalog",
    "schemas",
    "tombstones",
    "curated",
    "outliers",
    "suspicions",
    "store",
    "images",
}
FIRST = {"registry", "labels", "infer", "review"}
SECOND = {"crawl", "curate", "learn"}
SIDEWAYS = {("infer", "registry")}
"""Within one floor only this is allowed: inference opens what the registry names."""


def floor(name: str) -> int:
    return 0 if name in GROUND else 1 if name in FIRST else 2 if name in SECOND else 3


def imports(path: Path) -> set[str]:
    """The lvbag packages that a module imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("lvbag."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("lvbag.")}
    return found


MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_what_stands_below_it(path: Path) -> None:
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for name in imports(path) - {own}:
        # the ground and the top are one room each; on the floors between, neighbours do not know one another
        beside = floor(name) == floor(own) and (floor(own) in (0, 3) or (own, name) in SIDEWAYS)
        allowed = floor(name) < floor(own) or beside
        assert allowed, (
            f"{path.relative_to(PROJECT_ROOT)} (floor {floor(own)}) imports lvbag.{name} (floor {floor(name)})"
        )


def test_what_runs_as_a_subprocess_imports_no_airflow() -> None:
    for path in (PACKAGE / "learn").rglob("*.py"):
        assert "airflow" not in {
            name.split(".")[0]
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }, path


def test_the_lock_names_no_host_and_no_folder() -> None:
    text = (PROJECT_ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in text
    assert "index-url" not in text
    assert all(line.startswith((" ", "#")) or "==" in line for line in text.splitlines() if line)
