"""What goes wrong in the registry."""

from __future__ import annotations

from lvbag.errors import LvbagError


class RegistryError(LvbagError):
    """A version, an evaluation or the alias is missing, incomplete, or not what the call needs."""
