"""A small marketplace on loopback, for trying the whole chain without touching anybody's shop.

It renders bag products and the rubbish that real markets hold (`market`, `scene`, `bags`, `distractors`), serves them
as an HTTP shop (`server`, `pages`) and writes a label export for the detector (`labels`). With a folder of real
photographs (`photos`) it serves those instead. Nothing else in lvbag knows that a shop is this one.

The names below load their modules on first use, so that importing this package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lvbag.demo.labels import write_labels
    from lvbag.demo.market import Market, demo_catalog
    from lvbag.demo.server import MarketServer, serve

__all__ = ["Market", "MarketServer", "demo_catalog", "serve", "write_labels"]

_HOMES = {
    "Market": "market",
    "MarketServer": "server",
    "demo_catalog": "market",
    "serve": "server",
    "write_labels": "labels",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"lvbag.demo.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
