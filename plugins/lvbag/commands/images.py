"""`lvbag images`: what the crawl and the curation see in picture files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from lvbag.commands.common import emit
from lvbag.settings import ImageSettings, load_settings
from lvbag.terminal import console

if TYPE_CHECKING:
    from lvbag.images import Look

images_app = typer.Typer(help="Picture files, seen as curation sees them.", no_args_is_help=True)

Row = dict[str, Any]


@images_app.callback()
def images() -> None:
    """Picture files, seen as curation sees them."""


@images_app.command("inspect")
def inspect(
    files: Annotated[list[Path], typer.Argument(help="JPEG, PNG, WEBP or AVIF files", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> None:
    """Print format, size, hashes and quality of each file, or why it is refused; status 1 when one is."""
    limits = load_settings().images
    refused = False
    for path in files:
        row = inspected(path, limits)
        refused = refused or "refused" in row
        if as_json:
            emit(row, as_json)
        else:
            _show(row)
    if refused:
        raise typer.Exit(1)


def inspected(path: Path, limits: ImageSettings) -> Row:
    """A file's line: what was seen, or `refused` with the reason."""
    from lvbag.images import ImageRefused, look, read_file

    name = os.fsencode(path).decode("utf-8", "backslashreplace")
    try:
        return {"file": name} | _seen(look(read_file(path, limits), limits))
    except ImageRefused as refusal:
        return {"file": name, "refused": refusal.reason}


def _seen(one: Look) -> Row:
    return {
        "format": one.format,
        "width": one.width,
        "height": one.height,
        "sha256": one.sha256,
        "phash64": f"{one.print.phash64:016x}",
        "phash256": one.print.phash256.hex(),
        "fingerprint": one.print.version,
        "quality": {
            "size": one.width * one.height,
            "aspect": round(max(one.width, one.height) / min(one.width, one.height), 4),
            "blur": round(one.quality.blur, 2),
            "brightness": round(one.quality.brightness, 4),
            "contrast": round(one.quality.contrast, 4),
            "entropy": round(one.quality.entropy, 3),
            "greyscale": one.quality.greyscale,
            "chroma": round(one.quality.chroma, 2),
            "white_background": round(one.quality.white_share, 4),
        },
    }


def _show(row: Row) -> None:
    """Lines of their own for each file: paths and hashes are too long for the columns of a table."""
    if "refused" in row:
        console.print(f"[bold]{escape(row['file'])}[/bold]  [red]{escape(row['refused'])}[/red]", soft_wrap=True)
        return
    quality = row["quality"]
    grey = ", greyscale" if quality["greyscale"] else ""
    title = f"[bold]{escape(row['file'])}[/bold]  {row['format']}, {row['width']} x {row['height']} px{grey}"
    console.print(title, soft_wrap=True)
    measures = "  ".join(
        f"{name} {quality[name]:.2f}" for name in ("blur", "brightness", "contrast", "entropy", "chroma")
    )
    console.print(
        f"  [dim]quality[/dim]   {measures}  white background {quality['white_background']:.0%}", soft_wrap=True
    )
    for name in ("phash64", "phash256", "sha256"):
        console.print(f"  [dim]{name:8}[/dim]  {row[name]}", soft_wrap=True)
