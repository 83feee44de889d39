"""What is kept of a takedown: what was named, why, by whom, when, and how much went. Nothing of what it was about.

One record a target, in the reports bucket. It is `begun` before anything goes and `done` after all has gone, so that
a takedown that was stopped midway is known as such.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lvbag.care.targets import Reason, Target
from lvbag.store import CorruptObject, ObjectMissing, Ref, Store, keys
from lvbag.tombstones import tombstone_ref

ABSENT, BEGUN, DONE = "absent", "begun", "done"


@dataclass(frozen=True)
class Removed:
    """How much a takedown removes; `bytes` of whole objects, `snapshots` and `label_sets` with images cut out."""

    raw_images: int = 0
    crops: int = 0
    pages: int = 0
    confusion_sheets: int = 0
    bytes: int = 0
    snapshots: dict[str, int] = field(default_factory=dict)
    label_sets: dict[str, int] = field(default_factory=dict)
    reports: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to remove."""
        return self == Removed()

    def plus(self, other: Removed) -> Removed:
        """Both together."""
        return Removed(
            self.raw_images + other.raw_images,
            self.crops + other.crops,
            self.pages + other.pages,
            self.confusion_sheets + other.confusion_sheets,
            self.bytes + other.bytes,
            _sum(self.snapshots, other.snapshots),
            _sum(self.label_sets, other.label_sets),
            tuple(sorted({*self.reports, *other.reports})),
        )

    def as_json(self) -> dict[str, Any]:
        """As it stands in the record."""
        return {
            "raw_images": self.raw_images,
            "crops": self.crops,
            "pages": self.pages,
            "confusion_sheets": self.confusion_sheets,
            "bytes": self.bytes,
            "snapshots": self.snapshots,
            "label_sets": self.label_sets,
            "reports": list(self.reports),
        }


def record_ref(target: Target) -> Ref:
    """Where the record of a target stands."""
    return keys.takedown(tombstone_ref(target.kind, target.key).key.rsplit("/", 1)[-1].removesuffix(".json"))


def record_state(store: Store, target: Target) -> str:
    """`absent`, `begun` or `done`."""
    record = _read(store, target)
    return ABSENT if record is None else str(record["state"])


def begin_record(store: Store, target: Target, removed: Removed, reason: Reason) -> None:
    """Say what is about to go; one that was begun before and not ended stays as it is."""
    record = _read(store, target)
    if record is not None and record["state"] == BEGUN:
        return
    before = Removed(**{**record["removed"], "reports": tuple(record["removed"]["reports"])}) if record else Removed()
    value = {
        "kind": target.kind,
        "key": target.key,
        "state": BEGUN,
        "why": reason.why,
        "by": reason.by,
        "at": reason.at.isoformat(),
        "removed": before.plus(removed).as_json(),
    }
    store.put_json(record_ref(target), value)


def end_record(store: Store, target: Target) -> None:
    """Say that all of it has gone."""
    record = _read(store, target)
    if record is not None and record["state"] == BEGUN:
        store.put_json(record_ref(target), {**record, "state": DONE})


def _read(store: Store, target: Target) -> dict[str, Any] | None:
    ref = record_ref(target)
    try:
        record = store.get_json(ref)
    except ObjectMissing:
        return None
    if not isinstance(record, dict) or record.get("state") not in (BEGUN, DONE) or "removed" not in record:
        raise CorruptObject(
            f"{store.uri(ref)} is no record of a takedown; delete it and take the same thing down again"
        )
    return record


def _sum(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in sorted({*one, *other})}
