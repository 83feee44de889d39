"""The gate's rules for detectors alone."""

from __future__ import annotations

from lvbag.registry.gate_case import Case, no_figure, result, share, signed
from lvbag.registry.records import RuleResult


def first_map50(case: Case) -> RuleResult | None:
    """The first detector has no champion to beat."""
    if case.evaluation.champion is not None:
        return None
    least = case.policy.min_first_map50
    map50 = share(case.challenger, "map50")
    if map50 is None or share(case.challenger, "map50_95") is None:  # the next one will be measured against both
        return result("first_map50", False, no_figure("mAP50 or mAP50-95", case.challenger))
    verb = "at least" if map50 >= least else "less than"
    return result(
        "first_map50",
        map50 >= least,
        f"there is no champion yet: mAP50 {map50:.3f} on {case.test_set}, {verb} gate.min_first_map50 {least:.3f}",
        challenger=map50,
        least=least,
    )


def recall(case: Case) -> RuleResult | None:
    """Precision over all thresholds may rise while at the one that cleaning uses more bags are missed."""
    champion = case.evaluation.champion
    if champion is None:
        return None
    new, old = share(case.challenger, "recall"), share(champion, "recall")
    if new is None or old is None:
        return result("recall", False, no_figure("recall", case.challenger if new is None else champion))
    most = case.policy.max_recall_loss
    change = round(new - old, 9)
    passed = -change <= most
    verb = "within" if passed else "a greater loss than"
    return result(
        "recall",
        passed,
        f"recall {new:.3f} at the working point detector.confidence against the champion's {old:.3f} on "
        f"{case.test_set}: {signed(change)}, {verb} gate.max_recall_loss {most:.3f}",
        challenger=new,
        champion=old,
        loss=-change,
        most=most,
    )


def fit(case: Case) -> RuleResult | None:
    """A detector that does not find the very boxes that it was trained on says something about the labels."""
    if "train_map50" not in case.challenger.metrics:  # measured by an earlier release
        return None
    found, least = share(case.challenger, "train_map50"), case.policy.min_train_map50
    if found is None:
        return result("fit", False, no_figure("mAP50 on its own training images", case.challenger))
    said = f"mAP50 {found:.3f} on its own training images of label set {case.evaluation.data}"
    if found >= least:
        return result("fit", True, f"{said}, at least gate.min_train_map50 {least:g}", challenger=found, least=least)
    why = f"{said}, less than gate.min_train_map50 {least:g}: it cannot fit its own labels"
    sentence = f"{why}, so look at them (`lvbag labels check`), or train longer"
    return result("fit", False, sentence, challenger=found, least=least)
