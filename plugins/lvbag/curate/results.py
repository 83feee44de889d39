"""What the steps of curation return: names and counts, never data. Light, so that DAG files can import it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True)
class StageResult:
    """One table was written: `uri` is its address, `rows = kept + sum(refused)`, `refused` counts rows by rule."""

    night: dt.date
    uri: str
    rows: int
    kept: int
    refused: dict[str, int]


@dataclass(frozen=True)
class ValidationResult:
    """The validated table; `data_docs`: the address of its page, empty where there was nothing to validate.

    `quarantined`: the sources that were set aside whole, with the reason; empty where the night is sound. `notes`:
    what does not hold and refuses nothing, such as `source_present: shop: 0`.
    """

    night: dt.date
    uri: str
    rows: int
    kept: int
    refused: dict[str, int]
    quarantined: dict[str, str]
    data_docs: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class CleaningPlan:
    """What there is to clean: `detector` is a version such as `0002`, or `none`; `parts` are numbers from 0."""

    night: dt.date
    detector: str
    parts: tuple[int, ...]


@dataclass(frozen=True)
class RecleaningJob:
    """A part to clean again: `pictures` are judged by `detector`; with 0 its crops are only compared again.

    `everything`: all that another detector decided, not only what it decided narrowly.
    """

    night: dt.date
    part: int
    detector: str
    pictures: int
    everything: bool = False


@dataclass(frozen=True)
class RecleaningPlan:
    """The parts to clean again, all of a night and the nights in order; none where nothing is left to judge."""

    detector: str
    jobs: tuple[RecleaningJob, ...]

    @property
    def pictures(self) -> int:
        """How many are judged again."""
        return sum(job.pictures for job in self.jobs)

    @property
    def nights(self) -> tuple[dt.date, ...]:
        """The nights of the jobs, in order, each once."""
        return tuple(dict.fromkeys(job.night for job in self.jobs))

    def parts(self, night: dt.date) -> tuple[int, ...]:
        """All parts of a night."""
        return tuple(job.part for job in self.jobs if job.night == night)


@dataclass(frozen=True)
class RecleanedPart:
    """A part after re-cleaning: pictures that were `judged` again, and for how many the verdict `changed`."""

    night: dt.date
    part: int
    judged: int
    changed: int
    kept: int
    refused: dict[str, int]


@dataclass(frozen=True)
class SnapshotResult:
    """The snapshot that stands after a night; None, and why in `note`, while there are too few images for one.

    `changed` is False where it is the one that stood before the night, so that there is nothing to train on.
    """

    snapshot: str | None
    changed: bool
    night: dt.date
    products: int
    images: int
    train: int
    val: int
    test: int
    note: str = ""


@dataclass(frozen=True)
class ReportResult:
    """The night's page (`uri`) and its funnel: the ordered names of the steps with their counts."""

    night: dt.date
    uri: str
    funnel: dict[str, int]
