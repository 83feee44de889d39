"""Taking something down: what would go, and its removal.

The tombstone comes first, so that nothing comes back while things go; then each thing goes with every version that the
store keeps of it. What is to go is computed again by each call, so a call that was stopped midway is completed by the
same call again. The facts stay: titles, prices and addresses in the tables of nights, and that there was a picture.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from lvbag.care.cutting import cut_label_set, cut_snapshot, images_within, label_sets_with, snapshot_names
from lvbag.care.errors import CareError
from lvbag.care.finding import Found, find, tombstones_of
from lvbag.care.pages import pages_of
from lvbag.care.record import ABSENT, BEGUN, Removed, begin_record, end_record, record_state
from lvbag.care.reports import renew_report, reports_with
from lvbag.care.sheets import sheets_with
from lvbag.care.targets import Reason, Target
from lvbag.settings import Settings
from lvbag.store import Bucket, Ref, Store, keys
from lvbag.tombstones import Tombstone, read_holes, write_tombstone

log = logging.getLogger(__name__)

_WORKERS = 8
"""Requests to the store at a time while objects are looked for."""

RAW, CROP, PAGE, SHEET = "raw image", "crop", "page", "confusion sheet"


@dataclass(frozen=True)
class Piece:
    """One object that goes whole; `bytes` of all its versions together."""

    kind: str  # RAW, CROP, PAGE or SHEET
    ref: Ref
    bytes: int


@dataclass(frozen=True)
class TakedownPlan:
    """What a takedown removes. `snapshots` and `label_sets`: by name, the images that are cut out of them."""

    target: Target
    found: Found
    pieces: tuple[Piece, ...]
    snapshots: dict[str, frozenset[str]] = field(default_factory=dict)
    label_sets: dict[str, int] = field(default_factory=dict)
    reports: tuple[dt.date, ...] = ()
    state: str = ABSENT  # of the target's record

    @property
    def removed(self) -> Removed:
        """The plan in numbers."""
        return Removed(
            raw_images=sum(piece.kind == RAW for piece in self.pieces),
            crops=sum(piece.kind == CROP for piece in self.pieces),
            pages=sum(piece.kind == PAGE for piece in self.pieces),
            confusion_sheets=sum(piece.kind == SHEET for piece in self.pieces),
            bytes=sum(piece.bytes for piece in self.pieces),
            snapshots={name: len(images) for name, images in self.snapshots.items()},
            label_sets=self.label_sets,
            reports=tuple(night.isoformat() for night in self.reports),
        )


def plan_takedown(
    store: Store, target: Target, with_copies: bool = True, even_if_unknown: bool = False
) -> TakedownPlan:
    """What would go; changes nothing. Raises `CareError` where no night has ever met the target.

    `with_copies`: a photo goes wherever it stands, also at other listings and in other bytes; without it only what no
    other listing shows.
    """
    found = find(store, target, with_copies)
    pieces = tuple(sorted(_pieces(store, found), key=lambda piece: (piece.kind, piece.ref)))
    state = record_state(store, target)
    is_known = bool(found.listings or found.nights or found.spared or found.shards or pieces)
    if not (is_known or even_if_unknown or state != ABSENT):
        raise CareError(
            f"no night has met {target.name}: no listing, address or picture of it stands in the tables; check the "
            "spelling, or give --even-if-unknown to keep it from ever being fetched"
        )
    return TakedownPlan(
        target,
        found,
        pieces,
        dict(_snapshots(store, found, state)),
        label_sets_with(store, found.images) if found.images else {},
        tuple(reports_with(store, found.nights, found.shown_at)) if pieces or state == BEGUN else (),
        state,
    )


def take_down(
    store: Store,
    settings: Settings,
    plan: TakedownPlan,
    reason: Reason,
    on_progress: Callable[[int, int], None] | None = None,
) -> Removed:
    """Carry a plan out; returns what went. `on_progress` hears of steps done and steps in all.

    Raises `CareError` without a reason: the tombstone keeps it.
    """
    if not reason.why.strip():
        raise CareError(f"say why {plan.target.name} is taken down: the tombstone keeps the reason")
    target, images = plan.target, plan.found.images
    struck = tombstones_of(target, plan.found)
    write_tombstone(store, Tombstone(target.kind, target.key, struck, reason.why, reason.by, reason.at))
    if plan.removed.is_empty and plan.state != BEGUN:
        log.info("care.takedown done kind=%s key=%s removed=nothing", target.kind, target.key)
        return plan.removed
    begin_record(store, target, plan.removed, reason)
    cuts = plan.snapshots.items()
    steps = [_step(cut_snapshot, store, name, held, reason.why, reason.at) for name, held in cuts]
    steps += [_step(cut_label_set, store, name, images) for name in plan.label_sets]
    steps += [_step(store.purge, piece.ref) for piece in plan.pieces]
    steps += [_step(renew_report, store, settings, night) for night in plan.reports]
    for number, step in enumerate(steps, 1):
        step()
        if on_progress is not None:
            on_progress(number, len(steps))
    end_record(store, target)
    log.info(
        "care.takedown done kind=%s key=%s raw=%d crops=%d pages=%d sheets=%d snapshots=%d label_sets=%d reports=%d "
        "bytes=%d",
        *(target.kind, target.key, plan.removed.raw_images, plan.removed.crops, plan.removed.pages),
        plan.removed.confusion_sheets,
        *(len(plan.snapshots), len(plan.label_sets), len(plan.reports), plan.removed.bytes),
    )
    return plan.removed


def _step(action: Callable[..., object], *arguments: object) -> Callable[[], object]:
    return lambda: action(*arguments)


# ------------------------------------------------------------------ what there is


def _pieces(store: Store, found: Found) -> Iterator[Piece]:
    """The objects that go whole, as far as the store still holds any version of them."""
    detectors = store.list_folders(Bucket.CURATED, keys.crops_prefix()) if found.images else []
    wanted = [(RAW, Bucket.RAW, keys.raw_images_of(sha256)) for sha256 in found.images]
    wanted += [
        (CROP, Bucket.CURATED, keys.crop(detector, sha256).key) for sha256 in found.images for detector in detectors
    ]
    wanted += [(PAGE, ref.bucket, ref.key) for ref in pages_of(store, found.shards, found.urls)]
    if found.images:
        wanted += [(SHEET, ref.bucket, ref.key) for ref in sheets_with(store, found.images)]
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="takedown") as pool:
        for some in pool.map(lambda one: list(_weigh(store, *one)), wanted):
            yield from some


def _weigh(store: Store, kind: str, bucket: Bucket, prefix: str) -> Iterable[Piece]:
    sizes: dict[Ref, int] = {}
    for version in store.list_versions(bucket, prefix):
        sizes[version.ref] = sizes.get(version.ref, 0) + version.size
    return [Piece(kind, ref, size) for ref, size in sizes.items()]


def _snapshots(store: Store, found: Found, state: str) -> Iterator[tuple[str, frozenset[str]]]:
    """The snapshots that hold some of the images; those that a takedown was stopped in are gone through again."""
    for name in snapshot_names(store) if found.images else ():
        held = images_within(store, name, found.images)
        if held and (state == BEGUN or held - read_holes(store, name)):
            yield name, frozenset(held)
