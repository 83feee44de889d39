"""The rules of cleaning, one by one: what each refuses, what it says, and what it leaves alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvbag.curate.boxes import borders
from lvbag.curate.rules import RULES, judge, why_refused
from lvbag.infer import Detection
from lvbag.settings import CurateSettings, DetectorSettings, setting_variables


def box(x0: float, y0: float, x1: float, y1: float, confidence: float = 0.9, name: str = "Bag") -> Detection:
    return Detection(x0, y0, x1, y1, confidence, name)


BAG = box(0.4, 0.4, 0.6, 0.6)


def no_text(best: Detection) -> float:
    return 0.0


def reason(*found: Detection, curate: CurateSettings | None = None, detector: DetectorSettings | None = None) -> str:
    return judge(found, curate or CurateSettings(), detector or DetectorSettings(), no_text).reason or ""


# ------------------------------------------------------------------ classes


def test_only_boxes_of_bag_classes_are_bags() -> None:
    shoe = box(0.1, 0.1, 0.3, 0.3, 0.95, "Shoe")
    assert judge([shoe, BAG], CurateSettings(), DetectorSettings(), no_text).best == BAG
    assert reason(shoe, BAG) == ""
    assert reason(shoe) == "no_bag: nothing detected but Shoe"
    assert reason() == "no_bag: nothing detected"
    both = DetectorSettings(bag_classes=("Bag", "Shoe"))
    assert reason(shoe, BAG, detector=both).startswith("several_bags: 2 boxes of similar size")


# ------------------------------------------------------------------ people


@pytest.mark.parametrize(
    ("person", "said"),
    [
        (box(0, 0, 0.5, 1, 0.8, "person"), "person covers 12.5 times the bag's area, curate.max_person_factor is 8"),
        (box(0, 0, 0.5, 0.5, 0.8, "person"), ""),  # 6 times: the bag is worn and seen well
        (box(0, 0, 0.5, 1, 0.34, "person"), ""),  # below the working point
        (box(0, 0, 0.5, 1, 0.8, "Shoe"), ""),
    ],
)
def test_a_person_much_larger_than_the_bag_dominates_the_picture(person: Detection, said: str) -> None:
    assert reason(person, BAG) == (f"person_dominant: {said}" if said else "")


def test_the_largest_person_counts_and_both_settings_change_the_outcome() -> None:
    people = (box(0, 0, 0.1, 0.1, 0.9, "person"), box(0, 0, 0.5, 1, 0.5, "person"))
    assert reason(*people, BAG).startswith("person_dominant: person covers 12.5")
    assert reason(*people, BAG, curate=CurateSettings(max_person_factor=13)) == ""
    assert reason(*people, BAG, detector=DetectorSettings(person_classes=())) == ""


# ------------------------------------------------------------------ the border


@pytest.mark.parametrize(
    ("bag", "at"),
    [
        (box(0, 0.3, 0.5, 1), ("left", "bottom")),
        (box(0.5, 0, 1, 0.6), ("right", "top")),
        (box(0, 0.2, 1, 0.8), ()),  # from one border to the opposite one: framed tightly
        (box(0, 0, 1, 1), ()),
        (box(0, 0.3, 0.5, 0.9), ("left",)),
        (box(0, 0.3, 0.1, 1), ("left",)),  # a strap's width at the lower border
        (box(0.006, 0.3, 0.5, 0.994), ()),  # near, and not at it
    ],
)
def test_a_box_ends_at_a_border_when_it_does_not_reach_the_opposite_one(bag: Detection, at: tuple[str, ...]) -> None:
    assert borders(bag, 0.005, 0.2) == at


def test_a_bag_that_runs_into_a_corner_is_cut_off() -> None:
    assert reason(box(0, 0.3, 0.5, 1)) == (
        "cut_off: box ends at the left and bottom border and covers 0.35 of the picture, curate.cut_off_borders is 2"
    )


@pytest.mark.parametrize(
    "bag",
    [
        box(0.1, 0.1, 0.9, 0.9),
        box(0, 0, 1, 1),  # a pack-shot cut to the bag
        box(0, 0, 0.8, 0.8),  # it fills the frame
        box(0.2, 0.4, 0.8, 1),  # stands on the lower border
        box(0.2, 0, 0.8, 0.7),  # hangs from the upper one
        box(0, 0, 0.5, 1),  # the left half of two photos side by side: from the upper to the lower border
    ],
)
def test_bags_that_fill_the_frame_or_stand_at_one_border_are_kept(bag: Detection) -> None:
    assert reason(bag) == ""


def test_each_threshold_of_cut_off_changes_the_outcome() -> None:
    corner, standing = box(0.004, 0.3, 0.5, 1), box(0.2, 0.4, 0.8, 1)
    assert reason(corner).startswith("cut_off")
    assert reason(corner, curate=CurateSettings(cut_off_borders=0)) == ""
    assert reason(corner, curate=CurateSettings(cut_off_distance=0.003)) == ""
    assert reason(corner, curate=CurateSettings(cut_off_contact=0.6)) == ""
    assert reason(corner, curate=CurateSettings(cut_off_max_share=0.3)) == ""
    assert reason(standing, curate=CurateSettings(cut_off_borders=1)).startswith("cut_off: box ends at the bottom")


# ------------------------------------------------------------------ text


def test_text_beside_the_bag_is_measured_only_where_no_other_rule_refuses() -> None:
    asked: list[Detection] = []

    def much(best: Detection) -> float:
        asked.append(best)
        return 0.06

    def told(found: Detection, limit: float) -> str | None:
        return judge([found], CurateSettings(max_text_share=limit), DetectorSettings(), much).reason

    assert (
        told(BAG, 0.05)
        == "text_dominant: text covers 0.060 of the picture beside the bag, curate.max_text_share is 0.05"
    )
    assert told(BAG, 0.07) is None
    assert asked == [BAG, BAG], "once a picture, for its reason, its margin and its verdict"
    assert told(BAG, 1.0) is None
    assert (told(box(0.3, 0.3, 0.6, 0.6, 0.1), 0.05) or "").startswith("no_bag")
    assert len(asked) == 2


# ------------------------------------------------------------------ how narrowly


@pytest.mark.parametrize(
    ("found", "rule", "margin"),
    [
        ([box(0.2, 0.2, 0.8, 0.8, 0.42)], "no_bag", 0.2),
        ([box(0.2, 0.2, 0.8, 0.8, 0.28)], "no_bag", -0.2),
        ([box(0.4, 0.4, 0.6, 0.51)], "bag_too_small", 0.1),
        ([box(0.4, 0.4, 0.6, 0.48)], "bag_too_small", -0.2),
        ([box(0.1, 0.1, 0.4, 0.4), box(0.5, 0.1, 0.8, 0.4, 0.315)], "several_bags", 0.1),  # not quite sure enough
        ([box(0.1, 0.1, 0.4, 0.4), box(0.5, 0.1, 0.8, 0.4, 0.385)], "several_bags", -0.1),
        ([box(0.1, 0.1, 0.4, 0.4), box(0.5, 0.1, 0.68, 0.4, 0.8)], "several_bags", 1 / 9),  # not quite as large
        ([box(0.4, 0.4, 0.6, 0.6), box(0, 0, 0.36, 0.8, 0.9, "person")], "person_dominant", 0.1),
        ([box(0.4, 0.4, 0.6, 0.6), box(0, 0, 0.44, 0.8, 0.9, "person")], "person_dominant", -0.1),
        ([box(0.0, 0.3, 0.5, 0.996)], "cut_off", -0.2),
        ([box(0.0, 0.3, 0.5, 0.994)], "cut_off", 0.2),
    ],
)
def test_a_verdict_says_which_rule_was_nearest_and_how_near(found: list[Detection], rule: str, margin: float) -> None:
    verdict = judge(found, CurateSettings(), DetectorSettings(), no_text)
    assert (verdict.rule, verdict.margin) == (rule, pytest.approx(margin))
    assert (verdict.reason is None) == (margin > 0)
    if verdict.reason is not None:
        assert verdict.reason.startswith(rule)


def test_a_picture_without_any_box_was_decided_clearly() -> None:
    assert judge([], CurateSettings(), DetectorSettings(), no_text).margin == -1


# ------------------------------------------------------------------ all of them


def test_every_rule_names_settings_that_exist_and_a_sentence_for_the_report() -> None:
    known = {name.removeprefix("LVBAG_").lower().replace("__", ".") for name in setting_variables()}
    names = [rule.name for rule in RULES]
    assert names == ["no_bag", "bag_too_small", "several_bags", "person_dominant", "cut_off", "text_dominant"]
    for rule in RULES:
        assert set(rule.settings) <= known
        assert why_refused()[rule.name].startswith(rule.why)


shares = st.floats(0, 1)


@given(
    st.lists(
        st.tuples(shares, shares, shares, shares, shares, st.sampled_from(["Bag", "person", "Shoe"])),
        max_size=6,
        unique_by=lambda one: one[4],
    ),
    shares,
)
def test_whatever_is_detected_the_verdict_is_one_of_the_rules_or_kept(
    found: list[tuple[float, float, float, float, float, str]], least: float
) -> None:
    boxes = [Detection(min(a, b), min(c, d), max(a, b), max(c, d), score, name) for a, b, c, d, score, name in found]
    curate = CurateSettings(min_box_share=least if least > 0.5 else 0.0)
    verdict = judge(boxes, curate, DetectorSettings(), no_text)
    assert verdict == judge(boxes[::-1], curate, DetectorSettings(), no_text)
    assert (verdict.reason or "").split(":")[0] in {"", *(rule.name for rule in RULES)}
    if verdict.margin:
        assert (verdict.margin > 0) == (verdict.reason is None)
    if verdict.reason is None:
        assert verdict.best is not None and verdict.best.name == "Bag"
