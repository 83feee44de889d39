"""What two stores have under the same keys, side by side; neither listing is ever held whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lvbag.care.errors import CareError
from lvbag.store.carrying import Standing


@dataclass(frozen=True)
class Pair:
    """A key in the store that is copied (`here`) and in the one that it is copied to (`there`)."""

    here: Standing | None
    there: Standing | None


def paired(here: Iterator[Standing], there: Iterator[Standing]) -> Iterator[Pair]:
    """Both listings as pairs, in the order of the keys; raises `CareError` where a listing has none."""
    ours, theirs = _ordered(here), _ordered(there)
    left, right = next(ours, None), next(theirs, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left.ref.key < right.ref.key):
            yield Pair(left, None)
            left = next(ours, None)
        elif left is None or right.ref.key < left.ref.key:
            yield Pair(None, right)
            right = next(theirs, None)
        else:
            yield Pair(left, right)
            left, right = next(ours, None), next(theirs, None)


def _ordered(standings: Iterator[Standing]) -> Iterator[Standing]:
    """The listing as it is, as long as keys ascend: unordered ones would be taken for missing."""
    before: str | None = None
    for standing in standings:
        if before is not None and standing.ref.key <= before:
            raise CareError(
                f"the store lists {standing.ref} after {before}: it is no S3 store that keys can be compared with "
                "(setting store.endpoint)"
            )
        before = standing.ref.key
        yield standing
