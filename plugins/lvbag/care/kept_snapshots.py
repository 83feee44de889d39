"""Which snapshots must stay, and why: what nights, models and trainings need.

What cannot be read could name any snapshot, so nothing is decided then.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lvbag.care.cutting import MANIFEST, snapshot_names
from lvbag.care.errors import CareError
from lvbag.curate.snapshots.places import night_pointers
from lvbag.registry import RegistryError, load_evaluation, load_version
from lvbag.registry.reading import CONFIG, RESERVATION, reserved_numbers
from lvbag.settings import Settings
from lvbag.store import Bucket, ModelKind, ObjectMissing, Store, keys

_TRIES = 3
"""A training is tried this often; a reservation older than all tries together belongs to none that still runs."""


@dataclass(frozen=True)
class Shelf:
    """All complete snapshots with why each stays (None: nothing needs it), builds that were never ended, pointers."""

    snapshots: Mapping[str, str | None]
    unfinished: tuple[str, ...]
    pointers: Mapping[str, str]  # night to snapshot, nights in order


def read_shelf(store: Store, settings: Settings, keep_newest: int, now: dt.datetime) -> Shelf:
    """What there is, and what needs it; raises `CareError` where that cannot be said."""
    pointers = night_pointers(store)
    complete = {name: store.exists(keys.snapshot(name, MANIFEST)) for name in snapshot_names(store)}
    needed = reasons(pointers, keep_newest)
    for name, why in (*_places(store), *_models(store), *_evaluations(store)):
        needed.setdefault(name, why)
    training = _training_under_way(store, settings, now)
    return Shelf(
        {name: needed.get(name, training) for name, is_complete in complete.items() if is_complete},
        tuple(name for name in complete if not complete[name] and name not in {*needed, *pointers.values()}),
        pointers,
    )


def reasons(pointers: Mapping[str, str], keep_newest: int) -> dict[str, str]:
    """Why the newest snapshots stay, and the one before them that the oldest of those nights is compared with; pure."""
    nights: Sequence[str] = sorted(pointers, reverse=True)
    newest = list(dict.fromkeys(pointers[night] for night in nights))
    found = {name: f"one of the newest {keep_newest}" for name in newest[:keep_newest]}
    oldest = min((night for night in nights if pointers[night] in found), default=None)
    before = [pointers[night] for night in nights if oldest is not None and night < oldest]
    if before:
        found.setdefault(before[0], f"stood before night {oldest}, whose snapshot stays")
    return found


def _places(store: Store) -> list[tuple[str, str]]:
    ref = keys.newest_places()
    try:
        return [(str(store.get_json(ref)["snapshot"]), "knows every place that was ever given")]
    except ObjectMissing:
        return []
    except (TypeError, KeyError) as error:
        raise _unsure(store.uri(ref), error) from None


def _models(store: Store) -> list[tuple[str, str]]:
    found = []
    for number in sorted(reserved_numbers(store, ModelKind.CLASSIFIER)):
        if store.exists(keys.version_file(ModelKind.CLASSIFIER, number, CONFIG)):
            try:
                record = load_version(store, ModelKind.CLASSIFIER, number)
            except RegistryError as error:
                raise _unsure(f"classifier version {number:04d}", error) from None
            found.append((record.data, f"classifier version {number:04d} was trained on it"))
    return found


def _evaluations(store: Store) -> list[tuple[str, str]]:
    found, prefix = [], keys.evaluations_prefix(ModelKind.CLASSIFIER)
    for item in store.list_objects(Bucket.MODELS, prefix):
        name = item.ref.key.removeprefix(prefix).removesuffix(".json")
        if "/" in name:  # what stands beside a record
            continue
        try:
            evaluation = load_evaluation(store, ModelKind.CLASSIFIER, name)
        except (RegistryError, keys.KeyNameError) as error:
            raise _unsure(store.uri(item.ref), error) from None
        found.append((evaluation.data, f"evaluation {name} was made on it"))
    return found


def _training_under_way(store: Store, settings: Settings, now: dt.datetime) -> str | None:
    """Why every snapshot stays while a training may be reading one: a reservation does not say which."""
    limit = now - dt.timedelta(seconds=_TRIES * settings.train.timeout_s)
    for number in sorted(reserved_numbers(store, ModelKind.CLASSIFIER)):
        if store.exists(keys.version_file(ModelKind.CLASSIFIER, number, CONFIG)):
            continue
        reserved = store.head(keys.version_file(ModelKind.CLASSIFIER, number, RESERVATION))
        if reserved is not None and (reserved.modified is None or reserved.modified > limit):
            return f"classifier version {number:04d} may be in training"
    return None


def _unsure(what: str, error: Exception) -> CareError:
    text = json.dumps(str(error), ensure_ascii=False)
    return CareError(
        f"{what} cannot be read ({text}), so it cannot be said which snapshot it needs and nothing is collected; "
        "restore it from a backup (`lvbag verify` names everything that is broken)"
    )
