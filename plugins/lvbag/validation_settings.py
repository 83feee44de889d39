"""The settings of validation: the bounds of its expectations, each beside its reason. They are part of `curate`.

What an expectation does when it fails stands in `lvbag.curate.validation.expectations`; here are only the numbers.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from pydantic import Field

from lvbag.setting_types import Group, PositiveFloat, PositiveInt, Share

_Bits = Annotated[float, Field(ge=0.0, le=8.0)]
_AtLeast0 = Annotated[float, Field(ge=0.0)]
_AtLeast1 = Annotated[float, Field(ge=1.0)]


class ValidationSettings(Group):
    """When a picture is refused, when a source's night is set aside, and what is only noted."""

    max_aspect: _AtLeast1 = Field(default=4.0, description="longer side over shorter; beyond it are banners, dividers")
    min_contrast: Share = Field(
        default=0.01, description="standard deviation of grey (0 to 1); a blank picture in JPEG stays below it"
    )
    min_entropy: _Bits = Field(
        default=0.3, description="bits of the grey histogram; a small bag on plain white still has 0.4"
    )
    min_brightness: Share = Field(
        default=0.02, description="mean of grey; a photo at a twentieth of its light still has 0.03, and shows nothing"
    )
    min_blur: _AtLeast0 = Field(
        default=4.0,
        description="variance of the Laplacian; sharp photos have 170 and more, and about 4 when they are blurred by a "
        "twentieth of their shorter side",
    )

    note_share: Share = Field(
        default=0.05, description="a night is noted when a larger share of its pictures is odd in one of these ways:"
    )
    note_dark: Share = Field(default=0.2, description="mean of grey below it; bags that are lit at all stay above")
    note_bright: Share = Field(default=0.97, description="mean of grey above it: hardly anything but background")
    note_blurry: _AtLeast0 = Field(
        default=80.0, description="variance of the Laplacian below it: half of what the softest good photos have"
    )
    note_plain: _Bits = Field(default=1.0, description="bits of the grey histogram below it: drawings and tiny bags")
    note_aspect: _AtLeast1 = Field(default=2.5, description="longer side over shorter above it: often a cut-off photo")
    note_size: _AtLeast1 = Field(
        default=10.0, description="so many times wider or narrower than the source's usual picture of the night"
    )
    note_grey: _AtLeast0 = Field(
        default=1.0, description="mean CIELAB chroma below it; noted when most are, as some black bags on white are"
    )

    min_batch_rows: PositiveInt = Field(
        default=30, description="a source that shows fewer (listings, pictures) in a night is not judged as a batch"
    )
    max_refused_share: Share = Field(
        default=0.5, description="a source of which more new pictures fail in a night is set aside for that night"
    )
    min_understood_share: Share = Field(
        default=0.5, description="of a source's pages; below it the shop changed them and what is read is in doubt"
    )
    max_same_share: Share = Field(
        default=0.8, description="of a source's new pictures that are one and the same: a placeholder, above it"
    )
    max_failed_fetches: Share = Field(default=0.5, description="of a source's pictures; more of them are noted")

    trailing_nights: Annotated[int, Field(ge=0, le=366)] = Field(
        default=14, description="earlier nights that a night is compared with; two weeks smooth a week; 0 compares none"
    )
    min_trailing_nights: Annotated[int, Field(ge=3)] = Field(
        default=5, description="a source with fewer sound ones is not compared: nobody knows yet what is usual"
    )
    normal_since: dt.date | None = Field(
        default=None,
        description="nights before this one are not compared with: set it where a source has changed for good",
    )
    min_volume: Share = Field(
        default=0.2, description="of the usual number of listings or pictures; fewer are noted: a tenth never passes"
    )
    max_volume: _AtLeast1 = Field(default=5.0, description="times the usual number; more are noted")
    note_price_loss: Share = Field(
        default=0.1, description="rise of the share of listings without a price, beyond chance, that is noted"
    )
    max_price_loss: Share = Field(
        default=0.4, description="the same, for which a source is set aside: its prices are read no more"
    )
    note_mix_shift: Share = Field(
        default=0.15, description="share of listings that changed products, beyond chance and custom, that is noted"
    )
    max_mix_shift: Share = Field(
        default=0.4, description="the same, for which a source is set aside: titles or searches are mixed up"
    )
    max_same_rise: Share = Field(
        default=0.3, description="rise of the share of pictures that are one and the same, beyond chance"
    )
    note_drift: PositiveFloat = Field(
        default=4.0, description="a measure's distance from the usual in its usual spread that is noted"
    )
    max_drift: PositiveFloat = Field(default=6.0, description="the distance that counts as a jump")
    max_jumps: Annotated[int, Field(ge=0)] = Field(
        default=2,
        description="measures that may jump in one night: another photographer changes one or two, another kind of "
        "picture more",
    )
