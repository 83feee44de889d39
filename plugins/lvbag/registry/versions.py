"""Numbering and publishing versions.

A number belongs to a training. `versions/NNNN/reservation.json` is the lock of the number: it is put only where none
stands, and its bytes follow from the training key alone, so that the same training asking twice at once makes the same
claim. Whoever claims a number has seen the one below it taken and none of the taken ones claimed by its own training;
therefore no training ever gets two numbers. `trainings/<data>/<recipe>/<key>.json` points from the training to its
number; it saves the search, and a crash before it is written costs nothing but the search. The folders are for people:
a pointer is found by its key wherever it stands, also right below `trainings/`, where earlier releases put it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import random
import time
from pathlib import Path

from lvbag.registry.errors import RegistryError
from lvbag.registry.reading import CONFIG, RESERVATION, load_version, record_bytes, reserved_numbers
from lvbag.registry.records import VersionRecord
from lvbag.store import Bucket, ModelKind, ObjectMissing, Ref, Store, json_bytes, keys

log = logging.getLogger(__name__)

ATTEMPTS = 200
"""Claims of one call; a hundred trainings that start in the same moment need about six each."""

LONGEST_WAIT_S = 10.0

_CONTENT_TYPES = {
    ".json": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".png": "image/png",
    ".parquet": "application/vnd.apache.parquet",
}
_JITTER = random.SystemRandom()


def reserve_version(store: Store, kind: ModelKind, training_key: str, made_of: tuple[str, ...] = ()) -> int:
    """The version number of a training, from 1: the same for the same key, whoever asks and how often.

    `made_of`: the names of data and recipe, for people who look for the training in the store.
    Raises `RegistryError` when other trainings take every number first, `StoreUnavailable` without a store.
    """
    pointer = keys.training(kind, training_key, made_of)
    claim = json_bytes({"training_key": training_key, "nonce": _fixed_nonce(kind, training_key)})
    for attempt in range(ATTEMPTS):
        looked = time.monotonic()
        trainings = _pointed_trainings(store, kind)
        if training_key in trainings and (pointed := _pointed(store, trainings[training_key])) is not None:
            return pointed
        number, is_mine = _claimed_or_next(store, kind, training_key, set(trainings))
        ref = keys.version_file(kind, number, RESERVATION)
        if is_mine or store.put_if_absent(ref, claim, "application/json"):
            store.put_if_absent(pointer, json_bytes({"version": number}), "application/json")
            log.info("registry.reserve done kind=%s version=%d training=%s", kind, number, training_key)
            return number
        _step_aside(attempt, time.monotonic() - looked)
    raise RegistryError(
        f"no version number of {kind} could be reserved for training {training_key} in {ATTEMPTS} attempts: other "
        "trainings took each of them first; run it again"
    )


def publish_version(store: Store, kind: ModelKind, number: int, folder: Path, record: VersionRecord) -> VersionRecord:
    """Upload the folder's files, then write `config.json` with their digests; returns what stands there then.

    A published version never changes: published again by the same training it is returned as it stands. Raises
    `RegistryError` when the number belongs to another training, the record is of another version, or the folder holds
    no file, a folder, or a name that the registry keeps for itself.
    """
    name = f"{kind} version {keys.version_name(number)}"
    if (record.kind, record.version) != (kind, number):
        raise RegistryError(f"{name}: the record is of {record.kind} version {keys.version_name(record.version)}")
    _check_owner(store, kind, number, record.training_key)
    ref = keys.version_file(kind, number, CONFIG)
    if store.exists(ref):
        return _standing(store, kind, number, record.training_key)
    paths = _files(folder, name)
    complete = record.model_copy(update={"files": {path.name: sha256_of(path) for path in paths}})
    data = record_bytes(complete, store.uri(ref))
    for path in paths:
        content_type = _CONTENT_TYPES.get(path.suffix, "application/octet-stream")
        store.upload(keys.version_file(kind, number, path.name), path, content_type)
    if not store.put_if_absent(ref, data, "application/json"):
        return _standing(store, kind, number, record.training_key)
    log.info("registry.publish done kind=%s version=%d files=%d", kind, number, len(paths))
    return complete


def sha256_of(path: Path) -> str:
    """A file's sha256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _step_aside(attempt: int, looked_s: float) -> None:
    """Wait after a lost claim. Whoever looks while another claims loses to it, so what matters is how long a look took:
    it takes longer the more are at it. Spread over ever more such looks, few are at it at a time."""
    time.sleep(_JITTER.uniform(0.0, min(LONGEST_WAIT_S, looked_s * 2.0 ** (attempt + 1))))


def _pointed(store: Store, ref: Ref) -> int | None:
    try:
        value = store.get_json(ref)
    except ObjectMissing:
        return None
    number = value.get("version") if isinstance(value, dict) else None
    if not isinstance(number, int) or number < 1:
        raise RegistryError(f"{store.uri(ref)} names no version; delete it, the reservation still knows the number")
    return number


def _claimed_or_next(store: Store, kind: ModelKind, training_key: str, pointed: set[str]) -> tuple[int, bool]:
    """The number that this training claimed before and True, else the first free number and False.

    Only claims without a pointer can be of a call that crashed. `pointed`, the trainings with one, was listed before
    the claims, so each pointer's claim is among them, and the difference of the two counts says how many to look for.
    """
    folders = reserved_numbers(store, kind)
    claims = sorted((number for number, reserved in folders.items() if reserved), reverse=True)
    unpointed = len(claims) - len(pointed)
    for number in claims:
        if unpointed <= 0 and training_key not in pointed:
            break
        owner = _owner(store, kind, number)
        if owner == training_key:
            return number, True
        if owner not in pointed:
            unpointed -= 1
    return max(folders, default=0) + 1, False


def _pointed_trainings(store: Store, kind: ModelKind) -> dict[str, Ref]:
    """Every training that has a pointer, by its key, and where that stands."""
    found = (info.ref for info in store.list_objects(Bucket.MODELS, keys.trainings_prefix(kind)))
    return {ref.key.rpartition("/")[2].removesuffix(".json"): ref for ref in found if ref.key.endswith(".json")}


def _owner(store: Store, kind: ModelKind, number: int) -> str | None:
    """The training that a number is reserved for; None when there is no readable reservation."""
    try:
        value = json.loads(store.get(keys.version_file(kind, number, RESERVATION)))
    except (ObjectMissing, ValueError):
        return None
    owner = value.get("training_key") if isinstance(value, dict) else None
    return owner if isinstance(owner, str) else None


def _fixed_nonce(kind: ModelKind, training_key: str) -> str:
    """The same for the same training: a second call at the same moment recognises the claim as its own."""
    return hashlib.sha256(f"{kind}/{training_key}".encode()).hexdigest()[:32]


def _check_owner(store: Store, kind: ModelKind, number: int, training_key: str) -> None:
    owner = _owner(store, kind, number)
    if owner != training_key:
        whose = f"reserved for training {owner}" if owner else "not reserved"
        raise RegistryError(
            f"{kind} version {keys.version_name(number)} is {whose}, so training {training_key} may not publish it; "
            "get a number of its own with reserve_version"
        )


def _standing(store: Store, kind: ModelKind, number: int, training_key: str) -> VersionRecord:
    record = load_version(store, kind, number)
    if record.training_key != training_key:
        raise RegistryError(
            f"{kind} version {keys.version_name(number)} was published by training {record.training_key} and never "
            f"changes; training {training_key} needs a number of its own"
        )
    log.info("registry.publish reused kind=%s version=%d", kind, number)
    return record


def _files(folder: Path, name: str) -> list[Path]:
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    if not paths:
        raise RegistryError(f"{name}: {folder} holds no files to publish")
    for path in paths:
        if not path.is_file():
            raise RegistryError(f"{name}: {path} is no file; a version is one flat folder of files")
        if path.name in (CONFIG, RESERVATION):
            raise RegistryError(f"{name}: {path.name} is written by the registry; name the file otherwise")
    return paths
