"""What a running shard has done, kept in the store, so that a killed one goes on where it stopped.

Three kinds of entries: a page of results that was read, a listing's row, a picture's row. An entry is written only
after all that it speaks of stands in the store, so a shard that is tried again believes its journal and asks for none
of it twice. Entries and rows wait in a small database on this machine's disk, not in memory.

A writer in the background stores pictures and commits entries in groups: while one is written, the next is fetched.
`settle` waits until everything handed over is durable; at most `WINDOW` entries are on their way otherwise.
"""

from __future__ import annotations

import datetime as dt
import json
import queue
import sqlite3
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import zstandard

from lvbag.store import Bucket, Ref, Store, keys

WINDOW = 8
"""Entries that may be on their way to the store, half of them being written; each may hold a picture."""
_UPLOADERS = 3
_SEGMENT_ENTRIES = 100
"""A segment is rewritten as it grows up to this many entries; then it stands and the next one begins."""

RESULTS, LISTING, PICTURE = "results", "listing", "picture"
_TABLES = """
    PRAGMA journal_mode=OFF;
    PRAGMA synchronous=OFF;
    CREATE TABLE entry (kind TEXT, key TEXT, met INTEGER, value TEXT, PRIMARY KEY (kind, key)) WITHOUT ROWID;
    CREATE TABLE row (place INTEGER PRIMARY KEY, kind TEXT, value TEXT);
"""


@dataclass(frozen=True)
class Upload:
    """Bytes to store before an entry that speaks of them is committed."""

    ref: Ref
    data: bytes
    content_type: str
    sha256: str


@dataclass(frozen=True)
class _Entry:
    kind: str
    key: str
    value: Any
    requests: int
    upload: Upload | None


class Journal:
    """The journal of one shard; `prefix` is where its segments stand."""

    def __init__(self, store: Store, prefix: str, segment_ref: Callable[[str], Ref]) -> None:
        self._store = store
        self._prefix = prefix
        self._segment_ref = segment_ref
        self._attempt = uuid.uuid4().hex[:12]
        self._file = tempfile.NamedTemporaryFile(prefix="lvbag-journal-")  # noqa: SIM115 - closed in __exit__
        self._local = sqlite3.connect(self._file.name, isolation_level=None)
        self._local.executescript(_TABLES)
        self._queue: queue.Queue[_Entry | None] = queue.Queue(WINDOW // 2)
        self._failure: BaseException | None = None
        self._open: list[dict[str, Any]] = []
        self._segment = 0
        self.requests_before = 0
        """Requests that earlier tries of the shard have sent."""
        self._replay()
        self._uploaders = ThreadPoolExecutor(_UPLOADERS, "lvbag-upload")
        self._writer = threading.Thread(target=self._write, name="lvbag-journal", daemon=True)
        self._writer.start()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -------------------------------------------------------------- what is known

    def meet(self, kind: str, key: str) -> tuple[Any, bool]:
        """What was noted under this key, in this try or an earlier one (None: nothing), and whether this try met it."""
        found = self._local.execute("SELECT value, met FROM entry WHERE kind = ? AND key = ?", (kind, key)).fetchone()
        if found is None:
            return None, False
        self._local.execute("UPDATE entry SET met = 1 WHERE kind = ? AND key = ?", (kind, key))
        return json.loads(found[0]), bool(found[1])

    def unmet(self, kind: str) -> Iterator[Any]:
        """What only an earlier try has met: the catalog or the settings have changed since."""
        for (value,) in self._local.execute("SELECT value FROM entry WHERE kind = ? AND met = 0 ORDER BY key", (kind,)):
            yield json.loads(value)

    # -------------------------------------------------------------- what is new

    def note(self, kind: str, key: str, value: Any, requests: int, upload: Upload | None = None) -> None:
        """Note an entry, and hand it to the writer. `requests`: sent by this try so far.

        Raises what the writer met since the last call, such as a store that does not answer.
        """
        self._local.execute("INSERT OR REPLACE INTO entry VALUES (?, ?, 1, ?)", (kind, key, json.dumps(value)))
        self._raise_failure()
        self._queue.put(_Entry(kind, key, value, requests, upload))

    def add_row(self, kind: str, value: Any) -> None:
        """Add a row to one of the shard's tables; rows are made anew in each try and only kept on this machine."""
        self._local.execute("INSERT INTO row (kind, value) VALUES (?, ?)", (kind, json.dumps(value)))

    def rows(self, kind: str) -> Iterator[Any]:
        """The rows of a table in the order in which they were added."""
        for (value,) in self._local.execute("SELECT value FROM row WHERE kind = ? ORDER BY place", (kind,)):
            yield json.loads(value)

    def settle(self) -> None:
        """Wait until everything that was noted is durable."""
        self._queue.join()
        self._raise_failure()

    def close(self) -> None:
        """Stop the writer after what it was handed; the journal stays in the store."""
        if self._writer.is_alive():
            self._queue.put(None)
            self._writer.join()
        self._uploaders.shutdown()
        self._local.close()
        self._file.close()

    def discard(self) -> None:
        """Remove the journal from the store: the shard's tables stand."""
        discard_journal(self._store, self._prefix)

    # -------------------------------------------------------------- the store

    def _replay(self) -> None:
        spent: dict[str, int] = {}
        for item in self._store.list_objects(Bucket.RAW, self._prefix):
            segment = json.loads(zstandard.ZstdDecompressor().decompress(self._store.get(item.ref)))
            spent[segment["attempt"]] = max(spent.get(segment["attempt"], 0), segment["requests"])
            self._local.executemany(
                "INSERT OR IGNORE INTO entry VALUES (?, ?, 0, ?)",
                [(entry["kind"], entry["key"], json.dumps(entry["value"])) for entry in segment["entries"]],
            )
        self.requests_before = sum(spent.values())

    def _write(self) -> None:
        while True:
            batch = [self._queue.get()]
            while len(batch) < WINDOW // 2 and not self._queue.empty():
                batch.append(self._queue.get())
            try:
                if self._failure is None:
                    self._commit([entry for entry in batch if entry is not None])
            except BaseException as error:
                self._failure = error
            for _ in batch:
                self._queue.task_done()
            if None in batch:
                return

    def _commit(self, batch: list[_Entry]) -> None:
        if not batch:
            return
        uploads = [entry.upload for entry in batch if entry.upload is not None]
        for _ in self._uploaders.map(lambda up: self._store.put(up.ref, up.data, up.content_type, up.sha256), uploads):
            pass  # which raises what an upload met
        if len(self._open) >= _SEGMENT_ENTRIES:
            self._open = []
            self._segment += 1
        self._open += [{"kind": entry.kind, "key": entry.key, "value": entry.value} for entry in batch]
        segment = {"attempt": self._attempt, "requests": batch[-1].requests, "entries": self._open}
        packed = zstandard.ZstdCompressor(level=3).compress(json.dumps(segment).encode())
        self._store.put(self._segment_ref(f"{self._attempt}-{self._segment:06d}"), packed, "application/zstd")

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure


def open_journal(store: Store, night: dt.date, source: str, shard: str) -> Journal:
    """The journal of a shard, with what earlier tries have left."""
    return Journal(
        store, keys.journal_prefix(night, source, shard), lambda name: keys.journal(night, source, shard, name)
    )


def discard_journal(store: Store, prefix: str) -> None:
    """Remove what a shard has left in its journal."""
    for item in list(store.list_objects(Bucket.RAW, prefix)):
        store.delete(item.ref)
