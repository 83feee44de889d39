"""Reading the registry: versions, champion, evaluations and history. Nothing here writes.

A version exists once its `config.json` stands; a folder without one is a training that still runs or was given up.
Objects that somebody else put into the folders are passed over by the listings, with a line in the log.
"""

from __future__ import annotations

import logging
import re
from typing import Any, TypeVar

from pydantic import ValidationError

from lvbag.registry.errors import RegistryError
from lvbag.registry.records import Champion, Evaluation, Event, Record, VersionRecord
from lvbag.store import Bucket, ModelKind, ObjectMissing, Ref, Store, json_bytes, keys

log = logging.getLogger(__name__)

CONFIG = "config.json"
"""The commit mark of a version: written last."""

RESERVATION = "reservation.json"
"""Says which training owns a number; written first."""

_VERSION_FOLDER = re.compile(r"\d{4,9}")

R = TypeVar("R", bound=Record)


def load_version(store: Store, kind: ModelKind, number: int) -> VersionRecord:
    """A version's record; raises `RegistryError` when there is no such version or its training did not finish."""
    ref = keys.version_file(kind, number, CONFIG)
    try:
        record = read_record(store, ref, VersionRecord)
    except ObjectMissing:
        raise RegistryError(_why_missing(store, kind, number)) from None
    if (record.kind, record.version) != (kind, number):
        raise RegistryError(
            f"{store.uri(ref)} describes {record.kind} version {keys.version_name(record.version)}: it was copied "
            "there; versions are never moved, remove the copy"
        )
    return record


def list_versions(store: Store, kind: ModelKind) -> list[VersionRecord]:
    """All complete versions, lowest number first."""
    numbers = sorted(number for number, name in _version_files(store, kind) if name == CONFIG)
    records = []
    for number in numbers:
        try:
            records.append(load_version(store, kind, number))
        except RegistryError as error:
            log.warning("registry.version passed over kind=%s version=%d: %s", kind, number, error)
    return records


def reserved_numbers(store: Store, kind: ModelKind) -> dict[int, bool]:
    """Every number that has a folder, and whether a reservation stands in it."""
    found: dict[int, bool] = {}
    for number, name in _version_files(store, kind):
        found[number] = found.get(number, False) or name == RESERVATION
    return found


def champion(store: Store, kind: ModelKind) -> Champion | None:
    """The alias, or None before the first promotion; raises `RegistryError` when `champion.json` is not readable."""
    return read_champion(store, kind)[0]


def read_champion(store: Store, kind: ModelKind) -> tuple[Champion | None, str | None]:
    """The alias with the entity tag that a compare-and-swap needs; both None before the first promotion."""
    ref = keys.champion(kind)
    try:
        data, etag = store.get_with_etag(ref)
    except ObjectMissing:
        return None, None
    return parse(data, Champion, store.uri(ref)), etag


def load_evaluation(store: Store, kind: ModelKind, evaluation_key: str) -> Evaluation:
    """Champion and challengers on one test set; raises `RegistryError` when it is missing or of the other kind."""
    ref = keys.evaluation(kind, evaluation_key)
    try:
        evaluation = read_record(store, ref, Evaluation)
    except ObjectMissing:
        raise RegistryError(
            f"{store.uri(ref)} does not exist: run the evaluation of these challengers again, then the gate"
        ) from None
    if (evaluation.kind, evaluation.key) != (kind, evaluation_key):
        raise RegistryError(f"{store.uri(ref)} holds {evaluation.kind} evaluation {evaluation.key}: remove the copy")
    return evaluation


def list_history(store: Store, kind: ModelKind) -> list[Event]:
    """All events, oldest first."""
    found = [(name, read_event(store, kind, name)) for name in event_names(store, kind)]
    events = [(event.at, name, event) for name, event in found if event is not None]
    return [event for _, _, event in sorted(events, key=lambda item: item[:2])]


def event_names(store: Store, kind: ModelKind) -> list[str]:
    """The names of all history objects, in the order of their keys."""
    prefix = keys.history_prefix(kind)
    names = (info.ref.key.removeprefix(prefix) for info in store.list_objects(Bucket.MODELS, prefix))
    return [name.removesuffix(".json") for name in names if name.endswith(".json") and "/" not in name]


def read_event(store: Store, kind: ModelKind, name: str) -> Event | None:
    """One event by its name; None when it does not stand there or is no event."""
    try:
        return read_record(store, keys.history(kind, name), Event)
    except ObjectMissing:
        return None
    except (RegistryError, keys.KeyNameError) as error:
        log.warning("registry.event passed over kind=%s name=%s: %s", kind, name, error)
        return None


def read_record(store: Store, ref: Ref, model: type[R]) -> R:
    """An object as a record; raises `ObjectMissing`, and `RegistryError` with the object's address when it is none."""
    return parse(store.get(ref), model, store.uri(ref))


def parse(data: bytes, model: type[R], where: str) -> R:
    """JSON as a record; raises `RegistryError` naming the object and the first field at fault."""
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise RegistryError(f"{where} is no {model.__name__}: {field}: {first['msg']}") from None


def record_bytes(record: Record, where: str) -> bytes:
    """A record as the JSON that is stored; raises `RegistryError` naming the object when a figure is not a number."""
    value: dict[str, Any] = record.model_dump(mode="json")
    try:
        return json_bytes(value)
    except ValueError:
        raise RegistryError(
            f"{where} would hold a figure that is not a number; correct the training or the evaluation that made it"
        ) from None


def _version_files(store: Store, kind: ModelKind) -> list[tuple[int, str]]:
    """Number and file name of everything that lies in a version's folder."""
    prefix = keys.versions_prefix(kind)
    found = []
    for info in store.list_objects(Bucket.MODELS, prefix):
        folder, _, name = info.ref.key.removeprefix(prefix).partition("/")
        # `int` alone would take 00007 for version 7
        if name and _VERSION_FOLDER.fullmatch(folder) and keys.version_name(int(folder)) == folder:
            found.append((int(folder), name))
    return found


def _why_missing(store: Store, kind: ModelKind, number: int) -> str:
    name = f"{kind} version {keys.version_name(number)}"
    if store.exists(keys.version_file(kind, number, RESERVATION)):
        return f"{name} is not complete: its training still runs or stopped; run the training again to finish it"
    return f"{name} does not exist; `lvbag registry list --kind {kind}` shows the versions"
