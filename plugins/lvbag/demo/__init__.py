"""A small marketplace on loopback, for trying the whole chain without touching anybody's shop.

It renders bag products and the rubbish that real markets hold (`market`, `scene`, `bags`, `distractors`), serves them
as an HTTP shop (`server`, `pages`) and writes a label export for the detector (`labels`). With a folder of real
photographs (`photos`) it serves those instead. Nothing else in lvbag knows that a shop is this one.

The names below load their modules on first use, so that importing this package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lvbag.lazy import lazy_exports

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

__getattr__ = lazy_exports(__name__, _HOMES)
