"""The object store: keys (`keys`), objects (`client`) and tables (`tables`).

Polars is imported by `lvbag.store.tables` alone, so that what only needs objects stays light.
"""

from lvbag.store.client import (
    CorruptObject,
    DiskFull,
    ObjectInfo,
    ObjectMissing,
    ObjectVersion,
    PreconditionFailed,
    Store,
    StoreError,
    StoreUnavailable,
    json_bytes,
    nonce,
    open_store,
)
from lvbag.store.keys import Bucket, ModelKind, Ref

__all__ = [
    "Bucket",
    "CorruptObject",
    "DiskFull",
    "ModelKind",
    "ObjectInfo",
    "ObjectMissing",
    "ObjectVersion",
    "PreconditionFailed",
    "Ref",
    "Store",
    "StoreError",
    "StoreUnavailable",
    "json_bytes",
    "nonce",
    "open_store",
]
