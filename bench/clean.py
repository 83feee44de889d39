"""How many pictures a second the whole cleaning step takes, beside `ultralytics predict` on the same files and model.

Ours is `clean_part` of a night: the stage's table, every picture fetched from a store (MiniStack on this machine) and
checked by its digest, decoded, looked at by the network, judged by all rules, cut out, coded as JPEG, fingerprinted and
put into the store, and the part's table. The peer is ultralytics' `predict` with the same ONNX file over a folder of
the same files, batch by batch, once with its default batch and once with ours, and, for comparison, with `save_crop`,
which cuts the boxes out and writes them to disk. Both are warmed up with a few pictures before time is taken; each run
is a process of its own, by turns. The detector is that of `bag_detector.py`; the pictures are drawn bags of 1000 px on
the longer side (`bag_shots.py`), JPEG of quality 90.

    python bench/clean.py                    600 pictures, three rounds
    python bench/clean.py --memory           the peak of our process with 300 and with 1,200 pictures
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
import os
import resource
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl
from bag_detector import FOLDER, bag_detector
from bag_shots import draw, shots
from picture_edits import encoded
from PIL import Image

from crawl import KEY, running, wait_for
from lvbag import schemas
from lvbag.curate import clean_part
from lvbag.registry import publish_version, reserve_version
from lvbag.registry.records import ModelSpec, VersionRecord
from lvbag.services.object_store import endpoint, environment
from lvbag.services.ports import free_port
from lvbag.settings import Settings, StoreSettings
from lvbag.store import ModelKind, Store, keys
from lvbag.store.tables import write_table

NIGHT, WARM_UP = dt.date(2026, 11, 23), dt.date(2026, 11, 22)
SEED, DRAWN, LONGEST_PX, SIDE_PX = 77, 60, 1000, 160
WARM = 16
DRAWINGS = FOLDER.parent / "clean_drawings"
TARGET = 1.2
PEERS = {"predict": {"batch": 1}, "predict, batch 16": {"batch": 16}, "predict, save_crop": {"save_crop": True}}
"""What ultralytics is asked for; the first two do less than we do, the third writes crops as well."""


# ------------------------------------------------------------------ pictures


def write_pictures(folder: Path, count: int) -> list[Path]:
    """So many different files: `DRAWN` drawings, each with a comment of its own."""
    drawn = _drawn()
    folder.mkdir()
    paths = []
    for number in range(count):
        data = drawn[number % len(drawn)]
        comment = b"picture %d" % number
        paths.append(folder / f"{number:05d}.jpg")
        paths[-1].write_bytes(data[:2] + b"\xff\xfe" + struct.pack(">H", 2 + len(comment)) + comment + data[2:])
    return paths


def _drawn() -> list[bytes]:
    """The drawings, made once and kept."""
    DRAWINGS.mkdir(parents=True, exist_ok=True)
    data = []
    for number, shot in enumerate(islice(shots(SEED, 6), DRAWN)):
        path = DRAWINGS / f"{number:03d}.jpg"
        if not path.is_file():
            image = draw(shot)
            scale = LONGEST_PX / max(image.size)
            size = (round(image.width * scale), round(image.height * scale))
            path.write_bytes(encoded(image.resize(size, Image.Resampling.BICUBIC), quality=90))
        data.append(path.read_bytes())
    return data


# ------------------------------------------------------------------ ours


def put_night(store: Store, night: dt.date, paths: Sequence[Path]) -> None:
    """The pictures in the store, and the table of validation that keeps them all."""
    rows = []
    for number, path in enumerate(paths):
        data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        with Image.open(path) as image:
            width, height = image.size
        store.put(keys.raw_image(digest, "jpg"), data, "image/jpeg", sha256=digest)
        rows.append(
            dict.fromkeys(schemas.STAGE_VALIDATE)
            | {"night": night, "source": "shop", "listing_id": f"l{number}", "position": 0, "sha256": digest}
            | {"image_url": f"https://shop.test/{number}.jpg", "format": "jpg", "style_code": "M41108"}
            | {"first_night": night, "verdict": "kept", "width": width, "height": height, "cluster": digest}
            | {"representative": digest}
        )
    frame = pl.DataFrame(rows, schema=schemas.STAGE_VALIDATE)
    write_table(store, keys.stage(night, "validate"), frame, schemas.STAGE_VALIDATE)


def publish_detector(store: Store, folder: Path) -> None:
    folder.mkdir()
    shutil.copyfile(FOLDER / "model.onnx", folder / "model.onnx")
    number = reserve_version(store, ModelKind.DETECTOR, "bench")
    spec = ModelSpec(architecture="yolo11p", image_side_px=SIDE_PX, classes=("Bag",))
    record = VersionRecord(
        kind=ModelKind.DETECTOR, version=number, created_at=dt.datetime(2026, 11, 23, tzinfo=dt.UTC), data="bench",
        recipe="bench", recipe_sha256="0" * 64, seed=0, training_key="bench", parent=None, detector=None,
        code_version="0", model=spec, metrics={},
    )  # fmt: skip
    publish_version(store, ModelKind.DETECTOR, number, folder, record)


def _settings(url: str) -> Settings:
    store = StoreSettings.model_validate(
        {"endpoint": url, "access_key": KEY, "secret_key": KEY, "bucket_prefix": "bench", "timeout_s": 60}
    )
    settings = Settings(store=store)
    # one part, whatever the number of pictures
    return settings.model_copy(update={"curate": settings.curate.model_copy(update={"images_per_shard": 100_000})})


def ours(url: str, store_process: int) -> dict[str, Any]:
    settings = _settings(url)
    store = Store(settings.store)
    clean_part(store, settings, WARM_UP, 0, "0001")
    theirs = _cpu_of(store_process)
    began, began_cpu = time.perf_counter(), time.process_time()
    result = clean_part(store, settings, NIGHT, 0, "0001")
    took = time.perf_counter() - began
    return {
        "images": result.rows,
        "kept": result.kept,
        "wall_s": took,
        "cpu_s": time.process_time() - began_cpu,
        "store_cpu_s": _cpu_of(store_process) - theirs,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _cpu_of(process: int) -> float:
    """CPU seconds that another process has used."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# ------------------------------------------------------------------ the peer


def peer(folder: Path, model: Path, arguments: dict[str, Any]) -> dict[str, Any]:
    from ultralytics import YOLO
    from ultralytics.utils import USER_CONFIG_DIR

    from lvbag.learn.detector.yolo_folder import put_fonts

    put_fonts(USER_CONFIG_DIR)
    yolo = YOLO(model, task="detect")
    asked = {
        "imgsz": SIDE_PX, "conf": 0.35, "iou": 0.5, "device": "cpu", "stream": True, "verbose": False,
        "project": str(folder.parent / "runs"), "rect": False,
    }  # fmt: skip
    asked |= arguments
    for _ in yolo.predict(sorted(folder.glob("*.jpg"))[:WARM], **asked):
        pass
    began, began_cpu = time.perf_counter(), time.process_time()
    found = images = 0
    for answer in yolo.predict(folder, **asked):
        images += 1
        found += bool(len(answer.boxes))
    return {
        "images": images,
        "kept": found,
        "wall_s": time.perf_counter() - began,
        "cpu_s": time.process_time() - began_cpu,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


# ------------------------------------------------------------------ by turns


def apart(environment: dict[str, str], *arguments: str) -> dict[str, Any]:
    """One run in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, *arguments],
        env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments[:1])} failed:\n{done.stderr[-4000:]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def measure(count: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory(prefix="lvbag-bench-") as name:
        folder = Path(name)
        paths = write_pictures(folder / "pictures", count)
        quiet = {
            "YOLO_OFFLINE": "1", "YOLO_AUTOINSTALL": "false", "YOLO_VERBOSE": "false",
            "YOLO_CONFIG_DIR": str(folder / "ultralytics"),
        }  # fmt: skip
        with StoreOfNight(folder, paths) as (url, process):
            took: dict[str, list[dict[str, Any]]] = {}
            for _ in range(rounds):
                took.setdefault("ours", []).append(
                    apart({"LVBAG_HOME": str(folder / "home")}, "--ours", url, str(process))
                )
                for peer_name in PEERS:
                    one = apart(quiet, "--peer", str(folder / "pictures"), str(FOLDER / "model.onnx"), peer_name)
                    took.setdefault(peer_name, []).append(one)
    _tell(took, count)


def memory() -> None:
    for count in (300, 1200):
        with tempfile.TemporaryDirectory(prefix="lvbag-bench-") as name:
            folder = Path(name)
            paths = write_pictures(folder / "pictures", count)
            with StoreOfNight(folder, paths) as (url, process):
                one = apart({"LVBAG_HOME": str(folder / "home")}, "--ours", url, str(process))
        print(f"clean: peak memory with {one['images']} pictures {one['peak_mb']:.0f} MB")


class StoreOfNight:
    """A store with the pictures of two nights and the detector; its address and process."""

    def __init__(self, folder: Path, paths: Sequence[Path]):
        self.folder, self.paths, self.port = folder, paths, free_port()
        home = environment(self.port, folder / "store", KEY, KEY)
        self.context = running([sys.executable, "-m", "ministack"], home)

    def __enter__(self) -> tuple[str, int]:
        process = self.context.__enter__()
        url = endpoint(self.port)
        wait_for(f"{url}/_ministack/health")
        store = Store(_settings(url).store)
        store.ensure_buckets()
        publish_detector(store, self.folder / "version")
        put_night(store, WARM_UP, self.paths[:WARM])
        put_night(store, NIGHT, self.paths)
        return url, process.pid

    def __exit__(self, *error: Any) -> None:
        self.context.__exit__(*error)


def _tell(took: dict[str, list[dict[str, Any]]], count: int) -> None:
    print(f"clean: {count} pictures, {len(took['ours'])} rounds by turns, load {os.getloadavg()[0]:.1f}")
    for name, runs in took.items():
        middle = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        store = f", {1000 * middle['store_cpu_s'] / count:.1f} ms more in the store" if name == "ours" else ""
        print(
            f"clean: {name}: {middle['images'] / middle['wall_s']:.1f} images/s, "
            f"{1000 * middle['cpu_s'] / count:.1f} ms CPU a picture{store}, peak {middle['peak_mb']:.0f} MB, "
            f"{middle['kept']:.0f} of {middle['images']:.0f} with a bag"
        )
    for name in PEERS:
        ratios = [theirs["wall_s"] / own["wall_s"] for own, theirs in zip(took["ours"], took[name], strict=True)]
        print(
            f"clean: ours is {statistics.median(ratios):.2f} times as fast as {name} "
            f"({min(ratios):.2f} to {max(ratios):.2f}; target {TARGET:g})"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", action="store_true", help="the peak with 300 and 1,200 pictures instead")
    parser.add_argument("--ours", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--peer", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.ours:
        print(json.dumps(ours(arguments.ours[0], int(arguments.ours[1]))))
        return
    if arguments.peer:
        folder, model, name = arguments.peer
        print(json.dumps(peer(Path(folder), Path(model), PEERS[name])))
        return
    bag_detector()  # trains it where it does not stand yet
    if arguments.memory:
        memory()
    else:
        measure(arguments.images, arguments.rounds)


if __name__ == "__main__":
    main()
