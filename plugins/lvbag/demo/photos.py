"""A folder of real photographs as a market: one folder a product, named after it."""

from __future__ import annotations

import hashlib
import random
import re
from pathlib import Path

from lvbag.catalog import Product
from lvbag.demo.listings import Format, Listing, MarketError, Photo
from lvbag.demo.stock import listing_number, without_accents

FIRST_NIGHT_SHARE = 0.8
_SUFFIXES = {
    ".jpg": Format.JPG,
    ".jpeg": Format.JPG,
    ".png": Format.PNG,
    ".webp": Format.WEBP,
    ".avif": Format.AVIF,
}
_CODE_LENGTH = 16
_SELLERS = ("north-thrift", "attic & co", "carry-on", "second-round", "weekender")


def photo_products(folder: Path) -> tuple[Product, ...]:
    """A product for every folder that holds photos, by name; raises `MarketError` if there is none."""
    return tuple(product for product, _ in _shelves(folder))


def photo_listings(folder: Path, seed: int) -> tuple[Listing, ...]:
    """Every listing over the photos of the folder, 1 to 3 photos each; those of the second night say `night` 2."""
    shelves = _shelves(folder)
    out: list[Listing] = []
    for number, (product, files) in enumerate(shelves):
        neighbour = shelves[(number + 1) % len(shelves)][0].style_code
        out += _offers(product, neighbour, files, seed)
    return tuple(out)


def _shelves(folder: Path) -> list[tuple[Product, list[Path]]]:
    """Products with their files, by folder name."""
    if not folder.is_dir():
        raise MarketError(f"{folder} is no folder; photos must name a folder with one folder of pictures per product")
    taken: set[str] = set()
    shelves = []
    for shelf in sorted(entry for entry in folder.iterdir() if entry.is_dir()):
        if files := _photo_files(shelf):
            shelves.append((_product(shelf.name, taken), files))
    if not shelves:
        raise MarketError(
            f"{folder} holds no folder with .jpg, .png, .webp or .avif files: one folder a product is needed"
        )
    return shelves


def _offers(product: Product, neighbour: str, files: list[Path], seed: int) -> list[Listing]:
    rng = random.Random(f"{seed}/photos/{product.style_code}")
    rng.shuffle(files)
    first = round(len(files) * FIRST_NIGHT_SHARE) or len(files)
    out: list[Listing] = []
    for night, part in ((1, files[:first]), (2, files[first:])):
        start = 0
        while start < len(part):
            count = rng.randint(1, 3)
            key = f"{seed}/photos/{product.style_code}/{len(out)}"
            found_for = (product.style_code, neighbour) if len(out) % 7 == 0 else (product.style_code,)
            out.append(_offer(product, found_for, part[start : start + count], key, night))
            start += count
    return out


def _offer(product: Product, found_for: tuple[str, ...], files: list[Path], key: str, night: int) -> Listing:
    rng = random.Random(key)
    listing_id = listing_number(key)
    photos = tuple(
        Photo(
            f"/img/{listing_id}/{position}{path.suffix.lower()}",
            listing_id,
            night,
            _SUFFIXES[path.suffix.lower()],
            file=path,
        )
        for position, path in enumerate(files)
    )
    wear = rng.choice(("used", "very good", "as new", "worn"))
    template = rng.choice(("{name} {code}, {wear}", "{code} {name}", "Second-hand {name} ({code})"))
    title = template.format(name=product.name, code=product.style_code, wear=wear)
    return Listing(
        listing_id=listing_id,
        night=night,
        found_for=found_for,
        titled=product.style_code,
        title=title,
        price=float(rng.randrange(15, 400)),
        currency="EUR",
        seller=rng.choice(_SELLERS),
        condition=wear,
        description=f"{title}. Photographed by the seller.",
        photos=photos,
    )


def _photo_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES and path.is_file())


def _product(folder_name: str, taken: set[str]) -> Product:
    """Name and style code of a folder: `BucketBag` is "Bucket Bag", BUCKETBAG."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_\-]+", " ", folder_name)
    name = " ".join(words.split()) or folder_name
    code = _style_code(folder_name, taken)
    taken.add(code)
    alias = "" if folder_name == name or "|" in folder_name else folder_name
    return Product(code, name, name.lower(), "", "", (alias,) if alias else ())


def _style_code(folder_name: str, taken: set[str]) -> str:
    letters = re.sub(r"[^A-Z0-9]", "", without_accents(folder_name).upper())
    if not letters or not letters[0].isalpha():
        letters = f"P{letters}"
    digest = hashlib.sha256(folder_name.encode()).hexdigest().upper()
    if len(letters) > _CODE_LENGTH:
        letters = letters[: _CODE_LENGTH - 4] + digest[:4]
    if len(letters) < 3:
        letters += digest[:4]
    for end in range(4, 12):
        if letters not in taken:
            return letters
        letters = letters[: _CODE_LENGTH - end] + digest[:end]
    raise MarketError(f"folder {folder_name!r} has no style code of its own; rename it")
