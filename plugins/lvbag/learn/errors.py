"""What goes wrong in learning."""

from __future__ import annotations

from lvbag.errors import LvbagError


class LearnError(LvbagError):
    """A training or an evaluation could not be done."""
