"""One at a time: who may talk to a host or crawl a source now, over all shards, processes and machines of a night.

A lease is an object that is changed by compare-and-swap only. Its holder renews it; when a holder dies without a word,
the lease runs out after `crawl.lease_s` and the next one takes it. A host's lease also carries how the host fared
tonight, so that a shard begins at the pace, and with the verdict, with which the last one ended.

Nobody waits for a lease while holding a host: `Leases.take` gives all hosts back before it waits, so that two shards
can never wait for each other.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import threading
import time
import uuid
from types import TracebackType

from pydantic import BaseModel, ConfigDict, ValidationError

from lvbag.crawl.fetching.pace import Pace
from lvbag.store import (
    Bucket,
    CorruptObject,
    ObjectMissing,
    PreconditionFailed,
    Ref,
    Store,
    StoreError,
    json_bytes,
    keys,
    nonce,
)

log = logging.getLogger(__name__)

_FIRST_POLL_S = 0.1
_LONGEST_POLL_S = 1.0
_SAY_AGAIN_S = 300.0


class HostRecord(BaseModel):
    """`keys.lease`: one host, or one source, during a night."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str  # `host`, `host:port` or `source <name>`
    holder: str = ""  # who holds it, as a person reads it; empty: nobody
    token: str = ""  # of the holder's process
    until: dt.datetime | None = None  # when the lease runs out unless it is renewed
    not_before: dt.datetime | None = None  # of the next request
    delay_s: float = 0.0
    failures: int = 0
    openings: int = 0
    requests: int = 0  # sent tonight
    given_up: str | None = None  # why the host is left alone for the night
    nonce: str = ""

    @property
    def pace(self) -> Pace:
        """The host's pace, to go on with."""
        return Pace(self.delay_s, self.failures, self.openings)


class Lease:
    """A lease that this process holds. `record` is changed with `note`; a lost lease must not be used any more."""

    def __init__(self, ref: Ref, record: HostRecord, etag: str, valid_until: float) -> None:
        self.ref = ref
        self.record = record
        self.etag = etag
        self.valid_until = valid_until  # time.monotonic()

    @property
    def is_valid(self) -> bool:
        """Whether nobody else can have taken it."""
        return time.monotonic() < self.valid_until

    def note(self, **changes: object) -> None:
        """Change what the record says of the host; it is written when the lease is renewed or given back."""
        self.record = self.record.model_copy(update=changes)


class Leases:
    """All leases of one running shard. `holder` is how others see it."""

    def __init__(self, store: Store, night: dt.date, holder: str, lease_s: float) -> None:
        self._store = store
        self._night = night
        self._holder = holder
        self._lease_s = lease_s
        self._token = uuid.uuid4().hex
        self._held: dict[str, Lease] = {}
        self._kept: str | None = None
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._renewer: threading.Thread | None = None

    def __enter__(self) -> Leases:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def take(self, name: str, keep: bool = False) -> Lease:
        """The lease of this name, waited for as long as another holds it. `keep`: it is not given back while waiting.

        Only one lease may be kept, and it must be the first that is taken.
        """
        held = self._held.get(name)
        if held is not None and held.is_valid:
            return held
        if held is not None:
            log.warning("crawl.lease lost name=%s holder=%s", name, self._holder)
            self._forget(name)
        lease = self._try(name)
        if lease is None:
            self.give_back_hosts()
            lease = self._wait(name)
        with self._lock:
            self._held[name] = lease
        self._kept = name if keep else self._kept
        self._start_renewing()
        return lease

    def holds(self, name: str) -> bool:
        """Whether this process holds the lease now."""
        held = self._held.get(name)
        return held is not None and held.is_valid

    def save(self, name: str) -> None:
        """Write the record now: something that others must know at once."""
        with self._lock:
            if name in self._held:
                self._renew(name)

    def give_back_hosts(self) -> None:
        """Give back every lease but the one that is kept."""
        for name in [name for name in self._held if name != self._kept]:
            self._give_back(name)

    def close(self) -> None:
        """Give everything back."""
        self._closed.set()
        if self._renewer is not None:
            self._renewer.join()
        for name in list(self._held):
            self._give_back(name)

    # -------------------------------------------------------------- taking

    def _wait(self, name: str) -> Lease:
        poll = _FIRST_POLL_S
        said = -_SAY_AGAIN_S
        while True:
            lease = self._try(name)
            if lease is not None:
                return lease
            if time.monotonic() - said >= _SAY_AGAIN_S:
                said = time.monotonic()
                other, _ = self._read(name)
                log.info("crawl.lease waiting for=%s held_by=%s", name, other.holder if other else "")
            time.sleep(poll)
            poll = min(_LONGEST_POLL_S, poll * 1.5)

    def _try(self, name: str) -> Lease | None:
        record, etag = self._read(name)
        now = dt.datetime.now(dt.UTC)
        if record is None:
            record = HostRecord(name=name)
        elif record.token not in ("", self._token) and record.until is not None and record.until > now:
            return None
        started = time.monotonic()
        taken = self._mine(record)
        try:
            written = self._store.compare_and_swap(self._ref(name), json_bytes(taken.model_dump(mode="json")), etag)
        except PreconditionFailed:
            return None
        return Lease(self._ref(name), taken, written, started + self._lease_s)

    def _read(self, name: str) -> tuple[HostRecord | None, str | None]:
        ref = self._ref(name)
        try:
            data, etag = self._store.get_with_etag(ref)
            return HostRecord.model_validate_json(data), etag
        except ObjectMissing:
            return None, None
        except ValidationError as error:
            raise CorruptObject(
                f"{self._store.uri(ref)} is no lease ({error.error_count()} wrong fields); delete it and try again"
            ) from None

    def _ref(self, name: str) -> Ref:
        return lease_ref(self._night, name)

    def _mine(self, record: HostRecord) -> HostRecord:
        until = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=self._lease_s)
        return record.model_copy(
            update={"holder": self._holder, "token": self._token, "until": until, "nonce": nonce()}
        )

    # -------------------------------------------------------------- keeping and giving back

    def _start_renewing(self) -> None:
        if self._renewer is None:
            self._renewer = threading.Thread(target=self._keep_renewing, name="lvbag-leases", daemon=True)
            self._renewer.start()

    def _keep_renewing(self) -> None:
        while not self._closed.wait(self._lease_s / 3):
            with self._lock:
                for name in list(self._held):
                    self._renew(name)

    def _renew(self, name: str) -> None:
        lease = self._held[name]
        started = time.monotonic()
        record = self._mine(lease.record)
        try:
            lease.etag = self._store.compare_and_swap(lease.ref, json_bytes(record.model_dump(mode="json")), lease.etag)
            lease.valid_until = started + self._lease_s
        except PreconditionFailed:
            lease.valid_until = 0.0
        except StoreError as error:
            # it is still ours until it runs out; the store may be back by then
            log.warning("crawl.lease not renewed name=%s error=%s", name, error)

    def _give_back(self, name: str) -> None:
        with self._lock:
            lease = self._held.pop(name)
            lease.valid_until = 0.0
            free = lease.record.model_copy(update={"holder": "", "token": "", "until": None, "nonce": nonce()})
            try:
                self._store.compare_and_swap(lease.ref, json_bytes(free.model_dump(mode="json")), lease.etag)
            except PreconditionFailed:
                return
            except StoreError as error:
                log.warning("crawl.lease not given back name=%s error=%s; it runs out by itself", name, error)

    def _forget(self, name: str) -> None:
        with self._lock:
            self._held.pop(name, None)


def source_lease(source: str) -> str:
    """The name of a source's lease: its shards are crawled one after the other."""
    return f"source {source}"


def lease_ref(night: dt.date, name: str) -> Ref:
    """Where the lease of a host or source stands; names come from outside, so a digest stands in the key."""
    return keys.lease(night, hashlib.sha256(name.encode()).hexdigest()[:16])


def read_hosts(store: Store, night: dt.date) -> list[HostRecord]:
    """Every host and source that was crawled this night, by name: its pace, and whether it was given up."""
    refs = [item.ref for item in store.list_objects(Bucket.RAW, keys.leases_prefix(night))]
    return sorted((HostRecord.model_validate_json(store.get(ref)) for ref in refs), key=lambda record: record.name)


def forgive_host(store: Store, night: dt.date, name: str) -> bool:
    """Let a host that was given up be asked again tonight; False when there is no such host."""
    ref = lease_ref(night, name)
    try:
        data, etag = store.get_with_etag(ref)
    except ObjectMissing:
        return False
    fresh = HostRecord.model_validate_json(data).model_copy(
        update={"given_up": None, "failures": 0, "openings": 0, "not_before": None, "nonce": nonce()}
    )
    store.compare_and_swap(ref, json_bytes(fresh.model_dump(mode="json")), etag)
    return True
