"""Linking by fingerprints alone: the search, and the properties that it must keep whatever the pictures are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st
from PIL import Image
from print_makers import blank, noisy, picture, prints_of, random_prints

from lvbag.curate.duplicates import linking, pairing
from lvbag.curate.duplicates.linking import (
    Limits,
    Link,
    Prints,
    compare,
    join,
    link,
    near_limits,
    near_pairs,
    pack,
    take,
)
from lvbag.curate.duplicates.nearness import Marked
from lvbag.curate.duplicates.prints import TURNED_CELLS
from lvbag.images import fingerprint
from lvbag.images.fingerprints import VIEWS
from lvbag.settings import CurateSettings

LIMITS = Limits(8, 31, 12.0)
RULE = near_limits(CurateSettings())
TURNS = dict(zip(VIEWS[1:], (0, 2, 3, 4, 1, 5, 6), strict=True))
"""PIL's transpositions, by the names of the views."""


def plain_links(new: Prints, known: Prints, limits: Limits) -> list[int]:
    """The same by its definition: each picture with every representative, one after the other."""
    representatives = [(known, number, number) for number in range(len(known))]
    found = []
    for place in range(len(new)):
        near = [(compare(new, place, prints, at, limits), number) for prints, at, number in representatives]
        best = min(
            ((one.distance256, one.colour, VIEWS.index((one.rule or "")[5:]), number) for one, number in near if one),
            default=None,
        )
        if best is None:
            representatives.append((new, place, len(known) + place))
        found.append(len(known) + place if best is None else best[3])
    return found


def test_chains_do_not_run_together() -> None:
    steps = [(1 << 6 * n) - 1 for n in range(6)]  # each 6 bits from the next, 30 from the first to the last
    links = link(prints_of(steps), blank(0), LIMITS)
    assert [found.representative for found in links] == [0, 0, 2, 2, 4, 4]


def test_of_several_the_nearest_represents_and_of_equals_the_first() -> None:
    known = prints_of([0b111, 0b1, 0b11, 0b1], bits256=[40, 3, 9, 3])
    (found,) = link(prints_of([0]), known, Limits(8, 10, 12.0))
    assert found == Link(1, 1, 3, 0.0, "near")


def test_a_picture_that_is_near_to_none_represents_itself() -> None:
    links = link(prints_of([0, 0xFFFF0000]), prints_of([0xFFFF]), LIMITS)
    assert links == [Link(1, 0, 0, 0.0, None), Link(2, 0, 0, 0.0, None)]


@pytest.mark.parametrize("view", VIEWS[1:])
def test_a_turned_copy_is_linked_and_the_rule_names_the_turn(view: str) -> None:
    image = picture(1)
    turned = image.transpose(Image.Transpose(TURNS[view]))
    (found,) = link(pack([fingerprint(turned)]), pack([fingerprint(image)]), RULE)
    back = {"turned_90": "turned_270", "turned_270": "turned_90"}.get(view, view)
    assert (found.representative, found.rule) == (0, f"near_{back}")
    upright_only = take(pack([fingerprint(turned)]), [0])
    upright_only = Prints(upright_only.views64[:, :1], upright_only.views256[:, :1], upright_only.thumbs)
    assert link(upright_only, pack([fingerprint(image)]), RULE)[0].rule is None


def test_a_symmetric_picture_is_near_as_it_stands_not_mirrored() -> None:
    half = picture(2).crop((0, 0, 100, 150))
    image = Image.new("RGB", (200, 150))
    image.paste(half, (0, 0))
    image.paste(half.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (100, 0))
    (found,) = link(pack([fingerprint(noisy(image))]), pack([fingerprint(image)]), RULE)
    assert found.rule == "near"


def test_pictures_that_are_known_upright_alone_are_compared_with_all_views_of_new_ones() -> None:
    new, known = random_prints(3, 8, seed=1), random_prints(5, 1, seed=2)
    known.views64[4], known.views256[4] = new.views64[1, 1], new.views256[1, 1]
    known.thumbs[4] = new.thumbs[1][TURNED_CELLS[1]]
    assert [found.representative for found in link(new, known, RULE)] == [5, 4, 7]


@budget(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), max_size=14),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), max_size=8),
    st.sampled_from([LIMITS, RULE, Limits(4, 12, 4.0, 3, Marked(60, 2.0, 1.0))]),
    st.sampled_from([1, 2, 8]),
    st.integers(1, 6),
)
def test_links_are_those_of_comparing_each_with_every_representative(
    new: list[tuple[int, int]], known: list[tuple[int, int]], limits: Limits, views: int, chunk: int
) -> None:
    """Families of alike pictures; small chunks, so that links go across them."""
    ours, theirs = random_families(new, views), random_families(known, views)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linking, "_CHUNK", chunk)
        patch.setattr(pairing, "_PAIRS", 3)
        links = link(ours, theirs, limits)
        pairs = near_pairs(ours, theirs, limits)
    assert [found.representative for found in links] == plain_links(ours, theirs, limits)
    whole = [
        (one, other)
        for one in range(len(ours))
        for other in range(len(theirs))
        if compare(ours, one, theirs, other, limits) is not None
    ]
    assert pairs == whole
    for place, found in enumerate(links):
        own = len(theirs) + place
        assert (found.rule is None) == (found.representative == own)
        if found.representative >= len(theirs) and found.rule is not None:  # never through a chain
            assert links[found.representative - len(theirs)].rule is None
            assert found.representative < own


def random_families(members: list[tuple[int, int]], views: int) -> Prints:
    """Pictures by family and by how far they are from its first: neighbours are near, ends are not always."""
    if not members:
        return blank(0, views)
    parts = []
    for family, steps in members:
        one = random_prints(1, views, seed=family)
        shaken = np.random.default_rng(100 * family + steps)
        for view in range(views):
            for _ in range(steps):
                one.views64[0, view] ^= np.uint64(1 << int(shaken.integers(0, 64)))
                one.views256[0, view, int(shaken.integers(0, 32))] ^= 1 << int(shaken.integers(0, 8))
        one.thumbs[0] += shaken.integers(0, steps + 1, one.thumbs[0].shape).astype(np.int8)
        parts.append(one)
    whole = parts[0]
    for part in parts[1:]:
        whole = join(whole, part)
    return whole


def test_a_hundred_thousand_identical_pictures_are_linked_to_the_first() -> None:
    one = random_prints(1, 2, seed=1)
    many = take(one, [0] * 100_000)  # each with each other are five thousand million pairs
    links = link(many, blank(0, 2), RULE)
    assert {found.representative for found in links} == {0}


def test_empty_is_no_trouble() -> None:
    assert link(blank(0), blank(0), RULE) == []
    assert near_pairs(blank(0), blank(3), RULE) == []
    assert near_pairs(random_prints(2, 1, seed=1), blank(0, 1), RULE) == []
