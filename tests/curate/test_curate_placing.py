"""Which picture of a cluster is kept, over one night and over many, on made-up fingerprints."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from lvbag.curate.duplicates.linking import Limits, Prints, compare, join, take
from lvbag.curate.duplicates.placing import REFERENCE, Candidate, Placed, References, place

LIMITS = Limits(8, 31, 12.0)


def prints(bits: list[int]) -> Prints:
    """Pictures that differ by these many low bits of one pattern: a chain, in which neighbours are near."""
    codes = np.array([(1 << count) - 1 for count in bits], dtype=np.uint64).reshape(-1, 1)
    large = np.zeros((len(bits), 1, 32), dtype=np.uint8)
    return Prints(codes, large, np.zeros((len(bits), 64, 3), dtype=np.int8))


def picture(name: str, pixels: int = 100, blur: float = 100.0, style: str = "M41108") -> Candidate:
    return Candidate(name, style, pixels, blur)


def kept_before(*pictures: tuple[Candidate, str]) -> pl.DataFrame:
    """Kept pictures of earlier nights with their clusters."""
    rows = [(one.sha256, one.style_code, cluster, one.pixels, one.blur, True) for one, cluster in pictures]
    return pl.DataFrame(rows, schema=REFERENCE, orient="row")


def first_night(pictures: list[Candidate], bits: list[int]) -> dict[str, Placed]:
    placed = place(pictures, prints(bits), References(REFERENCE.to_frame(), prints([])), LIMITS, "near")
    return {one.sha256: where for one, where in zip(pictures, placed, strict=True)}


def kept(placed: dict[str, Placed]) -> set[str]:
    return {name for name, where in placed.items() if where.reason is None}


def test_of_copies_the_largest_one_is_kept() -> None:
    placed = first_night([picture("small", 50), picture("large", 200), picture("middle", 100)], [0, 2, 4])
    assert kept(placed) == {"large"}
    assert {where.representative for where in placed.values()} == {"large"}
    assert placed["small"].reason == "duplicate_near: of large at 2/0/0.0"
    assert (placed["small"].rule, placed["large"].rule) == ("near", None)


def test_an_enlarged_copy_does_not_beat_the_sharp_one() -> None:
    placed = first_night([picture("enlarged", 400, blur=20.0), picture("sharp", 100, blur=90.0)], [0, 2])
    assert kept(placed) == {"sharp"}
    assert placed["enlarged"].representative == "sharp"
    assert placed["sharp"].cluster == "enlarged"  # the cluster goes by its first picture, whatever is kept of it


def test_a_chain_of_small_distances_does_not_run_together() -> None:
    """Each neighbour is 6 bits away, the ends are 24 apart: what is refused is directly near what is kept."""
    names = ["a", "b", "c", "d", "e"]
    placed = first_night([picture(name, 100 - at) for at, name in enumerate(names)], [0, 6, 12, 18, 24])
    assert kept(placed) == {"a", "c", "e"}
    assert placed["b"].representative == "a"
    assert placed["d"].representative == "c"


def test_what_is_near_the_anchor_alone_is_not_refused_for_a_best_one_that_it_is_not_near_to() -> None:
    blurred, sharp, other = picture("anchor", 400, blur=10.0), picture("sharp", 100), picture("other", 90)
    placed = first_night([blurred, sharp, other], [8, 0, 16])  # both are 8 bits from the anchor, 16 from each other
    assert kept(placed) == {"sharp", "other"}
    assert placed["anchor"].representative == "sharp"


def test_a_better_copy_of_an_earlier_nights_picture_is_kept_under_the_old_name() -> None:
    before = kept_before((picture("old", 100), "old"))
    (placed,) = place([picture("new", 300)], prints([3]), References(before, prints([0])), LIMITS, "near")
    assert (placed.reason, placed.cluster, placed.representative) == (None, "old", "new")


def test_a_worse_copy_of_an_earlier_nights_picture_is_refused() -> None:
    before = kept_before((picture("old", 100), "old"))
    (placed,) = place([picture("new", 90)], prints([3]), References(before, prints([0])), LIMITS, "near")
    assert placed.reason == "duplicate_near: of old at 3/0/0.0"


def test_the_best_one_never_wanders_away_from_the_anchor() -> None:
    """Each is better than the one before and near to it; the third is too far from the first to replace it."""
    before = kept_before((picture("anchor", 100), "anchor"), (picture("second", 200), "anchor"))
    (placed,) = place([picture("third", 400)], prints([12]), References(before, prints([0, 6])), LIMITS, "near")
    assert placed.reason == "duplicate_near: of second at 6/0/0.0"


def test_a_copy_is_linked_to_the_best_one_where_it_is_directly_near_to_it_and_else_to_what_it_is_near_to() -> None:
    before = kept_before((picture("anchor", 100), "anchor"), (picture("best", 200), "anchor"))
    new = [picture("near both", 50), picture("near the anchor alone", 50)]
    both, alone = place(new, prints([6, 0]), References(before, prints([4, 12])), LIMITS, "near")
    assert both.representative == "best"
    assert alone.representative == "anchor"
    assert both.reason is not None
    assert alone.reason is not None


def test_a_cluster_of_which_nothing_was_kept_takes_the_next_picture() -> None:
    before = kept_before((picture("no bag in it", 100), "no bag in it")).with_columns(pl.lit(value=False).alias("kept"))
    placed = place(
        [picture("a", 50), picture("b", 40)], prints([3, 5]), References(before, prints([0])), LIMITS, "near"
    )
    assert [where.reason is None for where in placed] == [True, False]
    assert {where.cluster for where in placed} == {"no bag in it"}


def test_the_same_photo_under_two_products_is_a_conflict_whichever_is_better() -> None:
    before = kept_before((picture("old", 100), "old"))
    (placed,) = place(
        [picture("new", 900, style="M40712")], prints([3]), References(before, prints([0])), LIMITS, "near"
    )
    assert placed.reason == "label_conflict: near old which is M41108, here M40712"


PICTURES = st.tuples(st.integers(0, 60), st.integers(1, 9), st.integers(1, 9))


@given(st.lists(PICTURES, min_size=1, max_size=14), st.data())
@budget(max_examples=150, deadline=None)
def test_nothing_is_refused_but_for_a_direct_neighbour_that_is_kept(
    drawn: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    pictures = [picture(f"{at:02d}", size, blur * 10.0) for at, (_, size, blur) in enumerate(drawn)]
    bits = [count for count, _, _ in drawn]
    placed = first_night(pictures, bits)
    position = {one.sha256: at for at, one in enumerate(pictures)}
    all_prints = prints(bits)
    for name, where in placed.items():
        near = compare(all_prints, position[name], all_prints, position[where.representative], LIMITS)
        assert name == where.representative or near is not None
        assert where.reason is None or placed[where.representative].reason is None
        anchor = compare(all_prints, position[name], all_prints, position[where.cluster], LIMITS)
        assert where.reason is not None or name == where.cluster or anchor is not None
    order = data.draw(st.permutations(range(len(pictures))))
    shuffled = first_night([pictures[at] for at in order], [bits[at] for at in order])
    assert shuffled == placed


@given(st.lists(st.lists(st.integers(0, 60), min_size=1, max_size=6), min_size=2, max_size=5))
@budget(max_examples=100, deadline=None)
def test_over_many_nights_what_is_refused_stays_near_to_what_was_kept(nights: list[list[int]]) -> None:
    known, rows, total = prints([]), REFERENCE.to_frame(), 0
    for bits in nights:
        new = [picture(f"{total + at:03d}", 10 + (bits[at] * 7 + total) % 13) for at in range(len(bits))]
        total += len(bits)
        mine = prints(bits)
        placed = place(new, mine, References(rows, known), LIMITS, "near")
        names = [*rows["sha256"].to_list(), *(one.sha256 for one in new)]
        together = join(known, mine)
        stays = [at for at, where in enumerate(placed) if where.reason is None]
        for at, where in enumerate(placed):
            if where.reason is not None:
                other = names.index(where.representative)
                assert compare(together, len(known) + at, together, other, LIMITS) is not None
                assert other < len(known) or other - len(known) in stays
        more = kept_before(*((new[at], placed[at].cluster) for at in stays))
        rows, known = pl.concat([rows, more]), join(known, take(mine, stays))
