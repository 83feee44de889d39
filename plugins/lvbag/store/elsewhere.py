"""Another store than the one of the settings, named by a file: for copies from one store to another.

The file has the lines that `lvbag up` writes into `embedded.env`: `LVBAG_STORE__ENDPOINT=…`, with `ACCESS_KEY` and
`SECRET_KEY` the same, and whatever else of the group `store` differs from its default. Neither this process's
environment nor its `lvbag.yaml` has a say in it.
"""

from __future__ import annotations

from pathlib import Path

from dotenv import dotenv_values
from pydantic import ValidationError

from lvbag.settings import PREFIX, SettingsError, StoreSettings

_PREFIX = f"{PREFIX}STORE__"
_NEEDED = ("endpoint", "access_key", "secret_key")


def read_store_file(path: Path) -> StoreSettings:
    """The store that a file names; raises `SettingsError`, which shows no value of it."""
    try:
        lines = dotenv_values(path, interpolate=False) if path.is_file() else None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from None
    if lines is None:
        raise SettingsError(f"{path} does not exist; it must hold {_PREFIX}ENDPOINT, …ACCESS_KEY and …SECRET_KEY")
    foreign = sorted(name for name in lines if not name.startswith(_PREFIX))
    if foreign:
        raise SettingsError(f"{path} must name a store and nothing else: {foreign[0]} does not begin with {_PREFIX}")
    values = {name.removeprefix(_PREFIX).lower(): value for name, value in lines.items()}
    missing = [name for name in _NEEDED if not values.get(name)]
    if missing:
        raise SettingsError(f"{path} lacks {', '.join(_PREFIX + name.upper() for name in missing)}")
    try:
        return StoreSettings.model_validate(values)
    except ValidationError as error:
        wrong = "; ".join(f"{_PREFIX}{str(item['loc'][0]).upper()}: {item['msg']}" for item in error.errors())
        raise SettingsError(f"{path} names no store: {wrong}") from None
