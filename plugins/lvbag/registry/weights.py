"""Weights from outside: what a detector's training may start from, kept in the models bucket by digest.

They are no versions: nothing promotes them. Every network has at most one set of them, as tensors and as the same
network in ONNX; the record that names both is written last.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from lvbag.registry.reading import read_record
from lvbag.registry.records import Record
from lvbag.store import Bucket, ObjectMissing, Store, json_bytes, keys


class Weights(Record):
    """`weights/<network>.json`."""

    network: str  # as a recipe's `model` names it
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")  # of the tensors
    onnx_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")  # of the same network as ONNX
    image_side_px: int = Field(ge=1)  # of the ONNX file's input
    classes: tuple[str, ...]  # in the order of the outputs
    origin: str  # the file's name, or the hub's
    origin_sha256: str  # of the file as it came
    added_at: dt.datetime


def keep_weights(store: Store, record: Weights, tensors: Path, onnx: Path) -> None:
    """Put both files and, last, the record; weights of the same network that stood before are replaced by it."""
    store.upload(keys.weights_file(record.sha256), tensors)
    store.upload(keys.detector_file(record.onnx_sha256), onnx)
    ref = keys.weights(record.network)
    store.put(ref, json_bytes(record.model_dump(mode="json")), "application/json")


def load_weights(store: Store, network: str) -> Weights | None:
    """The weights of a network, None where nobody gave any; raises `RegistryError` when the record is not readable."""
    try:
        return read_record(store, keys.weights(network), Weights)
    except ObjectMissing:
        return None


def list_weights(store: Store) -> Iterator[Weights]:
    """All weights that trainings may start from, by network."""
    for item in store.list_objects(Bucket.MODELS, keys.weights_prefix()):
        name = item.ref.key.removeprefix(keys.weights_prefix())
        if name.endswith(".json"):
            yield read_record(store, item.ref, Weights)
