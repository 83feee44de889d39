"""Settings for small nights."""

from __future__ import annotations

import pytest

from curate.curate_frames import small
from lvbag.settings import Settings


@pytest.fixture
def chosen(settings: Settings) -> Settings:
    """Default settings for small pictures and few of them."""
    return small(settings)
