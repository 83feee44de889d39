"""What the demo sets: its own `lvbag.yaml`, catalog and recipes in its home, so that nothing of the user's changes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import yaml

from lvbag.demo.market import demo_catalog

RECIPES = Path(__file__).parent / "recipes"


def write_configuration(home: Path, market_port: int, photos: Path | None) -> Path:
    """Write `<home>/config`; returns the folder. What stood there is replaced."""
    return write_into(home / "config", market_port, photos)


def write_into(folder: Path, market_port: int, photos: Path | None = None) -> Path:
    """Write `lvbag.yaml`, `catalog.csv` and `recipes/` into a folder, for a marketplace on this port of loopback."""
    shutil.rmtree(folder / "recipes", ignore_errors=True)
    shutil.copytree(RECIPES, folder / "recipes")
    (folder / "catalog.csv").write_text(demo_catalog(photos), encoding="utf-8")
    text = yaml.safe_dump(_settings(market_port, photos), sort_keys=False)
    (folder / "lvbag.yaml").write_text(f"# Written by `lvbag demo`; a change here is lost.\n{text}", encoding="utf-8")
    return folder


def _settings(market_port: int, photos: Path | None) -> dict[str, Any]:
    host = f"127.0.0.1:{market_port}"
    return {
        "crawl": {
            "contact": "demo on this machine",
            "loopback_hosts": [host],
            "min_delay_s": 0.0,  # the shop is ours
            "delay_factor": 0.0,
            "products_per_shard": 4,
            "max_retry_after_s": 5.0,
            "sources": {
                "market": {
                    "kind": "schema_org",
                    "search_url": f"http://{host}/search?q={{query}}",
                    "licence": "your own photographs" if photos else "drawn by this demo, free for any use",
                }
            },
        },
        "curate": {"min_images": 20},
        "detector": {"recipe": "demo_detector"},
        "outliers": {"seconds": 15.0},  # so that the demo stays short
        "train": {"recipes": ["demo_photos" if photos else "demo_classifier"], "min_new_images": 30},
    }
