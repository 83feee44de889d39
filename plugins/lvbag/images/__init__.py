"""Pictures: decode safely, normalise, fingerprint, measure. Nothing here knows of nights, stores or models.

Import the names from here. The modules are named otherwise than the functions, because a module that is loaded
becomes an attribute of its package and would hide a function of the same name.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lvbag.images.decoding import Header, ImageRefused, check_header, decode
    from lvbag.images.fingerprints import Fingerprint, fingerprint
    from lvbag.images.measures import Quality, quality
    from lvbag.images.prepare import square

_HOMES = {
    "Fingerprint": "fingerprints",
    "Header": "decoding",
    "ImageRefused": "decoding",
    "Quality": "measures",
    "check_header": "decoding",
    "decode": "decoding",
    "fingerprint": "fingerprints",
    "quality": "measures",
    "square": "prepare",
}

__all__ = [
    "Fingerprint",
    "Header",
    "ImageRefused",
    "Quality",
    "check_header",
    "decode",
    "fingerprint",
    "quality",
    "square",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
