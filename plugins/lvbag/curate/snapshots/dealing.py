"""Dealing new groups to train, val and test, so that every product comes close to the shares. Pure, no store.

What comes out, and is tested: val and test never take a group that would carry one of its products above its share,
rounded up, with one exception: a product of at least `MIN_GROUPS` groups has something in test and in val, however
large its groups are. Where groups hold one product each and none is larger than the room in test, test holds less than
the largest group too little.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Mapping

MIN_GROUPS = 5
"""A product with fewer groups has nothing to spare: they all go to train."""

_ROUNDING = 1e-9
"""A share of 15 % of 20 images is 3 of them, whatever floating point says."""

Sizes = Mapping[str, int]
"""Images of a group, by product."""


def deal(groups: Mapping[str, Sizes], fixed: Mapping[str, str], shares: Mapping[str, float]) -> dict[str, str]:
    """The split of every group that has none; `fixed` has the others, `shares` those of val and test.

    Groups go one after the other, in an order that has nothing to do with the pictures, where their products miss
    the most. What is too large for val and test comes first, so that the others make up for it: a test set of one
    listing's photos would say little.
    """
    table = _Table(groups, fixed, shares)
    new = sorted(
        (name for name in groups if name not in fixed), key=lambda name: (table.is_small(name), shuffled(name))
    )
    chosen = {name: table.put(name, table.choose(name)) for name in new}
    for split in shares:
        for product in table.without(split):
            name = table.smallest_spare(product, chosen)
            if name is not None:
                chosen[name] = table.move(name, split)
    return chosen


def shuffled(name: str) -> str:
    """An order that has nothing to do with the pictures and never changes."""
    return hashlib.sha256(f"split:{name}".encode()).hexdigest()


class _Table:
    """How many images of each product lie in each split, and how many should."""

    def __init__(self, groups: Mapping[str, Sizes], fixed: Mapping[str, str], shares: Mapping[str, float]) -> None:
        self._groups = groups
        self._given = tuple(shares)
        self._shares = {"train": 1.0 - sum(shares.values()), **shares}
        self._held: dict[str, Counter[str]] = {split: Counter() for split in self._shares}
        self._total: Counter[str] = Counter()
        self._of_product: dict[str, list[str]] = defaultdict(list)
        for name, sizes in groups.items():
            self._total.update(sizes)
            for product, size in sizes.items():
                if size:
                    self._of_product[product].append(name)
            if name in fixed:
                self.put(name, fixed[name])

    def is_small(self, name: str) -> bool:
        """Whether a group would fit into val or test, were they empty."""
        sizes = self._groups[name].items()
        return all(size <= max(self._room(split, product) for split in self._given) for product, size in sizes)

    def choose(self, name: str) -> str:
        """The split where a group's products miss the most, among those that have room for it."""
        sizes = self._groups[name]
        open_to = ["train"]
        if all(len(self._of_product[product]) >= MIN_GROUPS for product in sizes):
            open_to += [split for split in self._given if self._has_room(split, sizes)]
        return max(open_to, key=lambda split: sum(size * self._missing(split, p) for p, size in sizes.items()))

    def put(self, name: str, split: str) -> str:
        """Count a group into a split."""
        self._held[split].update(self._groups[name])
        return split

    def move(self, name: str, split: str) -> str:
        """Take a group out of train."""
        self._held["train"].subtract(self._groups[name])
        return self.put(name, split)

    def without(self, split: str) -> list[str]:
        """Products with groups to spare of which a split holds nothing."""
        return sorted(
            product
            for product, names in self._of_product.items()
            if len(names) >= MIN_GROUPS and not self._held[split][product]
        )

    def smallest_spare(self, product: str, chosen: Mapping[str, str]) -> str | None:
        """The smallest new group in train that holds a product, and that none of its products needs there."""
        train = self._held["train"]
        spare = [
            name
            for name in self._of_product[product]
            if chosen.get(name) == "train" and all(train[p] > size for p, size in self._groups[name].items())
        ]
        return min(spare, key=lambda name: (sum(self._groups[name].values()), shuffled(name)), default=None)

    def _has_room(self, split: str, sizes: Sizes) -> bool:
        return all(self._held[split][p] + size <= self._room(split, p) for p, size in sizes.items())

    def _room(self, split: str, product: str) -> int:
        return math.ceil(self._total[product] * self._shares[split] - _ROUNDING)

    def _missing(self, split: str, product: str) -> float:
        """Which share of what a split should hold of a product it misses; below 0 where it holds too much."""
        wanted = self._total[product] * self._shares[split]
        return (wanted - self._held[split][product]) / wanted if wanted else 0.0
