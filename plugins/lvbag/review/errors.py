"""The error of reviewing."""

from __future__ import annotations

from lvbag.errors import LvbagError


class ReviewError(LvbagError):
    """An item or a decision is not what it must be; the message names it and the remedy."""
