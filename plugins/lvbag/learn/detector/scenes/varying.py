"""One object, many looks: other colours, other light, another size, turned and seen from elsewhere."""

from __future__ import annotations

import math

import cv2
import numpy as np

from lvbag.learn.detector.scenes.cutouts import Pixels
from lvbag.learn.detector.scenes.drawn import Rng

SMALLEST_PX = 8


def recolour(rng: Rng, picture: Pixels, hue_deg: float, saturation: float, brightness: float) -> Pixels:
    """An RGB picture with its hue turned by up to `hue_deg` either way, the others changed by up to these shares."""
    hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV).astype(np.float32)
    hsv[..., 0] = (hsv[..., 0] + rng.uniform(-hue_deg, hue_deg) / 2) % 180  # OpenCV's hue is half of the angle
    hsv[..., 1] *= rng.uniform(1 - saturation, 1 + saturation)
    hsv[..., 2] *= rng.uniform(1 - brightness, 1 + 0.6 * brightness)  # more would wash light things out
    return np.asarray(cv2.cvtColor(hsv.clip(0, 255).astype(np.uint8), cv2.COLOR_HSV2RGB), np.uint8)


def relight(rng: Rng, picture: Pixels) -> Pixels:
    """An RGB picture lit from another side, brighter or darker as a whole."""
    height, width = picture.shape[:2]
    across = np.linspace(-1, 1, width)[None, :] * rng.normal(0, 0.18)
    down = np.linspace(-1, 1, height)[:, None] * rng.normal(0, 0.18)
    lit = picture * ((1 + across + down)[..., None] * rng.uniform(0.7, 1.15))
    return lit.clip(0, 255).astype(np.uint8)


def reshape(rng: Rng, pixels: Pixels, size_px: float) -> Pixels | None:
    """A cut-out stretched, turned, sheared and seen at an angle, its area about `size_px` squared; None: too small."""
    height, width = pixels.shape[:2]
    scale = size_px / math.sqrt(height * width)
    stretch = np.diag([scale * rng.uniform(0.85, 1.18), scale * rng.uniform(0.88, 1.12)])
    angle, shear = math.radians(rng.normal(0, 9)), rng.normal(0, 0.08)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners @ (turn @ np.array([[1, shear], [0, 1]]) @ stretch).T + rng.normal(0, 0.03, (4, 2)) * size_px
    moved -= moved.min(axis=0)
    wide, tall = (int(value) + 1 for value in np.ceil(moved.max(axis=0)))
    if min(wide, tall) < SMALLEST_PX:
        return None
    if scale < 0.7:  # warping samples single points
        pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), 0.35 / scale), np.uint8)
    view = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    return np.asarray(cv2.warpPerspective(pixels, view, (wide, tall), flags=cv2.INTER_LINEAR), np.uint8)
