"""How narrowly a rule of cleaning decided: the distance of what was seen from the rule's border. Pure, no pictures.

A margin is a share of the border's own value, from -1 to 1: below 0 the rule refuses, above it lets pass, and near 0 a
slightly different box would have turned it. With a border at 0.35 a confidence of 0.28 has the margin -0.2. Where a
rule asks for several things at once the one that is nearest to failing counts. None: nothing in sight of the border.

Rules with boxes beside the bag (`several_bags`, `person_dominant`) also look at boxes below the working point: one that
was nearly counted makes a narrow decision.
"""

from __future__ import annotations

from lvbag.curate.boxes import area, overlap, reach
from lvbag.curate.seen import Seen
from lvbag.infer import Detection

NOTHING = 1e-6
"""An area that stands for none."""


def above(value: float, border: float) -> float | None:
    """The margin of a value that must reach a border; None where every value does."""
    return None if border <= 0 else _clipped(value / border - 1)


def below(value: float, border: float) -> float | None:
    """The margin of a value that may reach a border and not pass it; None where there is no such border."""
    return None if border <= 0 else _clipped(1 - value / border)


def confidence_margin(seen: Seen) -> float | None:
    """Of rule `no_bag`."""
    return above(seen.best.confidence, seen.detector.confidence)


def size_margin(seen: Seen) -> float | None:
    """Of rule `bag_too_small`."""
    return above(area(seen.best), seen.curate.min_box_share)


def rivals_margin(seen: Seen) -> float | None:
    """Of rule `several_bags`: another bag is sure enough, about as large, and apart from the best."""
    others = (found for found in seen.all_bags if found is not seen.best and not overlap(found, seen.best))
    return _strongest([_rival(seen, found) for found in others])


def person_margin(seen: Seen) -> float | None:
    """Of rule `person_dominant`: somebody is sure enough, and large enough beside the bag."""
    return _strongest([_person(seen, found) for found in seen.all_people])


def cut_off_margin(seen: Seen) -> float | None:
    """Of rule `cut_off`: the bag ends at so many borders, and does not fill the frame."""
    settings = seen.curate
    if settings.cut_off_borders == 0:
        return None
    ends = sorted(reach(seen.best, axis, settings.cut_off_distance, settings.cut_off_contact) for axis in (0, 1))
    fills = below(area(seen.best), settings.cut_off_max_share)
    return _strongest([min(ends[2 - settings.cut_off_borders], -1.0 if fills is None else fills)])


def text_margin(seen: Seen) -> float | None:
    """Of rule `text_dominant`."""
    limit = seen.curate.max_text_share
    return None if limit >= 1 else below(seen.text(), limit)


def _rival(seen: Seen, found: Detection) -> float:
    """How strongly another bag counts: above 0 it does."""
    larger, smaller = sorted((area(found), area(seen.best)), reverse=True)
    alike = below(larger / max(smaller, NOTHING), seen.curate.several_bags_factor)
    return _least(above(found.confidence, seen.detector.confidence), alike)


def _person(seen: Seen, found: Detection) -> float:
    factor = area(found) / max(area(seen.best), NOTHING)
    return _least(above(found.confidence, seen.detector.confidence), above(factor, seen.curate.max_person_factor))


def _strongest(against: list[float]) -> float | None:
    """What speaks most against a picture, as a margin; None where nothing comes near to it."""
    most = max(against, default=-1.0)
    return None if most <= -1 else -most


def _least(*margins: float | None) -> float:
    return min((margin for margin in margins if margin is not None), default=1.0)


def _clipped(value: float) -> float:
    return max(-1.0, min(1.0, value))
