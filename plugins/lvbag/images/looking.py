"""One pass from bytes of unknown origin to all that curation wants to know of a picture.

The pixels are decoded once, and no larger than fingerprint and measures need. Who needs the picture itself (to crop it,
to classify it) calls `decode`; both refuse the same files for the same reasons. Nothing here keeps state: threads may
look at once.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from lvbag.images.decoding import Stored, read_stored
from lvbag.images.fingerprints import Fingerprint, fingerprint_reduced
from lvbag.images.measures import Quality, quality_reduced
from lvbag.images.reducing import Reduced, decoder_scale, reduced
from lvbag.images.symmetries import TURNS
from lvbag.settings import ImageSettings


@dataclass(frozen=True)
class Look:
    """What one pass sees: format (`jpg`, `png`, `webp`, `avif`), size in pixels as a viewer shows it, the rest."""

    format: str
    width: int
    height: int
    sha256: str
    print: Fingerprint
    quality: Quality


def look(data: bytes, limits: ImageSettings) -> Look:
    """Raises `ImageRefused` for what `decode` refuses, and nothing else."""
    stored, small = glimpse(data, limits)
    width, height = stored.size
    if stored.turn is not None and TURNS[stored.turn].swaps:
        width, height = height, width
    sha256 = hashlib.sha256(data).hexdigest()
    return Look(stored.format, width, height, sha256, fingerprint_reduced(small), quality_reduced(small))


def glimpse(data: bytes, limits: ImageSettings) -> tuple[Stored, Reduced]:
    """The decoding part of a look: the picture made small and put upright."""
    stored = read_stored(data, limits, decoder_scale)
    return stored, reduced(stored.image, stored.size, stored.scale).turned(stored.turn)
