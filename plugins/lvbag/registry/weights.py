"""Weights from outside: what a training may start from, kept in the models bucket by digest.

They are no versions: nothing promotes them. Every network has at most one set of them, as tensors and, of a detector,
as the same network in ONNX; the record that names them is written last.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from lvbag.registry.reading import read_record
from lvbag.registry.records import Record
from lvbag.store import Bucket, ModelKind, ObjectMissing, Store, json_bytes, keys


class Weights(Record):
    """`detector/weights/<network>.json`."""

    network: str  # as a recipe's `model` names it
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")  # of the tensors
    onnx_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")  # of the same network as ONNX
    image_side_px: int = Field(ge=1)  # of the ONNX file's input
    classes: tuple[str, ...]  # in the order of the outputs
    origin: str  # the file's name, or the hub's
    origin_sha256: str  # of the file as it came
    added_at: dt.datetime


class ClassifierWeights(Record):
    """`classifier/weights/<network>.json`."""

    network: str  # as a recipe's `model` names it
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")  # of the tensors
    outputs: int = Field(ge=1)  # classes that the tensors tell apart; their outputs are not taken over
    origin: str  # the file's name, or the hub's
    origin_sha256: str  # of the file as it came; of the tensors where the hub gave no file
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


def keep_classifier_weights(store: Store, record: ClassifierWeights, tensors: Path) -> None:
    """Put the tensors and, last, the record; weights of the same network that stood before are replaced by it."""
    store.upload(keys.weights_file(record.sha256, ModelKind.CLASSIFIER), tensors)
    ref = keys.weights(record.network, ModelKind.CLASSIFIER)
    store.put(ref, json_bytes(record.model_dump(mode="json")), "application/json")


def load_classifier_weights(store: Store, network: str) -> ClassifierWeights | None:
    """The weights of a network, None where nobody gave any; raises `RegistryError` when the record is not readable."""
    try:
        return read_record(store, keys.weights(network, ModelKind.CLASSIFIER), ClassifierWeights)
    except ObjectMissing:
        return None


def list_classifier_weights(store: Store) -> Iterator[ClassifierWeights]:
    """All weights that trainings of classifiers may start from, by network."""
    for item in store.list_objects(Bucket.MODELS, keys.weights_prefix(ModelKind.CLASSIFIER)):
        if item.ref.key.endswith(".json"):
            yield read_record(store, item.ref, ClassifierWeights)
