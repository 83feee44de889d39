"""Which split a picture belongs to: train, val or test. Pure functions, no store.

A group is what must not be torn apart: pictures of one listing (they show one bag in one light) and pictures of one
near-duplicate cluster. A group is put into a split once and stays there for ever, and what joins it later follows.
Only pictures that are in the data set bind: a stock photo that a hundred shops show, refused as a duplicate, does not
run their listings together into one heap.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lvbag.curate.errors import CurateError

SPLITS = ("train", "val", "test")

MIN_GROUPS = 5
"""A product with fewer groups has nothing to spare: they all go to train."""


@dataclass(frozen=True)
class Member:
    """A picture as far as splitting is concerned; `listing` is unique over all sources.

    `near` names other clusters to which the picture is a near-duplicate as well.
    """

    sha256: str
    style_code: str
    listing: tuple[str, str]
    cluster: str
    near: tuple[str, ...] = ()


@dataclass(frozen=True)
class Home:
    """Where a picture belongs; kept for ever once it was given."""

    sha256: str
    listing: tuple[str, str]
    cluster: str
    group: str
    split: str


@dataclass(frozen=True)
class Assignment:
    """`homes` of the pictures that were placed, by sha256; `conflicts`: reasons of those that were refused."""

    homes: dict[str, Home]
    conflicts: dict[str, str]


def assign(members: Sequence[Member], previous: Iterable[Home], test_share: float, val_share: float) -> Assignment:
    """Give every picture a group and a split.

    `members` in any order; `previous` are all homes ever given. A picture with a home keeps it. A new picture joins
    the group that its listing or cluster belongs to; where these lie in different splits it is refused
    (`group_conflict`). New groups go, product by product and in the order of their hash, where the most is missing to
    the shares. The same input in any order gives the same answer.
    """
    kept = sorted(previous, key=lambda home: home.sha256)
    groups = _Groups(kept)
    known = {home.sha256: home for home in kept}
    ordered = sorted(members, key=lambda member: member.sha256)
    conflicts: dict[str, str] = {}
    for member in ordered:
        if member.sha256 not in known and (reason := groups.join(member)):
            conflicts[member.sha256] = reason
    placed = [member for member in ordered if member.sha256 not in conflicts]
    names = {member.sha256: groups.name(member) for member in placed if member.sha256 not in known}
    names |= {member.sha256: known[member.sha256].group for member in placed if member.sha256 in known}
    fixed = {home.group: home.split for home in kept} | groups.splits()
    splits = _fill(placed, names, fixed, test_share, val_share)
    homes = {
        member.sha256: known.get(member.sha256)
        or Home(member.sha256, member.listing, member.cluster, names[member.sha256], splits[names[member.sha256]])
        for member in placed
    }
    check([*kept, *homes.values()])
    return Assignment(homes, conflicts)


def check(homes: Iterable[Home]) -> None:
    """Raise `CurateError` when a group, a cluster or a listing straddles splits: the test set would leak."""
    seen: dict[tuple[str, object], Home] = {}
    for home in homes:
        for kind, name in (("group", home.group), ("cluster", home.cluster), ("listing", home.listing)):
            first = seen.setdefault((kind, name), home)
            if first.split != home.split:
                raise CurateError(
                    f"{kind} {name} straddles splits: {first.sha256} is in {first.split} and {home.sha256} in "
                    f"{home.split}; the snapshot was not written"
                )


# ------------------------------------------------------------------ groups


class _Groups:
    """Groups that grow: a union-find over listings and clusters, in which a group knows its name and its split."""

    def __init__(self, homes: Sequence[Home]) -> None:
        self._parent: dict[object, object] = {}
        self._name: dict[object, str] = {}
        self._split: dict[object, str] = {}
        for home in homes:
            root = self._union(("listing", home.listing), ("cluster", home.cluster))
            self._name[root] = min(home.group, self._name.get(root, home.group))
            self._split[root] = home.split

    def join(self, member: Member) -> str | None:
        """Let a new picture tie its listing and its clusters together; the reason when that may not be."""
        nodes = [("listing", member.listing), *(("cluster", name) for name in (member.cluster, *member.near))]
        placed = {node: self._split[self._find(node)] for node in nodes if self._find(node) in self._split}
        if len(set(placed.values())) > 1:
            return "group_conflict: " + ", ".join(
                f"{kind} {name if isinstance(name, str) else '/'.join(name)} is in {split}"
                for (kind, name), split in placed.items()
            )
        root = self._find(nodes[0])
        for node in nodes[1:]:
            root = self._union(root, node)
        if root not in self._split:
            self._name[root] = min(member.sha256, self._name.get(root, member.sha256))
        return None

    def name(self, member: Member) -> str:
        """The name of a joined picture's group."""
        return self._name[self._find(("listing", member.listing))]

    def splits(self) -> dict[str, str]:
        """The splits of the groups that have one, by name."""
        return {self._name[root]: split for root, split in self._split.items() if self._find(root) == root}

    def _find(self, node: object) -> object:
        self._parent.setdefault(node, node)
        while self._parent[node] != node:
            self._parent[node] = node = self._parent[self._parent[node]]
        return node

    def _union(self, one: object, other: object) -> object:
        """Two groups become one; one that has a split gives it its name and split, else the smaller name wins."""
        roots = sorted(
            {self._find(one), self._find(other)},
            key=lambda root: (root not in self._split, self._name.get(root, "~"), repr(root)),
        )
        for root in roots[1:]:
            self._parent[root] = roots[0]
            if roots[0] not in self._split and root in self._name:
                self._name[roots[0]] = min(self._name[root], self._name.get(roots[0], self._name[root]))
        return roots[0]


# ------------------------------------------------------------------ shares


def _fill(
    members: Sequence[Member], names: Mapping[str, str], fixed: Mapping[str, str], test_share: float, val_share: float
) -> dict[str, str]:
    """The split of every group, those that have one already included."""
    sizes = Counter(names[member.sha256] for member in members)
    product: dict[str, str] = {}
    for member in members:  # a listing whose title was corrected may hold two products; its first picture decides
        product.setdefault(names[member.sha256], member.style_code)
    by_product: dict[str, list[str]] = defaultdict(list)
    for name in sizes:
        by_product[product[name]].append(name)
    splits = dict(fixed)
    for style_code in sorted(by_product):
        groups = {name: sizes[name] for name in by_product[style_code]}
        splits |= _fill_product(groups, splits, {"test": test_share, "val": val_share})
    return splits


def _fill_product(groups: Mapping[str, int], fixed: Mapping[str, str], shares: Mapping[str, float]) -> dict[str, str]:
    """Splits of a product's groups (sizes by name) that are not fixed yet."""
    total = sum(groups.values())
    wanted = {"train": total * (1 - sum(shares.values())), **{split: total * share for split, share in shares.items()}}
    held = Counter({split: 0 for split in wanted})
    for name, size in groups.items():
        if name in fixed:
            held[fixed[name]] += size
    new = sorted((name for name in groups if name not in fixed), key=_shuffled)
    if len(groups) < MIN_GROUPS:
        return dict.fromkeys(new, "train")
    # a group that is larger than what is wanted would make a test set of one seller's photos; those that only train
    # can hold come first, so that the others make up for them
    room = max(math.ceil(wanted[split]) for split in shares)
    chosen: dict[str, str] = {}
    for name in sorted(new, key=lambda name: groups[name] <= room):
        fits = [split for split in wanted if split == "train" or held[split] + groups[name] <= math.ceil(wanted[split])]
        chosen[name] = max(fits, key=lambda split: (wanted[split] - held[split]) / wanted[split])
        held[chosen[name]] += groups[name]
    for split in shares:
        if not held[split]:
            _give_smallest(groups, chosen, split, held)
    return chosen


def _give_smallest(groups: Mapping[str, int], chosen: dict[str, str], split: str, held: Counter[str]) -> None:
    """Every group is larger than the whole share: the smallest of the new ones goes there all the same."""
    spare = [name for name in chosen if chosen[name] == "train"]
    if not spare:
        return
    name = min(spare, key=lambda name: (groups[name], _shuffled(name)))
    chosen[name] = split
    held[split] += groups[name]
    held["train"] -= groups[name]


def _shuffled(name: str) -> str:
    """An order that has nothing to do with the pictures and never changes."""
    return hashlib.sha256(f"split:{name}".encode()).hexdigest()
