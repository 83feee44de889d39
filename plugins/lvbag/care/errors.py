"""What can go wrong when the store is looked after."""

from __future__ import annotations

from lvbag.errors import LvbagError


class CareError(LvbagError):
    """Something cannot be taken down, checked or collected; the message names it and the remedy."""
