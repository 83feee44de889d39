"""Groups that grow: what must stay in one split, as connected listings and clusters.

A union-find over listings, clusters of pictures, clusters of crops and groups that have a name already, in which a
connected part knows its split. Ties of listings and clusters are firm: a picture that would tie two splits together is
refused. A seller's tie is soft: where it would, it does not bind. Pure, no store.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

SPLITS = ("train", "val", "test")

HELD_FIRST = {"test": 0, "val": 1, "train": 2}
"""Where two pictures turn out to be copies only after both were placed, the one for testing stays."""

Node = tuple[str, object]


@dataclass(frozen=True)
class Member:
    """A picture as far as splitting is concerned; `listing` is (source, listing_id).

    `near` names other members (by sha256) of which it is a near-duplicate, as a whole or as a crop. A `spare` one
    stands behind a better copy: it ties what belongs together, but is not counted.
    """

    sha256: str
    style_code: str
    listing: tuple[str, str]
    cluster: str
    near: tuple[str, ...] = ()
    crop_cluster: str | None = None
    seller: str | None = None
    spare: bool = False


@dataclass(frozen=True)
class Home:
    """Where a picture belongs; kept for ever once it was given."""

    sha256: str
    listing: tuple[str, str]
    cluster: str
    group: str
    split: str
    seller: str | None = None
    crop_cluster: str | None = None


class Groups:
    """The groups of all homes, joined by one member after the other, and last by sellers.

    `near` holds the near-duplicates of each picture, both ways.
    """

    def __init__(self, homes: Iterable[Home], near: Mapping[str, Set[str]]) -> None:
        self._near = near
        self._parent: dict[Node, Node] = {}
        self._split: dict[Node, str] = {}
        self._name: dict[Node, str] = {}
        self._sellers: dict[str, list[Node]] = defaultdict(list)
        self._listing: dict[str, Node] = {}  # of each member that was let in
        for home in sorted(homes, key=lambda home: (HELD_FIRST[home.split], home.sha256)):
            root = self._union([("listing", home.listing), ("cluster", home.cluster), ("group", home.group)])
            self._split[root] = home.split
            self._name[root] = min(home.group, self._name.get(root, home.group))
            if home.crop_cluster:
                crops = ("crop cluster", home.crop_cluster)
                if self._split.get(self._find(crops), home.split) == home.split:
                    self._union([root, crops])
            if home.seller:
                self._sellers[home.seller].append(("listing", home.listing))

    def join(self, member: Member, home: Home | None) -> str | None:
        """Let a picture tie its listing and its clusters together; the reason when that may not be."""
        nodes: list[Node] = [("listing", member.listing), ("cluster", member.cluster)]
        if home is not None:
            nodes.append(("group", home.group))
        if member.crop_cluster:
            nodes.append(("crop cluster", member.crop_cluster))
        copies = sorted(sha for sha in self._near.get(member.sha256, ()) if sha in self._listing)
        near = {self._listing[sha]: f"near-duplicate {sha}" for sha in copies}
        named = near | {node: f"{node[0]} {_text(node[1])}" for node in nodes}
        placed = {node: self._split[root] for node in named if (root := self._find(node)) in self._split}
        if len(set(placed.values())) > 1:
            return ", ".join(f"{named[node]} is in {split}" for node, split in placed.items())
        root = self._union(list(named))
        if root not in self._split:
            self._name[root] = min(member.sha256, self._name.get(root, member.sha256))
        self._listing[member.sha256] = ("listing", member.listing)
        if member.seller:
            self._sellers[member.seller].append(("listing", member.listing))
        return None

    def bind_sellers(self, shops: Set[str]) -> list[str]:
        """Join the groups of each seller who is no shop; returns those whose groups lie in several splits already."""
        torn = []
        for seller in sorted(self._sellers.keys() - shops):
            roots = {self._find(node) for node in self._sellers[seller]}
            splits = {self._split[root] for root in roots if root in self._split}
            if len(splits) > 1:
                torn.append(seller)
            else:
                self._union(self._sellers[seller])
        return torn

    def names(self, members: Sequence[Member]) -> dict[str, str]:
        """The name of each joined member's group, by sha256."""
        return {member.sha256: self._name[self._find(("listing", member.listing))] for member in members}

    def splits(self) -> Mapping[str, str]:
        """The splits of the groups that have one, by name."""
        return {self._name[root]: split for root, split in self._split.items() if self._find(root) == root}

    def _find(self, node: Node) -> Node:
        parent = self._parent
        if node not in parent:
            parent[node] = node
            return node
        while (above := parent[node]) != node:
            parent[node] = node = parent[above]
        return node

    def _union(self, nodes: Sequence[Node]) -> Node:
        """Several groups become one; what has a split gives it its split and name, else the smallest name wins."""
        roots = {self._find(node): None for node in nodes}
        fixed = [root for root in roots if root in self._split]
        first = fixed[0] if fixed else next(iter(roots))
        names = [self._name[root] for root in fixed or roots if root in self._name]
        for root in roots:
            self._parent[root] = first
        if names:
            self._name[first] = min(names)
        return first


def _text(name: object) -> str:
    return "/".join(str(part) for part in name) if isinstance(name, tuple) else str(name)
