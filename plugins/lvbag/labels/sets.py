"""Label sets in the store: reading one, and which was imported last."""

from __future__ import annotations

from pydantic import ValidationError

from lvbag.labels.records import LabelError, LabelIndex
from lvbag.store import ObjectMissing, Store, keys

INDEX_NAME = "labels.json"
EXPORT_NAME = "export.zip"


def newest_labels(store: Store) -> str | None:
    """The name of the label set imported last; None before the first import."""
    try:
        pointer = store.get_json(keys.newest_label_set())
    except ObjectMissing:
        return None
    return str(pointer["label_set"])


def read_labels(store: Store, label_set: str) -> LabelIndex:
    """What was read of a label set; raises `LabelError` when there is none of that name or it was changed."""
    ref = keys.labels(label_set, INDEX_NAME)
    try:
        return LabelIndex.model_validate_json(store.get(ref))
    except ObjectMissing:
        raise LabelError(f"there is no label set {label_set!r} ({store.uri(ref)}); import one first") from None
    except ValidationError as error:
        raise LabelError(f"{store.uri(ref)} does not fit: {error}; import the export again") from None
