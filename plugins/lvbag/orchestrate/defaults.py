"""What every task and DAG has in common: owner, retries, time limits, and what is logged when a task fails for good."""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any

log = logging.getLogger(__name__)

OWNER = "lvbag"
TAG = "lvbag"


def log_failure(context: dict[str, Any]) -> None:
    """One line that an alert can be made of, when a task has failed and is not tried again."""
    ti = context["ti"]
    log.error(
        "task.failed dag=%s run=%s task=%s map_index=%s try=%s error=%r",
        ti.dag_id,
        ti.run_id,
        ti.task_id,
        ti.map_index,
        ti.try_number,
        context.get("exception"),
    )


DEFAULT_ARGS: dict[str, Any] = {
    "owner": OWNER,
    "retries": 2,  # a step writes keys that it can compute again, so trying again is always safe
    "retry_delay": dt.timedelta(seconds=20),
    "retry_exponential_backoff": 3,  # 20 s, 1 min: a store that restarts is back by then
    "max_retry_delay": dt.timedelta(minutes=10),
    "execution_timeout": dt.timedelta(hours=1),
    "on_failure_callback": log_failure,
}

LONG_CRAWL = dt.timedelta(hours=8)
"""One shard: thousands of requests with a polite pause after each."""

LONG_CLEANING = dt.timedelta(hours=4)
"""One part: detection and crops of a thousand photos on a slow CPU, with room."""

LONG_TRAINING = dt.timedelta(hours=13)
"""A training ends itself after `train.timeout_s` (12 h by default); this is the net below."""

LONG_CARE = dt.timedelta(hours=12)
"""Reading back, or going through, everything that is stored."""

APPROVAL_TIMEOUT = dt.timedelta(days=7)
"""A promotion that nobody approves within a week is refused."""
