"""What ultralytics reads from disk: pictures, label texts, the data and the architecture files, and its fonts."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from lvbag.labels.records import LabelledBox
from lvbag.learn.detector.data import PARTS, Labels

JPEG_QUALITY = 95
SLIM_SCALE = [0.33, 0.125, 512]
"""Depth, width, most channels of `yolo11p`: at 160 px it learnt drawn scenes like n at 192, in half the time."""


def write_data(folder: Path, labels: Labels) -> Path:
    """Pictures and labels by part, and the data file that names them; returns that file.

    Pictures are written again as JPEG, upright and in RGB: ultralytics then sees what `lvbag.images.decode` gives.
    """
    for part in PARTS:
        for kind in ("images", "labels"):
            (folder / kind / part).mkdir(parents=True)
        for number, image in enumerate(labels.part(part)):
            name = f"{number:06d}"
            labels.picture(image).save(folder / "images" / part / f"{name}.jpg", quality=JPEG_QUALITY, subsampling=0)
            (folder / "labels" / part / f"{name}.txt").write_text(label_text(image.boxes), encoding="utf-8")
    values = {"path": str(folder), "names": dict(enumerate(labels.index.classes))}
    values |= {part: f"images/{part}" for part in PARTS}
    path = folder / "data.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def label_text(boxes: Iterable[LabelledBox]) -> str:
    """A picture's label file: a line a box, class and centre, width and height as shares."""
    return "".join(
        f"{box.label} {(box.x0 + box.x1) / 2:.6f} {(box.y0 + box.y1) / 2:.6f} "
        f"{box.x1 - box.x0:.6f} {box.y1 - box.y0:.6f}\n"
        for box in boxes
    )


def write_architecture(folder: Path, package: Path, model: str) -> Path:
    """The architecture file of `yolo11<scale>` with that scale alone, from ultralytics' own; returns it."""
    values: dict[str, Any] = yaml.safe_load((package / "cfg" / "models" / "11" / "yolo11.yaml").read_text("utf-8"))
    scale = model.removeprefix("yolo11")
    values["scales"] = {scale: SLIM_SCALE if scale == "p" else values["scales"][scale]}
    path = folder / f"{model}.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def put_fonts(folder: Path) -> None:
    """matplotlib's font under the names that ultralytics would download otherwise."""
    import matplotlib as mpl

    source = Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("Arial.ttf", "Arial.Unicode.ttf"):
        if not (folder / name).is_file():
            shutil.copyfile(source, folder / name)
