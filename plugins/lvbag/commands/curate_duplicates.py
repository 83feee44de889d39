"""`lvbag curate duplicates`: which pictures of a folder are copies of one another, and which copy is the best."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from lvbag.errors import LvbagError
from lvbag.settings import load_settings
from lvbag.terminal import console

if TYPE_CHECKING:
    from lvbag.curate.duplicates.folder_duplicates import FileAnswer
    from lvbag.settings import Settings

_SHEETS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG"}


def duplicates(
    folder: Annotated[Path, typer.Argument(help="a folder of pictures, with all that is below it", show_default=False)],
    sheet: Annotated[
        Path | None, typer.Option(help="draw the clusters into this .jpg or .png, a row each", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a file")] = False,
) -> None:
    """Find copies: the same bytes, and the same photo resized, recompressed, watermarked, mirrored or turned.

    Nothing is changed. Status 1 when a file could not be read; what is no picture is told and no failure.
    """
    from lvbag.curate.duplicates.folder_duplicates import find_duplicates

    if sheet is not None and sheet.suffix.lower() not in _SHEETS:
        raise LvbagError(f"--sheet {sheet}: name a file that ends in .jpg or .png")
    settings = load_settings()
    with _progress() as bar:
        task = bar.add_task("looking", total=None)
        answers = find_duplicates(
            folder,
            settings.images,
            settings.curate,
            lambda done, total: bar.update(task, completed=done, total=total),
        )
    if as_json:
        for answer in answers:
            typer.echo(json.dumps(answer_row(answer), ensure_ascii=False))
    else:
        _show(answers)
    if sheet is not None:
        _draw(folder, answers, sheet, settings)
    if any(answer.unreadable for answer in answers):
        raise typer.Exit(1)


def answer_row(answer: FileAnswer) -> dict[str, object]:
    """An answer as one JSON line."""
    if answer.refused is not None:
        return {"file": answer.file, "refused": answer.refused}
    return {
        "file": answer.file,
        "cluster": answer.cluster,
        "representative": answer.representative,
        "distance64": answer.distance64,
        "distance256": answer.distance256,
        "distance_colour": answer.colour,
        "rule": answer.rule,
    }


def _show(answers: list[FileAnswer]) -> None:
    from lvbag.curate.duplicates.duplicates_sheet import grouped

    clusters = grouped(answers)
    table = Table("kept", "copies", "rule", "64 bits", "256 bits", "colour", title_justify="left")
    for files in clusters:
        for answer in files[1:]:
            table.add_row(
                escape(answer.representative or ""),
                escape(answer.file),
                answer.rule,
                *(str(value) for value in (answer.distance64, answer.distance256, answer.colour)),
            )
        table.add_section()
    if clusters:
        console.print(table)
    refused = [answer for answer in answers if answer.refused is not None]
    for answer in refused:
        console.print(f"[yellow]{escape(answer.file)}[/yellow]: {escape(answer.refused or '')}")
    copies = sum(answer.rule is not None for answer in answers)
    console.print(
        f"{len(answers)} files: {len(answers) - len(refused) - copies} different pictures, {copies} copies in "
        f"{len(clusters)} clusters, {len(refused)} refused"
    )


def _draw(folder: Path, answers: list[FileAnswer], path: Path, settings: Settings) -> None:
    from lvbag.curate.duplicates.duplicates_sheet import MAX_CLUSTERS, draw_clusters

    image, clusters = draw_clusters(folder, answers, settings.images)
    try:
        image.save(path, _SHEETS[path.suffix.lower()], quality=88)
    except OSError as error:
        raise LvbagError(f"--sheet {path} cannot be written: {error.strerror or error}") from None
    left_out = f", the first {MAX_CLUSTERS} of them drawn" if clusters > MAX_CLUSTERS else ""
    Console(stderr=True, highlight=False).print(f"{clusters} clusters in {escape(str(path))}{left_out}")


def _progress() -> Progress:
    """A bar on the terminal's error stream, so that it never mixes with what a program reads."""
    error = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=error, transient=True, disable=not error.is_terminal)
