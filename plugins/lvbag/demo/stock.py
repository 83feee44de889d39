"""Who offers what on which night of the drawn marketplace: a pure function of seed and night.

A night's offers never depend on later nights, so a market that grows keeps every earlier listing as it was.
"""

from __future__ import annotations

import hashlib
import random
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from lvbag.catalog import Product
from lvbag.demo.listings import Edit, Fault, Format, Listing, PageKind, Photo
from lvbag.demo.scene import Shot, Subject

FIRST_NIGHT_LISTINGS = 14  # good ones of a product, of 3 or 4 photos
LATER_LISTINGS = 3  # a night, one more for every second product
COPIED = (Edit.SAME, Edit.RESIZED, Edit.WATERMARKED, Edit.RECOMPRESSED)

# One broken file a product on the first night. Few on purpose: each stands for a path through the system.
_FAULTS: tuple[Fault, ...] = (
    Fault.TRUNCATED, Fault.TEXT_FILE, Fault.TRUNCATED, Fault.HTML_FILE, Fault.BOMB, Fault.TRUNCATED,
    Fault.MISSING, Fault.TEXT_FILE, Fault.TRUNCATED, Fault.BOMB, Fault.HTML_FILE, Fault.TRUNCATED,
)  # fmt: skip
# What answers 503 once, by product number and listing. Three in all: each costs the crawler a second.
_FLAKY_PHOTOS = ((5, 1), (8, 3))
_FLAKY_PAGE = (2, 0)
_ODD_PAGES = (PageKind.NOT_HTML, PageKind.BROKEN_JSON, PageKind.NO_PRODUCT, PageKind.PRIVATE, PageKind.BROKEN_JSON)
_FORMATS = [Format.JPG] * 42 + [Format.PNG] * 3 + [Format.WEBP] * 3 + [Format.AVIF] * 2
_EXTRAS = (Subject.RECEIPT, Subject.BOX, Subject.PERSON, Subject.BANNER)

_TITLES_FULL = (
    "Louis Vuitton {name} {material} {code}",
    "LOUIS VUITTON {NAME} {code} - {condition}",
    "Authentic Louis Vuitton {name} handbag {code}",
    "{condition} Louis Vuitton {material} {name} {code}",
    "Sac Louis Vuitton {name} réf. {code}",
    "Louis Vuitton Tasche {name} ({code}) {condition}",
)
_TITLES_NAME = ("Louis Vuitton {name} {material}", "Auth LOUIS VUITTON {name} {material} {condition}")
_TITLES_CODE = ("Louis Vuitton bag {code} {condition}", "LV {code} {material}")
_NO_BAGS = (
    (Subject.SHOE, "Louis Vuitton sneakers size {size} {condition}"),
    (Subject.WALLET, "Louis Vuitton Zippy wallet {condition}"),
    (Subject.BOX, "Louis Vuitton gift box with ribbon, empty"),
    (Subject.RECEIPT, "Louis Vuitton receipt and paper bag"),
    (Subject.PERSON, "Fashion photo print, lady in the city"),
    (Subject.WALLET, "Louis Vuitton key holder 6 {condition}"),
)
_DISGUISED = (Subject.WALLET, Subject.SHOE, Subject.BOX, Subject.RECEIPT, Subject.PERSON, Subject.BANNER)
_CONDITIONS = ("Very good", "Excellent", "Good", "Used", "Like new", "Vintage")
_SELLERS = (
    "maison-retro",
    "lux_corner",
    "bagloft",
    "Second Act",
    "vestiaire-paris9",
    "tokyo_brands",
    "mira.h",
    "closet42",
)
_CURRENCIES = ("EUR", "EUR", "EUR", "USD", "GBP")


@dataclass(frozen=True)
class _Shelf:
    """A product's place in the market of a seed."""

    product: Product
    number: int  # in the catalog's order, from 0
    neighbour: str  # style code of the next product, whose search shows some of these offers
    seed: int


class _Draft:
    """A listing in the making: its identity, and the random numbers that only it draws."""

    def __init__(self, shelf: _Shelf, night: int, kind: str, index: int = 0) -> None:
        self.key = f"{shelf.seed}/{night}/{shelf.product.style_code}/{kind}/{index}"
        self.rng = random.Random(self.key)
        self.night = night
        self.listing_id = listing_number(self.key)
        self.found_for: tuple[str, ...] = (shelf.product.style_code,)

    def path(self, position: int, extension: str) -> str:
        return f"/img/{self.listing_id}/{position}.{extension}"

    def photo(self, position: int, subject: Subject, style_code: str | None) -> Photo:
        """A photo in any format; some extensions lie."""
        encoded = self.rng.choice(_FORMATS)
        cut_out = subject is Subject.BAG and encoded in (Format.PNG, Format.WEBP) and self.rng.random() < 0.6
        lies = encoded is not Format.JPG and self.rng.random() < 0.4
        extension = self.rng.choice([other for other in Format if other is not encoded]) if lies else encoded
        sideways = encoded is Format.JPG and self.rng.random() < 0.02
        shot = Shot(subject, style_code, self.key, f"{self.key}/{position}", cut_out)
        path = self.path(position, str(extension))
        return Photo(path, self.listing_id, self.night, encoded, shot=shot, sideways=sideways)

    def photos(self, count: int, subject: Subject, style_code: str | None) -> tuple[Photo, ...]:
        return tuple(self.photo(position, subject, style_code) for position in range(count))

    def faulty(self, position: int, product: Product, fault: Fault) -> Photo:
        truncated = fault is Fault.TRUNCATED
        shot = Shot(Subject.BAG, product.style_code, self.key, f"{self.key}/{position}") if truncated else None
        encoded = Format.PNG if fault is Fault.BOMB else Format.JPG
        path = self.path(position, str(encoded))
        return Photo(path, self.listing_id, self.night, encoded, shot=shot, fault=fault)

    def listing(self, product: Product, photos: tuple[Photo, ...]) -> Listing:
        """The finished listing, titled as the product."""
        rng = self.rng
        condition = rng.choice(_CONDITIONS)
        title = _title(rng, product, condition)
        return Listing(
            listing_id=self.listing_id,
            night=self.night,
            found_for=self.found_for,
            titled=product.style_code,
            title=title,
            price=float(rng.randrange(240, 2400, 5)),
            currency=rng.choice(_CURRENCIES),
            seller=rng.choice(_SELLERS),
            condition=condition,
            description=f"{title}. {condition} condition, {product.material}. Ships within {rng.randrange(1, 6)} days.",
            photos=photos,
        )


def night_stock(products: Sequence[Product], seed: int, night: int) -> Iterator[Listing]:
    """The listings that appear on a night (from 1), of every product."""
    for number, product in enumerate(products):
        shelf = _Shelf(product, number, products[(number + 1) % len(products)].style_code, seed)
        for index in range(_good_count(number, night)):
            yield _good(shelf, night, index)
        if night == 1:
            yield from _first_night_noise(shelf, products[(number + 5) % len(products)])
        else:
            yield _relisted(shelf, night, 0)
            yield _no_bag(shelf, night)


def _first_night_noise(shelf: _Shelf, other: Product) -> Iterator[Listing]:
    yield _relisted(shelf, 1, 0)
    yield _relisted(shelf, 1, 1)
    yield _disguised(shelf)
    yield _no_bag(shelf, 1)
    yield _named_after_another(shelf, other)
    if shelf.number % 3 == 0:
        yield _nameless(shelf)
    if shelf.number % 2 == 0 and shelf.number // 2 < len(_ODD_PAGES):
        yield _odd_page(shelf, _ODD_PAGES[shelf.number // 2])


def _good_count(number: int, night: int) -> int:
    return FIRST_NIGHT_LISTINGS if night == 1 else LATER_LISTINGS + number % 2


# ------------------------------------------------------------------ kinds of listings


def _good(shelf: _Shelf, night: int, index: int) -> Listing:
    """An honest offer: 3 or 4 photos of one bag, now and then one more of something else."""
    draft = _Draft(shelf, night, "good", index)
    number, code = shelf.number, shelf.product.style_code
    photos = []
    for position in range(3 + (index + number) % 2):
        subject = Subject.PERSON_WITH_BAG if draft.rng.random() < 0.04 else Subject.BAG
        photos.append(draft.photo(position, subject, code))
    if index % 5 == 2:
        photos.append(draft.photo(len(photos), _EXTRAS[(number + index // 5) % len(_EXTRAS)], None))
    if night == 1 and index == 4:
        photos.append(draft.faulty(len(photos), shelf.product, _FAULTS[number % len(_FAULTS)]))
    if night == 1 and (number, index) in _FLAKY_PHOTOS:
        photos[0] = replace(photos[0], flaky=True)
    if index % 7 == 0:
        draft.found_for = (code, shelf.neighbour)
    listing = draft.listing(shelf.product, tuple(photos))
    return replace(listing, flaky=night == 1 and (number, index) == _FLAKY_PAGE)


def _relisted(shelf: _Shelf, night: int, index: int) -> Listing:
    """Photos of an earlier honest offer under a new address, edited or not."""
    draft = _Draft(shelf, night, "relisted", index)
    origin_night = draft.rng.randint(1, night)
    origin = _good(shelf, origin_night, draft.rng.randrange(_good_count(shelf.number, origin_night)))
    bags = [photo for photo in origin.photos if photo.shot and photo.fault is None and photo.shot.style_code]
    photos = []
    for position, photo in enumerate(bags[:2]):
        edit = COPIED[(position + 2 * index + shelf.number + night) % len(COPIED)]
        encoded = photo.format if edit is Edit.SAME else Format.JPG
        photos.append(
            Photo(
                path=draft.path(position, str(encoded)),
                listing_id=draft.listing_id,
                night=night,
                format=encoded,
                shot=photo.shot,
                edit=edit,
                copy_of=photo.path,
                sideways=photo.sideways and edit is Edit.SAME,
            )
        )
    return draft.listing(shelf.product, tuple(photos))


def _disguised(shelf: _Shelf) -> Listing:
    """Something else under the product's name."""
    draft = _Draft(shelf, 1, "disguised")
    subject = _DISGUISED[shelf.number % len(_DISGUISED)]
    return draft.listing(shelf.product, draft.photos(2, subject, None))


def _no_bag(shelf: _Shelf, night: int) -> Listing:
    """Something else under its own name, which the shop's search shows nevertheless."""
    draft = _Draft(shelf, night, "no-bag")
    subject, template = _NO_BAGS[(shelf.number + night) % len(_NO_BAGS)]
    listing = draft.listing(shelf.product, draft.photos(2, subject, None))
    title = template.format(size=draft.rng.randrange(36, 44), condition=listing.condition)
    return replace(listing, title=title, titled=None, description=f"{title}. {listing.condition} condition.")


def _named_after_another(shelf: _Shelf, other: Product) -> Listing:
    """An offer of another product that this product's search shows as well."""
    draft = _Draft(shelf, 1, "another")
    return draft.listing(other, draft.photos(2, Subject.BAG, other.style_code))


def _nameless(shelf: _Shelf) -> Listing:
    """A bag whose title says too little."""
    draft = _Draft(shelf, 1, "nameless")
    listing = draft.listing(shelf.product, draft.photos(2, Subject.BAG, shelf.product.style_code))
    title = f"Louis Vuitton handbag, {listing.condition.lower()}"
    return replace(listing, title=title, titled=None, description=title)


def _odd_page(shelf: _Shelf, page: PageKind) -> Listing:
    """A page that no parser can use, or that robots.txt forbids."""
    draft = _Draft(shelf, 1, "odd")
    photos: tuple[Photo, ...] = ()
    if page is PageKind.PRIVATE:
        shown = draft.photo(0, Subject.BAG, shelf.product.style_code)
        photos = (replace(shown, path=f"/private{shown.path}"),)
    return replace(draft.listing(shelf.product, photos), page=page)


# ------------------------------------------------------------------ parts


def _title(rng: random.Random, product: Product, condition: str) -> str:
    draw = rng.random()
    templates = _TITLES_FULL if draw < 0.65 else _TITLES_NAME if draw < 0.88 else _TITLES_CODE
    name, material = product.name, product.material
    if rng.random() < 0.4:
        name, material = without_accents(name), without_accents(material)
    return rng.choice(templates).format(
        name=name, NAME=name.upper(), code=product.style_code, material=material, condition=condition
    )


def listing_number(key: str) -> str:
    """Twelve digits, as large shops have them, that follow from a key.

    Two of a market's few hundred keys meet with odds of 1 in 10^7.
    """
    return str(10**11 + int(hashlib.sha256(key.encode()).hexdigest()[:16], 16) % (9 * 10**11))


def without_accents(text: str) -> str:
    """The text in plain letters: Noé becomes Noe."""
    return "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
