"""Fetching pictures from the store and looking at them, a few at a time: what several steps of curation begin with.

Nothing is decided here. A picture that cannot be looked at comes back with the reason.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from lvbag.images import Fingerprint, ImageRefused, Look, decode, look
from lvbag.images.framing import crop_fingerprint
from lvbag.settings import ImageSettings
from lvbag.store import ObjectMissing, Ref, Store

log = logging.getLogger(__name__)

_WORKERS = 2
"""Threads that fetch and decode: PIL releases the interpreter's lock, and a task should leave other cores free."""

_CHUNK = 256
"""Pictures handed to the threads at a time; also how often progress is logged at most."""


@dataclass(frozen=True)
class Wanted:
    """A picture to look at: the digest that its bytes must have, and where they stand."""

    sha256: str
    ref: Ref


@dataclass(frozen=True)
class Unseen:
    """A picture that could not be looked at, and why."""

    sha256: str
    reason: str


def look_at_all(
    store: Store, limits: ImageSettings, wanted: Sequence[Wanted], step: str, of_crops: bool = False
) -> Iterator[Look | Unseen]:
    """Look at each picture, or crop, in order, never more than a chunk ahead; `step` names the caller in the log."""
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="look") as pool:
        for start in range(0, len(wanted), _CHUNK):
            chunk = wanted[start : start + _CHUNK]
            yield from pool.map(lambda one: look_at(store, limits, one, of_crops), chunk)
            done = start + len(chunk)
            log.info("%s looked=%d of=%d share=%d%%", step, done, len(wanted), 100 * done // len(wanted))


def look_at_crop(data: bytes, limits: ImageSettings) -> Look:
    """Look at a crop: its fingerprint is that by which crops are compared (`lvbag.images.framing`)."""
    return replace(look(data, _any_size(limits)), print=print_of_crop(data, limits))


def print_of_crop(data: bytes, limits: ImageSettings) -> Fingerprint:
    """The fingerprint by which crops are compared, without the measures of quality."""
    return crop_fingerprint(decode(data, _any_size(limits)))


def _any_size(limits: ImageSettings) -> ImageSettings:
    """The smallest side is a rule for photos; crops of slim bags may be narrower."""
    return limits.model_copy(update={"min_side_px": 1})


def look_at(store: Store, limits: ImageSettings, wanted: Wanted, of_crops: bool = False) -> Look | Unseen:
    """Look at one picture, or crop."""
    try:
        data = store.get(wanted.ref)
    except ObjectMissing:
        return Unseen(wanted.sha256, f"raw_missing: {store.uri(wanted.ref)}")
    if hashlib.sha256(data).hexdigest() != wanted.sha256:
        return Unseen(wanted.sha256, f"raw_corrupt: {store.uri(wanted.ref)} has other bytes than were recorded")
    try:
        return look_at_crop(data, limits) if of_crops else look(data, limits)
    except ImageRefused as refusal:
        return Unseen(wanted.sha256, refusal.reason)
