"""Use the model in this folder: `python example.py PHOTO…` prints one JSON object a photo.

Needs numpy, pillow and onnxruntime, nothing else. A classifier names products, best first; a detector finds bags, as
x0, y0, x1, y1 in shares of the photo's width and height. A classifier that was trained on cut-out bags wants the box:
`python example.py PHOTO --box X0 Y0 X1 Y1`.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageChops

FOLDER = Path(__file__).resolve().parent
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def main() -> None:
    """Answer for each photo of the command line."""
    import onnxruntime

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--box", nargs=4, type=float, metavar=("X0", "Y0", "X1", "Y1"), help="where the bag is")
    parser.add_argument("--top", type=int, default=5, help="products that are named (classifier)")
    asked = parser.parse_args()
    how = json.loads((FOLDER / "preprocessing.json").read_text(encoding="utf-8"))
    classes = json.loads((FOLDER / "classes.json").read_text(encoding="utf-8"))
    session = onnxruntime.InferenceSession(str(FOLDER / "model.onnx"), providers=["CPUExecutionProvider"])
    for path in asked.photos:
        photo = read_photo(path)
        if how["kind"] == "classifier":
            answer: dict[str, Any] = {"top": name_products(session, how, classes, photo, asked.box)[: asked.top]}
        else:
            answer = {"boxes": find_bags(session, how, classes, photo)}
        sys.stdout.write(json.dumps({"file": str(path), **answer}, ensure_ascii=False) + "\n")


def read_photo(path: Path) -> Image.Image:
    """A photo as RGB: upright as EXIF says, transparency on white."""
    with Image.open(path) as image:
        image.load()
        turn = TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
        rgb = to_rgb(image)
        return rgb.transpose(turn) if turn is not None else rgb.copy()


def to_rgb(image: Image.Image) -> Image.Image:
    """8 bits of red, green and blue, whatever the file holds."""
    if image.mode.startswith("I"):  # 16 bits of grey
        return Image.fromarray((np.clip(np.asarray(image), 0, 65535) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode == "CMYK" and "adobe" not in image.info:
        return ImageChops.invert(image).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        clear = image.convert("RGBA")
        white = Image.new("RGB", clear.size, (255, 255, 255))
        white.paste(clear, mask=clear.getchannel("A"))
        return white
    return image.convert("RGB")


# ------------------------------------------------------------------ classifier


def name_products(
    session: Any, how: dict[str, Any], classes: list[str], photo: Image.Image, box: list[float] | None
) -> list[dict[str, Any]]:
    """All products with their probabilities, best first."""
    seen = shrink(cut_out(photo, box, how["crop_margin"]) if box else photo, how["shrink_to_px"])
    pixels = square(seen, how["side_px"]).astype(np.float32) / np.float32(255)
    pixels = (pixels - np.asarray(how["mean"], np.float32)) / np.asarray(how["std"], np.float32)
    (scores,) = run(session, pixels.transpose(2, 0, 1)[None])
    scores = scores.astype(np.float64) / how["temperature"]
    powers = np.exp(scores - scores.max())
    shares = powers / powers.sum()
    order = np.argsort(-shares, kind="stable")
    return [{"product": classes[i], "probability": float(shares[i])} for i in order]


def cut_out(photo: Image.Image, box: list[float], margin: float) -> Image.Image:
    """The box grown by a share of its own size on each side, within the photo."""
    x0, y0, x1, y1 = box
    grow_x, grow_y = margin * (x1 - x0), margin * (y1 - y0)
    width, height = photo.size
    left = min(width - 1, max(0, math.floor((x0 - grow_x) * width)))
    top = min(height - 1, max(0, math.floor((y0 - grow_y) * height)))
    right = min(width, max(left + 1, math.ceil((x1 + grow_x) * width)))
    bottom = min(height, max(top + 1, math.ceil((y1 + grow_y) * height)))
    return photo.crop((left, top, right, bottom))


def shrink(image: Image.Image, longest_px: int) -> Image.Image:
    """The longest side at most so long, as the crops that the classifier was trained on."""
    scale = longest_px / max(image.size)
    if scale >= 1.0:
        return image
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=1.25)


def square(image: Image.Image, side_px: int) -> Any:
    """Fitted into a square on white, centred; uint8 (side, side, 3)."""
    scale = side_px / max(image.size)
    width, height = (min(side_px, max(1, round(length * scale))) for length in image.size)
    canvas = Image.new("RGB", (side_px, side_px), (255, 255, 255))
    fitted = image.resize((width, height), Image.Resampling.BILINEAR)
    canvas.paste(fitted, ((side_px - width) // 2, (side_px - height) // 2))
    return np.asarray(canvas, dtype=np.uint8)


# ------------------------------------------------------------------ detector


def find_bags(session: Any, how: dict[str, Any], classes: list[str], photo: Image.Image) -> list[dict[str, Any]]:
    """Boxes from the working point on, most confident first, without those that a better one overlaps."""
    side = how["side_px"]
    scale = min(side / photo.width, side / photo.height)
    width, height = max(round(photo.width * scale), 1), max(round(photo.height * scale), 1)
    left, top = max(0, round((side - width) / 2 - 0.1)), max(0, round((side - height) / 2 - 0.1))
    inner = photo
    if photo.size != (width, height):  # the points that OpenCV's linear resize takes: ultralytics trains with it
        step = (photo.width / width, 0.0, 0.0, 0.0, photo.height / height, 0.0)
        inner = photo.transform((width, height), Image.Transform.AFFINE, step, Image.Resampling.BILINEAR)
    pixels = np.full((side, side, 3), how["background"], np.uint8)
    pixels[top : top + height, left : left + width] = np.asarray(inner)
    (answer,) = run(session, np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float32) / np.float32(255))
    scores = answer[4:].max(axis=0)
    found = np.flatnonzero(scores >= how["confidence"])
    found = found[np.argsort(-scores[found], kind="stable")][: how["max_candidates"]]
    centre, half = answer[:2, found].T.astype(np.float64), answer[2:4, found].T.astype(np.float64) / 2
    offset, size = np.array([left, top, left, top]), np.array([width, height, width, height])
    boxes = (np.hstack([centre - half, centre + half]) - offset) / size
    names = answer[4:, found].argmax(axis=0)
    return [
        {"class": classes[int(names[i])], "confidence": float(scores[found[i]]), "box": box}
        for i in suppress(boxes, how["iou"])
        if (box := np.clip(boxes[i], 0.0, 1.0).tolist()) and box[2] > box[0] and box[3] > box[1]
    ]


def suppress(boxes: Any, iou: float) -> list[int]:
    """Which boxes (best first) no better one overlaps by more than `iou`."""
    area = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1)
    left, kept = np.arange(len(boxes)), []
    while len(left):
        best, rest = left[0], left[1:]
        kept.append(int(best))
        low, high = np.maximum(boxes[best, :2], boxes[rest, :2]), np.minimum(boxes[best, 2:], boxes[rest, 2:])
        shared = np.prod(np.maximum(high - low, 0), axis=1)
        left = rest[shared <= iou * (area[best] + area[rest] - shared)]
    return kept


def run(session: Any, images: Any) -> Any:
    """The model's answer to one image (1, 3, side, side), also where it takes no fewer than so many at once."""
    entry = session.get_inputs()[0]
    if isinstance(entry.shape[0], int) and entry.shape[0] > 1:
        images = np.concatenate([images, np.zeros((entry.shape[0] - 1, *images.shape[1:]), np.float32)])
    return session.run(None, {entry.name: np.ascontiguousarray(images)})[0][:1]


if __name__ == "__main__":
    main()
