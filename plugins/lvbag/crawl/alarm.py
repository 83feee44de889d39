"""Sources of which a night understood nothing: what somebody must look at before the next night."""

from __future__ import annotations

import datetime as dt

from lvbag.crawl.plan import load_plan
from lvbag.crawl.summary import read_summary
from lvbag.store import Store


def not_understood(store: Store, night: dt.date) -> dict[str, str]:
    """Sources of which every shard that came to its end failed, with what the first of them says.

    A shard fails when what it could not read or not understand is the rule. Raises `CrawlError` where the night has no
    plan.
    """
    failures: dict[str, list[str | None]] = {}
    for planned in load_plan(store, night).shards:
        summary = read_summary(store, night, planned.source, planned.name)
        if summary is not None:
            failures.setdefault(planned.source, []).append(summary.failure)
    return {source: str(whys[0]) for source, whys in sorted(failures.items()) if all(whys)}
