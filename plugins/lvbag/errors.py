"""The root of lvbag's errors.

Every error that crosses a module's border derives from `LvbagError`; its message names the thing at fault
(listing, URL, object key or setting) and what to do. Each package has its own small subclass beside its code.
"""

from __future__ import annotations


class LvbagError(Exception):
    """Something failed in a way that a user can understand and act on. The command line prints the message alone."""
