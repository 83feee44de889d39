"""robots.txt of each origin, read once for all shards of a night and again when it is older than the setting allows.

RFC 9309 2.4: a cached copy should not be used for more than 24 hours. What could not be reached is not cached.
"""

from __future__ import annotations

import datetime as dt
import hashlib

from pydantic import BaseModel, ConfigDict, ValidationError

from lvbag.crawl.fetching.robots import RobotsRules, read_rules
from lvbag.store import ObjectMissing, Ref, Store, keys


class _Copy(BaseModel):
    """`keys.robots`: a robots.txt as it was answered."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    origin: str
    status: int
    at: dt.datetime
    text: str  # its bytes as Latin-1, which loses none of them


class RobotsCache:
    """The copies of one night."""

    def __init__(self, store: Store, night: dt.date, max_age_s: float) -> None:
        self._store = store
        self._night = night
        self._max_age = dt.timedelta(seconds=max_age_s)

    def load(self, origin: str) -> RobotsRules | None:
        """The rules of an origin as they were read tonight, or None when they must be read (again)."""
        try:
            copy = _Copy.model_validate_json(self._store.get(self._ref(origin)))
        except (ObjectMissing, ValidationError):
            return None
        if copy.origin != origin or not dt.timedelta() <= dt.datetime.now(dt.UTC) - copy.at < self._max_age:
            return None
        return read_rules(copy.status, copy.text.encode("latin-1"))

    def store(self, origin: str, status: int, body: bytes) -> RobotsRules:
        """Keep an answer for the other shards, unless it only says that the server is in trouble; returns its rules."""
        rules = read_rules(status, body)
        if rules.forbidden is None and self._max_age:
            copy = _Copy(origin=origin, status=status, at=dt.datetime.now(dt.UTC), text=body.decode("latin-1"))
            self._store.put_json(self._ref(origin), copy.model_dump(mode="json"))
        return rules

    def _ref(self, origin: str) -> Ref:
        return keys.robots(self._night, hashlib.sha256(origin.encode()).hexdigest()[:16])
