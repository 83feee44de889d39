"""Which snapshots there are, with what a person wants to know before opening one. Reads, writes nothing."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from dataclasses import dataclass

from lvbag.curate.snapshots.places import newest_snapshot, night_pointers
from lvbag.curate.snapshots.stats import read_stats
from lvbag.registry import RegistryError, champion, load_version
from lvbag.store import Bucket, ModelKind, Store, keys
from lvbag.tombstones import read_holes

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SnapshotRow:
    """A snapshot. `nights` are those after which it stood, `night` the last of them; none points to one that a night
    replaced when it was curated again.

    `champion`: the version of the classifier in use that was trained on it, or None. `taken_down`: images that are gone
    from it.
    """

    snapshot: str
    night: str | None
    nights: tuple[str, ...]
    products: int
    images: int
    train: int
    val: int
    test: int
    bytes: int
    taken_down: int
    newest: bool
    champion: int | None


def list_snapshots(store: Store) -> tuple[SnapshotRow, ...]:
    """All complete snapshots by name, which is by the night of their newest picture."""
    bytes_of: Counter[str] = Counter()
    complete: list[str] = []
    cut: set[str] = set()
    for item in store.list_objects(Bucket.DATASETS):
        name, _, rest = item.ref.key.partition("/")
        bytes_of[name] += item.size
        if rest and item.ref == keys.snapshot(name, "manifest.parquet"):
            complete.append(name)
        elif rest and item.ref == keys.snapshot_holes(name):
            cut.add(name)
    nights: dict[str, list[str]] = defaultdict(list)
    for night, name in night_pointers(store).items():
        nights[name].append(night)
    newest, used = newest_snapshot(store), _champions_data(store)
    rows = []
    for name in sorted(complete):
        stats = read_stats(store, name)
        rows.append(
            SnapshotRow(
                snapshot=name,
                night=nights[name][-1] if name in nights else None,
                nights=tuple(nights.get(name, ())),
                products=len(stats.products),
                images=stats.images,
                train=stats.splits.get("train", 0),
                val=stats.splits.get("val", 0),
                test=stats.splits.get("test", 0),
                bytes=bytes_of[name],
                taken_down=len(read_holes(store, name)) if name in cut else 0,
                newest=name == newest,
                champion=used[1] if used is not None and used[0] == name else None,
            )
        )
    return tuple(rows)


def _champions_data(store: Store) -> tuple[str, int] | None:
    """The snapshot of the classifier in use, and its version."""
    try:
        alias = champion(store, ModelKind.CLASSIFIER)
        return None if alias is None else (load_version(store, ModelKind.CLASSIFIER, alias.version).data, alias.version)
    except RegistryError as error:  # of the registry, and no reason to hide the snapshots
        log.warning("curate.shelf champion unknown: %s", error)
        return None
