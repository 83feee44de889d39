"""The marketplace as a pure object: what is offered on a night, what a search finds, what each photo truly shows."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable
from functools import cached_property, lru_cache
from pathlib import Path

from lvbag.catalog import COLUMNS, Product, load_catalog
from lvbag.demo.camera import Box
from lvbag.demo.encode import RESIZED_SHARE, photo_bytes, photo_size
from lvbag.demo.listings import Edit, Fault, Listing, MarketError, Noise, PageKind, Photo, Truth
from lvbag.demo.photos import photo_listings, photo_products
from lvbag.demo.scene import WITH_BAG, compose
from lvbag.demo.stock import night_stock, without_accents

MAX_NIGHT = 60
_IGNORED_WORDS = frozenset({"louis", "vuitton", "lv"})
_FAULT_NOISE = {fault: Noise(str(fault)) for fault in Fault}


class Market:
    """The market of a seed on a night (from 1). With `photos` it offers a folder of real photographs instead.

    Equal arguments give equal listings, bytes and ETags; a later night holds every listing of the earlier ones
    unchanged. Raises `MarketError` for a night outside 1 to `MAX_NIGHT` or an unusable folder.
    """

    def __init__(self, seed: int, night: int = 1, photos: Path | None = None) -> None:
        if not 1 <= night <= MAX_NIGHT:
            raise MarketError(f"night {night} is not between 1 and {MAX_NIGHT}")
        self.seed = seed
        self.night_number = night
        self.photos_folder = photos
        self.products = demo_products(photos)
        self.listings = _listings(seed, night, photos)
        self._listing_by_id = {listing.listing_id: listing for listing in self.listings}
        self._photo_by_path = {photo.path: photo for photo in self.photos}

    def night(self, number: int) -> Market:
        """The same market on another night."""
        return self if number == self.night_number else Market(self.seed, number, self.photos_folder)

    @property
    def photos(self) -> tuple[Photo, ...]:
        """Every image address, in the listings' order."""
        return tuple(photo for listing in self.listings for photo in listing.photos)

    def listing(self, listing_id: str) -> Listing | None:
        """The listing of an identifier, or None."""
        return self._listing_by_id.get(listing_id)

    def photo(self, path: str) -> Photo | None:
        """The photo of a URL's path, or None."""
        return self._photo_by_path.get(path)

    def content(self, photo: Photo) -> bytes:
        """A photo's bytes; draws them anew at every call. `MarketError` for one that is missing."""
        return photo_bytes(photo)

    def etag(self, photo: Photo) -> str:
        """Names the bytes: of a drawn photo without drawing it, of a real one by reading it."""
        if photo.file is None:
            return photo.etag
        return hashlib.sha256(photo_bytes(photo)).hexdigest()[:32]

    def search(self, query: str) -> tuple[Listing, ...]:
        """What the shop's search shows, newest first: words of style code, name, line and aliases, in any order.

        As in real shops that is more than the product: neighbours, copies, and things that are no bag.
        """
        words = _words(query) - _IGNORED_WORDS
        codes = {product.style_code for product in self.products if words <= self._vocabulary[product.style_code]}
        found = [
            listing
            for listing in self.listings
            if codes.intersection(listing.found_for) or words <= _words(listing.title)
        ]
        return tuple(sorted(found, key=lambda listing: (-listing.night, listing.listing_id)))

    @cached_property
    def _vocabulary(self) -> dict[str, frozenset[str]]:
        return {
            product.style_code: _words(
                " ".join((product.style_code, product.name, product.line, product.material, *product.aliases))
            )
            for product in self.products
        }

    def truth(self) -> tuple[Truth, ...]:
        """What every photo really shows; `MarketError` for real photographs, about which nothing is known."""
        if self.photos_folder is not None:
            raise MarketError("a market of real photographs has no truth: nobody has labelled them")
        return self._truth

    @cached_property
    def _truth(self) -> tuple[Truth, ...]:
        return tuple(_truth(listing, photo) for listing in self.listings for photo in listing.photos)


def demo_products(photos: Path | None = None) -> tuple[Product, ...]:
    """The products that the market sells."""
    return photo_products(photos) if photos is not None else load_catalog(Path(__file__).parent).products


def demo_catalog(photos: Path | None = None) -> str:
    """The text of a `catalog.csv` for the market: of the drawn products, or of a folder of photographs."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for product in demo_products(photos):
        writer.writerow(
            (product.style_code, product.name, product.line, product.material, product.size, "|".join(product.aliases))
        )
    return buffer.getvalue()


def _listings(seed: int, night: int, photos: Path | None) -> tuple[Listing, ...]:
    if photos is not None:
        return tuple(listing for listing in photo_listings(photos, seed) if listing.night <= night)
    products = demo_products()
    return tuple(listing for number in range(1, night + 1) for listing in night_stock(products, seed, number))


@lru_cache(maxsize=8192)
def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z0-9]+", without_accents(text).lower()))


def _truth(listing: Listing, photo: Photo) -> Truth:
    is_bag = photo.shot is not None and photo.shot.subject in WITH_BAG
    return Truth(
        path=photo.path,
        listing_id=photo.listing_id,
        night=photo.night,
        titled=listing.titled,
        product=photo.shot.style_code if photo.shot is not None else None,
        is_bag=is_bag,
        box=_box(photo),
        size=photo_size(photo),
        noise=_noise(listing, photo, is_bag),
        near_duplicate_of=photo.copy_of,
    )


def _noise(listing: Listing, photo: Photo, is_bag: bool) -> Noise | None:
    if listing.page is PageKind.PRIVATE:
        return Noise.FORBIDDEN
    if photo.fault is not None:
        return _FAULT_NOISE[photo.fault]
    if is_bag or photo.shot is None:
        return None
    return Noise(str(photo.shot.subject))


def _box(photo: Photo) -> Box | None:
    box = compose(photo.shot).box if photo.shot is not None else None
    if box is None or photo.edit is not Edit.RESIZED:
        return box
    x0, y0, x1, y1 = (value * RESIZED_SHARE for value in box)
    return x0, y0, x1, y1


def digest(parts: Iterable[str]) -> str:
    """A short name for texts: equal texts, equal name."""
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()[:32]
