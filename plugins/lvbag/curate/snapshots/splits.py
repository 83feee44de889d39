"""Which split a picture belongs to: train, val or test. Pure functions, no store.

A group is what must not be torn apart: pictures of one listing (they show one bag in one light), of one near-duplicate
cluster, of one cluster of crops, and the listings of one seller who is no shop. A group is put into a split once and
stays there for ever, and what joins it later follows. Only pictures that are kept bind: a stock photo that a hundred
shops show, refused as a duplicate, does not run their listings together into one heap.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from lvbag.curate.errors import CurateError
from lvbag.curate.snapshots.dealing import MIN_GROUPS, deal
from lvbag.curate.snapshots.groups import HELD_FIRST, SPLITS, Groups, Home, Member

__all__ = ["MIN_GROUPS", "SPLITS", "Assignment", "Home", "Member", "assign", "check", "find_shops"]

NEW_CONFLICT = "group_conflict"
"""A new picture that would tie two splits together: it is refused."""

LATE_CONFLICT = "late_conflict"
"""A picture that was placed before it turned out to be a copy of one in another split: it leaves, the other stays."""


@dataclass(frozen=True)
class Assignment:
    """`homes` of the pictures that were placed, by sha256; `conflicts`: reasons of those that were refused.

    `torn`: sellers whose listings already lie in more than one split, and who therefore bind nothing.
    """

    homes: dict[str, Home]
    conflicts: dict[str, str]
    torn: tuple[str, ...] = ()


def assign(
    members: Iterable[Member],
    previous: Iterable[Home],
    test_share: float,
    val_share: float,
    shops: Set[str] = frozenset(),
) -> Assignment:
    """Give every picture a group and a split.

    `members` in any order; `previous` are all homes ever given; `shops` are sellers who bind nothing. A picture with a
    home keeps it. A new picture joins the group that its listing or cluster belongs to; where these lie in different
    splits it is refused. New groups are dealt (`dealing`). The same input in any order gives the same
    answer.
    """
    known = {home.sha256: home for home in previous}
    check(known.values())
    members = list(members)
    groups = Groups(known.values(), _both_ways(members))
    placed: list[Member] = []
    conflicts: dict[str, str] = {}
    for member in sorted(members, key=lambda member: _turn(member, known)):
        if (reason := groups.join(member, known.get(member.sha256))) is None:
            placed.append(member)
        else:
            rule = LATE_CONFLICT if member.sha256 in known else NEW_CONFLICT
            conflicts[member.sha256] = f"{rule}: {reason}"
    torn = groups.bind_sellers(shops)
    names = groups.names(placed) | {sha256: home.group for sha256, home in known.items()}
    splits = {**groups.splits(), **{home.group: home.split for home in known.values()}}
    splits |= deal(_sizes(placed, names), splits, {"test": test_share, "val": val_share})
    homes = {member.sha256: known.get(member.sha256) or _home(member, names, splits) for member in placed}
    check([*known.values(), *(_home(member, names, splits) for member in placed)])
    return Assignment(homes, conflicts, tuple(torn))


def find_shops(listings: Iterable[tuple[str, tuple[str, str]]], max_listings: int) -> frozenset[str]:
    """The sellers of whom more listings than that have ever been kept; `listings` are (seller, listing), repeated or
    not."""
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for seller, listing in listings:
        found[seller].add(listing)
    return frozenset(seller for seller, theirs in found.items() if len(theirs) > max_listings)


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


def _turn(member: Member, known: Mapping[str, Home]) -> tuple[int, bool, str]:
    """Who comes first: what has a place, and there what is in test; then what is new; last what stands behind it."""
    home = known.get(member.sha256)
    return (len(HELD_FIRST) if home is None else HELD_FIRST[home.split], member.spare, member.sha256)


def _home(member: Member, names: Mapping[str, str], splits: Mapping[str, str]) -> Home:
    name = names[member.sha256]
    return Home(member.sha256, member.listing, member.cluster, name, splits[name], member.seller, member.crop_cluster)


def _both_ways(members: Iterable[Member]) -> dict[str, set[str]]:
    """Near-duplicates of each picture, also where only the other one names it."""
    near: dict[str, set[str]] = defaultdict(set)
    for member in members:
        for other in member.near:
            near[member.sha256].add(other)
            near[other].add(member.sha256)
    return near


def _sizes(placed: Sequence[Member], names: Mapping[str, str]) -> dict[str, Counter[str]]:
    """Images by product of every group; what stands behind a better copy does not count."""
    sizes: dict[str, Counter[str]] = defaultdict(Counter)
    for member in placed:
        sizes[names[member.sha256]][member.style_code] += 0 if member.spare else 1
    return sizes
