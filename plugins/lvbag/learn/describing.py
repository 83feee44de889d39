"""A trained version's record, from what its process was told and has measured."""

from __future__ import annotations

import datetime as dt

from lvbag import __version__
from lvbag.learn.jobs import ClassifierJob, DetectorJob, TrainingJob
from lvbag.registry.records import SCRATCH, ModelSpec, VersionRecord
from lvbag.store import ModelKind


def describe(
    kind: ModelKind, job: TrainingJob, spec: ModelSpec, metrics: dict[str, float], detector: str | None
) -> VersionRecord:
    """The version's record; the registry adds the digests of the files. `detector` cropped a classifier's data."""
    return VersionRecord(
        kind=kind,
        version=job.version,
        created_at=dt.datetime.now(dt.UTC),
        data=job.data,
        recipe=job.recipe_name,
        recipe_sha256=job.recipe_sha256,
        seed=job.seed,
        training_key=job.training_key,
        parent=job.parent,
        start=_start(job),
        detector=detector,
        code_version=__version__,
        model=spec,
        metrics=metrics,
    )


def _start(job: TrainingJob) -> str:
    start = job.start if isinstance(job, ClassifierJob | DetectorJob) else None
    return SCRATCH if start is None else start.named
