"""The command line reads its settings from the environment: here it is told of a test's store."""

from __future__ import annotations

import pytest

from lvbag.settings import StoreSettings


def name_store(monkeypatch: pytest.MonkeyPatch, store: StoreSettings) -> None:
    """Point the settings of this process at a store."""
    monkeypatch.setenv("LVBAG_STORE__ENDPOINT", str(store.endpoint))
    monkeypatch.setenv("LVBAG_STORE__ACCESS_KEY", store.access_key.get_secret_value())
    monkeypatch.setenv("LVBAG_STORE__SECRET_KEY", store.secret_key.get_secret_value())
    monkeypatch.setenv("LVBAG_STORE__BUCKET_PREFIX", store.bucket_prefix)
