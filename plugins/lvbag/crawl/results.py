"""What the steps of the crawl return: names and counts, never data."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True)
class NightPlan:
    """`shards` are named `<source>.<nnn>`; `requests` is what all shards of the night together may send."""

    night: dt.date
    shards: tuple[str, ...]
    requests: int


@dataclass(frozen=True)
class ShardResult:
    """One shard. `kept`, `unchanged` and `duplicate` count pictures; `refused` counts pictures and pages."""

    shard: str
    reused: bool  # it stood already and nothing was fetched
    listings: int
    kept: int
    unchanged: int
    duplicate: int
    refused: int


@dataclass(frozen=True)
class NightResult:
    """One night. `refused` counts pictures and pages; `changed` is False when there is nothing new to curate."""

    night: dt.date
    uri: str  # of the manifest
    listings: int
    images_new: int
    images_unchanged: int
    refused: int
    changed: bool
