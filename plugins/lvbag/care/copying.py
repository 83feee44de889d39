"""All objects of one store into another: a move to another server, or a backup.

What stands there already with the same content is left alone, so a copy that was stopped goes on where it was. What
stands there with another content is replaced only where that is asked for, and what only the target has stays. Every
object that is written is read back.

The registry's bucket is copied with its older versions where both sides keep versions, so that no earlier champion is
lost; of the other buckets, and of checkpoints, the newest versions alone. Buckets are copied from the registry down to
the raw pictures: what refers to something is listed before that is, so a copy of a store at work holds together.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from lvbag.care.checks import Finding
from lvbag.care.copying_object import Bringer, Brought, How
from lvbag.care.copying_pairs import Pair, paired
from lvbag.care.errors import CareError
from lvbag.services.provisioning import client_of, keep_versions
from lvbag.store import Bucket, ModelKind
from lvbag.store.carrying import CarryingStore, Standing
from lvbag.store.keys import checkpoints_prefix
from lvbag.store.minio_client import S3Error

log = logging.getLogger(__name__)

ORDER = (Bucket.REPORTS, Bucket.MODELS, Bucket.DATASETS, Bucket.CURATED, Bucket.RAW)

_WORKERS = 8
"""Objects on their way at a time; most are small, and the way takes longer than they do."""

_CHUNK = 256
"""Keys handed to the workers at a time: what memory holds."""

_SHORT_LIVED = tuple(checkpoints_prefix(kind) for kind in ModelKind)


@dataclass
class Copied:
    """What a copy came to. In a dry run `copied` and `bytes` are what is missing.

    `keys` were looked at, `same` stood there already, `versions` were written for the `copied` keys, `gone` were
    deleted at the source meanwhile, `only_there` have no original. `flat` names buckets whose older versions the target
    cannot keep.
    """

    keys: int = 0
    same: int = 0
    copied: int = 0
    versions: int = 0
    bytes: int = 0
    gone: int = 0
    only_there: int = 0
    flat: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def count(self, brought: Brought) -> None:
        """Add what became of a key."""
        self.keys += 1
        self.bytes += brought.bytes
        self.versions += brought.versions
        if brought.finding is not None:
            self.findings.append(brought.finding)
        elif brought.gone:
            self.gone += 1
        elif brought.versions:
            self.copied += 1
        else:
            self.same += 1


def copy_store(
    source: CarryingStore,
    target: CarryingStore,
    how: How,
    *,
    on_progress: Callable[[str, int, int], None] | None = None,
    on_finding: Callable[[Finding], None] | None = None,
) -> Copied:
    """Copy every bucket; missing ones are made at the target, as `init` makes them where the source keeps versions.

    Raises `CareError` where both are one store or the source has no such buckets. `on_progress` hears of a bucket, of
    keys that are done, and of how many there are.
    """
    made = _prepare(source, target, how)
    bringer, copied = Bringer(source, target, how), Copied()
    for bucket in ORDER:
        known = target.bucket(bucket) not in made
        pairs = _pairs(source, target if known else None, bucket, copied)
        total = 0 if on_progress is None else sum(1 for _ in source.list_objects(bucket))
        done = 0
        for brought in _all_brought(bringer, pairs, copied):
            copied.count(brought)
            done += 1
            if brought.finding is not None and on_finding is not None:
                on_finding(brought.finding)
            if on_progress is not None:
                on_progress(source.bucket(bucket), done, max(done, total))
        log.info("care.copy bucket=%s keys=%d copied=%d", bucket, done, copied.copied)
    return copied


def _prepare(source: CarryingStore, target: CarryingStore, how: How) -> list[str]:
    """Make the target's missing buckets; returns those that are new or, in a dry run, would be."""
    sides = [(store.settings.endpoint, store.settings.bucket_prefix) for store in (source, target)]
    if sides[0] == sides[1]:
        raise CareError(f"{source.settings.endpoint} cannot be copied to itself: name another store or bucket_prefix")
    if lacking := source.missing_buckets():
        raise CareError(
            f"there is nothing to copy: {source.settings.endpoint} has no {', '.join(lacking)} (store.bucket_prefix)"
        )
    if how.dry_run:
        return target.missing_buckets()
    made = target.ensure_buckets()
    for bucket in ORDER:
        if target.bucket(bucket) in made and source.keeps_versions(bucket):
            _keep_versions(target, bucket)
    return made


def _keep_versions(target: CarryingStore, bucket: Bucket) -> None:
    try:
        keep_versions(client_of(target.settings), target.bucket(bucket), bucket)
    except S3Error as error:
        raise CareError(
            f"{target.bucket(bucket)} was made at {target.settings.endpoint} and cannot be told to keep versions "
            f"({error.code}): let somebody who may do that turn versioning on, then copy again"
        ) from error


def _pairs(source: CarryingStore, target: CarryingStore | None, bucket: Bucket, copied: Copied) -> Iterator[Pair]:
    """The keys of a bucket on both sides; None for a target without the bucket."""
    if bucket is not Bucket.MODELS or not source.keeps_versions(bucket):
        return paired(source.standings(bucket), target.standings(bucket) if target else iter(()))
    if target is not None and not target.keeps_versions(bucket):
        copied.flat.append(target.bucket(bucket))
        return paired(source.standings(bucket), target.standings(bucket))
    there = target.histories(bucket, _SHORT_LIVED) if target else iter(())
    return paired(source.histories(bucket, _SHORT_LIVED), there)


def _all_brought(bringer: Bringer, pairs: Iterator[Pair], copied: Copied) -> Iterator[Brought]:
    def bring(pair: tuple[Standing, Standing | None]) -> Brought:
        return bringer.bring(*pair)

    def both() -> Iterator[tuple[Standing, Standing | None]]:
        for pair in pairs:
            if pair.here is not None:
                yield pair.here, pair.there
            elif pair.there is not None and not pair.there.hidden:
                copied.only_there += 1

    with ThreadPoolExecutor(_WORKERS) as pool:
        for chunk in _chunks(both()):
            yield from pool.map(bring, chunk)


def _chunks(
    items: Iterable[tuple[Standing, Standing | None]],
) -> Iterator[list[tuple[Standing, Standing | None]]]:
    rest = iter(items)
    while chunk := list(islice(rest, _CHUNK)):
        yield chunk
