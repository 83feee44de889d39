"""The gate: does a challenger replace the champion? Pure decisions, without store or clock; `docs/gate.md` in words.

Each rule is a function that looks at the figures and answers with a sentence; a challenger is promoted when every
required rule holds. A figure that is missing or is no share of 1 never promotes.
"""

from __future__ import annotations

from collections.abc import Sequence

from lvbag.registry import gate_detector, gate_guards, gate_rules
from lvbag.registry.gate_case import PRIMARY_METRIC, SHOWN, Case, Rule, share
from lvbag.registry.records import Decision, Evaluation, Measured, RuleResult
from lvbag.settings import GateSettings
from lvbag.store.keys import ModelKind, version_name

__all__ = ["PRIMARY_METRIC", "beaten_by", "decide", "keep_best"]

_RULES: dict[ModelKind, tuple[Rule, ...]] = {
    ModelKind.CLASSIFIER: (
        gate_rules.enough_images,
        gate_guards.unseen,
        gate_rules.gain,
        gate_rules.beats_chance,
        gate_rules.evidence,
        gate_rules.evidence_by_listing,
        gate_guards.product_loss,
        gate_guards.calibration,
        gate_guards.latency,
        gate_guards.size,
    ),
    ModelKind.DETECTOR: (gate_rules.gain, gate_detector.recall, gate_detector.first_map50, gate_detector.fit),
}

_DECIDING = frozenset({"gain", "first_beats_chance", "first_map50"})


def decide(policy: GateSettings, evaluation: Evaluation, challenger: Measured) -> Decision:
    """Promote or refuse one challenger of an evaluation, with a sentence for each rule that applies."""
    case = Case(policy, evaluation, challenger)
    rules = tuple(result for rule in _RULES[evaluation.kind] if (result := rule(case)) is not None)
    return _decision(evaluation, challenger, rules)


def keep_best(evaluation: Evaluation, decisions: Sequence[Decision]) -> tuple[Decision, ...]:
    """Of several challengers that pass, only the best stays promoted: highest deciding figure, then lowest version.

    The others get the rule `best_of_night`, failed. The order of the decisions is kept.
    """
    passed = [decision for decision in decisions if decision.promoted]
    if len(passed) < 2:
        return tuple(decisions)
    best = min(passed, key=lambda decision: (-_deciding_figure(evaluation, decision), decision.challenger))
    return tuple(
        beaten_by(evaluation, decision, best.challenger) if decision.promoted and decision is not best else decision
        for decision in decisions
    )


def beaten_by(evaluation: Evaluation, decision: Decision, winner: int) -> Decision:
    """The same decision, refused because another challenger of this evaluation takes the place."""
    metric = PRIMARY_METRIC[evaluation.kind]
    measured = {item.version: item for item in evaluation.challengers}
    figures = [
        f"{version_name(version)} with {SHOWN[metric]} {measured[version].metrics[metric]:.3f}"
        for version in (winner, decision.challenger)
    ]
    rule = RuleResult(
        rule="best_of_night",
        passed=False,
        required=True,
        sentence=f"another challenger of the same evaluation goes first: {figures[0]} before {figures[1]}",
    )
    return _decision(evaluation, measured[decision.challenger], (*decision.rules, rule))


def _deciding_figure(evaluation: Evaluation, decision: Decision) -> float:
    """By which of several challengers the best is found: what the deciding rule looked at."""
    for rule in decision.rules:
        if rule.rule in _DECIDING and "challenger" in rule.figures:
            return rule.figures["challenger"]
    measured = next(item for item in evaluation.challengers if item.version == decision.challenger)
    return share(measured, PRIMARY_METRIC[evaluation.kind]) or 0.0


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
