"""What the gate's rules look at, and the words and figures that they share."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from lvbag.registry.records import Bootstrap, Evaluation, Measured, Pairs, RuleResult
from lvbag.settings import GateSettings
from lvbag.store.keys import ModelKind, version_name

PRIMARY_METRIC = {ModelKind.CLASSIFIER: "top1", ModelKind.DETECTOR: "map50_95"}
"""The figure that decides, by kind."""

SHOWN = {"top1": "top-1", "top1_shared": "top-1", "map50_95": "mAP50-95", "map50": "mAP50"}


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

    @property
    def is_shared(self) -> bool:
        """Whether only the products that the champion knows count (`gate.compare`)."""
        is_classifier = self.evaluation.kind == ModelKind.CLASSIFIER
        return is_classifier and self.policy.compare == "shared" and self.evaluation.champion is not None

    @property
    def images(self) -> int:
        """Test images that count; of an earlier release's evaluation all, for it does not say how many are shared."""
        shared = self.evaluation.shared_images if self.is_shared else None
        return self.evaluation.test_images if shared is None else shared

    @property
    def metric(self) -> str:
        """The figure that decides."""
        return "top1_shared" if self.is_shared else PRIMARY_METRIC[self.evaluation.kind]

    @property
    def counted(self) -> str:
        """The test images that count, in words."""
        if not self.is_shared:
            return self.test_set
        return f"the {self.images} of {self.test_set} whose products the champion knows (gate.compare is shared)"

    @property
    def pairs(self) -> Pairs | None:
        """Who got which of the counted images right."""
        return self.challenger.versus_champion_shared if self.is_shared else self.challenger.versus_champion

    @property
    def bootstrap(self) -> Bootstrap | None:
        """The gain over the counted images with listings drawn anew."""
        return self.challenger.bootstrap_shared if self.is_shared else self.challenger.bootstrap


Rule = Callable[[Case], RuleResult | None]


def result(rule: str, passed: bool, sentence: str, **figures: float | None) -> RuleResult:
    """A rule that refuses where it does not hold; figures that are missing or no number are left out."""
    return RuleResult(rule=rule, passed=passed, required=True, sentence=sentence, figures=finite(figures))


def shown(rule: str, passed: bool, required: bool, sentence: str, **figures: float | None) -> RuleResult:
    """A rule that refuses only where it is asked for."""
    return RuleResult(rule=rule, passed=passed, required=required, sentence=sentence, figures=finite(figures))


def finite(figures: dict[str, float | None]) -> dict[str, float]:
    """The figures that are numbers."""
    return {name: float(value) for name, value in figures.items() if value is not None and math.isfinite(value)}


def share(measured: Measured, metric: str) -> float | None:
    """A metric that is a share of 1; None when it is missing, not a number or out of range."""
    value = measured.metrics.get(metric)
    return value if value is not None and math.isfinite(value) and 0.0 <= value <= 1.0 else None


def no_figure(named: str, measured: Measured) -> str:
    """What is said where `share` has none."""
    return (
        f"{named} of version {version_name(measured.version)} is missing or no number between 0 and 1: evaluate again"
    )


def signed(gain: float) -> str:
    """With a sign; more digits where three would show a difference as nothing."""
    return f"{gain:+.3f}" if gain == 0.0 or abs(gain) >= 0.0005 else f"{gain:+.6f}"
