"""Which cluster each new picture joins, and which one of a cluster is kept: the decision, on fingerprints alone.

A cluster is named by its first picture, the anchor. What joins it is directly near one of its kept pictures; what
replaces its best picture is directly near the anchor and the best one it replaces. So a cluster never grows along a
chain: everything that is refused was held against a picture that is kept, and everything that was ever best is within
one radius of the anchor. The same code places whole pictures and their crops.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from lvbag.curate.duplicates.linking import Limits, Link, Prints, compare, join, link, take
from lvbag.curate.duplicates.preference import Preferred, best, replaces

REFERENCE = pl.Schema(
    {
        "sha256": pl.String(),
        "style_code": pl.String(),
        "cluster": pl.String(),
        "pixels": pl.Int64(),
        "blur": pl.Float64(),
        "kept": pl.Boolean(),
    }
)
"""What is known of a picture of an earlier night beside its fingerprint; a row each, in the order of the prints."""


_OTHERS = 32
"""With so many of a cluster's copies those are compared that could be kept: a photo may be listed a thousand times."""


@dataclass(frozen=True)
class References:
    """What earlier nights left to compare with: `rows` fits `REFERENCE`, `prints` stand in the same order."""

    rows: pl.DataFrame
    prints: Prints


@dataclass(frozen=True)
class Candidate:
    """A picture of this night, as far as placing is concerned."""

    sha256: str
    style_code: str
    pixels: int
    blur: float


@dataclass(frozen=True)
class Placed:
    """Where a picture belongs. `reason` is None when it is kept; `rule` is None when it represents itself."""

    cluster: str
    representative: str
    distance64: int
    distance256: int
    colour: float
    rule: str | None
    reason: str | None


def place(
    candidates: Sequence[Candidate], prints: Prints, references: References, limits: Limits, what: str
) -> list[Placed]:
    """Place each candidate; a pure function, whose answer does not depend on the candidates' order.

    `prints` belong to the candidates. The references are every picture that earlier nights kept, the anchors, and what
    represents a cluster of which nothing was kept. Of a cluster one picture is kept, the best one
    (`preference`); a better copy of an earlier night's picture is kept as well and takes its place.
    `what` stands in reasons: `near` or `crop`.
    """
    if not candidates:
        return []
    order = sorted(range(len(candidates)), key=lambda at: (-candidates[at].pixels, candidates[at].sha256))
    desk = _Desk([candidates[at] for at in order], take(prints, order), references, limits, what)
    pending = list(range(len(order)))
    while pending:
        pending = desk.round(pending)
    answers: list[Placed | None] = [None] * len(order)
    for at, placed in zip(order, desk.placed, strict=True):
        answers[at] = placed
    return [placed for placed in answers if placed is not None]


# ------------------------------------------------------------------ the desk


@dataclass
class _Cluster:
    """A cluster while it is worked on: numbers of its anchor and its best kept picture, None where there is none."""

    name: str
    anchor: int | None = None
    best: int | None = None


class _Desk:
    """Numbers 0 to r-1 are references, from r on candidates in order of size."""

    def __init__(
        self,
        candidates: Sequence[Candidate],
        prints: Prints,
        references: References,
        limits: Limits,
        what: str,
    ) -> None:
        self._limits = limits
        self._what = what
        rows = references.rows
        self._first = rows.height
        self._prints = prints
        self._known = references.prints
        self._sha = [*rows["sha256"].to_list(), *(one.sha256 for one in candidates)]
        self._style = [*rows["style_code"].to_list(), *(one.style_code for one in candidates)]
        self._pixels = [*rows["pixels"].to_list(), *(one.pixels for one in candidates)]
        self._blur = [*rows["blur"].to_list(), *(one.blur for one in candidates)]
        self._cluster_of: dict[int, str] = dict(enumerate(rows["cluster"]))
        self._clusters = self._open_clusters(rows)
        self._kept = set(rows.with_row_index("number").filter("kept")["number"])
        self.placed: list[Placed | None] = [None] * len(candidates)

    def _open_clusters(self, references: pl.DataFrame) -> dict[str, _Cluster]:
        clusters: dict[str, _Cluster] = {}
        rivals: dict[str, list[int]] = {}
        for number, (sha256, name, kept) in enumerate(references.select("sha256", "cluster", "kept").iter_rows()):
            cluster = clusters.setdefault(name, _Cluster(name))
            if sha256 == name:
                cluster.anchor = number
            if kept:
                rivals.setdefault(name, []).append(number)
        for name, numbers in rivals.items():
            clusters[name].best = self._best(numbers)
        return clusters

    def round(self, pending: list[int]) -> list[int]:
        """Link what is pending and settle each cluster it touches; returns what has to be linked again."""
        active = self._active()
        old = [number for number in active if number < self._first]
        tonight = [number - self._first for number in active if number >= self._first]
        known = join(take(self._known, old), take(self._prints, tonight))
        numbers = [*active, *(self._first + at for at in pending)]
        links = zip(pending, link(take(self._prints, pending), known, self._limits), strict=True)
        matched = {self._first + at: (numbers[found.representative], found) for at, found in links}
        members: dict[str, list[int]] = {}
        for number, (other, _) in matched.items():
            if other == number:
                self._clusters[self._sha[number]] = _Cluster(self._sha[number], anchor=number)
            self._join(number, self._sha[number] if other == number else self._cluster_of[other], members)
        alone = [name for name, found in members.items() if found == [self._clusters[name].anchor]]
        several = [name for name in members if name not in set(alone)]
        released = [number for name in several for number in self._settle(self._clusters[name], members[name], matched)]
        second: dict[str, list[int]] = {}
        for name in self._second_chance(several, alone, matched, second):
            self._settle(self._clusters[name], members[name], matched)
        released += [number for name in second for number in self._settle(self._clusters[name], second[name], matched)]
        return sorted(number - self._first for number in released)

    def _join(self, number: int, name: str, members: dict[str, list[int]]) -> None:
        self._cluster_of[number] = name
        members.setdefault(name, []).append(number)

    def _second_chance(
        self,
        several: Sequence[str],
        alone: Sequence[str],
        matched: dict[int, tuple[int, Link]],
        second: dict[str, list[int]],
    ) -> list[str]:
        """What was near to no anchor may be near to a best picture that is none; returns who stays alone.

        Those who do not are put into `second`, by the cluster that they join.
        """
        chosen = [self._clusters[name].best for name in several]
        anchors = {self._clusters[name].anchor for name in several}
        bests = [number - self._first for number in chosen if number is not None and number >= self._first]
        bests = [at for at in bests if at + self._first not in anchors]
        singles = [self._cluster_anchor(name) - self._first for name in alone]
        links = link(take(self._prints, singles), take(self._prints, bests), self._limits)
        stay = []
        for name, at, found in zip(alone, singles, links, strict=True):
            if found.representative >= len(bests):
                stay.append(name)
                continue
            other = bests[found.representative] + self._first
            matched[at + self._first] = (other, found)
            del self._clusters[name]
            self._join(at + self._first, self._cluster_of[other], second)
        return stay

    def _cluster_anchor(self, name: str) -> int:
        anchor = self._clusters[name].anchor
        return -1 if anchor is None else anchor

    def _active(self) -> list[int]:
        """What a picture is held against: all that is kept, and what there is of clusters of which nothing is kept."""
        spare = (number for number in range(self._first) if self._clusters[self._cluster_of[number]].best is None)
        return sorted({*self._kept, *spare})

    def _settle(self, cluster: _Cluster, members: list[int], matched: dict[int, tuple[int, Link]]) -> list[int]:
        """Choose the best one and place the others; returns those that are not near to what is kept."""
        before = cluster.best
        style = self._style[before if before is not None else matched[members[0]][0]]
        alike = [number for number in members if self._style[number] == style]
        for number in members:
            if self._style[number] != style:
                other, found = matched[number]
                conflict = f"label_conflict: {self._what} {self._sha[other]} which is {style}, here "
                self._put(number, cluster, other, found, conflict + self._style[number])
        if not alike:
            return []
        eligible = [number for number in alike if self._may_be_best(number, cluster)]
        best_one = self._choose(before, eligible or ([] if before is not None else alike), alike)
        cluster.best = best_one
        self._kept.add(best_one)
        return [number for number in alike if not self._place_beside(number, cluster, best_one, matched[number])]

    def _choose(self, before: int | None, rivals: Sequence[int], others: Sequence[int]) -> int:
        """The best of tonight's, unless an earlier night kept one that is about as good."""
        if not rivals and before is not None:
            return before
        best_one = self._best(rivals, others[:_OTHERS])
        if before is None or replaces(self._preferred(best_one), self._preferred(before)):
            return best_one
        return before

    def _place_beside(self, number: int, cluster: _Cluster, best_one: int, match: tuple[int, Link]) -> bool:
        """Place a picture whose cluster has its best one; False where it is near to nothing that is kept."""
        if number == best_one:
            self._put(number, cluster, number, None, None)
            return True
        if found := self._compare(number, best_one):
            self._put(number, cluster, best_one, found, self._duplicate(best_one, found))
            return True
        other, link_to_other = match
        if other in self._kept and other != number:
            self._put(number, cluster, other, link_to_other, self._duplicate(other, link_to_other))
            return True
        return False

    def _may_be_best(self, number: int, cluster: _Cluster) -> bool:
        """Directly near the anchor and the best one so far, as far as there are any."""
        wanted = {cluster.anchor, cluster.best} - {None, number}
        return all(self._compare(number, other) is not None for other in wanted if other is not None)

    def _compare(self, number: int, other: int) -> Link | None:
        at = number - self._first
        if other < self._first:
            return compare(self._prints, at, self._known, other, self._limits)
        return compare(self._prints, at, self._prints, other - self._first, self._limits)

    def _best(self, numbers: Sequence[int], others: Sequence[int] = ()) -> int:
        largest = max(self._pixels[number] for number in numbers)
        return numbers[
            best([self._preferred(number, others if self._pixels[number] == largest else ()) for number in numbers])
        ]

    def _preferred(self, number: int, others: Sequence[int] = ()) -> Preferred:
        near = sum(other != number and self._compare(number, other) is not None for other in others)
        return Preferred(self._sha[number], self._pixels[number], self._blur[number], near)

    def _duplicate(self, other: int, found: Link) -> str:
        turned = "" if found.rule in (None, "near") else f" ({found.rule})"
        return (
            f"duplicate_{self._what}: of {self._sha[other]} at {found.distance64}/{found.distance256}/"
            f"{found.colour:.1f}{turned}"
        )

    def _put(self, number: int, cluster: _Cluster, other: int, found: Link | None, reason: str | None) -> None:
        self.placed[number - self._first] = Placed(
            cluster.name,
            self._sha[other],
            0 if found is None else found.distance64,
            0 if found is None else found.distance256,
            0.0 if found is None else found.colour,
            None if found is None else found.rule,
            reason,
        )
