"""`lvbag detect`: what the detector sees in pictures, and what cleaning would make of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lvbag.commands.common import emit, open_session
from lvbag.errors import LvbagError
from lvbag.terminal import console

if TYPE_CHECKING:
    from lvbag.curate.judging import FileVerdict

_QUALITY = 90


def detect(
    files: Annotated[list[Path], typer.Argument(help="picture files, or folders of them", show_default=False)],
    detector: Annotated[
        str | None, typer.Option(help="a version's number or an .onnx file; the champion when left out")
    ] = None,
    save: Annotated[Path | None, typer.Option(help="draw the pictures into this folder", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> None:
    """Show boxes, verdict and rule of each picture, by the rules of cleaning; status 1 when one could not be read."""
    from lvbag.curate.judging import choose_detector, files_of, judge_files

    session = open_session()
    chosen = choose_detector(session.store, session.settings, detector)
    unreadable = False
    table = Table("file", "boxes", "best", "verdict", "reason", title=escape(chosen.name), title_justify="left")
    drawn = _Drawn(save)
    for verdict in judge_files(files_of(files), chosen.detector, session.settings):
        unreadable = unreadable or verdict.unreadable is not None
        drawn.add(verdict)
        if as_json:
            emit(answer_row(verdict), as_json)
        else:
            table.add_row(*_cells(verdict))
    if not as_json:
        console.print(table)
    drawn.tell()
    if unreadable:
        raise typer.Exit(1)


def answer_row(verdict: FileVerdict) -> dict[str, Any]:
    """A verdict as one JSON line."""
    if verdict.unreadable is not None:
        return {"file": _name(verdict.path), "refused": verdict.unreadable}
    return {
        "file": _name(verdict.path),
        "boxes": [
            {
                "x0": box.x0, "y0": box.y0, "x1": box.x1, "y1": box.y1, "confidence": box.confidence, "name": box.name,
            }
            for box in verdict.boxes
        ],
        "verdict": verdict.verdict,
        "rule": verdict.rule,
        "reason": verdict.reason,
    }  # fmt: skip


def _cells(verdict: FileVerdict) -> Iterator[str]:
    yield escape(_name(verdict.path))
    if verdict.unreadable is not None:
        yield from ("", "", "[yellow]unreadable[/yellow]", escape(verdict.unreadable))
        return
    yield str(len(verdict.boxes))
    yield "" if verdict.best is None else f"{verdict.best.confidence:.2f}"
    yield "[green]kept[/green]" if verdict.reason is None else "[red]refused[/red]"
    yield escape(verdict.reason or "")


def _name(path: Path) -> str:
    """A name that prints, whatever bytes it holds."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


class _Drawn:
    """Drawn pictures in a folder, each under a name of its own; files that stand there already are left alone."""

    def __init__(self, folder: Path | None):
        self._folder = folder
        self._count = 0
        if folder is not None:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise LvbagError(f"--save {folder} cannot be made: {error.strerror or error}; name a folder") from None

    def add(self, verdict: FileVerdict) -> None:
        """Draw one; what does not decode is left out."""
        if self._folder is None or verdict.image is None:
            return
        from lvbag.curate.drawing import draw_verdict

        picture = draw_verdict(verdict)
        try:
            with self._new_file(self._folder, verdict.path.stem).open("wb") as file:
                picture.save(file, "JPEG", quality=_QUALITY)
        except OSError as error:
            raise LvbagError(f"--save {self._folder}: {error.strerror or error}; make room or name another") from None
        self._count += 1

    def tell(self) -> None:
        """Where they are, beside what a program reads."""
        if self._folder is not None:
            said = Console(stderr=True, highlight=False)
            said.print(f"{self._count} pictures drawn into {escape(str(self._folder))}")

    @staticmethod
    def _new_file(folder: Path, stem: str) -> Path:
        """A new, empty `<stem>.detected.jpg`, or with a number where that stands already: inputs are never written."""
        number = 1
        while True:
            path = folder / f"{stem}.detected{'' if number == 1 else f'-{number}'}.jpg"
            try:
                path.touch(exist_ok=False)
                return path
            except FileExistsError:
                number += 1
