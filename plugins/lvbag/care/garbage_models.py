"""The kinds of garbage in the registry. Versions, aliases, history, reservations and trainings never go: what was once
champion can always come back, and no number is given twice."""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from lvbag.care.errors import CareError
from lvbag.care.garbage_kinds import Garbage, is_old
from lvbag.registry import RegistryError
from lvbag.registry.detector_files import file_name
from lvbag.registry.reading import CONFIG, RESERVATION, event_names, list_versions, parse, read_champion
from lvbag.registry.records import Event
from lvbag.registry.weights import list_classifier_weights, list_weights
from lvbag.store import Bucket, ModelKind, ObjectInfo, Store, keys

EVALUATION, LEFTOVER, NOTE, CHECKPOINT = "evaluation", "unpublished file", "note of a flip", "checkpoint"
WEIGHTS, DETECTOR_FILE = "replaced weights", "detector file"

_SHA256 = re.compile(r"\b[0-9a-f]{64}\b")


def find_registry_garbage(store: Store, before: dt.datetime) -> list[Garbage]:
    """What was written before a time and nothing in the registry refers to; raises `CareError` where that is unsure."""
    return [
        Garbage(
            EVALUATION,
            "no decision in the history was made by it",
            "those by which a challenger was promoted or refused",
            tuple(_each(lambda kind: _evaluations(store, kind, before))),
        ),
        Garbage(
            LEFTOVER,
            "its training was stopped while it published, and not run again since the limit",
            "every file of every version that was published, champion or not, and what reserves a number",
            tuple(_each(lambda kind: _leftovers(store, kind, before))),
        ),
        Garbage(
            NOTE,
            "the change of champion that it announces is in the history, or never happened",
            "the one that the champion stands on",
            tuple(_each(lambda kind: _notes(store, kind, before))),
        ),
        Garbage(
            CHECKPOINT,
            "its training was not run again since the limit, or its version stands",
            "those of trainings that wrote one since the limit",
            tuple(_each(lambda kind: _checkpoints(store, kind, before))),
        ),
        Garbage(
            WEIGHTS,
            "other weights of the same network were brought in since, and no version started from these",
            "those that a network's record names, and what any version started from",
            tuple(_each(lambda kind: _weights(store, kind, before))),
        ),
        Garbage(
            DETECTOR_FILE,
            "it finds bags no more: its weights were replaced, or detector.bootstrap names another file",
            "those that a record names, that cut any crop or classifier's data, and the last one that was brought in",
            tuple(_detector_files(store, before)),
        ),
    ]


def _each(find: Callable[[ModelKind], Iterable[ObjectInfo]]) -> Iterator[ObjectInfo]:
    for kind in ModelKind:
        yield from find(kind)


def _evaluations(store: Store, kind: ModelKind, before: dt.datetime) -> Iterator[ObjectInfo]:
    """Those that no event names; the newest stays, for a person may be asked about it right now."""
    prefix = keys.evaluations_prefix(kind)
    by_key: dict[str, list[ObjectInfo]] = defaultdict(list)
    for item in store.list_objects(Bucket.MODELS, prefix):
        by_key[item.ref.key.removeprefix(prefix).split("/")[0].removesuffix(".json")].append(item)
    candidates = {key: items for key, items in by_key.items() if all(is_old(item, before) for item in items)}
    if not candidates:
        return
    decided = {event.decision.evaluation for event in _events(store, kind) if event.decision is not None}
    newest = max(by_key, key=lambda key: max(_written(item) for item in by_key[key]))
    for key in sorted(candidates.keys() - decided - {newest}):
        # what names the others goes first
        yield from sorted(candidates[key], key=lambda item: (not item.ref.key.endswith(".json"), item.ref))


def _leftovers(store: Store, kind: ModelKind, before: dt.datetime) -> Iterator[ObjectInfo]:
    """Files of a version that was never published; its number stays reserved, for the training may run again."""
    prefix = keys.versions_prefix(kind)
    by_folder: dict[str, list[ObjectInfo]] = defaultdict(list)
    for item in store.list_objects(Bucket.MODELS, prefix):
        folder, slash, _ = item.ref.key.removeprefix(prefix).partition("/")
        if slash:
            by_folder[folder].append(item)
    for items in by_folder.values():
        names = {item.ref.key.rpartition("/")[2] for item in items}
        # a folder without a reservation is somebody's own
        if CONFIG not in names and RESERVATION in names and all(is_old(item, before) for item in items):
            yield from (item for item in items if not item.ref.key.endswith(f"/{RESERVATION}"))


def _notes(store: Store, kind: ModelKind, before: dt.datetime) -> Iterator[ObjectInfo]:
    items = [item for item in store.list_objects(Bucket.MODELS, keys.flips_prefix(kind)) if is_old(item, before)]
    if not items:
        return
    try:
        current, _ = read_champion(store, kind)
    except RegistryError as error:
        raise CareError(f"{error}; so it cannot be said which flips are done, and nothing is collected") from None
    kept = keys.flip(kind, current.event) if current is not None else None
    yield from (item for item in items if item.ref != kept)


def _checkpoints(store: Store, kind: ModelKind, before: dt.datetime) -> Iterator[ObjectInfo]:
    """All of a training's that has not written any since; what names the file goes first."""
    by_training: dict[str, list[ObjectInfo]] = defaultdict(list)
    for item in store.list_objects(Bucket.MODELS, keys.checkpoints_prefix(kind)):
        by_training[item.ref.key.rpartition("/")[0]].append(item)
    for items in by_training.values():
        if all(is_old(item, before) for item in items):
            yield from sorted(items, key=lambda item: (not item.ref.key.endswith(".json"), item.ref))


def _weights(store: Store, kind: ModelKind, before: dt.datetime) -> Iterator[ObjectInfo]:
    """Tensors that trainings may start from no more; a strange name is somebody's own."""
    prefix, suffix = keys.weights_prefix(kind), ".safetensors"
    items = [item for item in store.list_objects(Bucket.MODELS, prefix) if is_old(item, before)]
    found = {item.ref.key.removeprefix(prefix).removesuffix(suffix): item for item in items}
    found = {name: item for name, item in found.items() if _SHA256.fullmatch(name)}
    if not found:
        return
    named = {sha256 for record in list_versions(store, kind) for sha256 in _SHA256.findall(record.start)}
    yield from (item for name, item in found.items() if name not in named | _recorded(store, kind))


def _recorded(store: Store, kind: ModelKind) -> set[str]:
    """The digests of tensors that records name; raises `CareError` where one cannot be read."""
    try:
        records = list_weights(store) if kind is ModelKind.DETECTOR else list_classifier_weights(store)
        return {record.sha256 for record in records}
    except RegistryError as error:
        raise CareError(f"{error}; so it cannot be said which weights are in use, and nothing is collected") from None


def _detector_files(store: Store, before: dt.datetime) -> Iterator[ObjectInfo]:
    prefix = keys.detector_files_prefix()
    items = {
        item.ref.key.removeprefix(prefix).removesuffix(".onnx"): item
        for item in store.list_objects(Bucket.MODELS, prefix)
    }
    found = {name: item for name, item in items.items() if _SHA256.fullmatch(name)}
    if not any(is_old(item, before) for item in found.values()):
        return
    try:
        recorded = {record.onnx_sha256 for record in list_weights(store)}
    except RegistryError as error:
        raise CareError(f"{error}; so it cannot be said which detectors are in use, and nothing is collected") from None
    used = set(store.list_folders(Bucket.CURATED, keys.crops_prefix()))
    for record in list_versions(store, ModelKind.CLASSIFIER):
        used |= set((record.detector or "").split("+"))
    # of a file that detector.bootstrap_file names there is no record
    newest = max(found, key=lambda name: _written(found[name]))
    for name, item in found.items():
        if is_old(item, before) and name not in recorded | {newest} and file_name(name) not in used:
            yield item


def _events(store: Store, kind: ModelKind) -> Iterator[Event]:
    """Every event; one that cannot be read could name any evaluation, so it raises `CareError`."""
    for name in event_names(store, kind):
        try:
            ref = keys.history(kind, name)
            yield parse(store.get(ref), Event, store.uri(ref))
        except (RegistryError, keys.KeyNameError) as error:
            raise CareError(
                f"{error}; so it cannot be said which evaluations it needs, and nothing is collected "
                "(`lvbag registry verify` names everything that is broken)"
            ) from None


def _written(item: ObjectInfo) -> dt.datetime:
    return item.modified or dt.datetime.max.replace(tzinfo=dt.UTC)
