"""A label export as a person would have made it in CVAT: YOLO 1.1, for a share of the first night's photos.

Classes are those of the original labelling: BigBag, SmallBag, BackPack. Photos without a bag have an empty text file.
"""

from __future__ import annotations

import io
import logging
import random
import zipfile
from collections.abc import Iterator
from pathlib import Path

from lvbag.demo.listings import Format, MarketError, Photo, Truth
from lvbag.demo.market import Market

log = logging.getLogger(__name__)

CLASSES = ("BigBag", "SmallBag", "BackPack")
NEGATIVE_SHARE = 0.2
_CLASS_OF = {"N58024": "BackPack", "M40718": "SmallBag", "M52194": "SmallBag"}
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # a fixed time, so that equal exports have equal bytes


def write_labels(market: Market, target: Path, share: float = 0.25, seed: int = 0) -> Path:
    """Write a label export of about `share` (0 to 1) of the first night's photos, a fifth of them without a bag.

    `target` is a zip file if it ends in `.zip`, else a folder; it is returned. Only whole, upright JPEGs that stand
    nowhere else are labelled. Equal arguments give equal bytes. Raises `MarketError` for a market of real photographs
    (nobody knows their boxes) or a share that selects nothing.
    """
    chosen = _choose(market.night(1), share, seed)
    files = dict(_files(market, chosen))
    if target.suffix == ".zip":
        _write_zip(target, files)
    else:
        _write_folder(target, files)
    negatives = sum(1 for _, truth in chosen if not truth.is_bag)
    log.info("demo.labels written path=%s images=%d negatives=%d", target, len(chosen), negatives)
    return target


def _choose(market: Market, share: float, seed: int) -> list[tuple[Photo, Truth]]:
    """The labelled photos with their truth, by path."""
    if not 0 < share <= 1:
        raise MarketError(f"share {share} must be above 0 and at most 1: the part of the photos that is labelled")
    truths = market.truth()
    known = {truth.path: truth for truth in truths}
    fit = [(photo, known[photo.path]) for photo in market.photos if _is_fit(photo, known[photo.path])]
    total = round(len(truths) * share)
    rng = random.Random(f"labels/{seed}")
    empty = _sample(rng, [pair for pair in fit if not pair[1].is_bag], round(total * NEGATIVE_SHARE))
    bags = _sample(rng, [pair for pair in fit if pair[1].is_bag], total - len(empty))
    if not bags:
        raise MarketError(f"share {share} of {len(truths)} photos labels no bag; ask for more")
    return sorted(empty + bags, key=lambda pair: pair[0].path)


def _is_fit(photo: Photo, truth: Truth) -> bool:
    return (
        photo.format is Format.JPG
        and photo.fault is None
        and not photo.sideways
        and photo.path.startswith("/img/")
        and truth.near_duplicate_of is None
    )


def _sample(rng: random.Random, pairs: list[tuple[Photo, Truth]], count: int) -> list[tuple[Photo, Truth]]:
    return rng.sample(pairs, min(count, len(pairs)))


def _files(market: Market, chosen: list[tuple[Photo, Truth]]) -> Iterator[tuple[str, bytes]]:
    """Names and contents in CVAT's layout."""
    names = [f"{photo.listing_id}_{Path(photo.path).stem}" for photo, _ in chosen]
    yield "obj.data", b"classes = 3\ntrain = data/train.txt\nnames = data/obj.names\nbackup = backup/\n"
    yield "obj.names", "".join(f"{name}\n" for name in CLASSES).encode()
    yield "train.txt", "".join(f"data/obj_train_data/{name}.jpg\n" for name in names).encode()
    for name, (photo, truth) in zip(names, chosen, strict=True):
        yield f"obj_train_data/{name}.jpg", market.content(photo)
        yield f"obj_train_data/{name}.txt", _label(truth).encode()


def _label(truth: Truth) -> str:
    """`class cx cy w h`, as shares of the picture's width and height; nothing where no bag is."""
    if truth.box is None or truth.size is None or truth.product is None:
        return ""
    width, height = truth.size
    x0, y0, x1, y1 = truth.box
    values = ((x0 + x1) / 2 / width, (y0 + y1) / 2 / height, (x1 - x0) / width, (y1 - y0) / height)
    number = CLASSES.index(_CLASS_OF.get(truth.product, "BigBag"))
    return f"{number} {' '.join(f'{value:.6f}' for value in values)}\n"


def _write_zip(target: Path, files: dict[str, bytes]) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            # stored: the photos are compressed already, and no zlib version can change the bytes
            archive.writestr(zipfile.ZipInfo(name, _ZIP_TIME), data, zipfile.ZIP_STORED)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(buffer.getvalue())


def _write_folder(target: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
