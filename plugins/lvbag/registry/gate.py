"""The gate: does a challenger replace the champion? Pure decisions, without store or clock.

Each rule is a function that looks at the figures and answers with a sentence; a challenger is promoted when every
required rule holds. A figure that is missing or is no share of 1 never promotes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lvbag.registry.mcnemar import one_sided_p
from lvbag.registry.records import Decision, Evaluation, Measured, RuleResult
from lvbag.settings import GateSettings
from lvbag.store.keys import ModelKind, version_name

PRIMARY_METRIC = {ModelKind.CLASSIFIER: "top1", ModelKind.DETECTOR: "map50_95"}
"""The figure that decides, by kind."""

_SHOWN = {"top1": "top-1", "map50_95": "mAP50-95", "map50": "mAP50"}


@dataclass(frozen=True)
class Case:
    """What the rules look at: one challenger on one evaluation under one policy."""

    policy: GateSettings
    evaluation: Evaluation
    challenger: Measured

    @property
    def test_set(self) -> str:
        """The test set in words."""
        what = "snapshot" if self.evaluation.kind == ModelKind.CLASSIFIER else "label set"
        return f"{self.evaluation.test_images} test images of {what} {self.evaluation.data}"


Rule = Callable[[Case], RuleResult | None]


def decide(policy: GateSettings, evaluation: Evaluation, challenger: Measured) -> Decision:
    """Promote or refuse one challenger of an evaluation, with a sentence for each rule that applies."""
    case = Case(policy, evaluation, challenger)
    rules = tuple(result for rule in _RULES[evaluation.kind] if (result := rule(case)) is not None)
    return _decision(evaluation, challenger, rules)


def keep_best(evaluation: Evaluation, decisions: Sequence[Decision]) -> tuple[Decision, ...]:
    """Of several challengers that pass, only the best stays promoted: highest primary metric, then lowest version.

    The others get the rule `best_of_night`, failed. The order of the decisions is kept.
    """
    passed = [decision for decision in decisions if decision.promoted]
    if len(passed) < 2:
        return tuple(decisions)
    metric = PRIMARY_METRIC[evaluation.kind]
    measured = {item.version: item for item in evaluation.challengers}

    def rank(decision: Decision) -> tuple[float, int]:
        return -(_share(measured[decision.challenger], metric) or 0.0), decision.challenger

    best = min(passed, key=rank)
    return tuple(
        beaten_by(evaluation, decision, best.challenger) if decision.promoted and decision is not best else decision
        for decision in decisions
    )


def beaten_by(evaluation: Evaluation, decision: Decision, winner: int) -> Decision:
    """The same decision, refused because another challenger of this evaluation takes the place."""
    metric = PRIMARY_METRIC[evaluation.kind]
    measured = {item.version: item for item in evaluation.challengers}
    figures = [
        f"{version_name(version)} with {_SHOWN[metric]} {measured[version].metrics[metric]:.3f}"
        for version in (winner, decision.challenger)
    ]
    rule = RuleResult(
        rule="best_of_night",
        passed=False,
        required=True,
        sentence=f"another challenger of the same evaluation goes first: {figures[0]} before {figures[1]}",
    )
    return _decision(evaluation, measured[decision.challenger], (*decision.rules, rule))


# ------------------------------------------------------------------ rules


def _enough_images(case: Case) -> RuleResult:
    count, least = case.evaluation.test_images, case.policy.min_test_images
    passed = count >= least
    verb = "at least" if passed else "fewer than"
    sentence = f"{case.test_set}: {verb} gate.min_test_images {least}"
    return _result("test_set", passed, sentence if passed else f"{sentence}, which decide nothing")


def _gain(case: Case) -> RuleResult | None:
    champion = case.evaluation.champion
    if champion is None:
        return None
    metric = PRIMARY_METRIC[case.evaluation.kind]
    shown, least = _SHOWN[metric], case.policy.min_gain
    new, old = _share(case.challenger, metric), _share(champion, metric)
    if new is None or old is None:
        return _result("gain", False, _no_figure(shown, case.challenger if new is None else champion))
    gain = round(new - old, 9)  # 0.8 - 0.7 is more than 0.1 in binary fractions
    passed = gain > least
    verb = "more than" if passed else "not more than"
    return _result(
        "gain",
        passed,
        f"{shown} {new:.3f} against the champion's {old:.3f} on {case.test_set}: {_signed(gain)}, {verb} "
        f"gate.min_gain {least:.3f}",
    )


def _evidence(case: Case) -> RuleResult | None:
    if case.evaluation.champion is None:
        return None
    limit = case.policy.evidence
    required = limit < 1.0
    pairs = case.challenger.versus_champion
    if pairs is None:
        sentence = "the evaluation does not say which test images the two got right, so chance cannot be told apart"
        return RuleResult(rule="evidence", passed=False, required=required, sentence=sentence)
    p = one_sided_p(pairs)
    asked = f"gate.evidence asks for at most {limit:.3f}" if required else "shown only, as gate.evidence is 1"
    return RuleResult(
        rule="evidence",
        passed=p <= limit,
        required=required,
        sentence=(
            f"the challenger alone is right on {pairs.only_challenger} test images, the champion alone on "
            f"{pairs.only_champion}: by chance with p = {p:.4f} (one-sided McNemar); {asked}"
        ),
    )


def _beats_chance(case: Case) -> RuleResult | None:
    if case.evaluation.champion is not None:
        return None
    classes, factor = case.evaluation.classes, case.policy.chance_factor
    if classes < 1:
        return _result("first_beats_chance", False, f"the evaluation on {case.test_set} names no product to tell apart")
    top1 = _share(case.challenger, "top1")
    if top1 is None:
        return _result("first_beats_chance", False, _no_figure("top-1", case.challenger))
    least, named = factor / classes, f"gate.chance_factor {factor:g} times chance among {classes} products"
    if (half_way := (1.0 + 1.0 / classes) / 2.0) < least:  # a factor of 2 would ask two products for more than all
        least, named = half_way, f"half-way from chance among {classes} products to all right"
    verb = "more than" if top1 > least else "not more than"
    return _result(
        "first_beats_chance",
        top1 > least,
        f"there is no champion yet: top-1 {top1:.3f} on {case.test_set}, {verb} {least:.3f} ({named})",
    )


def _first_map50(case: Case) -> RuleResult | None:
    if case.evaluation.champion is not None:
        return None
    least = case.policy.min_first_map50
    map50 = _share(case.challenger, "map50")
    if map50 is None or _share(case.challenger, "map50_95") is None:  # the next one will be measured against both
        return _result("first_map50", False, _no_figure("mAP50 or mAP50-95", case.challenger))
    verb = "at least" if map50 >= least else "less than"
    return _result(
        "first_map50",
        map50 >= least,
        f"there is no champion yet: mAP50 {map50:.3f} on {case.test_set}, {verb} gate.min_first_map50 {least:.3f}",
    )


def _recall(case: Case) -> RuleResult | None:
    """Precision over all thresholds may rise while at the one that cleaning uses more bags are missed."""
    champion = case.evaluation.champion
    if champion is None:
        return None
    new, old = _share(case.challenger, "recall"), _share(champion, "recall")
    if new is None or old is None:
        return _result("recall", False, _no_figure("recall", case.challenger if new is None else champion))
    most = case.policy.max_recall_loss
    change = round(new - old, 9)
    passed = -change <= most
    verb = "within" if passed else "a greater loss than"
    return _result(
        "recall",
        passed,
        f"recall {new:.3f} at the working point detector.confidence against the champion's {old:.3f} on "
        f"{case.test_set}: {_signed(change)}, {verb} gate.max_recall_loss {most:.3f}",
    )


def _fit(case: Case) -> RuleResult | None:
    """A detector that does not find the very boxes that it was trained on says something about the labels."""
    if "train_map50" not in case.challenger.metrics:  # measured by an earlier release
        return None
    fit, least = _share(case.challenger, "train_map50"), case.policy.min_train_map50
    if fit is None:
        return _result("fit", False, _no_figure("mAP50 on its own training images", case.challenger))
    found = f"mAP50 {fit:.3f} on its own training images of label set {case.evaluation.data}"
    if fit >= least:
        return _result("fit", True, f"{found}, at least gate.min_train_map50 {least:g}")
    why = f"{found}, less than gate.min_train_map50 {least:g}: it cannot fit its own labels"
    return _result("fit", False, f"{why}, so look at them (`lvbag labels check`), or train longer")


_RULES: dict[ModelKind, tuple[Rule, ...]] = {
    ModelKind.CLASSIFIER: (_enough_images, _gain, _evidence, _beats_chance),
    ModelKind.DETECTOR: (_gain, _recall, _first_map50, _fit),
}


# ------------------------------------------------------------------ helpers


def _decision(evaluation: Evaluation, challenger: Measured, rules: tuple[RuleResult, ...]) -> Decision:
    failed = [result for result in rules if result.required and not result.passed]
    new = f"{evaluation.kind} {version_name(challenger.version)}"
    champion = evaluation.champion.version if evaluation.champion else None
    if failed:
        summary = f"{new} is refused: " + "; ".join(result.sentence for result in failed)
    else:
        over = f"replaces {version_name(champion)}" if champion is not None else "is the first champion"
        deciding = next(result for result in rules if result.rule in _DECIDING)
        summary = f"{new} {over}: {deciding.sentence}"
    return Decision(
        kind=evaluation.kind,
        challenger=challenger.version,
        champion=champion,
        evaluation=evaluation.key,
        promoted=not failed,
        rules=rules,
        summary=summary,
    )


_DECIDING = frozenset({"gain", "first_beats_chance", "first_map50"})


def _result(rule: str, passed: bool, sentence: str) -> RuleResult:
    return RuleResult(rule=rule, passed=passed, required=True, sentence=sentence)


def _share(measured: Measured, metric: str) -> float | None:
    """A metric that is a share of 1; None when it is missing, not a number or out of range."""
    value = measured.metrics.get(metric)
    return value if value is not None and math.isfinite(value) and 0.0 <= value <= 1.0 else None


def _no_figure(shown: str, measured: Measured) -> str:
    return (
        f"{shown} of version {version_name(measured.version)} is missing or no number between 0 and 1: evaluate again"
    )


def _signed(gain: float) -> str:
    """With a sign; more digits where three would show a difference as nothing."""
    return f"{gain:+.3f}" if gain == 0.0 or abs(gain) >= 0.0005 else f"{gain:+.6f}"
