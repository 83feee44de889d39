from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import settings as run_settings
from hypothesis import strategies as st
from registry_makers import decision, evaluation, pairs, record

from lvbag.registry import decide, model_card
from lvbag.registry.gate import keep_best
from lvbag.registry.mcnemar import one_sided_p
from lvbag.registry.records import Confusion, Decision, Evaluation, Measured, Pairs
from lvbag.settings import GateSettings
from lvbag.store import ModelKind

DEFAULT = GateSettings()
quick = run_settings(deadline=None)  # a busy machine is no failure
shares = st.floats(0.0, 1.0)
figures = st.one_of(shares, st.none(), st.sampled_from([math.nan, math.inf, -math.inf, -0.1, 1.1]))
policies = st.builds(
    GateSettings,
    min_gain=st.floats(0.0, 0.5),
    evidence=shares,
    min_test_images=st.integers(1, 300),
    chance_factor=st.floats(0.1, 5.0),
    min_first_map50=shares,
)


def measured(version: int, versus: Pairs | None = None, **metrics: float | None) -> Measured:
    known = {name: value for name, value in metrics.items() if value is not None}
    return Measured(version=version, metrics=known, versus_champion=versus)


def compared(
    challenger: Measured, champion: Measured | None, kind: ModelKind = ModelKind.CLASSIFIER, **changes: int
) -> Evaluation:
    sizes = {"test_images": 180, "classes": 10} | changes
    return Evaluation(kind=kind, key="e", data="s-1", champion=champion, challengers=(challenger,), **sizes)


def judged(
    challenger: Measured, champion: Measured | None, policy: GateSettings = DEFAULT, **kwargs: object
) -> Decision:
    return decide(policy, compared(challenger, champion, **kwargs), challenger)  # type: ignore[arg-type]


def rule(made: Decision, name: str) -> str:
    return next(result.sentence for result in made.rules if result.rule == name)


# ------------------------------------------------------------------ classifier


def test_a_better_challenger_is_promoted_with_the_numbers() -> None:
    made = judged(measured(8, pairs(2, 9), top1=0.912), measured(7, top1=0.874))
    assert made.promoted
    assert (made.challenger, made.champion, made.evaluation) == (8, 7, "e")
    assert rule(made, "gain") == (
        "top-1 0.912 against the champion's 0.874 on 180 test images of snapshot s-1: +0.038, more than "
        "gate.min_gain 0.000"
    )
    assert "champion alone on 2: by chance with p = 0.0327" in rule(made, "evidence")
    assert made.summary.startswith("classifier 0008 replaces 0007: top-1 0.912")


@pytest.mark.parametrize("top1", [0.874, 0.5, 0.0])
def test_an_equal_or_worse_challenger_is_refused(top1: float) -> None:
    made = judged(measured(8, pairs(9, 2), top1=top1), measured(7, top1=0.874))
    assert not made.promoted
    assert made.summary.startswith(f"classifier 0008 is refused: top-1 {top1:.3f} against the champion's 0.874")


def test_a_gain_of_exactly_the_least_is_not_more() -> None:
    policy = GateSettings(min_gain=0.1)
    assert not judged(measured(8, top1=0.8), measured(7, top1=0.7), policy).promoted
    assert judged(measured(8, top1=0.81), measured(7, top1=0.7), policy).promoted


def test_a_gain_too_small_for_three_digits_is_not_shown_as_none() -> None:
    assert "+0.000100, more than" in rule(judged(measured(8, top1=0.9001), measured(7, top1=0.9)), "gain")


def test_evidence_refuses_only_when_it_is_asked_for() -> None:
    challenger, champion = measured(8, pairs(4, 6), top1=0.90), measured(7, top1=0.88)
    shown = judged(challenger, champion)
    assert shown.promoted
    assert "p = 0.3770 (one-sided McNemar); shown only" in rule(shown, "evidence")
    asked = judged(challenger, champion, GateSettings(evidence=0.05))
    assert not asked.promoted
    assert "gate.evidence asks for at most 0.050" in asked.summary
    unknown = measured(8, None, top1=0.90)
    assert judged(unknown, champion).promoted
    assert not judged(unknown, champion, GateSettings(evidence=0.05)).promoted


def test_a_small_test_set_decides_nothing() -> None:
    made = judged(measured(8, top1=0.9), measured(7, top1=0.1), test_images=29)
    assert not made.promoted
    assert "fewer than gate.min_test_images 30" in made.summary


@pytest.mark.parametrize(("top1", "promoted"), [(0.2, False), (0.21, True)])
def test_the_first_classifier_must_beat_chance(top1: float, promoted: bool) -> None:
    made = judged(measured(1, top1=top1), None)
    assert made.promoted is promoted
    assert "0.200 (gate.chance_factor 2 times chance among 10 products)" in rule(made, "first_beats_chance")
    assert not judged(measured(1, top1=1.0), None, classes=0).promoted


@pytest.mark.parametrize("bad", [math.nan, math.inf, None, 1.5, -0.1])
@pytest.mark.parametrize("whose", ["challenger", "champion", "first"])
def test_a_figure_that_is_no_share_is_refused_in_words(bad: float | None, whose: str) -> None:
    challenger = measured(8, pairs(0, 9), top1=bad if whose != "champion" else 0.9)
    champion = {"challenger": measured(7, top1=0.5), "champion": measured(7, top1=bad), "first": None}[whose]
    made = judged(challenger, champion)
    assert not made.promoted
    culprit = "0007" if whose == "champion" else "0008"
    assert f"top-1 of version {culprit} is missing or no number between 0 and 1" in made.summary


# ------------------------------------------------------------------ detector


def test_a_detector_is_judged_by_its_mean_precision() -> None:
    detector = {"kind": ModelKind.DETECTOR}
    champion = measured(1, map50=0.9, map50_95=0.6, recall=0.9)
    assert judged(measured(2, map50=0.8, map50_95=0.61, recall=0.9), champion, **detector).promoted
    assert not judged(measured(2, map50=0.99, map50_95=0.6, recall=0.9), champion, **detector).promoted
    first = judged(measured(1, map50=0.49, map50_95=0.4), None, **detector)
    assert not first.promoted
    assert "mAP50 0.490 on 180 test images of label set s-1, less than gate.min_first_map50 0.500" in first.summary
    assert judged(measured(1, map50=0.5, map50_95=0.4), None, **detector).promoted
    assert not judged(measured(1, map50=0.9), None, **detector).promoted


@pytest.mark.parametrize(
    ("recall", "promoted"), [(0.95, True), (0.9, True), (0.85, True), (0.849, False), (0.0, False), (math.nan, False)]
)
def test_a_detector_that_misses_more_bags_at_the_working_point_is_refused(recall: float, promoted: bool) -> None:
    champion = measured(1, map50=0.9, map50_95=0.6, recall=0.9)
    made = judged(measured(2, map50=0.95, map50_95=0.7, recall=recall), champion, kind=ModelKind.DETECTOR)
    assert made.promoted is promoted
    if recall == 0.849:
        assert made.summary == (
            "detector 0002 is refused: recall 0.849 at the working point detector.confidence against the champion's "
            "0.900 on 180 test images of label set s-1: -0.051, a greater loss than gate.max_recall_loss 0.050"
        )
    strict = judged(
        measured(2, map50_95=0.7, recall=recall), champion, GateSettings(max_recall_loss=0), kind=ModelKind.DETECTOR
    )
    assert strict.promoted is (recall >= 0.9)


def test_the_first_detector_has_no_recall_to_lose_and_a_champion_without_one_is_named() -> None:
    first = judged(measured(1, map50=0.6, map50_95=0.4, recall=0.1), None, kind=ModelKind.DETECTOR)
    assert "recall" not in {result.rule for result in first.rules}
    made = judged(
        measured(2, map50_95=0.7, recall=0.9), measured(1, map50_95=0.6, recall=math.nan), kind=ModelKind.DETECTOR
    )
    assert "recall of version 0001 is missing or no number between 0 and 1" in made.summary


@pytest.mark.parametrize(("fit", "promoted"), [(0.5, True), (0.49, False), (math.nan, False)])
def test_a_detector_that_cannot_fit_its_own_labels_is_refused(fit: float, promoted: bool) -> None:
    for champion in (None, measured(1, map50=0.6, map50_95=0.3, recall=0.6)):
        found = measured(2, map50=0.9, map50_95=0.6, recall=0.9, train_map50=fit)
        made = judged(found, champion, kind=ModelKind.DETECTOR)
        assert made.promoted == promoted
        if fit == 0.49:
            assert "mAP50 0.490 on its own training images of label set s-1, less than" in made.summary
            assert "lvbag labels check" in made.summary


# ------------------------------------------------------------------ several challengers


def test_of_several_only_the_best_stays_promoted() -> None:
    night = evaluation({8: 0.91, 9: 0.95, 10: 0.95, 11: 0.5}, champion=(7, 0.9))
    made = keep_best(night, [decide(DEFAULT, night, item) for item in night.challengers])
    assert [(item.challenger, item.promoted) for item in made] == [(8, False), (9, True), (10, False), (11, False)]
    assert made[2].rules[-1].rule == "best_of_night"
    assert "0009 with top-1 0.950 before 0010 with top-1 0.950" in made[2].summary
    assert "another challenger" not in made[3].summary


# ------------------------------------------------------------------ properties


@quick
@given(policies, figures, figures, st.integers(0, 400), st.sampled_from(ModelKind))
def test_what_is_not_better_is_never_promoted(
    policy: GateSettings, new: float | None, old: float | None, images: int, kind: ModelKind
) -> None:
    name = "top1" if kind == ModelKind.CLASSIFIER else "map50_95"
    made = judged(
        measured(2, pairs(0, 20), **{name: new}), measured(1, **{name: old}), policy, kind=kind, test_images=images
    )
    if made.promoted:
        assert new is not None and old is not None and new > old
    assert made.summary
    assert all(result.sentence for result in made.rules)
    assert made.promoted == all(result.passed for result in made.rules if result.required)


@quick
@given(policies, shares, shares, shares, st.integers(0, 400), st.booleans())
def test_a_higher_figure_never_turns_a_promotion_into_a_refusal(
    policy: GateSettings, one: float, other: float, old: float, images: int, is_first: bool
) -> None:
    champion = None if is_first else measured(1, top1=old)
    low, high = (
        judged(measured(2, pairs(1, 8), top1=top1), champion, policy, test_images=images).promoted
        for top1 in sorted((one, other))
    )
    assert high or not low


@quick
@given(st.integers(0, 60), st.integers(0, 60))
def test_the_p_value_is_that_of_the_binomial_distribution(only_champion: int, only_challenger: int) -> None:
    tosses = only_champion + only_challenger
    at_least = sum(math.comb(tosses, wins) for wins in range(only_challenger, tosses + 1))
    assert one_sided_p(pairs(only_champion, only_challenger, 200)) == at_least / 2**tosses


def test_the_p_value_of_a_large_test_set_is_found() -> None:
    assert one_sided_p(pairs(10_000, 10_300, 100_000)) == pytest.approx(0.0179, abs=1e-3)
    assert one_sided_p(pairs(0, 0)) == 1.0


# ------------------------------------------------------------------ cards


def test_a_card_says_what_how_good_and_how_to_use() -> None:
    night = evaluation({8: 0.912}, champion=(7, 0.874))
    card = model_card(record(8, "a", detector="0002"), night, decision(8, 7))
    assert card.startswith("# Classifier 0008\n\nNames the bag in a photo: one of 2 products")
    for line in (
        "| Snapshot | `s-1` |",
        "| Crops by detector | 0002 |",
        "| **0008 (challenger)** | 0.912 |",
        "| 0007 (champion) | 0.874 |",
        "| gain | holds | top-1 0.9 against 0.8 |",
    ):
        assert line in card.splitlines()
    assert "(batch, 3, 32, 32)" in card
    assert model_card(record(8, "a"), None, None) == model_card(record(8, "a"), None, None)
    assert "Evaluation" not in model_card(record(8, "a"), None, None)
    assert "Crops by detector | none: whole pictures" in model_card(record(8, "a", detector="none"), None, None)
    finder = model_card(record(3, "a", ModelKind.DETECTOR), None, None)
    assert finder.startswith("# Detector 0003")
    assert "on grey 114" in finder


def test_a_card_shows_the_worst_products_and_what_is_confused() -> None:
    codes = [f"M4{number:04d}" for number in range(12)]
    own = Measured(
        version=8, metrics={"top1": 0.5}, right={code: number for number, code in enumerate(codes)},
        confusions=(Confusion(truth=codes[0], predicted=codes[5], images=9),),
    )  # fmt: skip
    champion = Measured(version=7, metrics={"top1": 0.4}, right=dict.fromkeys(codes, 3))
    night = Evaluation(
        kind=ModelKind.CLASSIFIER, key="e1", data="s-1", test_images=240, classes=12, champion=champion,
        challengers=(own,), products=dict.fromkeys(codes, 20),
    )  # fmt: skip
    lines = model_card(record(8, "a"), night, None).splitlines()
    assert "The worst 10 of 12." in lines
    assert "| M40001 | 20 | 1 | 0.050 | 3 | 0.150 |" in lines
    assert not any(line.startswith("| M40011 |") for line in lines)
    assert "| M40000 | M40005 | 9 of 20 |" in lines
    assert any("`classifier/evaluations/e1/confusions-0008.jpg`" in line for line in lines)
    assert "| product | test images | right | share |" in model_card(record(7, "a"), night, None).splitlines()
    assert "least often" not in model_card(record(6, "a"), night, None)
    cooled = record(8, "a").model_copy(update={"model": record(8, "a").model.model_copy(update={"temperature": 1.7})})
    assert "divided by the temperature 1.7" in model_card(cooled, None, None)


@pytest.mark.parametrize(("top1", "promoted"), [(0.70, False), (0.80, True)])
def test_the_first_of_two_products_has_to_come_half_way_from_chance(top1: float, promoted: bool) -> None:
    made = judged(measured(1, top1=top1), None, classes=2)
    assert made.promoted is promoted
    assert "0.750 (half-way from chance among 2 products" in rule(made, "first_beats_chance")
