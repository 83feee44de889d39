"""What a detection says about a picture: is there one bag, whole and large enough? Pure decisions, no pictures.

Each rule has a name, which is the first word of the reason that a refused row carries, the settings that would change
its outcome, and a sentence for the night's report. They are asked in the order of `RULES`; the first that refuses
gives the reason. None of them looks at pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lvbag.curate.boxes import area, borders, overlap
from lvbag.infer import Detection
from lvbag.settings import CurateSettings, DetectorSettings

NO_BAG = "no_bag"
TOO_SMALL = "bag_too_small"  # `too_small` is a picture of too few pixels (`lvbag.images`)
SEVERAL_BAGS = "several_bags"
PERSON_DOMINANT = "person_dominant"
CUT_OFF = "cut_off"


@dataclass(frozen=True)
class BoxVerdict:
    """`best` is the most confident bag, at the working point or below it; `reason` is None when it is kept."""

    best: Detection | None
    reason: str | None


@dataclass(frozen=True)
class Seen:
    """What rules look at: the best bag, every bag and every person at the working point or above it, the settings."""

    best: Detection
    bags: tuple[Detection, ...]
    people: tuple[Detection, ...]
    curate: CurateSettings
    detector: DetectorSettings


@dataclass(frozen=True)
class Rule:
    """`refuses` gives what was seen, for the reason, where the rule is broken."""

    name: str
    settings: tuple[str, ...]
    why: str
    refuses: Callable[[Seen], str | None]


def judge(detections: Sequence[Detection], curate: CurateSettings, detector: DetectorSettings) -> BoxVerdict:
    """Keep a picture that shows one bag, whole and of sufficient size; `detections` may be in any order.

    Bags are the boxes of `detector.bag_classes`; `lvbag.infer.bag_names.for_classes` fits them to the detector in use.
    """
    bags = [found for found in detections if found.name in detector.bag_classes]
    if not bags:
        others = f" but {_names(detections)}" if detections else ""
        return BoxVerdict(None, f"{NO_BAG}: nothing detected{others}")
    best = max(bags, key=lambda found: (found.confidence, area(found)))
    sure = [found for found in detections if found.confidence >= detector.confidence]
    seen = Seen(
        best=best,
        bags=tuple(found for found in sure if found.name in detector.bag_classes),
        people=tuple(found for found in sure if found.name in detector.person_classes),
        curate=curate,
        detector=detector,
    )
    for rule in RULES:
        if (what := rule.refuses(seen)) is not None:
            return BoxVerdict(best, f"{rule.name}: {what}")
    return BoxVerdict(best, None)


def why_refused() -> dict[str, str]:
    """A sentence for each rule, for people who read the night's report."""
    return {rule.name: f"{rule.why} ({', '.join(rule.settings)})" for rule in RULES}


# ------------------------------------------------------------------ the rules


def _no_bag(seen: Seen) -> str | None:
    settings = seen.detector
    if seen.best.confidence >= settings.confidence:
        return None
    return f"best confidence {seen.best.confidence:.2f}, detector.confidence is {settings.confidence:g}"


def _too_small(seen: Seen) -> str | None:
    share, settings = area(seen.best), seen.curate
    if share >= settings.min_box_share:
        return None
    return f"box covers {share:.3f} of the picture, curate.min_box_share is {settings.min_box_share:g}"


def _several_bags(seen: Seen) -> str | None:
    """A collage or a group picture: boxes beside one another of about the same size; which one the title means?"""
    best, factor = seen.best, seen.curate.several_bags_factor
    chosen = [best]
    for found in sorted(seen.bags, key=lambda found: -found.confidence):
        similar = max(area(found), area(best)) <= factor * min(area(found), area(best))
        if found is not best and similar and all(not overlap(found, other) for other in chosen):
            chosen.append(found)
    if len(chosen) == 1:
        return None
    return f"{len(chosen)} boxes of similar size, curate.several_bags_factor is {factor:g}"


def _person_dominant(seen: Seen) -> str | None:
    if not seen.people:
        return None
    largest = max(seen.people, key=area)
    if area(largest) <= seen.curate.max_person_factor * area(seen.best):
        return None
    factor = area(largest) / max(area(seen.best), 1e-6)
    return (
        f"{largest.name} covers {factor:.1f} times the bag's area, "
        f"curate.max_person_factor is {seen.curate.max_person_factor:g}"
    )


def _cut_off(seen: Seen) -> str | None:
    """A bag that goes on beyond the picture.

    A box does not tell a bag that ends at the border from one that goes on behind it, and sellers frame tightly. So
    a box that reaches two opposite borders, or covers most of the picture, is taken for a bag that fills the frame;
    with the default a bag must run into a corner, over a good part of both borders. Of 630 boxes that people drew
    around backpacks in photographs it refuses three (0.5 %), and seventeen (2.7 %) where one border is enough.
    """
    settings = seen.curate
    at = borders(seen.best, settings.cut_off_distance, settings.cut_off_contact)
    share = area(seen.best)
    if not 0 < settings.cut_off_borders <= len(at) or share > settings.cut_off_max_share:
        return None
    return (
        f"box ends at the {' and '.join(at)} border and covers {share:.2f} of the picture, "
        f"curate.cut_off_borders is {settings.cut_off_borders}"
    )


RULES: tuple[Rule, ...] = (
    Rule(
        NO_BAG,
        ("detector.confidence", "detector.bag_classes"),
        "the detector finds no bag, or is not sure enough of it",
        _no_bag,
    ),
    Rule(
        TOO_SMALL,
        ("curate.min_box_share",),
        "the bag is a small part of the picture, too little to tell products apart",
        _too_small,
    ),
    Rule(
        SEVERAL_BAGS,
        ("curate.several_bags_factor",),
        "several bags of about the same size: a collage or a group, and the title means one of them",
        _several_bags,
    ),
    Rule(
        PERSON_DOMINANT,
        ("curate.max_person_factor", "detector.person_classes"),
        "a person fills the picture and the bag is a detail",
        _person_dominant,
    ),
    Rule(
        CUT_OFF,
        ("curate.cut_off_borders", "curate.cut_off_distance", "curate.cut_off_contact", "curate.cut_off_max_share"),
        "the bag runs out of the picture, so that only a part of it is seen",
        _cut_off,
    ),
)


def _names(detections: Sequence[Detection]) -> str:
    """Which classes were seen, each once."""
    return ", ".join(sorted({found.name for found in detections}))
