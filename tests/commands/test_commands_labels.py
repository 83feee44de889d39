"""`lvbag labels check`: what is told of a label export, and with which status it ends."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from PIL import Image
from typer.testing import CliRunner

from lvbag.cli import app


def run(*arguments: str | Path, status: int = 0) -> str:
    result = CliRunner().invoke(app, ["labels", "check", *map(str, arguments)])
    assert result.exit_code == status, result.output
    return " ".join(result.output.split())


def export(path: Path, row: str = "0 0.5 0.5 0.2 0.2\n", names: str = "BigBag\n") -> Path:
    Image.effect_noise((64, 48), 90).convert("RGB").save(path.with_suffix(".png"))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("obj.data", "classes = 1\ntrain = data/train.txt\nnames = data/obj.names\n")
        archive.writestr("obj.names", names)
        archive.writestr("train.txt", "data/obj_train_data/a.png\ndata/obj_train_data/gone.png\n")
        archive.write(path.with_suffix(".png"), "obj_train_data/a.png")
        archive.writestr("obj_train_data/a.txt", row)
    return path


def told(path: Path, status: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(path, "--json", status=status))
    return found


def test_a_sound_export_is_told_with_its_defects_and_needs_no_store(tmp_path: Path) -> None:
    found = told(export(tmp_path / "set.zip"))
    assert {name: found[name] for name in ("images", "boxes", "classes", "verdict", "why")} == {
        "images": 1,
        "boxes": 1,
        "classes": ["Bag"],
        "verdict": "ok",
        "why": None,
    }
    (defect,) = found["defects"]
    assert (defect["file"], defect["line"], defect["kind"]) == ("train.txt", 2, "missing-image")
    assert "gone.png is not in the export" in defect["message"]
    shown = run(tmp_path / "set.zip")
    assert "train.txt │ 2 │ missing-image" in shown
    assert shown.endswith("1 images, 1 boxes, 1 defects, classes: Bag ok")


def test_what_is_refused_ends_with_status_one_and_the_reason(tmp_path: Path) -> None:
    found = told(export(tmp_path / "set.zip", row="0 0.5 0.5 0 0\n"), status=1)
    assert (found["verdict"], found["boxes"]) == ("refused", 0)
    assert "no usable box in 1 images" in found["why"]
    assert "refused:" in run(tmp_path / "set.zip", status=1)
    unknown = told(export(tmp_path / "set.zip", names="Wallet\n"), status=1)
    assert "class 'Wallet' is not in the setting detector.class_map" in unknown["why"]


def test_what_is_no_export_is_refused_in_the_same_form(tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("no zip")
    found = told(tmp_path / "text.zip", status=1)
    assert (found["images"], found["verdict"]) == (0, "refused")
    assert "is no zip archive" in found["why"]
