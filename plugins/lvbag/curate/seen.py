"""What the rules of cleaning look at: the boxes of one picture, sorted, and the settings they are held against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lvbag.infer import Detection
from lvbag.settings import CurateSettings, DetectorSettings


@dataclass(frozen=True)
class Seen:
    """The best bag, every bag and every person that the detector reported, and the settings.

    `all_bags` and `all_people` include what is below the working point; `bags` and `people` do not. `text` measures how
    much of the picture is text (`lvbag.images.text`), from 0 to 1, when it is first asked.
    """

    best: Detection
    all_bags: tuple[Detection, ...]
    all_people: tuple[Detection, ...]
    curate: CurateSettings
    detector: DetectorSettings
    text: Callable[[], float]

    @property
    def bags(self) -> tuple[Detection, ...]:
        """The bags at the working point or above it."""
        return self._sure(self.all_bags)

    @property
    def people(self) -> tuple[Detection, ...]:
        """The people at the working point or above it."""
        return self._sure(self.all_people)

    def _sure(self, found: tuple[Detection, ...]) -> tuple[Detection, ...]:
        return tuple(one for one in found if one.confidence >= self.detector.confidence)
