"""`lvbag classify`: name the bag in photos with the champion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lvbag.commands.common import open_session
from lvbag.settings import config_dir

if TYPE_CHECKING:
    from lvbag.catalog import Catalog
    from lvbag.infer.use import PhotoAnswer

_BAR_CELLS = 24


def classify(
    photos: Annotated[list[Path], typer.Argument(help="JPEG, PNG, WEBP or AVIF files", show_default=False)],
    top: Annotated[int, typer.Option(min=1, help="products shown for each photo")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> None:
    """Name the bag in each photo with the champion; status 1 when a photo could not be read."""
    from lvbag.infer.use import classify_photos

    session = open_session()
    catalog = None if as_json else _catalog()
    failed = False
    for answer in classify_photos(session.store, session.settings, photos, top):
        if catalog is None:
            typer.echo(json.dumps(answer_row(answer), ensure_ascii=False))
        else:
            _show(answer, catalog)
        failed = failed or answer.error is not None
    if failed:
        raise typer.Exit(1)


def answer_row(answer: PhotoAnswer) -> dict[str, object]:
    """An answer as one JSON line; `error` and `note` only where there is one."""
    top = [{"product": item.style_code, "probability": item.probability} for item in answer.predictions]
    row: dict[str, object] = {
        "file": answer.file,
        "product": top[0]["product"] if top else None,
        "probability": top[0]["probability"] if top else None,
        "top": top,
        "box": list(answer.box) if answer.box else None,
        "version": answer.version,
        "detector": answer.detector,
    }
    return row | {name: text for name, text in (("note", answer.note), ("error", answer.error)) if text}


def _catalog() -> Catalog:
    """Names are a help for the reader: without a catalog the style codes stand alone."""
    from lvbag.catalog import Catalog, CatalogError, load_catalog

    try:
        return load_catalog(config_dir())
    except CatalogError:
        return Catalog(())


def _show(answer: PhotoAnswer, catalog: Catalog) -> None:
    from rich.markup import escape
    from rich.table import Table

    from lvbag.terminal import console

    if answer.error:
        console.print(f"[bold]{escape(answer.file)}[/bold]  [red]{escape(answer.error)}[/red]\n")
        return
    table = Table(title=escape(answer.file), title_justify="left", title_style="bold", caption_justify="left")
    table.caption = _caption(answer)
    for name in ("product", "name"):
        table.add_column(name)
    table.add_column("probability", justify="right")
    table.add_column("", min_width=_BAR_CELLS)
    for item in answer.predictions:
        product = catalog.get(item.style_code)
        bar = "█" * round(item.probability * _BAR_CELLS)
        table.add_row(item.style_code, escape(product.name) if product else "", f"{item.probability:.1%}", bar)
    console.print(table)
    console.print()


def _caption(answer: PhotoAnswer) -> str:
    version = f"classifier {answer.version:04d}"
    if answer.box is None or answer.box_confidence is None:
        return f"{version}; {answer.note}"
    return f"{version}; bag found by detector {answer.detector:04d} with confidence {answer.box_confidence:.2f}"
