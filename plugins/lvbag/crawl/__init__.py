"""The crawl: plan a night, fetch listings and pictures politely, close the night.

The functions below are what DAGs, pages and the command line call. They are imported when they are first used, so
that naming this package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lvbag.lazy import lazy_exports

if TYPE_CHECKING:
    from lvbag.crawl.close import close_night
    from lvbag.crawl.errors import CrawlError
    from lvbag.crawl.plan import plan_night
    from lvbag.crawl.results import NightPlan, NightResult, ShardResult
    from lvbag.crawl.shard import crawl_shard
    from lvbag.crawl.sources import parse_page
    from lvbag.crawl.titles import Match, match_title

_HOMES = {
    "CrawlError": "errors",
    "Match": "titles",
    "NightPlan": "results",
    "NightResult": "results",
    "ShardResult": "results",
    "close_night": "close",
    "crawl_shard": "shard",
    "match_title": "titles",
    "parse_page": "sources",
    "plan_night": "plan",
}

__all__ = [
    "CrawlError",
    "Match",
    "NightPlan",
    "NightResult",
    "ShardResult",
    "close_night",
    "crawl_shard",
    "match_title",
    "parse_page",
    "plan_night",
]

__getattr__ = lazy_exports(__name__, _HOMES)
