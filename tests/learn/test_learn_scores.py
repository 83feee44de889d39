"""Figures of classifiers and detectors, against counts by hand."""

from __future__ import annotations

import numpy as np
import pytest

from lvbag.learn.classifier.scores import answers, confusion, figures, pairs, right_by_product, within
from lvbag.learn.detector.scores import Found, Truth, detection_figures

CLASSES = ("A", "B", "C", "D", "E", "F")


def given(*tops: str, truths: tuple[str, ...], classes: tuple[str, ...] = CLASSES):  # type: ignore[no-untyped-def]
    """Answers in which the named class comes first, with 0.9, and the others follow in order."""
    rows = np.array([[0.0 if name == top else 0.05 - 0.001 * i for i, name in enumerate(classes)] for top in tops])
    shares = np.where(rows == 0.0, 0.9, 0.1 * rows / rows.sum(axis=1, keepdims=True))
    return answers(np.log(shares), classes, truths)


def test_ranks_count_from_one_and_an_unknown_product_has_none() -> None:
    result = given("A", "B", "B", "F", truths=("A", "A", "Z", "E"))
    assert result.rank.tolist() == [1, 2, 0, 6]
    assert result.predicted == ("A", "B", "B", "F")
    assert result.probability.tolist() == pytest.approx([0.9] * 4)


def test_figures_are_shares_of_all_pictures_and_macro_is_by_product() -> None:
    result = given("A", "A", "A", "B", "F", "A", truths=("A", "A", "A", "A", "E", "Z"))
    counted = figures(result)
    assert counted["top1"] == pytest.approx(3 / 6)
    assert counted["top2"] == pytest.approx(4 / 6)
    assert counted["top3"] == pytest.approx(4 / 6)
    assert counted["top5"] == pytest.approx(4 / 6)
    assert counted["macro_accuracy"] == pytest.approx((3 / 4 + 0 + 0) / 3)
    assert (counted["test_images"], counted["classes"]) == (6, 3)
    # A: 3 of its 4 pictures, said 4 times; E and Z: never said
    assert counted["macro_f1"] == pytest.approx((2 * 3 / (4 + 4)) / 3)
    assert counted["ece"] == counted["ece_untempered"] == pytest.approx(0.9 - 3 / 6)
    assert right_by_product(result) == {"A": 3, "E": 0, "Z": 0}
    assert within(result, ("A", "E")).tolist() == [True] * 5 + [False]


def test_f1_is_the_harmonic_mean_of_precision_and_recall() -> None:
    random = np.random.default_rng(4)
    truths = tuple(str(name) for name in random.choice(list("ABCD"), 80))
    result = answers(random.normal(size=(80, 6)), CLASSES, truths)
    table = confusion(result, CLASSES)
    hits = table.diagonal()[:4]
    precision, recall = hits / table.sum(axis=0)[:4], hits / table.sum(axis=1)[:4]
    assert figures(result)["macro_f1"] == pytest.approx(np.mean(2 * precision * recall / (precision + recall)))


def test_a_temperature_changes_how_sure_an_answer_is_and_not_which_it_is() -> None:
    scores = np.random.default_rng(5).normal(size=(50, 6)) * 4
    plain, cooled = (answers(scores, CLASSES, ("A",) * 50, temperature) for temperature in (1.0, 3.0))
    assert plain.predicted == cooled.predicted
    assert (plain.rank == cooled.rank).all()
    assert (cooled.probability < plain.probability).all()
    assert cooled.untempered.tolist() == plain.probability.tolist() == plain.untempered.tolist()


def test_pairs_count_who_was_right() -> None:
    truths = ("A", "A", "A", "B", "B")
    champion = given("A", "A", "B", "A", "A", truths=truths)
    challenger = given("A", "B", "A", "B", "A", truths=truths)
    counted = pairs(champion, challenger)
    assert (counted.both, counted.only_champion, counted.only_challenger, counted.neither) == (1, 1, 2, 1)
    some = pairs(champion, challenger, within(champion, ("B",)))
    assert (some.both, some.only_champion, some.only_challenger, some.neither) == (0, 0, 1, 1)


def test_confusion_has_truth_down_and_answer_across() -> None:
    table = confusion(given("A", "B", "C", truths=("A", "A", "C")), ("A", "B", "C"))
    assert table.tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 1]]


BOX = (0.1, 0.1, 0.5, 0.5)
FAR = (0.6, 0.6, 0.9, 0.9)


def test_a_detector_that_finds_everything_exactly_scores_one() -> None:
    counted = detection_figures([[Found(BOX, "Bag", 0.9)], []], [[Truth(BOX, "Bag")], []], ("Bag",), 0.5)
    assert [counted[name] for name in ("map50", "map50_95", "recall", "precision")] == pytest.approx([1, 1, 1, 1])
    assert (counted["test_images"], counted["test_boxes"]) == (2, 1)


def test_a_box_that_overlaps_by_two_thirds_counts_at_50_and_not_at_70() -> None:
    shifted = (0.1, 0.1, 0.5, 0.38)  # overlap 0.7 of the labelled box
    counted = detection_figures([[Found(shifted, "Bag", 0.9)]], [[Truth(BOX, "Bag")]], ("Bag",), 0.5)
    assert counted["map50"] == pytest.approx(1)
    assert counted["map50_95"] == pytest.approx(0.4, abs=0.11)


def test_a_second_box_on_the_same_bag_and_a_box_elsewhere_are_wrong() -> None:
    found = [[Found(BOX, "Bag", 0.9), Found(BOX, "Bag", 0.8), Found(FAR, "Bag", 0.7)]]
    counted = detection_figures(found, [[Truth(BOX, "Bag")]], ("Bag",), 0.5)
    assert counted["map50"] == pytest.approx(1)  # the right one came first
    assert (counted["recall"], counted["precision"]) == (1, pytest.approx(1 / 3))
    late = [[Found(BOX, "Bag", 0.1), Found(FAR, "Bag", 0.7)]]
    assert detection_figures(late, [[Truth(BOX, "Bag")]], ("Bag",), 0.5)["map50"] == pytest.approx(0.5)


def test_classes_do_not_stand_in_for_one_another() -> None:
    truths = [[Truth(BOX, "Bag"), Truth(FAR, "Backpack")]]
    found = [[Found(BOX, "Bag", 0.9), Found(FAR, "Bag", 0.8)]]
    counted = detection_figures(found, truths, ("Backpack", "Bag"), 0.5)
    assert counted["map50"] == pytest.approx(0.5)
    assert (counted["recall"], counted["precision"]) == (0.5, 0.5)


def test_finding_nothing_scores_zero() -> None:
    counted = detection_figures([[]], [[Truth(BOX, "Bag")]], ("Bag",), 0.5)
    assert [counted[name] for name in ("map50", "map50_95", "recall", "precision")] == [0, 0, 0, 0]


def test_average_precision_agrees_with_ultralytics() -> None:
    from ultralytics.utils.metrics import ap_per_class

    rng = np.random.default_rng(3)
    truths = [[Truth((x, 0.2, x + 0.3, 0.7), "Bag")] for x in rng.uniform(0, 0.6, 60)]
    found = [
        [
            Found((t.box[0] + d, 0.2, t.box[2] + d, 0.7), "Bag", float(c))
            for d, c in zip(rng.normal(0, 0.05, 2), rng.uniform(0, 1, 2), strict=True)
        ]
        for (t,) in truths
    ]
    mine = detection_figures(found, truths, ("Bag",), 0.5)
    from lvbag.learn.detector.scores import _matches

    matched, confidence, total = _matches(found, truths, "Bag", 0.0)
    theirs = ap_per_class(matched, confidence, np.zeros(len(matched)), np.zeros(total))[5]
    assert mine["map50"] == pytest.approx(theirs[0, 0], abs=0.02)
    assert mine["map50_95"] == pytest.approx(theirs[0].mean(), abs=0.02)
