"""`lvbag crawl match`: which product and line the titles' matcher sees, and why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from lvbag.catalog import Catalog, load_catalog
from lvbag.errors import LvbagError
from lvbag.settings import config_dir


class TitlesError(LvbagError):
    """A file of titles cannot be read."""


def match(
    titles: Annotated[list[str] | None, typer.Argument(metavar="TITLE…", help="titles of listings")] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", help="a JSON list of titles or of objects with a title, or one of these a line"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> None:
    """Show which product of the catalog each title names, and which line."""
    if not titles and file is None:
        raise typer.BadParameter("give titles, or --file with a file of them")
    catalog = load_catalog(config_dir())
    for title in (*(titles or ()), *(read_titles(file) if file is not None else ())):
        row = match_row(catalog, title)
        print(json.dumps(row, ensure_ascii=False) if as_json else _line(row))


def match_row(catalog: Catalog, title: str) -> dict[str, Any]:
    """What is shown of a title: `product` is its identity, `style_code` the maker's code if that is known."""
    from lvbag.crawl.titles import match_title

    found = match_title(catalog, title)
    product = catalog.get(found.style_code) if found.style_code else None
    return {
        "title": title,
        "style_code": product.style_code if product and product.official else None,
        "product": found.style_code,
        "line": found.line,
        "confidence": found.confidence,
        "reason": found.reason,
    }


def read_titles(path: Path) -> tuple[str, ...]:
    """The titles of a file: one JSON document, or one title or JSON object a line; raises `TitlesError`."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise TitlesError(f"{path} cannot be read: {error.strerror}; --file must name a file of titles") from None
    except UnicodeDecodeError as error:
        raise TitlesError(f"{path} is not UTF-8: {error}") from None
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        if text.lstrip().startswith("["):
            raise TitlesError(f"{path} begins as a JSON list and is none: {error}") from None
        return tuple(_of_lines(path, text))
    items = document if isinstance(document, list) else [document]
    return tuple(_title(item, f"{path}: entry {number}") for number, item in enumerate(items, 1))


def _of_lines(path: Path, text: str) -> Iterator[str]:
    for number, line in enumerate(text.split("\n"), 1):
        where = f"{path}:{number}"
        if not line.strip():
            continue
        if not line.lstrip().startswith("{"):
            yield line.strip()
            continue
        try:
            item = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise TitlesError(f"{where} begins as a JSON object and is none: {error}") from None
        yield _title(item, where)


def _title(item: object, where: str) -> str:
    title = item.get("title") if isinstance(item, dict) else item
    if not isinstance(title, str):
        raise TitlesError(f"{where} is neither a title nor an object with a text under 'title'")
    return title


def _line(row: dict[str, Any]) -> str:
    named = row["product"] or "unlabelled"
    return f"{named}  line {row['line'] or 'unknown'}  {row['confidence']:.1f}  {row['reason']}\n    {row['title']}"
