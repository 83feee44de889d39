"""Exports of labels that tests write: pictures with a bag-like patch, and boxes on it or anywhere."""

from __future__ import annotations

import io
import random
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

Box = tuple[float, float, float, float]


def scene(seed: int) -> tuple[bytes, Box]:
    """A cluttered picture with one patch, and the box of the patch (centre and size as shares)."""
    rng = random.Random(seed)
    noise = np.random.default_rng(seed).integers(60, 200, (6, 8, 3), dtype=np.uint8)
    image = Image.fromarray(noise).resize((160, 120), Image.Resampling.BICUBIC)
    wide, high = rng.randint(30, 90), rng.randint(25, 70)
    left, top = rng.randint(0, 160 - wide), rng.randint(0, 120 - high)
    draw = ImageDraw.Draw(image)
    colour = (rng.randint(60, 150), rng.randint(20, 70), rng.randint(10, 50))
    draw.rounded_rectangle((left, top, left + wide, top + high), 8, fill=colour)
    draw.arc((left + wide // 4, top - 10, left + 3 * wide // 4, top + 14), 180, 360, fill=(40, 20, 10), width=3)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue(), ((left + wide / 2) / 160, (top + high / 2) / 120, wide / 160, high / 120)


def random_box(seed: int) -> Box:
    rng = random.Random(f"box {seed}")
    wide, high = rng.uniform(0.1, 0.6), rng.uniform(0.1, 0.6)
    return rng.uniform(wide / 2, 1 - wide / 2), rng.uniform(high / 2, 1 - high / 2), wide, high


def row(box: Box) -> str:
    return "0 " + " ".join(f"{value:.6f}" for value in box) + "\n"


def ultralytics(folder: Path, pictures: dict[str, bytes], texts: dict[str, str], yaml: str) -> Path:
    """`images/<name>` with `labels/<stem>.txt` and a `data.yaml`."""
    for name, data in pictures.items():
        path = folder / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    for name, text in texts.items():
        path = folder / "labels" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (folder / "data.yaml").write_text(yaml, encoding="utf-8")
    return folder


def scenes(folder: Path, boxes: list[Box] | None = None, count: int = 100) -> Path:
    """A set of drawn scenes with their own boxes, or with these."""
    drawn = [scene(seed) for seed in range(count)]
    chosen = boxes or [box for _, box in drawn]
    return ultralytics(
        folder,
        {f"{number:03d}.jpg": data for number, (data, _) in enumerate(drawn)},
        {f"{number:03d}.txt": row(box) for number, box in enumerate(chosen)},
        "train: images\nnames: [Bag]\n",
    )
