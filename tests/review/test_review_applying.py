"""What decisions do to tables, as pure functions."""

from __future__ import annotations

import polars as pl
from review_frames import decision, sha

from lvbag.review import Decision, Verdict, apply_decisions, overruled, with_products
from lvbag.review.applying import Decided, decided
from lvbag.review.decisions import history_of


def frame(*rows: tuple[int, int, str]) -> pl.DataFrame:
    """Kept pictures: number, the number of their cluster's first, listing; all of M1."""
    return pl.DataFrame(
        [(sha(number), sha(cluster), "shop", listing, "M1") for number, cluster, listing in rows],
        schema=["sha256", "cluster", "source", "listing_id", "style_code"],
        orient="row",
    )


def counted(*decisions: Decision) -> Decided:
    return decided(history_of(decisions))


def products(table: pl.DataFrame) -> dict[int, str]:
    return {int(sha256, 16): style for sha256, style in table.select("sha256", "style_code").iter_rows()}


KEPT = frame((1, 1, "a"), (2, 1, "b"), (3, 3, "a"))


def test_without_decisions_nothing_changes() -> None:
    reviewed = apply_decisions(KEPT, counted())
    assert (reviewed.kept.equals(KEPT), reviewed.dropped.height, reviewed.relabelled) == (True, 0, 0)


def test_a_refusal_takes_the_near_duplicates_along_but_for_those_with_a_word_of_their_own() -> None:
    refused = decision(f"confidence:{sha(1)}", "refuse", 5)
    reviewed = apply_decisions(KEPT, counted(refused))
    assert (products(reviewed.kept), products(reviewed.dropped)) == ({3: "M1"}, {1: "M1", 2: "M1"})
    reviewed = apply_decisions(KEPT, counted(refused, decision(f"confidence:{sha(2)}", "keep")))
    assert products(reviewed.kept) == {2: "M1", 3: "M1"}


def test_a_picture_follows_the_newest_word_on_any_of_its_items() -> None:
    said = [decision(f"confidence:{sha(3)}", "refuse", 5), decision(f"bag_size:{sha(3)}", "relabel", 6, style="M2")]
    reviewed = apply_decisions(KEPT, counted(*said))
    assert (products(reviewed.kept), reviewed.relabelled) == ({1: "M1", 2: "M1", 3: "M2"}, 1)


def test_a_listings_product_is_given_changed_and_taken_away_again() -> None:
    given = decision("unlabelled:shop/a", "relabel", style="M1")
    changed = decision("unlabelled:shop/a", "relabel", 1, style="M2")
    back = [decision("unlabelled:shop/a", "undo", 2 + n, replaces=one.name) for n, one in enumerate((changed, given))]
    assert products(apply_decisions(KEPT, counted(given)).kept) == {1: "M1", 2: "M1", 3: "M1"}
    assert products(apply_decisions(KEPT, counted(given, changed)).kept) == {1: "M2", 2: "M1", 3: "M2"}
    assert products(apply_decisions(KEPT, counted(given, changed, back[0])).kept) == {1: "M1", 2: "M1", 3: "M1"}
    withdrawn = apply_decisions(KEPT, counted(given, changed, *back))
    assert products(withdrawn.kept) == {2: "M1"}, "the product had no other ground than the decision"


def test_listings_get_the_products_that_people_gave_them() -> None:
    listings = pl.DataFrame({"source": ["shop", "shop"], "listing_id": ["a", "b"], "style_code": [None, "M1"]})
    said = counted(decision("unlabelled:shop/a", "relabel", style="M2"))
    assert with_products(listings, said)["style_code"].to_list() == ["M2", "M1"]
    assert with_products(listings, counted()).equals(listings)


def test_cleaning_is_overruled_by_who_says_that_a_bag_is_there() -> None:
    said = counted(
        decision(f"confidence:{sha(1)}", "keep"),
        decision(f"confidence:{sha(2)}", "relabel", style="M2"),
        decision(f"confidence:{sha(3)}", "refuse"),
    )
    assert [overruled(said, sha(number)) for number in range(1, 5)] == [
        *(Verdict.KEEP, Verdict.KEEP, Verdict.REFUSE),
        None,
    ]
