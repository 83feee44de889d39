"""Pictures with what cleaning saw drawn into them: boxes with confidence, and the verdict on a strip above."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from lvbag.curate.judging import FileVerdict
from lvbag.curate.reasons import KEPT
from lvbag.infer import Detection
from lvbag.infer.cropping import shrink

LONGEST_PX = 1024
"""Side of a drawn picture at most: it is there to be looked at."""

_KEPT, _REFUSED, _OTHER = (24, 150, 60), (200, 40, 40), (120, 120, 120)
_INK = (255, 255, 255)


def draw_verdict(verdict: FileVerdict) -> Image.Image:
    """The file's picture (at most `LONGEST_PX`) under a strip with the verdict; green when kept, red when refused.

    The best bag has a thick frame, also where it is below the working point; other boxes have thin grey ones. The
    verdict must have an image: what does not decode cannot be drawn.
    """
    if verdict.image is None:
        raise ValueError(f"{verdict.path} has no picture to draw on")
    picture = shrink(verdict.image, LONGEST_PX).copy()
    colour = _KEPT if verdict.verdict == KEPT else _REFUSED
    pen = _Pen(ImageDraw.Draw(picture), picture.size, ImageFont.load_default(_font_px(picture.width)))
    for box in verdict.boxes:
        if box != verdict.best:
            pen.frame(box, _OTHER, 1)
    if verdict.best is not None:
        pen.frame(verdict.best, colour, max(2, picture.width // 160))
    strip = round(_font_px(picture.width) * 1.6)
    canvas = Image.new("RGB", (picture.width, picture.height + strip), colour)
    canvas.paste(picture, (0, strip))
    ImageDraw.Draw(canvas).text((6, 3), verdict.reason or KEPT, fill=_INK, font=pen.font)
    return canvas


def _font_px(width: int) -> float:
    return max(11.0, min(18.0, width / 32))


@dataclass(frozen=True)
class _Pen:
    """What draws on a picture of this size."""

    on: ImageDraw.ImageDraw
    size: tuple[int, int]
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont

    def frame(self, box: Detection, colour: tuple[int, int, int], width: int) -> None:
        """The box, with class and confidence inside its upper left corner."""
        right_most, lowest = self.size[0] - 1, self.size[1] - 1
        left, top = round(box.x0 * right_most), round(box.y0 * lowest)
        self.on.rectangle((left, top, round(box.x1 * right_most), round(box.y1 * lowest)), outline=colour, width=width)
        text, place = f"{box.name} {box.confidence:.2f}", (left + width + 2, top + width)
        x0, y0, x1, y1 = self.on.textbbox(place, text, font=self.font)
        self.on.rectangle((x0 - 2, y0 - 1, x1 + 2, y1 + 1), fill=colour)
        self.on.text(place, text, fill=_INK, font=self.font)
