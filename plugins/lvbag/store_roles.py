"""Who works with the store: one user a role, with no more rights than its steps need.

What each role may do stands in `docker/policies/<role>.json`. Where the store knows only one user, as the embedded one
does, every role is that user.
"""

from __future__ import annotations

from enum import StrEnum


class StoreRole(StrEnum):
    """The five users; a value is the name of a policy and of an entry in `store.roles`."""

    CRAWLER = "crawler"
    """Writes the raw bucket and nothing else."""

    CURATOR = "curator"
    """Reads raw; writes curated, datasets and reports."""

    TRAINER = "trainer"
    """Reads datasets and crops; writes models, and what networks found odd or suspicious."""

    OPERATOR = "operator"
    """What people ask for: roll back, take down, collect garbage. It alone removes for good, but no history."""

    READER = "reader"
    """Pages, the console, the command line: reads everything, writes nothing."""
