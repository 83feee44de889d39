"""What tables and journals refer to: the images that were fetched, and the crops that were cut.

Names only, one table in memory at a time. A table or journal that cannot be read stops the collection: it could name
anything.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

import polars as pl

from lvbag import schemas
from lvbag.care.journals import read_segment
from lvbag.crawl.journal import PICTURE
from lvbag.store import Bucket, ObjectInfo, Ref, Store, keys
from lvbag.store.tables import read_columns


def images_referred(store: Store, journals: Sequence[Ref]) -> pl.Series:
    """Every sha256 that a fetch, `seen` or curated table or one of the journals names, each once."""
    found = [_journalled(store, journals)]
    for bucket, prefix, schema in (
        (Bucket.RAW, keys.all_fetches_prefix(), schemas.FETCHES),
        (Bucket.RAW, keys.seen_prefix(), schemas.SEEN),
        (Bucket.CURATED, keys.curated_images_prefix(), schemas.IMAGES),
    ):
        for item in store.list_objects(bucket, prefix):
            found.append(read_columns(store, item.ref, schema, ["sha256"])["sha256"].drop_nulls().unique())
            found = _packed(found)
    return pl.concat(found).unique()


def crops_referred(store: Store, manifests: Iterable[pl.DataFrame]) -> pl.Series:
    """Every crop, written `detector/sha256`, that a table of curation or one of the manifests names, each once."""
    found = [pl.Series([], dtype=pl.String)]
    cleaned = [
        item.ref for item in store.list_objects(Bucket.CURATED, keys.all_stages_prefix()) if "/clean/" in item.ref.key
    ]
    curated = [item.ref for item in store.list_objects(Bucket.CURATED, keys.curated_images_prefix())]
    columns = ["detector", "sha256", "crop_sha256"]
    for ref, schema in (*((ref, schemas.CLEANED) for ref in cleaned), *((ref, schemas.IMAGES) for ref in curated)):
        rows = read_columns(store, ref, schema, columns).filter(pl.col("crop_sha256").is_not_null())
        found = _packed([*found, _crop_names(rows)])
    return pl.concat([*found, *(_crop_names(manifest) for manifest in manifests)]).unique()


def journals_to_keep(store: Store, before: dt.datetime) -> tuple[list[Ref], list[ObjectInfo]]:
    """The journals whose rows stand nowhere else, or are young; and those that are garbage.

    When a night is closed, what its dead shards' journals hold becomes tables. So a journal is garbage when its night
    was closed after it was last written, and long ago.
    """
    closed: dict[str, dt.datetime] = {}
    for item in store.list_objects(Bucket.RAW, keys.night_manifest_prefix()):
        if item.modified is not None:
            closed[item.ref.key.split("/")[1]] = item.modified
    kept, lost = [], []
    for item in store.list_objects(Bucket.RAW, keys.all_journals_prefix()):
        at = closed.get(item.ref.key.split("/")[1])
        if item.modified is not None and at is not None and item.modified < min(at, before):
            lost.append(item)
        else:
            kept.append(item.ref)
    return kept, lost


def _journalled(store: Store, journals: Sequence[Ref]) -> pl.Series:
    names: set[str] = set()
    for ref in journals:
        names |= {str(row["sha256"]) for row in read_segment(store, ref, PICTURE) if row.get("sha256") is not None}
    return pl.Series(sorted(names), dtype=pl.String)


def _crop_names(rows: pl.DataFrame) -> pl.Series:
    return rows.select(pl.concat_str("detector", pl.lit("/"), "sha256").alias("name"))["name"].drop_nulls().unique()


def _packed(found: list[pl.Series], most: int = 64) -> list[pl.Series]:
    """The same names in one piece when there are many pieces: nights repeat one another."""
    return found if len(found) < most else [pl.concat(found).unique()]
