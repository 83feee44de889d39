"""A detector trained by the product on one source of photographs, measured there and elsewhere, beside plain YOLO.

Both start from scratch with the same network, picture size and labels, and work on two cores, one after the other. The
peer is `yolo train` with its defaults and `time` set to as long as the product took (`--minutes` for another budget);
its last network is taken. It learns from all pictures of the training part, the product keeps three tenths of them for
its own figures. Figures are those of `lvbag detector evaluate`, for both from ONNX files.

    python bench/detector_sources.py [PHOTOS]

reads from there (`../shared/data/photos`) `backpack_yolo/train` (to train on), `backpack_yolo/valid` (the same source:
home) and `bag_types10/BackPack` (photographs from elsewhere: away), whose boxes were drawn for this bench and stand in
`backpack_boxes.json`. `--sheet` writes a picture of what both find away.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from crawl import KEY, running, wait_for
from lvbag.infer.own_words import open_detector_file
from lvbag.labels import import_labels
from lvbag.learn.detector.trial import try_detector
from lvbag.learn.recipes import load_detector_recipe
from lvbag.services.object_store import endpoint, environment
from lvbag.services.ports import free_port
from lvbag.settings import Settings, StoreSettings, TrainSettings
from lvbag.store import ModelKind, Store, keys

BOXES = Path(__file__).with_name("backpack_boxes.json")
PEER = """
import sys, torch
from ultralytics import YOLO
from ultralytics.utils import USER_CONFIG_DIR
from lvbag.learn.detector.yolo_folder import put_fonts
architecture, data, size, hours, project, threads = sys.argv[1:]
put_fonts(USER_CONFIG_DIR)
model = YOLO(architecture)
model.add_callback("on_train_start", lambda trainer: torch.set_num_threads(int(threads)))
model.train(data=data, imgsz=int(size), time=float(hours), device="cpu", project=project, name="peer", plots=False,
            val=False, pretrained=False, workers=0, amp=False, verbose=False)
print(f"epochs {model.trainer.epoch + 1}")
YOLO(model.trainer.last).export(format="onnx", imgsz=int(size), dynamic=True)
"""


def away_set(photos: Path, folder: Path) -> Path:
    """Photographs from elsewhere with our boxes, as a label set."""
    boxes: dict[str, list[list[float]]] = json.loads(BOXES.read_text(encoding="utf-8"))
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True)
    for name, rows in boxes.items():
        (folder / "images" / name).write_bytes((photos / name).read_bytes())
        text = "".join(f"0 {(a + c) / 2:.4f} {(b + d) / 2:.4f} {c - a:.4f} {d - b:.4f}\n" for a, b, c, d in rows)
        (folder / "labels" / name).with_suffix(".txt").write_text(text, encoding="utf-8")
    (folder / "data.yaml").write_text("train: images\nnames: [Bag]\n", encoding="utf-8")
    return folder


def peer_data(train: Path, folder: Path) -> Path:
    """The data file that ultralytics reads."""
    path = folder / "peer.yaml"
    images = train.resolve() / "images"
    path.write_text(f"path: {train.resolve()}\ntrain: {images}\nval: {images}\nnames: [Bag]\n", encoding="utf-8")
    return path


@contextmanager
def store_of_ours(folder: Path, threads: int) -> Iterator[tuple[Store, Settings]]:
    """A store on loopback, empty."""
    port = free_port()
    with running([sys.executable, "-m", "ministack"], environment(port, folder / "store", KEY, KEY)):
        wait_for(f"{endpoint(port)}/_ministack/health")
        settings = Settings(
            store=StoreSettings(endpoint=endpoint(port), access_key=KEY, secret_key=KEY),  # type: ignore[arg-type]
            train=TrainSettings(threads=threads),
        )
        store = Store(settings.store)
        store.ensure_buckets()
        yield store, settings


def train_peer(folder: Path, train: Path, size: int, minutes: float, threads: int) -> tuple[Path, int]:
    """Its last network as ONNX, and how many epochs its time was enough for."""
    quiet = {
        "YOLO_OFFLINE": "1", "YOLO_AUTOINSTALL": "false", "YOLO_CONFIG_DIR": str(folder / "ultralytics"),
        "OMP_WAIT_POLICY": "passive",
    }  # fmt: skip
    arguments = ["yolo11n.yaml", str(peer_data(train, folder)), str(size), str(minutes / 60), str(folder), str(threads)]
    done = subprocess.run(
        [sys.executable, "-c", PEER, *arguments], env={**os.environ, **quiet}, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, cwd=folder, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise SystemExit(done.stdout[-3000:])
    return next(folder.rglob("last.onnx")), int(done.stdout.rpartition("epochs ")[2].split()[0])


def draw_sheet(path: Path, photos: Path, detectors: dict[str, Path], settings: Settings, side: int = 150) -> None:
    """What each detector finds away, at the working point, on pictures of which most are no pack-shot; ours above."""
    chosen = ["287", "459", "60", "473", "315", "539", "329", "356", "378", "444", "492", "882"]
    names = [name for name in json.loads(BOXES.read_text()) if name.removesuffix(".jpg") in chosen]
    sheet = Image.new("RGB", (side * len(names), side * len(detectors)), "white")
    for row, file in enumerate(detectors.values()):
        model = open_detector_file(file, settings.detector)
        for column, name in enumerate(names):
            with Image.open(photos / name) as opened:
                picture = opened.convert("RGB")
            for found in model.detect([picture])[0]:
                corners = [found.x0 * picture.width, found.y0 * picture.height]
                corners += [found.x1 * picture.width, found.y1 * picture.height]
                ImageDraw.Draw(picture).rectangle(corners, outline="red", width=max(2, picture.width // 80))
            picture.thumbnail((side, side))
            sheet.paste(picture, (side * column, side * row))
    sheet.save(path, quality=85)


def tell(name: str, seconds: float, figures: dict[str, Any]) -> None:
    shown = ", ".join(f"{where} mAP50 {one.map50:.3f} mAP50-95 {one.map50_95:.3f}" for where, one in figures.items())
    print(f"detector: {name}: {seconds / 60:.1f} min; {shown}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "photos", type=Path, nargs="?", default=Path(__file__).parents[2] / "shared" / "data" / "photos"
    )
    parser.add_argument("--recipe", default="detector_yolo11n")
    parser.add_argument("--minutes", type=float, help="the peer's time; by default ours")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--keep", type=Path, help="a folder for both ONNX files")
    arguments = parser.parse_args()
    if not arguments.photos.is_dir():
        print(f"detector: {arguments.photos} is no folder of photographs; nothing is measured")
        return
    train, home = (arguments.photos / "backpack_yolo" / part for part in ("train", "valid"))
    away_photos = arguments.photos / "bag_types10" / "BackPack"
    size = load_detector_recipe(arguments.recipe).image_side_px
    with tempfile.TemporaryDirectory(prefix="lvbag-bench-") as name:
        folder = Path(name)
        os.environ["LVBAG_HOME"] = str(folder / "home")
        from lvbag.learn import train_detector

        sets = {"home": home, "away": away_set(away_photos, folder / "away")}
        with store_of_ours(folder, arguments.threads) as (store, settings):
            began = time.monotonic()
            trained = train_detector(store, settings, import_labels(store, settings, train).name, arguments.recipe)
            ours_s = time.monotonic() - began
            ours = folder / "ours.onnx"
            store.download(keys.version_file(ModelKind.DETECTOR, trained.version, "model.onnx"), ours)
            tell(
                "ours", ours_s, {where: try_detector(store, settings, str(ours), path) for where, path in sets.items()}
            )
            detectors = {"ours": ours}
            if not arguments.no_peer:
                minutes = arguments.minutes or ours_s / 60
                detectors["plain"], epochs = train_peer(folder, train, size, minutes, arguments.threads)
                figures = {
                    where: try_detector(store, settings, str(detectors["plain"]), path) for where, path in sets.items()
                }
                tell(f"plain yolo train, {epochs} epochs", 60 * minutes, figures)
            if arguments.sheet:
                draw_sheet(arguments.sheet, away_photos, detectors, settings)
            if arguments.keep:
                arguments.keep.mkdir(parents=True, exist_ok=True)
                for named, file in detectors.items():
                    (arguments.keep / f"{named}.onnx").write_bytes(file.read_bytes())


if __name__ == "__main__":
    main()
