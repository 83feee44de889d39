"""The command line reads its settings from the environment: here it is told of a test's store."""

from __future__ import annotations

from pathlib import Path

import pytest

from lvbag.settings import StoreSettings


def name_store(monkeypatch: pytest.MonkeyPatch, store: StoreSettings) -> None:
    """Point the settings of this process at a store."""
    monkeypatch.setenv("LVBAG_STORE__ENDPOINT", str(store.endpoint))
    monkeypatch.setenv("LVBAG_STORE__ACCESS_KEY", store.access_key.get_secret_value())
    monkeypatch.setenv("LVBAG_STORE__SECRET_KEY", store.secret_key.get_secret_value())
    monkeypatch.setenv("LVBAG_STORE__BUCKET_PREFIX", store.bucket_prefix)


def own_home(monkeypatch: pytest.MonkeyPatch, folder: Path, store: StoreSettings) -> Path:
    """A home with empty settings over a test's store, as a person has one; returns its folder of settings."""
    monkeypatch.setenv("LVBAG_HOME", str(folder / "home"))
    name_store(monkeypatch, store)
    config = folder / "home" / "config"
    config.mkdir(parents=True)
    (config / "lvbag.yaml").write_text("{}", encoding="utf-8")
    return config
