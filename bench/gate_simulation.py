"""How often the gate promotes what is not better, and how large a gain it sees: simulated test sets, the real `decide`.

A test set is listings of one to eight photos. Whether a model gets a photo right depends on how hard the listing is and
how hard the photo is, for both models alike, and on how the listing and the photo suit this one model; so photos of one
listing go together. Champion and challenger are 80 % right on average (or the challenger more) and disagree on about
15 % of the photos. Nothing here is measured on real bags: it says what the rules do, not how good anything is.

    python bench/gate_simulation.py                # minutes on one core; seeded, so always the same
    python bench/gate_simulation.py --plot docs/images/gate.png
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from lvbag.learn.classifier.calibration import expected_calibration_error
from lvbag.registry.bootstrap import cells_of, cluster_bootstrap
from lvbag.registry.gate import decide
from lvbag.registry.records import Decision, Evaluation, Measured, Pairs
from lvbag.settings import GateSettings
from lvbag.store import ModelKind

SIZES = (60, 200, 500, 1000, 2000, 5000)
"""Test images."""
GAINS = (0.0, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1)
ACCURACY = 0.8
LEVEL = 0.05
DRAWS = 1000
"""Of a bootstrap; the evaluation takes 10,000, which changes p by less than it changes from test set to test set."""

SHARED_LISTING, OWN_LISTING, SHARED_PHOTO = 0.45, 0.11, 0.32
"""Parts of the variance of how well a model does on a photo; what is left is this photo's and this model's alone."""

Bools = npt.NDArray[np.bool_]
Random = np.random.Generator


@dataclass(frozen=True)
class TestSet:
    """What two models got right, photo by photo; `listing` numbers the photos' listings."""

    listing: npt.NDArray[np.int64]
    champion: Bools
    challenger: Bools


def draw_test_set(random: Random, images: int, gain: float) -> TestSet:
    sizes: list[int] = []
    while sum(sizes) < images:
        sizes.append(min(int(random.integers(1, 9)), images - sum(sizes)))
    listing = np.repeat(np.arange(len(sizes)), sizes)
    own_photo = 1.0 - SHARED_LISTING - OWN_LISTING - SHARED_PHOTO
    shared = np.sqrt(SHARED_LISTING) * random.standard_normal(len(sizes))[listing]
    shared += np.sqrt(SHARED_PHOTO) * random.standard_normal(images)
    right = []
    for accuracy in (ACCURACY, ACCURACY + gain):
        own = np.sqrt(OWN_LISTING) * random.standard_normal(len(sizes))[listing]
        own += np.sqrt(own_photo) * random.standard_normal(images)
        right.append(shared + own + NormalDist().inv_cdf(accuracy) > 0)
    return TestSet(listing, right[0], right[1])


def evaluation_of(test: TestSet) -> Evaluation:
    """The record as an evaluation would have it, with what the gate asks for about the gain."""
    images = len(test.listing)
    gains = np.bincount(test.listing, test.challenger.astype(float) - test.champion).astype(int)
    drawn = cluster_bootstrap(cells_of(zip(np.bincount(test.listing).tolist(), gains.tolist(), strict=True)), DRAWS)
    pairs = Pairs(
        both=int((test.champion & test.challenger).sum()),
        only_champion=int((test.champion & ~test.challenger).sum()),
        only_challenger=int((~test.champion & test.challenger).sum()),
        neither=int((~test.champion & ~test.challenger).sum()),
    )
    challenger = Measured(
        version=2,
        metrics={"top1": float(test.challenger.mean())},
        versus_champion=pairs,
        bootstrap=drawn,
        seen_in_training=0,
    )
    champion = Measured(version=1, metrics={"top1": float(test.champion.mean())}, seen_in_training=0)
    return Evaluation(
        kind=ModelKind.CLASSIFIER, key="simulated", data="simulated", test_images=images, classes=10,
        champion=champion, challengers=(challenger,),
    )  # fmt: skip


POLICIES = {"default": GateSettings(), "evidence": GateSettings(evidence=LEVEL)}


@dataclass
class Shares:
    """Shares of simulated test sets."""

    default: float  # promoted by default
    evidence: float  # promoted with gate.evidence 0.05
    by_image: float  # better, and McNemar's p at most 0.05
    by_listing: float  # better, and the bootstrap's p at most 0.05
    disagree: float  # of photos
    covered: float  # the 95 % interval holds the true gain


def simulate(random: Random, images: int, gain: float, rounds: int) -> Shares:
    rows = []
    for _ in range(rounds):
        test = draw_test_set(random, images, gain)
        night = evaluation_of(test)
        made = {name: decide(policy, night, night.challengers[0]) for name, policy in POLICIES.items()}
        better = made["default"].promoted
        drawn = night.challengers[0].bootstrap
        assert drawn is not None
        rows.append((
            better,
            made["evidence"].promoted,
            better and _p(made["default"], "evidence") <= LEVEL,
            better and _p(made["default"], "evidence_by_listing") <= LEVEL,
            float((test.champion != test.challenger).mean()),
            drawn.low <= gain <= drawn.high,
        ))  # fmt: skip
    return Shares(*np.array(rows, float).mean(axis=0).tolist())


def _p(decision: Decision, rule: str) -> float:
    return next(result.figures["p"] for result in decision.rules if result.rule == rule)


# ------------------------------------------------------------------ guards, tripped by chance


def product_losses(random: Random, products: int, images: int, rounds: int) -> list[float]:
    """The worst loss among the products of two equal models, round by round."""
    worst = []
    for _ in range(rounds):
        tests = [draw_test_set(random, images, 0.0) for _ in range(products)]
        worst.append(max(float(test.champion.mean() - test.challenger.mean()) for test in tests))
    return worst


def calibration_rises(random: Random, images: int, rounds: int) -> list[float]:
    """By how much the calibration error of one honest model exceeds that of another, round by round."""

    def error() -> float:
        confidence = random.beta(4.0, 1.0, images)  # 80 % on average
        return expected_calibration_error(confidence, random.random(images) < confidence)

    return [error() - error() for _ in range(rounds)]


# ------------------------------------------------------------------ words and picture


def say(title: str, head: Sequence[str], rows: Mapping[str, Sequence[float]], digits: int = 3) -> None:
    print(f"\n{title}\n| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|")
    for name, values in rows.items():
        print("| " + " | ".join((name, *(f"{value:.{digits}f}" for value in values))) + " |", flush=True)


def say_power(power: Mapping[int, Mapping[float, Shares]], rounds: int) -> None:
    head = ("test images", *(f"+{100 * gain:g}" for gain in GAINS))
    for field, name in (("evidence", "gate.evidence 0.05"), ("default", "default")):
        rows = {f"{size:,}": [getattr(item, field) for item in by_gain.values()] for size, by_gain in power.items()}
        say(f"better models, {rounds} test sets each, gain in points: share promoted, {name}", head, rows, 2)


def say_guards(random: Random, rounds: int) -> None:
    """How often two guards refuse a model that is no worse."""
    kinds = ((10, 30), (100, 50), (400, 30), (400, 50))
    losses = {kind: np.array(product_losses(random, *kind, rounds=100)) for kind in kinds}
    say(
        "equal models, 100 test sets each: share refused by gate.max_product_loss 0.2, 0.3, 0.4",
        ("products x images", "median of the worst loss", "0.2", "0.3", "0.4"),
        {
            f"{kind[0]} x {kind[1]}": [
                float(np.median(worst)),
                *(float((worst > most).mean()) for most in (0.2, 0.3, 0.4)),
            ]
            for kind, worst in losses.items()
        },
    )
    rises = {size: np.array(calibration_rises(random, size, rounds)) for size in SIZES[:4]}
    say(
        f"two honest models, {rounds} test sets each: share refused by gate.max_ece_rise 0.02, 0.05, 0.1",
        ("test images", "95 % of the rises are below", "0.02", "0.05", "0.1"),
        {
            f"{size:,}": [float(np.quantile(rise, 0.95)), *(float((rise > most).mean()) for most in (0.02, 0.05, 0.1))]
            for size, rise in rises.items()
        },
    )


LINES = {
    "default: more is enough": ("default", "tab:grey", "-"),
    "McNemar alone at 0.05": ("by_image", "tab:orange", "--"),
    "bootstrap of listings alone at 0.05": ("by_listing", "tab:blue", "--"),
    "gate.evidence 0.05: both": ("evidence", "tab:green", "-"),
}


def draw(path: Path, false: Mapping[int, Shares], power: Mapping[int, Mapping[float, Shares]]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, (field, colour, style) in LINES.items():
        shares = [getattr(item, field) for item in false.values()]
        left.plot(list(false), shares, style, color=colour, marker="o", label=name)
    left.axhline(LEVEL, color="black", linewidth=0.8, linestyle=":")
    left.set_title("equal models: promoted by chance")
    left.set_xlabel("test images")
    left.set_xscale("log")
    left.set_xticks(list(false), [f"{size:,}" for size in false])
    left.minorticks_off()
    left.set_ylabel("share of test sets")
    left.set_ylim(0, 0.55)
    left.legend(fontsize=8)
    for number, (size, by_gain) in enumerate(power.items()):
        points = [100 * gain for gain in by_gain]
        solid, dotted = ([getattr(item, field) for item in by_gain.values()] for field in ("evidence", "default"))
        right.plot(points, solid, "-", color=f"C{number}", marker="o", label=f"{size:,} test images")
        right.plot(points, dotted, ":", color=f"C{number}")
    right.axhline(0.8, color="black", linewidth=0.8, linestyle=":")
    right.set_title("better models: promoted (dotted: by default)")
    right.set_xlabel("true gain in top-1, points")
    right.set_ylim(0, 1.02)
    right.legend(fontsize=8)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    print(f"wrote {path}")


def main() -> None:
    """Everything, as tables; with --plot the first two as a picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2000, help="test sets for each figure about equal models")
    parser.add_argument("--plot", type=Path, help="write the picture there")
    chosen = parser.parse_args()
    random = np.random.default_rng(6)
    false = {size: simulate(random, size, 0.0, chosen.rounds) for size in SIZES}
    say(
        f"equal models, {chosen.rounds} test sets each: share promoted",
        ("test images", "photos they disagree on", "default", "gate.evidence 0.05", "McNemar alone", "bootstrap alone",
         "95 % interval holds the truth"),
        {
            f"{size:,}": [item.disagree, item.default, item.evidence, item.by_image, item.by_listing, item.covered]
            for size, item in false.items()
        },
    )  # fmt: skip
    rounds = max(1, chosen.rounds // 5)
    power = {size: {gain: simulate(random, size, gain, rounds) for gain in GAINS} for size in SIZES[1:]}
    say_power(power, rounds)
    say_guards(random, chosen.rounds)
    if chosen.plot:
        draw(chosen.plot, false, power)


if __name__ == "__main__":
    main()
