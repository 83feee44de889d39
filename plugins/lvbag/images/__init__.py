"""Pictures: decode safely, normalise, fingerprint, measure. Nothing here knows of nights, stores or models.

Import the names from here. The modules are named otherwise than the functions, because a module that is loaded
becomes an attribute of its package and would hide a function of the same name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lvbag.lazy import lazy_exports

if TYPE_CHECKING:
    from lvbag.images.decoding import Header, ImageRefused, check_header, decode
    from lvbag.images.files import read_file
    from lvbag.images.fingerprints import Fingerprint, fingerprint
    from lvbag.images.looking import Look, look
    from lvbag.images.measures import Quality, quality
    from lvbag.images.prepare import square
    from lvbag.images.text import text_share

_HOMES = {
    "Fingerprint": "fingerprints",
    "Header": "decoding",
    "ImageRefused": "decoding",
    "Look": "looking",
    "Quality": "measures",
    "check_header": "decoding",
    "decode": "decoding",
    "fingerprint": "fingerprints",
    "look": "looking",
    "quality": "measures",
    "read_file": "files",
    "square": "prepare",
    "text_share": "text",
}

__all__ = [
    "Fingerprint",
    "Header",
    "ImageRefused",
    "Look",
    "Quality",
    "check_header",
    "decode",
    "fingerprint",
    "look",
    "quality",
    "read_file",
    "square",
    "text_share",
]

__getattr__ = lazy_exports(__name__, _HOMES)
