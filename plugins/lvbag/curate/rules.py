"""What a detection says about a picture: is there one bag, whole and large enough? Pure decisions.

Each rule has a name, which is the first word of the reason that a refused row carries, the settings that would change
its outcome, and a sentence for the night's report. They are asked in the order of `RULES`; the first that refuses
gives the reason. None of them looks at pixels but the last, for which `lvbag.images.text` measures how much of a
picture is text. How narrowly a rule decided stands beside it (`lvbag.curate.margins`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from lvbag.curate import margins
from lvbag.curate.boxes import area, borders, overlap
from lvbag.curate.seen import Seen
from lvbag.images import text_share
from lvbag.infer import Detection
from lvbag.settings import CurateSettings, DetectorSettings

if TYPE_CHECKING:
    from PIL import Image

NO_BAG = "no_bag"
TOO_SMALL = "bag_too_small"  # `too_small` is a picture of too few pixels (`lvbag.images`)
SEVERAL_BAGS = "several_bags"
PERSON_DOMINANT = "person_dominant"
CUT_OFF = "cut_off"
TEXT_DOMINANT = "text_dominant"


@dataclass(frozen=True)
class BoxVerdict:
    """`best` is the most confident bag, at the working point or below it; `reason` is None when it is kept.

    `rule` is the one that refused, or of what is kept the one that came nearest to it, with its `margin`
    (`lvbag.curate.margins`); None, and a margin of 1, where no rule was near.
    """

    best: Detection | None
    reason: str | None
    rule: str | None
    margin: float | None


@dataclass(frozen=True)
class Rule:
    """`refuses` gives what was seen, for the reason, where the rule is broken; `margin` how narrow it was."""

    name: str
    settings: tuple[str, ...]
    why: str
    refuses: Callable[[Seen], str | None]
    margin: Callable[[Seen], float | None]


def judge(
    detections: Sequence[Detection],
    curate: CurateSettings,
    detector: DetectorSettings,
    text: Callable[[Detection], float],
) -> BoxVerdict:
    """Keep a picture that shows one bag, whole and of sufficient size; `detections` may be in any order.

    Bags are the boxes of `detector.bag_classes`; `lvbag.infer.bag_names.for_classes` fits them to the detector in use.
    `text` measures how much of the picture beside a box is text, from 0 to 1 (`text_beside`); it is called once at
    most, for what no other rule refuses.
    """
    bags = [found for found in detections if found.name in detector.bag_classes]
    if not bags:
        others = f" but {_names(detections)}" if detections else ""
        return BoxVerdict(None, f"{NO_BAG}: nothing detected{others}", NO_BAG, -1.0)
    best = max(bags, key=lambda found: (found.confidence, area(found)))
    people = tuple(found for found in detections if found.name in detector.person_classes)
    seen = Seen(best, tuple(bags), people, curate, detector, cache(lambda: text(best)))
    for rule in RULES:
        if (what := rule.refuses(seen)) is not None:
            return BoxVerdict(best, f"{rule.name}: {what}", rule.name, rule.margin(seen))
    near = {rule.name: margin for rule in RULES if (margin := rule.margin(seen)) is not None}
    if not near:
        return BoxVerdict(best, None, None, 1.0)
    name = min(near, key=near.__getitem__)
    return BoxVerdict(best, None, name, near[name])


def text_beside(image: Image.Image) -> Callable[[Detection], float]:
    """What `judge` asks of an RGB picture: the share of it that lines of text cover outside of a box."""
    return lambda best: text_share(image, (best.x0, best.y0, best.x1, best.y1))


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


def _text_dominant(seen: Seen) -> str | None:
    limit = seen.curate.max_text_share
    if limit >= 1 or seen.text() <= limit:
        return None
    return f"text covers {seen.text():.3f} of the picture beside the bag, curate.max_text_share is {limit:g}"


RULES: tuple[Rule, ...] = (
    Rule(
        NO_BAG,
        ("detector.confidence", "detector.bag_classes"),
        "the detector finds no bag, or is not sure enough of it",
        _no_bag,
        margins.confidence_margin,
    ),
    Rule(
        TOO_SMALL,
        ("curate.min_box_share",),
        "the bag is a small part of the picture, too little to tell products apart",
        _too_small,
        margins.size_margin,
    ),
    Rule(
        SEVERAL_BAGS,
        ("curate.several_bags_factor",),
        "several bags of about the same size: a collage or a group, and the title means one of them",
        _several_bags,
        margins.rivals_margin,
    ),
    Rule(
        PERSON_DOMINANT,
        ("curate.max_person_factor", "detector.person_classes"),
        "a person fills the picture and the bag is a detail",
        _person_dominant,
        margins.person_margin,
    ),
    Rule(
        CUT_OFF,
        ("curate.cut_off_borders", "curate.cut_off_distance", "curate.cut_off_contact", "curate.cut_off_max_share"),
        "the bag runs out of the picture, so that only a part of it is seen",
        _cut_off,
        margins.cut_off_margin,
    ),
    Rule(
        TEXT_DOMINANT,
        ("curate.max_text_share",),
        "text, a table or a watermark covers much of the picture: a banner, a size chart, a catalogue page",
        _text_dominant,
        margins.text_margin,
    ),
)


def _names(detections: Sequence[Detection]) -> str:
    """Which classes were seen, each once."""
    return ", ".join(sorted({found.name for found in detections}))
