"""The gate's guards: what refuses although top-1 rises, with sentence, figures and setting."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as run_settings
from hypothesis import strategies as st
from registry_makers import evaluation, pairs

from lvbag.registry import decide
from lvbag.registry.bootstrap import cells_of, cluster_bootstrap
from lvbag.registry.gate import keep_best
from lvbag.registry.records import Bootstrap, Decision, Evaluation, Measured, RuleResult
from lvbag.settings import PROJECT_ROOT, GateSettings
from lvbag.store import ModelKind

quick = run_settings(deadline=None)
GOOD = Bootstrap(listings=60, draws=10_000, low=0.01, high=0.09, p=0.02, cells=((3, 1, 60),))


def measured(version: int, top1: float, **changes: Any) -> Measured:
    """A version with every figure; `changes` are fields or metrics."""
    fields = {name: changes.pop(name) for name in list(changes) if name in Measured.model_fields}
    metrics = {"top1": top1, "top1_shared": top1, "ece": 0.03, "latency_ms": 20.0, "onnx_mb": 16.0} | changes
    metrics = {name: value for name, value in metrics.items() if value is not None}
    return Measured(version=version, metrics=metrics, **({"seen_in_training": 0} | fields))


def challenger(top1: float = 0.9, **changes: Any) -> Measured:
    known = {"versus_champion": pairs(2, 9), "versus_champion_shared": pairs(2, 9), "bootstrap": GOOD}
    return measured(8, top1, **(known | {"bootstrap_shared": GOOD} | changes))


def compared(new: Measured, old: Measured | None, **changes: Any) -> Evaluation:
    values: dict[str, Any] = {"kind": ModelKind.CLASSIFIER, "key": "e", "data": "s-1", "test_images": 180, "classes": 2}
    values |= {"products": {"M1": 100, "M2": 80}, "shared_images": 180 if old else None}
    return Evaluation(**(values | {"champion": old, "challengers": (new,)} | changes))


def judged(new: Measured, old: Measured | None = None, **policy: Any) -> Decision:
    return decide(GateSettings(**policy), compared(new, old or measured(7, 0.85)), new)


def rule(made: Decision, name: str) -> RuleResult:
    return next(result for result in made.rules if result.rule == name)


def test_a_decision_carries_every_figure_and_a_sentence_for_every_rule() -> None:
    made = judged(challenger())
    assert made.promoted
    assert [result.rule for result in made.rules] == [
        "test_set", "unseen", "gain", "evidence", "evidence_by_listing", "product_loss", "calibration", "latency",
        "size",
    ]  # fmt: skip
    assert all(result.sentence and result.figures for result in made.rules)
    assert rule(made, "gain").figures == {"challenger": 0.9, "champion": 0.85, "gain": 0.05, "least": 0.0}
    assert Decision.model_validate_json(json.dumps(made.model_dump(mode="json"), allow_nan=False)) == made


def test_the_pages_name_every_rule_and_every_setting() -> None:
    page, detectors = ((PROJECT_ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("gate.md", "labels.md"))
    rules = {*(result.rule for result in judged(challenger()).rules), "first_beats_chance", "best_of_night"}
    assert [name for name in rules if f"| `{name}` |" not in page] == []
    assert [name for name in GateSettings.model_fields if f"`gate.{name}`" not in page + detectors] == []


# ------------------------------------------------------------------ evidence


def test_evidence_must_hold_image_by_image_and_listing_by_listing() -> None:
    assert judged(challenger(), evidence=0.05).promoted
    by_image = judged(challenger(versus_champion=pairs(5, 6)), evidence=0.05)
    assert "by chance with p = 0.5000 (one-sided McNemar); gate.evidence asks for at most 0.050" in by_image.summary
    unsure = GOOD.model_copy(update={"p": 0.2, "low": -0.02})
    by_listing = judged(challenger(bootstrap=unsure), evidence=0.05)
    assert not by_listing.promoted
    assert (
        "with the 60 listings of the test set drawn anew 10000 times the gain lies between -0.020 and +0.090 (95 %), "
        "and there is none with p = 0.2000 (one-sided bootstrap); gate.evidence asks for at most 0.050"
    ) in by_listing.summary
    assert rule(by_listing, "evidence_by_listing").figures["p"] == 0.2
    unknown = challenger(bootstrap=None)
    assert not judged(unknown, evidence=0.05).promoted
    assert judged(unknown).promoted
    assert judged(challenger(bootstrap=unsure)).promoted, "shown only"


# ------------------------------------------------------------------ all products, or those that the champion knows


def test_both_ways_to_compare_are_shown_and_the_setting_says_which_decides() -> None:
    new, old = challenger(0.80, top1_shared=0.84), measured(7, 0.70, top1_shared=0.86)
    night = compared(new, old, shared_images=140)
    every, shared = (decide(policy, night, new) for policy in (GateSettings(), GateSettings(compare="shared")))
    assert every.promoted
    assert rule(every, "gain").sentence == (
        "top-1 0.800 against the champion's 0.700 on 180 test images of snapshot s-1: +0.100, more than gate.min_gain "
        "0.000; products that the champion has never seen count as its errors (gate.compare is all), on the 140 images "
        "of the others 0.840 against 0.860"
    )
    assert not shared.promoted
    assert rule(shared, "gain").sentence == (
        "top-1 0.840 against the champion's 0.860 on the 140 of 180 test images of snapshot s-1 whose products the "
        "champion knows (gate.compare is shared): -0.020, not more than gate.min_gain 0.000; on all, with products "
        "that the champion has never seen as its errors, 0.800 against 0.700"
    )
    assert rule(shared, "test_set").figures["images"] == 140


def test_evidence_and_size_of_the_test_set_are_those_of_the_images_that_count() -> None:
    new = challenger(versus_champion=pairs(0, 40), versus_champion_shared=pairs(5, 6), bootstrap_shared=None)
    made = decide(GateSettings(compare="shared"), compared(new, measured(7, 0.85), shared_images=20), new)
    assert rule(made, "evidence").figures["only_challenger"] == 6
    assert not rule(made, "test_set").passed
    assert "fewer than gate.min_test_images 30" in rule(made, "test_set").sentence
    assert not rule(made, "evidence_by_listing").passed
    first = decide(GateSettings(compare="shared"), compared(challenger(), None), challenger())
    assert first.promoted, "the first one is compared with nobody"


def test_of_several_the_best_is_found_by_what_decides() -> None:
    new = (challenger(0.90, top1_shared=0.91), challenger(0.92, top1_shared=0.90).model_copy(update={"version": 9}))
    night = compared(new[0], measured(7, 0.85, top1_shared=0.85), shared_images=140, challengers=new)
    for policy, best in ((GateSettings(), [False, True]), (GateSettings(compare="shared"), [True, False])):
        made = keep_best(night, [decide(policy, night, item) for item in new])
        assert [item.promoted for item in made] == best


# ------------------------------------------------------------------ guards


@pytest.mark.parametrize(("own", "theirs", "promoted"), [(0, 0, True), (1, 0, False), (0, 3, True), (0, None, True)])
def test_a_challenger_that_was_trained_on_test_images_is_refused(own: int, theirs: int | None, promoted: bool) -> None:
    made = judged(challenger(seen_in_training=own), measured(7, 0.85, seen_in_training=theirs))
    assert made.promoted is promoted
    if own:
        assert "1 of 180 test images of snapshot s-1 stand in the training part" in made.summary
    if theirs:
        assert "3 in that of the champion, which flatters the champion" in rule(made, "unseen").sentence
    first = challenger(seen_in_training=own)
    assert decide(GateSettings(), compared(first, None), first).promoted is (own == 0)
    assert judged(challenger(seen_in_training=None)).promoted, "of an earlier release, or its snapshot is gone"


def test_a_product_that_is_no_longer_told_apart_refuses() -> None:
    old = measured(7, 0.85, right={"M1": 90, "M2": 63})
    made = judged(challenger(right={"M1": 100, "M2": 38}), old, max_product_loss=0.3)
    assert not made.promoted
    assert (
        "1 of 2 products with gate.min_product_images 30 test images lose more than gate.max_product_loss 0.300: "
        "M2 with 38 of 80 right against the champion's 63 (-0.312)"
    ) in made.summary
    within = judged(challenger(right={"M1": 100, "M2": 39}), old, max_product_loss=0.3)
    assert within.promoted
    assert (
        "the worst: M2 with 39 of 80 right against the champion's 63 (-0.300)" in rule(within, "product_loss").sentence
    )
    few = judged(challenger(right={"M1": 90, "M2": 0}), old, min_product_images=81)
    assert few.promoted
    none = judged(challenger(right={"M1": 0, "M2": 0}), old, min_product_images=101)
    assert none.promoted
    assert "no product has gate.min_product_images 101" in rule(none, "product_loss").sentence
    assert judged(challenger(right={"M1": 0, "M2": 0}), old, max_product_loss=1).promoted


@pytest.mark.parametrize(("ece", "promoted"), [(0.13, True), (0.131, False), (math.nan, False), (None, True)])
def test_probabilities_that_mean_less_refuse(ece: float | None, promoted: bool) -> None:
    made = judged(challenger(ece=ece))
    assert made.promoted is promoted
    if ece == 0.131:
        assert "0.131 against the champion's 0.030 on 180 test images of snapshot s-1: +0.101, a greater rise than" in (
            made.summary
        )
    assert judged(challenger(ece=1.0), max_ece_rise=1).promoted


@pytest.mark.parametrize(
    ("name", "setting", "metric", "usual"),
    [("latency", "max_latency_factor", "latency_ms", 20.0), ("size", "max_size_factor", "onnx_mb", 16.0)],
)
def test_a_network_that_is_much_slower_or_larger_refuses(name: str, setting: str, metric: str, usual: float) -> None:
    def given(new: float | None, most: float = 2.0, old: float = usual) -> Decision:
        policy: dict[str, Any] = {setting: most}
        theirs: dict[str, Any] = {metric: old}
        mine: dict[str, Any] = {metric: new}
        return judged(challenger(**mine), measured(7, 0.85, **theirs), **policy)

    assert given(2 * usual).promoted
    made = given(2.1 * usual)
    assert not made.promoted
    assert f"2.10 times as much, more than gate.{setting} 2" in made.summary
    shown = given(1000 * usual, most=0.0)
    assert shown.promoted
    assert f"shown only, as gate.{setting} is 0" in rule(shown, name).sentence
    assert not given(math.nan).promoted
    assert not given(usual, old=0.0).promoted
    assert given(None).promoted, "of an earlier release"


def test_an_evaluation_of_an_earlier_release_is_read_and_judged_as_it_was() -> None:
    night = evaluation({8: 0.91}, champion=(7, 0.9)).model_dump(mode="json")
    kept = {"version", "metrics", "versus_champion"}
    night["champion"], night["challengers"] = (
        {name: value for name, value in item.items() if name in kept}
        for item in (night["champion"], night["challengers"][0])
    )
    old = {name: night[name] for name in ("kind", "key", "data", "test_images", "classes", "champion")}
    read = Evaluation.model_validate_json(json.dumps(old | {"challengers": [night["challengers"]]}))
    made = decide(GateSettings(), read, read.challengers[0])
    assert made.promoted
    assert {item.rule for item in made.rules if item.required} == {"test_set", "gain"}
    earlier = RuleResult.model_validate({"rule": "gain", "passed": True, "required": True, "sentence": "s"})
    assert earlier.figures == {}


# ------------------------------------------------------------------ properties

counts = st.lists(st.tuples(st.integers(1, 60), st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=6)
policies = st.builds(
    GateSettings,
    compare=st.sampled_from(["all", "shared"]),
    min_gain=st.floats(0.0, 0.3),
    evidence=st.sampled_from([0.01, 0.05, 0.5, 1.0]),
    min_test_images=st.integers(1, 300),
    max_product_loss=st.floats(0.0, 1.0),
    min_product_images=st.integers(1, 60),
    max_ece_rise=st.floats(0.0, 1.0),
    max_latency_factor=st.sampled_from([0.0, 1.0, 3.0]),
    max_size_factor=st.sampled_from([0.0, 1.0, 3.0]),
)
shares = st.floats(0.0, 1.0)
times = st.floats(0.001, 1e4)


def night_of(rows: list[tuple[int, int, int]], figures: list[float], seen: int) -> Evaluation:
    """Products as (images, right by the champion, right by the challenger), each image a listing of its own."""
    products = {f"M{number}": images for number, (images, _, _) in enumerate(rows)}
    old, new = ({f"M{number}": min(row[0], row[which]) for number, row in enumerate(rows)} for which in (1, 2))
    total = sum(products.values())
    lost = sum(max(0, old[name] - new[name]) for name in products)
    won = sum(max(0, new[name] - old[name]) for name in products)
    cells = cells_of([(1, 1)] * won + [(1, -1)] * lost + [(1, 0)] * (total - won - lost))
    drawn = cluster_bootstrap(cells, 300)
    versus = pairs(lost, won, total)
    ece_new, ece_old, ms_new, ms_old = figures
    return compared(
        challenger(
            sum(new.values()) / total, right=new, ece=ece_new, latency_ms=ms_new, seen_in_training=seen,
            versus_champion=versus, versus_champion_shared=versus, bootstrap=drawn, bootstrap_shared=drawn,
        ),
        measured(7, sum(old.values()) / total, right=old, ece=ece_old, latency_ms=ms_old),
        products=products, test_images=total, shared_images=total, classes=len(products),
    )  # fmt: skip


@quick
@given(policies, counts, st.tuples(shares, shares, times, times), st.integers(0, 2))
def test_what_fails_a_required_rule_is_never_promoted_and_what_is_promoted_keeps_every_promise(
    policy: GateSettings, rows: list[tuple[int, int, int]], figures: tuple[float, ...], seen: int
) -> None:
    night = night_of(rows, list(figures), seen)
    new, old = night.challengers[0], night.champion
    assert old is not None
    made = decide(policy, night, new)
    assert made == decide(policy, night, new)
    assert made.promoted == all(result.passed for result in made.rules if result.required)
    assert all(math.isfinite(value) for result in made.rules for value in result.figures.values())
    if made.promoted:
        assert seen == 0
        assert night.test_images >= policy.min_test_images
        assert new.metrics["top1"] - old.metrics["top1"] > policy.min_gain - 1e-9
        assert new.metrics["ece"] - old.metrics["ece"] <= policy.max_ece_rise + 1e-9
        if policy.max_latency_factor:
            assert new.metrics["latency_ms"] <= policy.max_latency_factor * old.metrics["latency_ms"]
        if policy.evidence < 1:
            assert rule(made, "evidence").figures["p"] <= policy.evidence
            assert rule(made, "evidence_by_listing").figures["p"] <= policy.evidence
        for product, images in night.products.items():
            if images >= policy.min_product_images:
                assert old.right[product] - new.right[product] <= policy.max_product_loss * images + 1e-6


@quick
@given(policies, counts, st.tuples(shares, times))
def test_of_two_that_change_places_at_most_one_is_promoted(
    policy: GateSettings, rows: list[tuple[int, int, int]], figures: tuple[float, float]
) -> None:
    ece, ms = figures
    turned = [(images, new, old) for images, old, new in rows]
    forward, back = (
        decide(policy, night, night.challengers[0])
        for night in (night_of(some, [ece, ece, ms, ms], 0) for some in (rows, turned))
    )
    assert not (forward.promoted and back.promoted)


@quick
@given(policies, counts, st.integers(0, 5))
def test_one_more_image_right_never_turns_a_promotion_into_a_refusal(
    policy: GateSettings, rows: list[tuple[int, int, int]], which: int
) -> None:
    policy = policy.model_copy(update={"evidence": 1.0})  # the bootstrap draws anew; its own test says how it moves
    images, old, new = rows[which % len(rows)]
    better = [*rows]
    better[which % len(rows)] = (images, old, min(images, new) + 1)
    before, after = (
        decide(policy, night, night.challengers[0]).promoted
        for night in (night_of(some, [0.1, 0.1, 1.0, 1.0], 0) for some in (rows, better))
    )
    assert after or not before
