"""The gate's guards: what must not get worse while a classifier's top-1 rises.

An evaluation of an earlier release lacks some figures; a guard that finds none of its own says nothing.
"""

from __future__ import annotations

import math

from lvbag.registry.gate_case import Case, no_figure, result, share, shown, signed
from lvbag.registry.records import Measured, RuleResult
from lvbag.store.keys import version_name

_NAMED = 3
"""Products that a sentence names."""


def unseen(case: Case) -> RuleResult:
    """Test images that a version was trained on flatter it."""
    own = case.challenger.seen_in_training
    if own is None:
        sentence = "it is not known whether test images stand in the challenger's training part: its snapshot is gone"
        return shown("unseen", False, False, f"{sentence}, or an earlier release measured it")
    count = f"{own} of {case.test_set} stand in the training part of the challenger's own snapshot"
    if own == 0:
        sentence = f"none of {case.test_set} stands in the training part of the challenger's own snapshot"
    else:
        sentence = f"{count}, so its figures are flattered: train it on a snapshot of this store"
    champion = case.evaluation.champion
    theirs = None if champion is None else champion.seen_in_training
    if theirs:
        sentence += f"; {theirs} in that of the champion, which flatters the champion and so refuses nobody"
    return result("unseen", own == 0, sentence, challenger=own, champion=theirs)


def product_loss(case: Case) -> RuleResult | None:
    """A gain over all products may hide that one of them is no longer told apart."""
    champion, images = case.evaluation.champion, case.evaluation.products
    if champion is None or not images:
        return None
    least, most = case.policy.min_product_images, case.policy.max_product_loss
    judged = [product for product, count in sorted(images.items()) if count >= least]
    if not judged:
        sentence = f"no product has gate.min_product_images {least} test images, so none is looked at alone"
        return result("product_loss", True, sentence, products=0, most=most)
    losses = {
        product: round(_right(champion, product, case) - _right(case.challenger, product, case), 9)
        for product in judged
    }
    ordered = sorted(judged, key=lambda product: (-losses[product], product))
    tripped = [product for product in ordered if losses[product] > most]
    named = "; ".join(
        _loss_in_words(case, champion, product) for product in (tripped or ordered)[: _NAMED if tripped else 1]
    )
    kept = f"of {len(judged)} products with gate.min_product_images {least} test images"
    if tripped:
        sentence = f"{len(tripped)} {kept} lose more than gate.max_product_loss {most:.3f}: {named}"
    else:
        sentence = f"none {kept} loses more than gate.max_product_loss {most:.3f}; the worst: {named}"
    return result(
        "product_loss",
        not tripped,
        sentence,
        products=len(judged),
        tripped=len(tripped),
        worst=losses[ordered[0]],
        most=most,
    )


def _right(measured: Measured, product: str, case: Case) -> float:
    return measured.right.get(product, 0) / case.evaluation.products[product]


def _loss_in_words(case: Case, champion: Measured, product: str) -> str:
    new, old = (item.right.get(product, 0) for item in (case.challenger, champion))
    count = case.evaluation.products[product]
    return f"{product} with {new} of {count} right against the champion's {old} ({signed((new - old) / count)})"


def calibration(case: Case) -> RuleResult | None:
    """Probabilities must go on meaning what they say."""
    champion = case.evaluation.champion
    if champion is None or "ece" not in case.challenger.metrics or "ece" not in champion.metrics:
        return None
    most, named = case.policy.max_ece_rise, "the expected calibration error"
    new, old = share(case.challenger, "ece"), share(champion, "ece")
    if new is None or old is None:
        return result("calibration", False, no_figure(named, case.challenger if new is None else champion))
    rise = round(new - old, 9)
    passed = rise <= most
    verb = "within" if passed else "a greater rise than"
    return result(
        "calibration",
        passed,
        f"{named} is {new:.3f} against the champion's {old:.3f} on {case.test_set}: {signed(rise)}, {verb} "
        f"gate.max_ece_rise {most:.3f}",
        challenger=new,
        champion=old,
        rise=rise,
        most=most,
    )


def latency(case: Case) -> RuleResult | None:
    """A better answer that comes far too late may be no better."""
    return _factor(case, "latency", "latency_ms", "one picture takes {} ms on one thread of the CPU")


def size(case: Case) -> RuleResult | None:
    """The file travels to wherever the classifier is used."""
    return _factor(case, "size", "onnx_mb", "the ONNX file has {} MB")


def _factor(case: Case, rule: str, metric: str, words: str) -> RuleResult | None:
    champion = case.evaluation.champion
    if champion is None or metric not in case.challenger.metrics or metric not in champion.metrics:
        return None
    most = case.policy.max_latency_factor if rule == "latency" else case.policy.max_size_factor
    setting, is_required = f"gate.max_{rule}_factor", most > 0.0
    new, old = case.challenger.metrics[metric], champion.metrics[metric]
    for value, measured in ((new, case.challenger), (old, champion)):
        if not (math.isfinite(value) and value > 0.0):
            sentence = f"{metric} of version {version_name(measured.version)} is no number above 0: evaluate again"
            return shown(rule, False, is_required, sentence)
    factor = new / old
    passed = not is_required or factor <= most
    limit = (
        f"{'within' if passed else 'more than'} {setting} {most:g}" if is_required else f"shown only, as {setting} is 0"
    )
    sentence = f"{words.format(f'{new:.3g}')} against the champion's {old:.3g}: {factor:.2f} times as much, {limit}"
    return shown(rule, passed, is_required, sentence, challenger=new, champion=old, factor=factor, most=most)
