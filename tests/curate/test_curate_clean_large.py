"""Large pictures are decoded as small as their crops allow, and never smaller."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image, ImageFilter

from lvbag.curate import clean
from lvbag.curate.clean import Cleaner, Row
from lvbag.infer import Detection, Detector
from lvbag.infer.cropping import crop_box
from lvbag.review import Decided
from lvbag.settings import Settings
from lvbag.store import Store, keys


class OneBox:
    """A detector that always finds a bag in the same place, and remembers what size of pictures it was shown."""

    side_px = 64
    classes = ("Bag",)

    def __init__(self, box: tuple[float, float, float, float]) -> None:
        self.box = box
        self.shown: list[tuple[int, int]] = []

    def detect(self, images: Sequence[Image.Image]) -> list[list[Detection]]:
        self.shown += [image.size for image in images]
        return [[Detection(*self.box, 0.9, "Bag")] for _ in images]


def put_photo(store: Store, size: tuple[int, int], kind: str = "JPEG") -> tuple[Row, Image.Image]:
    noise = np.random.default_rng(1).integers(0, 255, (size[1] // 20, size[0] // 20, 3), np.uint8)
    image = Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(2))
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=95)
    data, suffix = buffer.getvalue(), {"JPEG": "jpg", "PNG": "png"}[kind]
    digest = hashlib.sha256(data).hexdigest()
    store.put(keys.raw_image(digest, suffix), data)
    return Row(digest, suffix, *size), Image.open(io.BytesIO(data)).convert("RGB")


@pytest.mark.parametrize(
    ("box", "kind", "shown", "as_full"),
    [
        pytest.param((0.1, 0.1, 0.9, 0.9), "JPEG", (600, 400), False, id="a large bag on a smaller decode"),
        pytest.param((0.4, 0.4, 0.6, 0.6), "JPEG", (600, 400), True, id="a small bag on the full one"),
        pytest.param((0.1, 0.1, 0.9, 0.9), "PNG", (1200, 800), True, id="what cannot be decoded smaller is not"),
    ],
)
def test_a_crop_has_the_pixels_that_the_picture_has_for_it(
    store: Store, settings: Settings, box: tuple[float, float, float, float], kind: str, shown: Any, as_full: bool
) -> None:
    row, photo = put_photo(store, (1200, 800), kind)
    model = OneBox(box)
    cleaner = Cleaner(store, settings, "0001", cast(Detector, model), Decided({}, {}))
    ((cleaned,),) = list(cleaner.clean([row]))
    assert cleaned.reason is None
    assert model.shown == [shown]
    curate = settings.curate
    wanted = crop_box(photo, box, curate.crop_margin, curate.crop_side_px)
    assert cleaned.crop is not None
    assert (cleaned.crop.width, cleaned.crop.height) == wanted.size
    data = store.get(keys.crop("0001", row.sha256))
    of_full = clean.jpeg_bytes(wanted)
    assert (data == of_full) is as_full
    stored, coded = (np.asarray(Image.open(io.BytesIO(one)).convert("RGB"), np.float64) for one in (data, of_full))
    assert np.sqrt(((stored - coded) ** 2).mean()) < 5.0  # as the same crop in another encoder


def test_without_a_detector_the_whole_picture_is_shrunk_from_a_smaller_decode(store: Store, settings: Settings) -> None:
    row, photo = put_photo(store, (1200, 800))
    ((cleaned,),) = list(Cleaner(store, settings, "none", None, Decided({}, {})).clean([row]))
    assert cleaned.crop is not None
    assert max(cleaned.crop.width, cleaned.crop.height) == settings.curate.crop_side_px
    assert cleaned.crop.width * photo.height == pytest.approx(cleaned.crop.height * photo.width, rel=0.01)
