"""Which of a detector's classes are bags: a detector may know people, shoes and boxes beside them."""

from __future__ import annotations

from collections.abc import Sequence

from lvbag.infer.onnx_session import ModelError
from lvbag.settings import DetectorSettings

COCO_BAGS = ("backpack", "handbag", "suitcase")
"""What COCO calls bags; a detector that was trained on it knows no other."""


def bag_names(classes: Sequence[str], settings: DetectorSettings) -> tuple[str, ...]:
    """The classes of a detector whose boxes are bags, in its own order.

    A detector of one class finds bags, whatever its labels called them. Of several classes those count that
    `detector.bag_classes` names and, where it names none of them, COCO's backpack, handbag and suitcase; raises
    `ModelError` where there are none of these either: every picture would be refused.
    """
    if len(classes) == 1:
        return tuple(classes)
    found = tuple(name for name in classes if name in settings.bag_classes)
    found = found or tuple(name for name in classes if name in COCO_BAGS)
    if not found:
        raise ModelError(
            f"the detector knows the classes {', '.join(classes)}, and detector.bag_classes "
            f"({', '.join(settings.bag_classes)}) names none of them; set it to those that are bags"
        )
    return found


def for_classes(settings: DetectorSettings, classes: Sequence[str]) -> DetectorSettings:
    """The settings with `bag_classes` as a detector of these classes takes them; raises as `bag_names`."""
    return settings.model_copy(update={"bag_classes": bag_names(classes, settings)})
