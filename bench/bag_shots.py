"""Studio shots of bags on white, drawn from a seed: what duplicates are told from, and what they are mistaken for.

A design is one bag; its shots differ in one thing from its first one: colour, size, hardware, pose or the piece (the
next bag from the same line: its canvas cut elsewhere, its leather a little otherwise). All of a design's shots stand
in the same studio under the same light, as a shop takes them. Nothing here is part of the product.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from bag_drawings import LEATHERS, METALS, Wish, demo_bag, drawn_bag
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from lvbag.demo import camera
from lvbag.demo.painter import PX_PER_UNIT, paint
from lvbag.demo.shapes import Drawing, darker

FAMILIES = ("demo", "drawn", "flat")
KINDS = ("colour", "size", "hardware", "pose", "piece")


@dataclass(frozen=True)
class Shot:
    """One picture: a design (family, number), and what differs from the design's first shot (0 is as the first)."""

    family: str  # "demo", "drawn" or "flat"
    design: int
    seed: int
    colour: int = 0
    size: int = 0
    hardware: int = 0
    pose: int = 0
    piece: int = 0

    @property
    def name(self) -> str:
        """A name without spaces."""
        return f"{self.family}-{self.design}-c{self.colour}s{self.size}h{self.hardware}p{self.pose}n{self.piece}"

    def changes(self, other: Shot) -> tuple[str, ...]:
        """In what two shots of a design differ."""
        return tuple(kind for kind in KINDS if getattr(self, kind) != getattr(other, kind))


def shots(seed: int, designs: int) -> Iterator[Shot]:
    """The shots of this many designs of each family; the demo's drawings are taken in turn."""
    for family in FAMILIES:
        for design in range(designs):
            first = Shot(family, design, seed)
            yield first
            yield from (replace(first, colour=number) for number in range(1, 6))
            yield from (replace(first, size=number) for number in range(1, 4))
            yield from (replace(first, size=number, colour=number) for number in range(1, 3))
            yield from (replace(first, hardware=number) for number in range(1, 3))
            yield from (replace(first, pose=number) for number in range(1, 4))
            yield from (replace(first, piece=number) for number in range(1, 3))


def draw(shot: Shot) -> Image.Image:
    """The picture, RGB on white."""
    studio = _studio(shot)
    if shot.family == "flat":
        return _flat(shot, studio)
    return _photograph(shot, studio)


@dataclass(frozen=True)
class _Studio:
    """What a design's shots share."""

    side_px: tuple[int, int]
    reach: float  # share of the frame that the largest size takes
    zooms: bool  # every size fills the frame alike; else all are seen from the same place
    shadow: float
    step: float  # from one size to the next
    widen: float  # width over height, from one size to the next


def _studio(shot: Shot) -> _Studio:
    rng = random.Random(f"studio/{shot.seed}/{shot.family}/{shot.design}")
    side = rng.choice((480, 560, 640))
    return _Studio(
        side_px=rng.choice(((side, side), (side, side), (side, side * 4 // 5), (side * 4 // 5, side))),
        reach=rng.uniform(0.62, 0.92),
        zooms=rng.random() < 0.5,
        shadow=rng.choice((0.0, 0.15, 0.3)),
        step=rng.uniform(0.82, 0.92),
        widen=rng.choice((-1, 1)) * rng.uniform(0.02, 0.08),
    )


def _scaled(shot: Shot) -> tuple[float, float]:
    """Width and height of this size, 1 as designed."""
    studio = _studio(shot)
    scale = studio.step**shot.size
    return scale * (1 + studio.widen) ** shot.size, scale


def _drawing(shot: Shot) -> tuple[Drawing, float]:
    """The bag in units, and how much of the frame it takes (1 is the largest size)."""
    wide, high = _scaled(shot)
    wish = Wish(shot.seed, shot.design, shot.colour, shot.hardware, shot.piece, (wide, high))
    drawing = demo_bag(wish) if shot.family == "demo" else drawn_bag(wish)
    return drawing, 1.0 if _studio(shot).zooms else high


# ------------------------------------------------------------------ photographs


def _view(shot: Shot) -> tuple[Drawing, camera.View]:
    """The bag, and how the camera stands to it."""
    studio = _studio(shot)
    drawing, scale = _drawing(shot)
    rng = random.Random(f"pose/{shot.seed}/{shot.family}/{shot.design}")
    yaw, pitch = rng.uniform(-0.4, 0.4), rng.uniform(0.0, 0.2)
    if shot.pose == 1:
        yaw = -yaw if abs(yaw) > 0.12 else yaw + 0.3
    elif shot.pose:
        yaw, pitch = yaw + (0.15, 0.3)[shot.pose - 2] * (1 if yaw < 0 else -1), pitch + (0.06, 0.1)[shot.pose - 2]
    pose = camera.Pose(yaw, pitch, 0.0, False, studio.reach * scale, (0.5, 0.6))
    return drawing, camera.frame(drawing, pose, studio.side_px)


def _photograph(shot: Shot, studio: _Studio) -> Image.Image:
    drawing, view = _view(shot)
    cut = random.Random(f"cut/{shot.seed}/{shot.design}/{shot.piece}")
    sprite = paint(drawing, (cut.randrange(2000), cut.randrange(2000)))
    to_sprite = np.array(
        [
            [1 / PX_PER_UNIT, 0, -sprite.origin[0] / PX_PER_UNIT],
            [0, 1 / PX_PER_UNIT, -sprite.origin[1] / PX_PER_UNIT],
            [0, 0, 1],
        ]
    )
    inverse = np.linalg.inv(view.homography() @ to_sprite)
    warp = (
        studio.side_px,
        Image.Transform.PERSPECTIVE,
        (inverse / inverse[2, 2]).ravel()[:8].tolist(),
        Image.Resampling.BILINEAR,
    )
    rgb, alpha = sprite.rgb.transform(*warp), sprite.alpha.transform(*warp)
    depth = Image.new("L", studio.side_px)
    if drawing.depth > 0:
        on_depth = ImageDraw.Draw(depth)
        for step in range(1, 9):
            on_depth.polygon(view.project(drawing.body, drawing.depth * step / 8).ravel().tolist(), fill=255)
    picture = Image.new("RGB", studio.side_px, "white")
    picture = _shadowed(picture, ImageChops.lighter(alpha, depth), studio.shadow)
    picture.paste(drawing.side, (0, 0), depth)
    hole = ImageChops.invert(alpha)
    return ImageChops.add(ImageChops.multiply(picture, Image.merge("RGB", (hole, hole, hole))), rgb)


def _shadowed(picture: Image.Image, mask: Image.Image, strength: float) -> Image.Image:
    if not strength:
        return picture
    moved = ImageChops.offset(mask.reduce(4), 2, 4).filter(ImageFilter.GaussianBlur(3))
    light = moved.point([round(255 - value * strength) for value in range(256)]).resize(picture.size)
    return ImageChops.multiply(picture, Image.merge("RGB", (light, light, light)))


def _flat(shot: Shot, studio: _Studio) -> Image.Image:
    """A bag of a few plain shapes, seen from the front: as little detail as a picture of a bag can have."""
    rng = random.Random(f"bag/{shot.seed}/{shot.family}/{shot.design}")
    colours = list(LEATHERS)
    rng.shuffle(colours)
    colour, metal = colours[shot.colour], METALS[(rng.randrange(4) + shot.hardware) % 4]
    width, height = (side * 2 for side in studio.side_px)
    reach = studio.reach * min(width, height)
    w0, h0 = rng.uniform(0.75, 1.0) * reach, rng.uniform(0.4, 0.62) * reach
    wide, high = _scaled(shot)
    zoom = 1 / max(wide, high) if studio.zooms else 1.0
    w, h = w0 * wide * zoom, h0 * high * zoom
    lean = 0.0
    if shot.pose:
        lean = (0.08, -0.08, 0.16)[shot.pose - 1] * w
    worn = random.Random(f"worn/{shot.seed}/{shot.design}/{shot.piece}")
    if shot.piece:
        w, h = w * worn.uniform(0.98, 1.02), h * worn.uniform(0.98, 1.02)
    image = Image.new("RGB", (width, height), "white")
    on = ImageDraw.Draw(image)
    handle, corner = rng.uniform(0.25, 0.5) * w0 * zoom, rng.uniform(0.02, 0.2) * h0
    rise = rng.uniform(0.5, 0.9) * h0 * zoom
    bottom = height / 2 + (h + rise) / 2
    middle, top = width / 2, bottom - h
    line = max(6, round(0.045 * w0 * zoom))
    style = rng.choice(("arc", "box", "double"))
    box = (middle - handle / 2 + lean, top - rise * 0.8, middle + handle / 2 + lean, top + rise * 0.6)
    if style == "box":
        on.rounded_rectangle(box, corner, outline=darker(colour, 0.7), width=line)
    else:
        on.arc(box, 180, 360, fill=darker(colour, 0.7), width=line)
    if style == "double":
        on.arc(
            (box[0] + line, box[1] + line * 1.5, box[2] + line * 3, box[3]),
            180,
            360,
            fill=darker(colour, 0.55),
            width=line,
        )
    taper = rng.uniform(0.85, 1.0)
    on.polygon(
        [
            (middle - w / 2 * taper + lean, top),
            (middle + w / 2 * taper + lean, top),
            (middle + w / 2, bottom),
            (middle - w / 2, bottom),
        ],
        fill=colour,
    )
    on.rounded_rectangle(
        (middle - w / 2, bottom - h * 0.25, middle + w / 2, bottom),
        min(corner, h * 0.12),
        fill=darker(colour, rng.choice((1.0, 0.8))),
    )
    for part in range(rng.randrange(3)):
        y = top + h * rng.uniform(0.1, 0.8)
        on.line(
            (middle - w / 2 * 0.97, y, middle + w / 2 * 0.97, y),
            fill=darker(colour, 0.6),
            width=max(2, line // (2 + part)),
        )
    size = rng.uniform(0.04, 0.09) * w0 * zoom
    on.rectangle((middle - size + lean, top + h * 0.2, middle + size + lean, top + h * 0.2 + size * 1.5), fill=metal)
    image = image.resize(studio.side_px, Image.Resampling.LANCZOS)
    return image


def bag_box(shot: Shot) -> camera.Box:
    """Where the bag is in its picture, in pixels: what a person would label."""
    if shot.family == "flat":  # no shadow: whatever is not white
        box = ImageChops.invert(draw(shot).convert("L")).point([0] * 6 + [255] * 250).getbbox()
        return tuple(float(value) for value in box or (0, 0, 1, 1))  # type: ignore[return-value]
    drawing, view = _view(shot)
    return camera.box_of(drawing, view)
