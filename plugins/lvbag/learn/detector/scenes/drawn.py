"""Scenes, cloth and shapes drawn at random: nothing in them is a bag, and nothing stands where a shop would put it."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from lvbag.learn.detector.scenes.cutouts import Pixels

Rng = np.random.Generator
Noise = npt.NDArray[np.float32]


def noise(rng: Rng, height: int, width: int, octaves: int = 5) -> Noise:
    """Smooth noise (height, width, 3) of about unit strength: random values on finer and finer grids, added up."""
    total = np.zeros((height, width, 3), np.float32)
    for octave in range(octaves):
        cells = 2 ** (octave + 1) + 1
        grid = rng.standard_normal((cells, cells, 3), np.float32)
        total += np.asarray(cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)) * 0.65**octave
    return total


def drawn_scene(rng: Rng, height: int, width: int) -> Pixels:
    """Clouds of colour with rectangles, ellipses, lines and polygons before them, textured or seen through."""
    clouds = noise(rng, height, width)
    if rng.random() < 0.5:
        clouds = clouds.mean(axis=2, keepdims=True) * rng.uniform(0.6, 1.4, (1, 1, 3))
    scene = np.clip(rng.uniform(20, 235, 3) + clouds * rng.uniform(5, 45), 0, 255).astype(np.uint8)
    for _ in range(rng.integers(2, 16)):
        _put_shape(rng, scene)
    if rng.random() < 0.5:
        scene = np.asarray(cv2.GaussianBlur(scene, (0, 0), rng.uniform(0.5, 4.0)), np.uint8)
    return scene


def cloth(rng: Rng, height: int, width: int) -> Pixels:
    """One colour with soft folds; a quarter of them striped."""
    folds = noise(rng, height, width, 4).mean(axis=2, keepdims=True) * rng.uniform(3, 18)
    fabric = rng.uniform(10, 235, 3) + folds
    if rng.random() < 0.25:
        along = np.arange(width)[None, :] if rng.random() < 0.5 else np.arange(height)[:, None]
        stripes = np.sin(along * (2 * math.pi / rng.uniform(4, 20))) > 0
        fabric = fabric + stripes[..., None] * rng.uniform(-70, 70, 3)
    filled: Pixels = np.clip(np.broadcast_to(fabric, (height, width, 3)), 0, 255).astype(np.uint8)
    return filled


def shape(rng: Rng, height: int, width: int) -> Pixels:
    """The opacity (height, width) of a polygon, an ellipse or a rounded rectangle that fills the frame."""
    mask = np.zeros((height, width), np.uint8)
    kind = rng.integers(3)
    if kind == 0:
        corners = int(rng.integers(5, 11))
        angles, reach = np.sort(rng.uniform(0, 2 * math.pi, corners)), rng.uniform(0.45, 1.0, corners)
        points = np.stack([width * (1 + np.cos(angles) * reach), height * (1 + np.sin(angles) * reach)], axis=1) / 2
        cv2.fillPoly(mask, [points.astype(np.int32)], (255,), cv2.LINE_AA)
    elif kind == 1:
        axes = (max(1, width // 2 - 1), max(1, height // 2 - 1))
        cv2.ellipse(mask, (width // 2, height // 2), axes, 0, 0, 360, (255,), -1, cv2.LINE_AA)
    else:
        cv2.rectangle(mask, (width // 10, height // 10), (width - width // 10, height - height // 10), (255,), -1)
        rounded = cv2.GaussianBlur(mask, (0, 0), max(1.0, min(height, width) / 12))
        mask = np.where(np.asarray(rounded) > 128, 255, 0).astype(np.uint8)
    return np.asarray(cv2.GaussianBlur(mask, (3, 3), 0), np.uint8)


def _put_shape(rng: Rng, scene: Pixels) -> None:
    height, width = scene.shape[:2]
    wide, tall = int(rng.integers(width // 20 + 2, width)), int(rng.integers(height // 20 + 2, height))
    x, y = int(rng.integers(-width // 4, width)), int(rng.integers(-height // 4, height))
    if rng.random() < 0.25:
        end = (x + wide, y + int(rng.integers(-height, height)))
        cv2.line(scene, (x, y), end, rng.uniform(0, 255, 3).tolist(), int(rng.integers(1, 14)), cv2.LINE_AA)
        return
    colour = rng.uniform(0, 255, 3)
    if rng.random() < 0.6:
        filled = np.clip(colour + noise(rng, tall, wide, 4) * rng.uniform(5, 30), 0, 255).astype(np.uint8)
    else:
        filled = np.broadcast_to(colour.astype(np.uint8), (tall, wide, 3))
    opacity = shape(rng, tall, wide) * rng.uniform(0.6, 1.0)
    lay_over(scene, np.dstack([filled, opacity.astype(np.uint8)]), x, y)


def lay_over(scene: Pixels, layer: Pixels, x: int, y: int) -> Pixels | None:
    """Put a layer with opacity on a scene, its left top corner at x, y; returns the opacity of what is within it.

    The answer has the scene's size, 0 where the layer does not reach; None where all of it lies outside.
    """
    height, width = scene.shape[:2]
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + layer.shape[1], width), min(y + layer.shape[0], height)
    if x1 <= x0 or y1 <= y0:
        return None
    part = layer[y0 - y : y1 - y, x0 - x : x1 - x]
    share = part[..., 3:].astype(np.float32) / 255.0
    under = scene[y0:y1, x0:x1]
    under[:] = (part[..., :3] * share + under * (1.0 - share)).astype(np.uint8)
    opacity = np.zeros((height, width), np.uint8)
    opacity[y0:y1, x0:x1] = part[..., 3]
    return opacity
