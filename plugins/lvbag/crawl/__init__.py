"""The crawl: plan a night, fetch listings and pictures politely, close the night.

The functions below are what DAGs, pages and the command line call. They are imported when they are first used, so
that naming this package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lvbag.lazy import lazy_exports

if TYPE_CHECKING:
    from lvbag.crawl.alarm import not_understood
    from lvbag.crawl.close import close_night
    from lvbag.crawl.errors import CrawlError
    from lvbag.crawl.fetching.leases import HostRecord, forgive_host, read_hosts
    from lvbag.crawl.parsing import ParsedPage, parse_page, source_named
    from lvbag.crawl.plan import plan_by_hand, plan_night
    from lvbag.crawl.rehearsal import PlannedRequest, rehearse
    from lvbag.crawl.results import NightPlan, NightResult, ShardResult
    from lvbag.crawl.run import Progress
    from lvbag.crawl.shard import crawl_shard
    from lvbag.crawl.titles import Match, match_title

_HOMES = {
    "CrawlError": "errors",
    "HostRecord": "fetching.leases",
    "Match": "titles",
    "NightPlan": "results",
    "NightResult": "results",
    "ParsedPage": "parsing",
    "PlannedRequest": "rehearsal",
    "Progress": "run",
    "ShardResult": "results",
    "close_night": "close",
    "crawl_shard": "shard",
    "forgive_host": "fetching.leases",
    "match_title": "titles",
    "not_understood": "alarm",
    "parse_page": "parsing",
    "plan_by_hand": "plan",
    "plan_night": "plan",
    "read_hosts": "fetching.leases",
    "rehearse": "rehearsal",
    "source_named": "parsing",
}

__all__ = [
    "CrawlError",
    "HostRecord",
    "Match",
    "NightPlan",
    "NightResult",
    "ParsedPage",
    "PlannedRequest",
    "Progress",
    "ShardResult",
    "close_night",
    "crawl_shard",
    "forgive_host",
    "match_title",
    "not_understood",
    "parse_page",
    "plan_by_hand",
    "plan_night",
    "read_hosts",
    "rehearse",
    "source_named",
]

__getattr__ = lazy_exports(__name__, _HOMES)
