"""What to do about an object that is damaged: which step writes it again, or that only a backup has it.

Text for errors, by where an object stands. Nothing is read or decided here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from lvbag.store.keys import Bucket, Ref

_NIGHT = re.compile(r"(?:night=|nights/)(\d{4}-\d{2}-\d{2})\b")
_BACKUP = "restore it from a backup"
_CLOSE = f"run `lvbag crawl close --night {{night}}`, which writes it again, or {_BACKUP}"
_CRAWL = f"{_BACKUP}, or crawl its shard once more (`lvbag crawl night --night {{night}} --again`)"
_CURATE = f"run `lvbag curate run --night {{night}}`, which writes it again, or {_BACKUP}"

_BY_PLACE: Mapping[tuple[Bucket, str], str] = {
    (Bucket.RAW, "nights"): _CLOSE,
    (Bucket.RAW, "seen"): _CLOSE,
    (Bucket.RAW, "watermarks"): _CLOSE,
    (Bucket.RAW, "listings"): _CRAWL,
    (Bucket.RAW, "fetches"): _CRAWL,
    (Bucket.RAW, "tombstones"): f"{_BACKUP}, or take the same thing down again and remove this object; until then "
    "nothing is fetched or curated",
    (Bucket.CURATED, "stages"): _CURATE,
    (Bucket.CURATED, "images"): _CURATE,
    (Bucket.CURATED, "statistics"): _CURATE,
    (Bucket.CURATED, "quarantine"): _CURATE,
    (Bucket.CURATED, "suspicions"): "run `lvbag dataset suspicious --again`, which writes it again",
    (Bucket.CURATED, "outliers"): "run `lvbag curate outliers --night {night} --again`, which writes it again",
    (Bucket.CURATED, "fingerprints"): "remove it, and the next step that needs it writes it again",
    (
        Bucket.CURATED,
        "reviews",
    ): f"{_BACKUP}, or remove it and decide again (`lvbag review decide`); until then nothing "
    "is reviewed and no snapshot is built",
    (Bucket.DATASETS, "nights"): _CURATE,
    (Bucket.REPORTS, "nights"): _CURATE,
}

_OF_SNAPSHOTS: Mapping[str, str] = {
    "splits.parquet": f"{_BACKUP}: without it test pictures could end in train",
    "manifest.parquet": f"{_BACKUP}, or remove it and run `lvbag curate run` for its night: the same pictures give the "
    "same snapshot",
}


def remedy(ref: Ref) -> str:
    """What to do about this object, as the end of an error's sentence."""
    parts = ref.key.split("/")
    text = _BY_PLACE.get((ref.bucket, parts[0]))
    if text is None and ref.bucket is Bucket.DATASETS:
        text = _OF_SNAPSHOTS.get(parts[-1])
    found = _NIGHT.search(ref.key)
    return (text or _BACKUP).format(night=found.group(1) if found else "…")
