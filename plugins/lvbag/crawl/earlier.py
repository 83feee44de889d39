"""Which night before this one wrote a source's object last: tables that grow from night to night are found by it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable

from lvbag.store import Bucket, Ref, Store

_NIGHT = re.compile(r"night=(\d{4}-\d{2}-\d{2})/")


def newest_before(store: Store, night: dt.date, prefix: str, ref_of: Callable[[dt.date], Ref]) -> Ref | None:
    """The newest object below the prefix that `ref_of` names for an earlier night; None where there is none."""
    found = []
    for item in store.list_objects(Bucket.RAW, prefix):
        match = _NIGHT.match(item.ref.key.removeprefix(prefix))
        if match and item.ref == ref_of(dt.date.fromisoformat(match.group(1))):
            found.append(dt.date.fromisoformat(match.group(1)))
    newest = max((day for day in found if day < night), default=None)
    return None if newest is None else ref_of(newest)
