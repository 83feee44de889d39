"""The error of curation."""

from __future__ import annotations

from lvbag.errors import LvbagError


class CurateError(LvbagError):
    """A step of curation cannot be done; the message names the night or object and the remedy."""
