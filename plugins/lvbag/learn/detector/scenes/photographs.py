"""Photographs without bags as scenes: a random cut of one of them, mirrored or not, in slightly other colours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from PIL import Image

from lvbag.learn.detector.scenes.cutouts import Pixels
from lvbag.learn.detector.scenes.drawn import Rng
from lvbag.learn.detector.scenes.varying import recolour

LONGEST_PX = 640
SMALLEST_PX = 64


def as_scenes(pictures: Iterable[Image.Image]) -> list[Pixels]:
    """RGB pictures as scenes are cut from, made small; those that are smaller than a scene's detail are left out."""
    scenes = []
    for picture in pictures:
        if min(picture.size) < SMALLEST_PX:
            continue
        picture.thumbnail((LONGEST_PX, LONGEST_PX), Image.Resampling.BOX)
        scenes.append(np.asarray(picture, np.uint8))
    return scenes


def photographed_scene(rng: Rng, photographs: Sequence[Pixels], height: int, width: int) -> Pixels:
    """A cut of a photograph in the wanted size (RGB)."""
    photo = photographs[int(rng.integers(len(photographs)))]
    tall, wide = photo.shape[:2]
    cut_tall = max(1, int(min(tall, wide * height / width) * rng.uniform(0.35, 1.0)))
    cut_wide = min(wide, max(1, int(cut_tall * width / height)))
    y, x = int(rng.integers(tall - cut_tall + 1)), int(rng.integers(wide - cut_wide + 1))
    way = cv2.INTER_AREA if cut_tall > height else cv2.INTER_LINEAR
    scene = np.asarray(
        cv2.resize(photo[y : y + cut_tall, x : x + cut_wide], (width, height), interpolation=way), np.uint8
    )
    if rng.random() < 0.5:
        scene = scene[:, ::-1]
    return recolour(rng, np.ascontiguousarray(scene), hue_deg=36, saturation=0.4, brightness=0.3)
