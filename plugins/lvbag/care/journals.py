"""What killed shards have left in their journals, as the crawl reads it: rows that stand in no table yet."""

from __future__ import annotations

import json
from typing import Any

import zstandard

from lvbag.store import Bucket, CorruptObject, Ref, Store, keys


def journal_refs(store: Store) -> list[Ref]:
    """The segments of all journals."""
    return [item.ref for item in store.list_objects(Bucket.RAW, keys.all_journals_prefix())]


def read_segment(store: Store, ref: Ref, kind: str) -> list[dict[str, Any]]:
    """The rows of one kind (`lvbag.crawl.journal`) in a segment; raises `CorruptObject` when it is none."""
    try:
        segment = json.loads(zstandard.ZstdDecompressor().decompress(store.get(ref)))
        return [dict(entry["value"]) for entry in segment["entries"] if entry["kind"] == kind]
    except (zstandard.ZstdError, ValueError, TypeError, KeyError) as error:
        raise CorruptObject(
            f"{store.uri(ref)} is no readable journal ({error!r}); close its night, or delete it if nobody misses what "
            "its shard had fetched"
        ) from None
