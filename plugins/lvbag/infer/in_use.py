"""The detector in use: the champion or, until there is one, what the setting `detector.bootstrap` says.

A file that finds bags meanwhile is kept in the store by its content when it is first used, so that every machine and
every later run of the same task has the very same one.
"""

from __future__ import annotations

import logging
import re
import tempfile
from pathlib import Path

from lvbag.infer.bag_names import bag_names
from lvbag.infer.detector import Detector, open_detector
from lvbag.infer.onnx_session import ModelError
from lvbag.infer.own_words import open_detector_file
from lvbag.registry import champion, load_version
from lvbag.registry.detector_files import fetch_detector_file, file_name, is_file_name, keep_detector_file
from lvbag.registry.files import fetch_recorded
from lvbag.registry.records import UNCROPPED
from lvbag.registry.versions import sha256_of
from lvbag.registry.weights import load_weights
from lvbag.settings import DetectorSettings, Settings, config_dir, home_dir
from lvbag.store import Bucket, ModelKind, ObjectMissing, Ref, Store, keys

log = logging.getLogger(__name__)

MODEL_FILE = "model.onnx"
_VERSION = re.compile(r"[0-9]{4,9}")


def detector_in_use(store: Store, settings: Settings) -> str:
    """Its name: a version such as `0003`, `file-<12 digits of its sha256>`, or `none` where pictures stay whole.

    Raises `ModelError` where `detector.bootstrap` asks for a file that is missing, was changed, or finds no bags.
    """
    alias = champion(store, ModelKind.DETECTOR)
    if alias is not None:
        return keys.version_name(alias.version)
    if settings.detector.bootstrap == "none":
        return UNCROPPED
    name = _coco(store, settings) if settings.detector.bootstrap == "coco" else _given(store, settings)
    log.info("infer.in_use there is no champion: bootstrap=%s detector=%s", settings.detector.bootstrap, name)
    return name


def open_named(store: Store, settings: DetectorSettings, name: str) -> Detector | None:
    """Open a detector by its name, its digest checked; None for `none`.

    Raises `RegistryError` (no such version or file), `CorruptObject` (it was changed) and `ModelError` (it does not
    open, or knows no bags).
    """
    if name == UNCROPPED:
        return None
    cache = home_dir() / "cache"
    if is_file_name(name):
        opened = open_detector_file(fetch_detector_file(store, name, cache), settings)
    elif _VERSION.fullmatch(name):
        record = load_version(store, ModelKind.DETECTOR, int(name))
        opened = open_detector(fetch_recorded(store, record, MODEL_FILE, cache), record, settings)
    else:
        raise ModelError(f"detector {name!r} is no version such as 0003, no file-<12 digits>, nor {UNCROPPED!r}")
    bag_names(opened.classes, settings)  # before a night is judged by it
    return opened


def _coco(store: Store, settings: Settings) -> str:
    network = settings.detector.bootstrap_weights
    kept = load_weights(store, network)
    if kept is None:
        raise ModelError(
            f"detector.bootstrap is 'coco', and there are no weights of {network} (detector.bootstrap_weights): bring "
            f"them in with `lvbag detector weights add {network}.pt` or, where train.pretrained allows the hub, `lvbag "
            f"detector weights fetch {network}`"
        )
    bag_names(kept.classes, settings.detector)
    return file_name(kept.onnx_sha256)


def _given(store: Store, settings: Settings) -> str:
    chosen = settings.detector
    if not chosen.bootstrap_file:
        raise ModelError("detector.bootstrap is 'file', and detector.bootstrap_file names none: set a path or s3://…")
    with tempfile.TemporaryDirectory(prefix="lvbag-bootstrap-") as folder:
        path = _at_hand(store, chosen.bootstrap_file, Path(folder))
        sha256 = sha256_of(path)
        if chosen.bootstrap_sha256 and sha256 != chosen.bootstrap_sha256:
            raise ModelError(
                f"detector.bootstrap_file {chosen.bootstrap_file} has sha256 {sha256}, detector.bootstrap_sha256 says "
                f"{chosen.bootstrap_sha256}: it was changed; put the right file there, or set the new digest if you "
                "trust it"
            )
        if not store.exists(keys.detector_file(sha256)):
            bag_names(open_detector_file(path, chosen).classes, chosen)
        return keep_detector_file(store, path)


def _at_hand(store: Store, where: str, folder: Path) -> Path:
    """The file that a setting names, on this machine; a path is looked for from the configuration's folder."""
    if not where.startswith("s3://"):
        path = config_dir() / where
        if not path.is_file():
            raise ModelError(f"detector.bootstrap_file {path} does not exist; put the ONNX file there")
        return path
    bucket, _, key = where.removeprefix("s3://").partition("/")
    roles = {store.bucket(role): role for role in Bucket}
    if bucket not in roles or not key:
        raise ModelError(
            f"detector.bootstrap_file {where} is in none of the store's buckets ({', '.join(sorted(roles))}); put it "
            f"there, such as s3://{store.bucket(Bucket.MODELS)}/detector/{MODEL_FILE}"
        )
    try:
        return store.download(Ref(roles[bucket], key), folder / Path(key).name)
    except ObjectMissing:
        raise ModelError(f"detector.bootstrap_file {where} does not exist; put the ONNX file there") from None
