"""What a detection says about a picture: is there one bag, and large enough? Pure decisions, no pictures, no store.

Each rule has a name, which is the first word of the reason that a refused row carries, and the setting that would
change its outcome.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lvbag.infer import Detection
from lvbag.settings import CurateSettings, DetectorSettings

NO_BAG = "no_bag"
TOO_SMALL = "bag_too_small"  # `too_small` is a picture of too few pixels (`lvbag.images`)
SEVERAL_BAGS = "several_bags"


@dataclass(frozen=True)
class BoxVerdict:
    """`best` is the most confident detection, at the working point or below it; `reason` is None when it is kept."""

    best: Detection | None
    reason: str | None


def judge(detections: Sequence[Detection], curate: CurateSettings, detector: DetectorSettings) -> BoxVerdict:
    """Keep a picture that shows one bag of sufficient size; `detections` may be in any order."""
    if not detections:
        return BoxVerdict(None, f"{NO_BAG}: nothing detected")
    best = max(detections, key=lambda found: (found.confidence, area(found)))
    reason = (
        _no_bag(best, detector)
        or _too_small(best, curate)
        or _several_bags(best, [found for found in detections if found.confidence >= detector.confidence], curate)
    )
    return BoxVerdict(best, reason)


def _no_bag(best: Detection, settings: DetectorSettings) -> str | None:
    if best.confidence >= settings.confidence:
        return None
    return f"{NO_BAG}: best confidence {best.confidence:.2f}, detector.confidence is {settings.confidence:g}"


def _too_small(best: Detection, settings: CurateSettings) -> str | None:
    if area(best) >= settings.min_box_share:
        return None
    return (
        f"{TOO_SMALL}: box covers {area(best):.3f} of the picture, curate.min_box_share is {settings.min_box_share:g}"
    )


def _several_bags(best: Detection, detections: Sequence[Detection], settings: CurateSettings) -> str | None:
    """A collage or a group picture: boxes beside one another of about the same size; which one the title means?"""
    chosen = [best]
    for found in sorted(detections, key=lambda found: -found.confidence):
        similar = max(area(found), area(best)) <= settings.several_bags_factor * min(area(found), area(best))
        if found is not best and similar and all(not overlap(found, other) for other in chosen):
            chosen.append(found)
    if len(chosen) == 1:
        return None
    return f"{SEVERAL_BAGS}: {len(chosen)} boxes of similar size, curate.several_bags_factor is " + (
        f"{settings.several_bags_factor:g}"
    )


def area(box: Detection) -> float:
    """The share of the picture's area that a box covers."""
    return max(0.0, box.x1 - box.x0) * max(0.0, box.y1 - box.y0)


def overlap(one: Detection, other: Detection) -> bool:
    """Whether two boxes share any area."""
    return min(one.x1, other.x1) > max(one.x0, other.x0) and min(one.y1, other.y1) > max(one.y0, other.y0)
