"""What a night must look like: every expectation of the validation step, in the order of its pages.

This is the place to read or to change a check; `gx_run` turns the list into Great Expectations suites.
A row of the first three tables is a listing, a fetch, a picture; a row of the last is a batch: one source of the
night. Three severities say what a failure does:

- `row`: a picture that fails is refused; a listing or a fetch that fails takes its pictures along
- `batch`: the whole source is set aside for this night, because something upstream broke; the other sources go on.
  Where every source fails, every source is set aside, each with its own reason, and the night keeps nothing
- `note`: the failure is shown in the data docs, logged and reported, and nothing is refused

The last table holds a source against its own trailing nights (`drift`): figures that cannot be judged yet
are null there and pass. Bounds are settings, with their reasons, under `curate`.
"""

from __future__ import annotations

from collections.abc import Sequence

from lvbag.curate.validation.drift import FLOORS
from lvbag.curate.validation.expected import Expected, between, matching, once, one_of, stated
from lvbag.settings import Settings
from lvbag.validation_settings import ValidationSettings

MAX_PRICE = 10_000_000.0
HOURS_BEFORE, HOURS_AFTER = -24.0, 72.0
"""A night is the day (UTC) on which its crawl starts; a slow crawl ends a day later."""
FORMATS = ("jpg", "png", "webp", "avif")
ANSWERS = ("200", "304")
MIN_KEPT_SHARE = 0.02
MOST = 0.5

_ADDRESS = r"^(?:https?://[^/\s]+|folder:///)"
_DIGEST = r"^[0-9a-f]{64}$"


def expectations(settings: Settings, style_codes: Sequence[str]) -> tuple[Expected, ...]:
    """All expectations of a night; `style_codes` are those that the night's listings were matched to."""
    return (*_listings(), *_fetches(settings), *_images(settings, style_codes), *_night(settings.curate))


def _listings() -> tuple[Expected, ...]:
    """The kept listings of the night."""
    return (
        Expected("listings", "listing_title", stated("title"), "row",
            "a listing is labelled by its title; without one its label came from nowhere"),
        Expected("listings", "listing_url_known", stated("url"), "row",
            "a picture whose listing cannot be looked up again cannot be checked by a person"),
        Expected("listings", "listing_url", matching("url", _ADDRESS), "row",
            "anything but an http(s) address, or a file that a partner sent, was no page of a shop"),
        Expected("listings", "one_listing_one_product", between("products_of_listing", high=1), "row",
            "two searches may find one listing, but an identifier that stands for two products labels pictures "
            "wrongly: the parser mixes listings up, or the shop uses an identifier again"),
        Expected("listings", "listing_price", between("price", 0.0, MAX_PRICE), "row",
            "a negative price, or one of ten millions, was read from the wrong place in the page"),
        Expected("listings", "listing_currency", matching("currency", r"^[A-Z]{3}$"), "row",
            "currencies are three letters (ISO 4217); a symbol or a word was read from the wrong place"),
    )  # fmt: skip


def _fetches(settings: Settings) -> tuple[Expected, ...]:
    """The fetches of the night that gave a picture: kept, unchanged, or at an address that was met already."""
    return (
        Expected("fetches", "fetch_status", one_of("http_status", ANSWERS), "row",
            "a picture comes with status 200, or is as it was with 304; a part of a file or an error page is neither"),
        Expected("fetches", "fetch_bytes", between("bytes", 1, settings.crawl.max_image_bytes), "row",
            "crawl.max_image_bytes: nothing was read, or the crawl did not stop where it must"),
        Expected("fetches", "fetch_format", one_of("format", FORMATS), "row",
            "only these are ever decoded; the format is that of the content and part of the picture's address"),
        Expected("fetches", "fetch_digest_known", stated("sha256"), "row",
            "a picture without a digest has no address in the store"),
        Expected("fetches", "fetch_digest", matching("sha256", _DIGEST), "row",
            "the digest is the picture's name everywhere; a malformed one finds nothing"),
        Expected("fetches", "fetch_address", matching("image_url", _ADDRESS), "row",
            "anything but an http(s) address, or a file that a partner sent, was no picture of a shop"),
        Expected("fetches", "fetch_position", between("position", 0), "row",
            "positions count a listing's pictures from 0; a negative one comes from a broken table"),
        Expected("fetches", "fetch_time", between("hours_after_midnight", HOURS_BEFORE, HOURS_AFTER), "note",
            "fetched a day before the night, or days after it began: a clock jumped, or the night was crawled later by "
            "hand; the pictures are as good as any"),
        Expected("fetches", "fetch_once", between("rows_of_place", high=1), "note",
            "a listing's picture stands once in the table of a shard; a shard that was tried again while the shop "
            "changed the listing leaves two, many more mean that rows are doubled; the first one counts"),
    )  # fmt: skip


def _images(settings: Settings, style_codes: Sequence[str]) -> tuple[Expected, ...]:
    """The pictures that are kept so far: new tonight, decoded, no duplicates."""
    bounds, some = settings.curate, settings.curate.note_share
    return (
        Expected("images", "image_digest", matching("sha256", _DIGEST), "batch",
            "the digest is the picture's name everywhere; a malformed one means that an earlier step is broken"),
        Expected("images", "image_once", once("sha256"), "batch",
            "exact duplicates were refused before; one that is still here means that an earlier step is broken"),
        Expected("images", "image_side", between("shorter_side", settings.images.min_side_px), "row",
            "images.min_side_px: smaller pictures show too little to tell products apart"),
        Expected("images", "image_aspect", between("aspect", 1.0, bounds.max_aspect), "row",
            "curate.max_aspect: longer strips are banners, size charts or dividers"),
        Expected("images", "image_contrast", between("contrast", bounds.min_contrast), "row",
            "curate.min_contrast: below it the picture is blank (placeholder, failed render)"),
        Expected("images", "image_entropy", between("entropy", bounds.min_entropy), "row",
            "curate.min_entropy: fewer bits of grey hold a flat drawing or a bar, and no photograph"),
        Expected("images", "image_brightness", between("brightness", bounds.min_brightness), "row",
            "curate.min_brightness: next to black, nothing can be seen in it"),
        Expected("images", "image_blur", between("blur", bounds.min_blur), "row",
            "curate.min_blur: nothing in it has an edge, as in a preview that stands for a picture still to be loaded"),
        Expected("images", "image_product", one_of("style_code", style_codes), "row",
            "a label that no listing of the night carries came from another night's table"),
        Expected("images", "images_dark", between("brightness", bounds.note_dark, odd_share=some), "note",
            "curate.note_dark: many dark photos are hard to tell apart"),
        Expected("images", "images_bright", between("brightness", high=bounds.note_bright, odd_share=some), "note",
            "curate.note_bright: many of them show hardly anything but background"),
        Expected("images", "images_blurry", between("blur", bounds.note_blurry, odd_share=some), "note",
            "curate.note_blurry: many blurred photos, as when a shop serves enlarged previews"),
        Expected("images", "images_plain", between("entropy", bounds.note_plain, odd_share=some), "note",
            "curate.note_plain: many with little in them: drawings, logos, tiny bags on white"),
        Expected("images", "images_aspect", between("aspect", high=bounds.note_aspect, odd_share=some), "note",
            "curate.note_aspect: many narrow ones, as when galleries are sprites"),
        Expected("images", "images_size",
            between("size_ratio", 1.0 / bounds.note_size, bounds.note_size, odd_share=some), "note",
            "curate.note_size: many far larger or smaller than the source's usual picture of the night"),
        Expected("images", "images_grey", between("chroma", bounds.note_grey, odd_share=MOST), "note",
            "curate.note_grey: most are grey, and colour tells products apart"),
    )  # fmt: skip


def _night(bounds: ValidationSettings) -> tuple[Expected, ...]:
    """The sources of the night as batches: one row each, also one of zeros for a source that is missed."""
    return (
        Expected("night", "source_present", between("found", 1), "note",
            "the source gave neither a listing nor a picture: it is down, sends us away, or was not planned"),
        Expected("night", "source_understood", between("understood_share", bounds.min_understood_share), "batch",
            "curate.min_understood_share: where most listing pages cannot be read, the shop changed its pages, and "
            "what the parser still reads from the others is in doubt"),
        Expected("night", "source_kept", between("kept_share", MIN_KEPT_SHARE), "note",
            "few new pictures among many is usual after a quiet day, and worth a look when it lasts"),
        Expected("night", "source_fetches", between("failed_share", high=bounds.max_failed_fetches), "note",
            "curate.max_failed_fetches: most pictures could not be fetched; the reasons stand in the night's report"),
        Expected("night", "same_picture", between("same_share", high=bounds.max_same_share), "batch",
            "curate.max_same_share: nearly every new picture is one and the same, a placeholder"),
        Expected("night", "volume_listings", between("listings_ratio", bounds.min_volume, bounds.max_volume), "note",
            "curate.min_volume and curate.max_volume: listings found over the median of the trailing nights; a search "
            "that finds too little, or an understanding that finds too much"),
        Expected("night", "volume_pictures", between("pictures_ratio", bounds.min_volume, bounds.max_volume), "note",
            "the same of pictures, new and unchanged: galleries may break where listings do not"),
        Expected("night", "prices_noted", between("price_loss", high=bounds.note_price_loss), "note",
            "curate.note_price_loss: more listings without a price than in the trailing nights"),
        Expected("night", "prices_missing", between("price_loss", high=bounds.max_price_loss), "batch",
            "curate.max_price_loss: the prices are read no more; what else the parser reads there is in doubt"),
        Expected("night", "product_mix_noted", between("product_shift", high=bounds.note_mix_shift), "note",
            "curate.note_mix_shift: the listings name other products than in the trailing nights"),
        Expected("night", "product_mix", between("product_shift", high=bounds.max_mix_shift), "batch",
            "curate.max_mix_shift: titles are matched otherwise, or the searches lead elsewhere; labels are in doubt"),
        Expected("night", "class_mix_noted", between("class_shift", high=bounds.note_mix_shift), "note",
            "curate.note_mix_shift: the new pictures are of other products than in the trailing nights"),
        Expected("night", "class_mix", between("class_shift", high=bounds.max_mix_shift), "batch",
            "curate.max_mix_shift: the labels of the new pictures are in doubt"),
        Expected("night", "same_picture_rise", between("same_rise", high=bounds.max_same_rise), "batch",
            "curate.max_same_rise: one picture stands where others stood in the trailing nights, a placeholder"),
        *(Expected("night", f"drift_{name}", between(f"{name}_drift", high=bounds.note_drift), "note",
            f"curate.note_drift: {name} of the new pictures is far from the trailing nights, measured in their spread")
            for name in FLOORS),
        Expected("night", "quality_jump", between("jumps", high=bounds.max_jumps), "batch",
            "curate.max_jumps: so many measures of the new pictures jumped (curate.max_drift) that they are another "
            "kind of picture"),
    )  # fmt: skip
