"""The gate's rules about what is better: the test set, the gain, the evidence for it, and the first champion."""

from __future__ import annotations

from lvbag.registry.gate_case import SHOWN, Case, no_figure, result, share, shown, signed
from lvbag.registry.mcnemar import one_sided_p
from lvbag.registry.records import RuleResult


def enough_images(case: Case) -> RuleResult:
    """A small test set decides nothing."""
    count, least = case.images, case.policy.min_test_images
    passed = count >= least
    verb = "at least" if passed else "fewer than"
    sentence = f"{case.counted}: {verb} gate.min_test_images {least}"
    return result(
        "test_set", passed, sentence if passed else f"{sentence}, which decide nothing", images=count, least=least
    )


def gain(case: Case) -> RuleResult | None:
    """The deciding figure must rise."""
    champion = case.evaluation.champion
    if champion is None:
        return None
    named, least = SHOWN[case.metric], case.policy.min_gain
    new, old = share(case.challenger, case.metric), share(champion, case.metric)
    if new is None or old is None:
        where = f"{named} on {case.counted}" if case.is_shared else named
        return result("gain", False, no_figure(where, case.challenger if new is None else champion), least=least)
    more = round(new - old, 9)  # 0.8 - 0.7 is more than 0.1 in binary fractions
    passed = more > least
    verb = "more than" if passed else "not more than"
    return result(
        "gain",
        passed,
        f"{named} {new:.3f} against the champion's {old:.3f} on {case.counted}: {signed(more)}, {verb} "
        f"gate.min_gain {least:.3f}{_otherwise(case)}",
        challenger=new,
        champion=old,
        gain=more,
        least=least,
    )


def _otherwise(case: Case) -> str:
    """The figures by the other way to compare, where that makes a difference."""
    champion, count = case.evaluation.champion, case.evaluation.shared_images
    if champion is None or count is None or count == case.evaluation.test_images:
        return ""
    metric = "top1" if case.is_shared else "top1_shared"
    new, old = share(case.challenger, metric), share(champion, metric)
    if new is None or old is None:
        return "; the champion knows none of the products" if count == 0 else ""
    if case.is_shared:
        return f"; on all, with products that the champion has never seen as its errors, {new:.3f} against {old:.3f}"
    return (
        f"; products that the champion has never seen count as its errors (gate.compare is all), on the {count} images "
        f"of the others {new:.3f} against {old:.3f}"
    )


def evidence(case: Case) -> RuleResult | None:
    """Could the lead be chance, were every test image a coin of its own?"""
    if case.evaluation.champion is None:
        return None
    required = case.policy.evidence < 1.0
    pairs = case.pairs
    if pairs is None:
        sentence = "the evaluation does not say which test images the two got right, so chance cannot be told apart"
        return shown("evidence", False, required, sentence)
    p = one_sided_p(pairs)
    return shown(
        "evidence",
        p <= case.policy.evidence,
        required,
        f"the challenger alone is right on {pairs.only_challenger} test images, the champion alone on "
        f"{pairs.only_champion}: by chance with p = {p:.4f} (one-sided McNemar); {_asked(case)}",
        only_challenger=pairs.only_challenger,
        only_champion=pairs.only_champion,
        p=p,
        most=case.policy.evidence,
    )


def evidence_by_listing(case: Case) -> RuleResult | None:
    """The same with photos of one listing taken together: they are right or wrong together."""
    if case.evaluation.champion is None:
        return None
    required = case.policy.evidence < 1.0
    drawn = case.bootstrap
    if drawn is None:
        sentence = "the evaluation does not say how the two did listing by listing, so that cannot be drawn anew"
        return shown("evidence_by_listing", False, required, sentence)
    return shown(
        "evidence_by_listing",
        drawn.p <= case.policy.evidence,
        required,
        f"with the {drawn.listings} listings of the test set drawn anew {drawn.draws} times the gain lies between "
        f"{signed(drawn.low)} and {signed(drawn.high)} (95 %), and there is none with p = {drawn.p:.4f} (one-sided "
        f"bootstrap); {_asked(case)}",
        listings=drawn.listings,
        low=drawn.low,
        high=drawn.high,
        p=drawn.p,
        most=case.policy.evidence,
    )


def _asked(case: Case) -> str:
    limit = case.policy.evidence
    return f"gate.evidence asks for at most {limit:.3f}" if limit < 1.0 else "shown only, as gate.evidence is 1"


def beats_chance(case: Case) -> RuleResult | None:
    """The first classifier has no champion to beat, but chance."""
    if case.evaluation.champion is not None:
        return None
    classes, factor = case.evaluation.classes, case.policy.chance_factor
    if classes < 1:
        return result("first_beats_chance", False, f"the evaluation on {case.test_set} names no product to tell apart")
    top1 = share(case.challenger, "top1")
    if top1 is None:
        return result("first_beats_chance", False, no_figure("top-1", case.challenger))
    least, named = factor / classes, f"gate.chance_factor {factor:g} times chance among {classes} products"
    if (half_way := (1.0 + 1.0 / classes) / 2.0) < least:  # a factor of 2 would ask two products for more than all
        least, named = half_way, f"half-way from chance among {classes} products to all right"
    verb = "more than" if top1 > least else "not more than"
    return result(
        "first_beats_chance",
        top1 > least,
        f"there is no champion yet: top-1 {top1:.3f} on {case.test_set}, {verb} {least:.3f} ({named})",
        challenger=top1,
        least=least,
    )
