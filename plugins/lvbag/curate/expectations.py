"""What a night must look like: every expectation of the validation step, in the order of its pages.

This is the place to read or to change a check. Each one names a column, a kind of check, its bounds and why it is
there; `lvbag.curate.validate` turns the list into Great Expectations suites and reads the answers. Three severities:

- `row`: a picture that fails is refused; a listing that fails takes its pictures along
- `batch`: the whole night is set aside, because something upstream broke
- `note`: the failure is shown in the data docs and logged, and nothing is refused
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lvbag.settings import CurateSettings, ImageSettings

Severity = Literal["row", "batch", "note"]
Suite = Literal["listings", "images", "night"]
Bound = str | float | int | Sequence[str | bool]

NOT_UNDERSTOOD = ("not_understood",)
"""Rules by which the crawl refuses a listing page that came and could not be read."""

MAX_PRICE = 10_000_000.0
MIN_UNDERSTOOD_SHARE = 0.5
MIN_KEPT_SHARE = 0.02


@dataclass(frozen=True)
class Expected:
    """One expectation.

    `suite` is the table it is about: `listings` (the kept listings), `images` (the kept pictures) or `night` (one row
    with the night's counts). `name` stands in reasons and is unique; `check` is the class of
    `great_expectations.expectations`, `bounds` its arguments beside `column`; nulls pass every check but
    `ExpectColumnValuesToNotBeNull`.
    """

    suite: Suite
    name: str
    column: str
    check: str
    bounds: dict[str, Bound]
    severity: Severity
    why: str


def expectations(curate: CurateSettings, images: ImageSettings, style_codes: Sequence[str]) -> tuple[Expected, ...]:
    """All expectations of a night; `style_codes` are those that the night's listings were matched to."""
    return (*_listings(), *_images(curate, images, style_codes), *_night())


def _listings() -> tuple[Expected, ...]:
    return (
        Expected(
            suite="listings",
            name="listing_title",
            column="title",
            check="ExpectColumnValuesToNotBeNull",
            bounds={},
            severity="row",
            why="a listing is labelled by its title; without one its label came from nowhere",
        ),
        Expected(
            suite="listings",
            name="listing_url_known",
            column="url",
            check="ExpectColumnValuesToNotBeNull",
            bounds={},
            severity="row",
            why="a picture whose listing cannot be looked up again cannot be checked by a person",
        ),
        Expected(
            suite="listings",
            name="listing_url",
            column="url",
            check="ExpectColumnValuesToMatchRegex",
            bounds={"regex": r"^(https?://[^/\s]+|folder:///)"},
            severity="row",
            why="anything but an http(s) address, or a file that a partner sent, was no page of a shop",
        ),
        Expected(
            suite="listings",
            name="one_listing_one_product",
            column="products_of_listing",
            check="ExpectColumnValuesToBeBetween",
            bounds={"max_value": 1},
            severity="row",
            why="two searches may find one listing, but an identifier that stands for two products labels pictures "
            "wrongly: the parser mixes listings up, or the shop uses an identifier again",
        ),
        Expected(
            suite="listings",
            name="listing_price",
            column="price",
            check="ExpectColumnValuesToBeBetween",
            bounds={"min_value": 0.0, "max_value": MAX_PRICE},
            severity="row",
            why="a negative price, or one of ten millions, was read from the wrong place in the page",
        ),
        Expected(
            suite="listings",
            name="listing_currency",
            column="currency",
            check="ExpectColumnValuesToMatchRegex",
            bounds={"regex": r"^[A-Z]{3}$"},
            severity="row",
            why="currencies are three letters (ISO 4217); a symbol or a word was read from the wrong place",
        ),
    )


def _images(curate: CurateSettings, images: ImageSettings, style_codes: Sequence[str]) -> tuple[Expected, ...]:
    return (
        Expected(
            suite="images",
            name="image_digest",
            column="sha256",
            check="ExpectColumnValuesToMatchRegex",
            bounds={"regex": r"^[0-9a-f]{64}$"},
            severity="batch",
            why="the digest is the picture's name everywhere; a malformed one means that an earlier step is broken",
        ),
        Expected(
            suite="images",
            name="image_once",
            column="sha256",
            check="ExpectColumnValuesToBeUnique",
            bounds={},
            severity="batch",
            why="exact duplicates were refused before; one that is still here means that an earlier step is broken",
        ),
        Expected(
            suite="images",
            name="image_side",
            column="shorter_side",
            check="ExpectColumnValuesToBeBetween",
            bounds={"min_value": images.min_side_px},
            severity="row",
            why="images.min_side_px: smaller pictures show too little to tell products apart",
        ),
        Expected(
            suite="images",
            name="image_aspect",
            column="aspect",
            check="ExpectColumnValuesToBeBetween",
            bounds={"min_value": 1.0, "max_value": curate.max_aspect},
            severity="row",
            why="curate.max_aspect: longer strips are banners, size charts or dividers",
        ),
        Expected(
            suite="images",
            name="image_contrast",
            column="contrast",
            check="ExpectColumnValuesToBeBetween",
            bounds={"min_value": curate.min_contrast},
            severity="row",
            why="curate.min_contrast: below it the picture is blank (placeholder, failed render)",
        ),
        Expected(
            suite="images",
            name="image_entropy",
            column="entropy",
            check="ExpectColumnValuesToBeBetween",
            bounds={"min_value": curate.min_entropy},
            severity="row",
            why="curate.min_entropy: fewer bits of grey hold a flat drawing or a bar, and no photograph",
        ),
        Expected(
            suite="images",
            name="image_product",
            column="style_code",
            check="ExpectColumnValuesToBeInSet",
            bounds={"value_set": tuple(style_codes)},
            severity="row",
            why="a label that no listing of the night carries came from another night's table",
        ),
    )


def _night() -> tuple[Expected, ...]:
    return (
        Expected(
            suite="night",
            name="night_pictures",
            column="pictures",
            check="ExpectColumnValuesToBeBetween",
            bounds={"min_value": 1},
            severity="batch",
            why="there is something to validate",
        ),
        Expected(
            suite="night",
            name="night_understood",
            column="understood_share",
            check="ExpectColumnValuesToBeBetween",
            bounds={"min_value": MIN_UNDERSTOOD_SHARE},
            severity="batch",
            why="where most listing pages of a night cannot be read, the shop changed its pages, and what the parser "
            "still reads from the others is in doubt",
        ),
        Expected(
            suite="night",
            name="night_kept",
            column="kept_share",
            check="ExpectColumnValuesToBeBetween",
            bounds={"min_value": MIN_KEPT_SHARE},
            severity="note",
            why="few new pictures among many is usual after a quiet day, and worth a look when it lasts",
        ),
    )
