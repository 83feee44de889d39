"""Small snapshots and label exports, drawn, for the tests of learning."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import tarfile
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image, ImageDraw

from lvbag import schemas
from lvbag.store import Store, keys
from lvbag.store.tables import write_table

COLOURS = {"M10001": (200, 40, 40), "M10002": (40, 160, 40), "M10003": (40, 60, 200), "M10004": (220, 190, 40)}
SPLITS = ("train",) * 7 + ("val",) + ("test",) * 2


def draw_bag(colour: tuple[int, int, int], seed: int, side: int = 72) -> bytes:
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (side, side - 8), (255, 255, 255))
    x, y = (int(v) for v in rng.integers(4, 16, 2))
    shade = tuple(int(np.clip(c + rng.integers(-15, 15), 0, 255)) for c in colour)
    ImageDraw.Draw(image).rectangle((x, y, x + side // 2, y + side // 2), fill=shade)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def make_snapshot(
    store: Store, name: str, products: tuple[str, ...] = tuple(COLOURS), per_product: int = 20, first: int = 0
) -> pl.DataFrame:
    """A snapshot of drawn crops, `first` shifts the pictures so that others come out; returns the manifest."""
    rows, files = [], []
    codes = sorted(products)
    for label, code in enumerate(codes):
        for number in range(first, first + per_product):
            crop = draw_bag(COLOURS[code], number * 100 + sum(code.encode()))
            sha256 = hashlib.sha256(b"original" + code.encode() + crop).hexdigest()
            files.append((sha256, label, crop))
            rows.append(
                {
                    "sha256": sha256,
                    "style_code": code,
                    "label": label,
                    "split": SPLITS[number % len(SPLITS)],
                    "group": sha256,
                    "cluster": sha256,
                    "night": dt.date(2026, 11, 23),
                    "source": "demo",
                    "listing_id": f"L{number}",
                    "detector": "0001",
                    "crop_sha256": hashlib.sha256(crop).hexdigest(),
                    "width": 72,
                    "height": 64,
                    "shard": 0,
                }
            )
    manifest = pl.DataFrame(rows, schema=schemas.MANIFEST).sort("sha256")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for sha256, label, crop in sorted(files):
            for suffix, data in (("jpg", crop), ("cls", codes[label].encode())):
                info = tarfile.TarInfo(f"{sha256}.{suffix}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    store.put(keys.snapshot_shard(name, 0), buffer.getvalue())
    write_table(store, keys.snapshot(name, "manifest.parquet"), manifest, schemas.MANIFEST)
    return manifest


def draw_scene(seed: int, side: int = 96) -> tuple[bytes, tuple[float, float, float, float]]:
    """A noisy background with one dark rectangle; the picture's bytes and the box as cx cy w h."""
    rng = np.random.default_rng(seed)
    noise = rng.integers(120, 255, (side // 8, side // 8, 3), dtype=np.uint8)
    image = Image.fromarray(noise).resize((side, side), Image.Resampling.BICUBIC)
    width, height = (float(v) for v in rng.uniform(0.3, 0.5, 2))
    x0, y0 = float(rng.uniform(0, 1 - width)), float(rng.uniform(0, 1 - height))
    box = tuple(int(v * side) for v in (x0, y0, x0 + width, y0 + height))
    ImageDraw.Draw(image).rectangle(box, fill=(70, 40, 20))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=92)
    return buffer.getvalue(), (x0 + width / 2, y0 + height / 2, width, height)


def write_export(folder: Path, scenes: int, names: tuple[str, ...] = ("BigBag", "SmallBag")) -> Path:
    """A CVAT YOLO 1.1 export of drawn scenes; every fourth class row takes the second name."""
    images = folder / "obj_train_data"
    images.mkdir(parents=True)
    listed = []
    for number in range(scenes):
        data, box = draw_scene(number)
        (images / f"photo {number:03d}.jpg").write_bytes(data)
        row = " ".join(f"{value:.6f}" for value in box)
        label = 1 if number % 4 == 0 and len(names) > 1 else 0
        (images / f"photo {number:03d}.txt").write_text(f"{label} {row}\n")
        listed.append(f"data/obj_train_data/photo {number:03d}.jpg\n")
    (folder / "train.txt").write_text("".join(listed))
    (folder / "obj.names").write_text("".join(f"{name}\n" for name in names))
    (folder / "obj.data").write_text(
        f"classes = {len(names)}\ntrain = data/train.txt\nnames = data/obj.names\nbackup = backup/\n"
    )
    return folder
