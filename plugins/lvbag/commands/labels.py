"""`lvbag labels`: what people drew, checked and brought in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from lvbag.commands.common import emit, open_session
from lvbag.errors import LvbagError
from lvbag.terminal import console

if TYPE_CHECKING:
    from lvbag.labels import LabelReport

_SHOWN = 40
"""Defects in the table; a broken export has thousands."""

labels_app = typer.Typer(help="Check and import what people labelled.", no_args_is_help=True)


@labels_app.command("import")
def import_export(
    path: Annotated[
        Path,
        typer.Argument(help="an export (CVAT YOLO 1.1, darknet, ultralytics): zip or folder", exists=True),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
) -> None:
    """Check a label export and keep it in the store."""
    from lvbag.labels import import_labels
    from lvbag.orchestrate.names import LABELS_ASSET
    from lvbag.services.machine import airflow_client
    from lvbag.settings import home_dir

    session = open_session()
    labels = import_labels(session.store, session.settings, path)
    emit(labels, as_json)
    if airflow := airflow_client(home_dir()):
        airflow.emit_asset_event(LABELS_ASSET, {"labels": labels.name})
        if not as_json:
            console.print("Airflow was told: lvbag_train_detector starts")


@labels_app.command("check")
def check(
    path: Annotated[Path, typer.Argument(help="an export of labels: a zip or a folder", exists=True)],
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
) -> None:
    """Say what is wrong with a label export, and whether it can be believed; ends with status 1 when it is refused."""
    from lvbag.labels.importing import check_labels
    from lvbag.settings import load_settings

    try:
        report = check_labels(load_settings(), path)
    except LvbagError as error:
        if not as_json:
            raise
        print(json.dumps(_nothing(str(error)), ensure_ascii=False))
        raise typer.Exit(1) from None
    if as_json:
        print(json.dumps(_as_json(report), ensure_ascii=False))
    else:
        _show(report)
    if report.why is not None:
        raise typer.Exit(1)


@labels_app.command("select")
def select(
    folder: Annotated[Path, typer.Argument(help="where the zips are written")],
    count: Annotated[int, typer.Option("--for", help="pictures in all", min=1)],
    people: Annotated[int, typer.Option(help="a zip for each", min=1, max=100)] = 1,
    overlap: Annotated[float, typer.Option(help="share that two people get, to compare them", min=0, max=1)] = 0.1,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a person")] = False,
) -> None:
    """Choose what is worth labelling and write one CVAT-ready zip a person, with the detector's boxes as a start."""
    from lvbag.labels.handing_out import hand_out

    session = open_session()
    for share in hand_out(session.store, session.settings, folder, count, people=people, overlap=overlap):
        if as_json:
            emit(share, as_json)
        else:
            console.print(f"{share.file}: {share.images} images, {share.twice} of them for another person as well")


@labels_app.command("merge")
def merge(
    target: Annotated[Path, typer.Argument(help="the merged export: a zip that does not exist yet")],
    exports: Annotated[list[Path], typer.Argument(help="what people sent back", exists=True)],
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
) -> None:
    """Put several people's labels together, and say how far they agree on pictures that two of them had."""
    from lvbag.labels.merging import merge_labels
    from lvbag.settings import load_settings

    merged = merge_labels(load_settings(), exports, target)
    if as_json:
        emit(merged, as_json)
        return
    if merged.disagreements:
        table = Table("picture left out", "boxes", "overlap", "of", "and")
        for found in merged.disagreements[:_SHOWN]:
            boxes = f"{found.boxes[0]} and {found.boxes[1]}"
            table.add_row(found.image, boxes, f"{found.overlap:.2f}", escape(found.one), escape(found.other))
        console.print(table)
    for defect in merged.defects[:_SHOWN]:
        console.print(str(defect), markup=False, style="yellow")
    agreed = "" if merged.overlap is None else f", people agree on {merged.agreed} (mean overlap {merged.overlap:.2f})"
    console.print(
        f"{merged.file}: {merged.images} images; {merged.twice} were given twice{agreed}; "
        f"{len(merged.defects)} defects",
        markup=False,
    )


def _as_json(report: LabelReport) -> dict[str, Any]:
    return {
        "images": report.images,
        "boxes": report.boxes,
        "classes": list(report.classes),
        "defects": [defect.model_dump(mode="json") for defect in report.defects],
        "verdict": "ok" if report.why is None else "refused",
        "why": report.why,
        "figures": {"fit": report.fit, "same_boxes": report.same_boxes, "agreement": report.agreement},
    }


def _nothing(why: str) -> dict[str, Any]:
    return {"images": 0, "boxes": 0, "classes": [], "defects": [], "verdict": "refused", "why": why, "figures": {}}


def _show(report: LabelReport) -> None:
    if report.defects:
        table = Table("file", "line", "defect", "what is wrong")
        for defect in report.defects[:_SHOWN]:
            table.add_row(escape(defect.file), str(defect.line or ""), defect.kind, escape(defect.message))
        console.print(table)
    if len(report.defects) > _SHOWN:
        console.print(f"… and {len(report.defects) - _SHOWN} more; --json lists them all")
    for name, figure in (
        ("boxes told from other pictures' boxes (chance: 50 %)", report.fit),
        ("boxes that are one and the same", report.same_boxes),
        ("overlap of boxes on copies of one photo", report.agreement),
    ):
        console.print(f"{name}: {'too few to judge' if figure is None else f'{figure:.0%}'}")
    classes = ", ".join(report.classes)
    console.print(
        f"{report.images} images, {report.boxes} boxes, {len(report.defects)} defects, classes: {classes}", markup=False
    )
    console.print("ok" if report.why is None else f"refused: {report.why}", markup=False)
