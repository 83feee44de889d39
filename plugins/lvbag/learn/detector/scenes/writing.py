"""The composed pictures of a training, written beside the labelled ones for ultralytics to read."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import numpy as np
from PIL import Image

from lvbag.learn import child
from lvbag.learn.detector.data import Labels
from lvbag.learn.detector.recipe import DetectorScenes
from lvbag.learn.detector.scenes.composing import Material, compose
from lvbag.learn.detector.scenes.cutouts import Cutout, cut_out
from lvbag.learn.detector.scenes.photographs import as_scenes
from lvbag.learn.detector.yolo_folder import JPEG_QUALITY, label_text

PHOTOS = Path(__file__).parent / "photos"
"""Shipped with lvbag; SOURCES.md there says whose they are."""
LARGER = 1.25
"""Composed pictures are so much larger than what the network sees: it is enlarged and shifted in training."""


def write_composed(folder: Path, labels: Labels, scenes: DetectorScenes, seed: int, image_side_px: int) -> int:
    """Write composed pictures and their boxes into the part `train` of an ultralytics folder; how many there are.

    The same labels, shares, seed and size give the same pictures. Label sets in which no object's outline can be told
    from its box give none.
    """
    count = math.ceil(scenes.per_picture * len(labels.part("train")))
    if not count:
        return 0
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        cutouts = [cutout for cutout in pool.map(_cut, _objects(labels)) if cutout is not None]
        boxes = sum(len(image.boxes) for image in labels.part("train"))
        child.say(f"scenes: {len(cutouts)} of {boxes} objects cut out")
        if not cutouts:
            child.say("scenes: none composed; no object stands out from what surrounds it")
            return 0
        material = Material(cutouts, as_scenes(_photographs(labels)), scenes.photographed, scenes.worn)
        longest_px = round(LARGER * image_side_px)

        def write(number: int) -> None:
            picture, seen = compose(np.random.default_rng((seed, number)), material, longest_px)
            name = f"composed-{number:06d}"
            Image.fromarray(picture).save(folder / "images" / "train" / f"{name}.jpg", quality=JPEG_QUALITY)
            (folder / "labels" / "train" / f"{name}.txt").write_text(label_text(seen), encoding="utf-8")

        for done, _ in enumerate(pool.map(write, range(count)), start=1):
            if done % 500 == 0 or done == count:
                child.say(f"scenes: {done} of {count} composed")
    return count


Object = tuple[Image.Image, tuple[float, float, float, float], int]


def _objects(labels: Labels) -> Iterator[Object]:
    for image in labels.part("train"):
        picture = labels.picture(image) if image.boxes else None
        for box in image.boxes:
            if picture is not None:
                yield picture, (box.x0, box.y0, box.x1, box.y1), box.label


def _cut(found: Object) -> Cutout | None:
    picture, box, label = found
    return cut_out(np.asarray(picture, np.uint8), box, label)


def _photographs(labels: Labels) -> Iterator[Image.Image]:
    """What lvbag ships, and the label set's own training pictures without a bag."""
    shipped = (Image.open(path).convert("RGB") for path in sorted(PHOTOS.glob("*.jpg")))
    own = (labels.picture(image) for image in labels.part("train") if not image.boxes)
    return chain(shipped, own)
