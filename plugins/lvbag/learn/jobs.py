"""What a training or evaluation process is told (`job.json`) and what it answers (`result.json`)."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from lvbag.learn.recipes import ClassifierRecipe, DetectorRecipe
from lvbag.settings import Settings
from lvbag.store import ModelKind

JOB_NAME = "job.json"
RESULT_NAME = "result.json"


class Job(BaseModel):
    """What every process is told. The settings travel without the store's secrets, which go by the environment."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path  # for scratch files; the result is written there
    cache: Path  # files that outlive the job
    parent_process: int
    settings: dict[str, Any]

    @classmethod
    def asked(cls, settings: Settings, folder: Path, cache: Path, **values: Any) -> Self:
        """A job that this process asks for, with what is this job's own in `values`."""
        told = public_settings(settings)
        return cls.model_validate(
            {"folder": folder, "cache": cache, "parent_process": os.getpid(), "settings": told, **values}
        )

    def read_settings(self) -> Settings:
        """The settings of the process that asked, with the secrets of this process's environment."""
        return Settings(**self.settings)


class TrainingJob(Job):
    """What the two trainings share."""

    data: str  # snapshot or label set
    recipe_name: str
    recipe_sha256: str
    seed: int
    version: int
    training_key: str
    parent: int | None

    @property
    def made_of(self) -> tuple[str, str]:
        """Data and recipe: what a person looks for the training by."""
        return self.data, self.recipe_name


class Start(BaseModel):
    """The weights that a training starts from: of a version, or brought in (`version` is None)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    named: str  # in the version's record
    sha256: str  # of the file of tensors
    classes: tuple[str, ...]
    version: int | None


class ClassifierJob(TrainingJob):
    """Train one classifier; `start` is None for scratch."""

    recipe: ClassifierRecipe
    start: Start | None = None


class DetectorJob(TrainingJob):
    """Train one detector; `start` is None for scratch."""

    recipe: DetectorRecipe
    start: Start | None = None


class WeightsJob(Job):
    """Bring weights of a network in, from a file or, without one, from the hub."""

    network: str
    file: Path | None
    image_side_px: int  # of a detector's ONNX file; 0 for a classifier, of which only tensors are kept


class EvaluationJob(Job):
    """Measure versions on the test part of one snapshot or label set."""

    kind: ModelKind
    data: str
    key: str
    champion: int | None
    challengers: tuple[int, ...]


class JobResult(BaseModel):
    """What the process wrote: a version (training) or an evaluation under the key that it was given (0)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int = 0


def public_settings(settings: Settings) -> dict[str, Any]:
    """The settings as plain values, without the store's keys and without whom to tell: a training tells nobody."""
    return settings.model_dump(mode="json", exclude={"store": {"access_key", "secret_key", "roles"}, "notify": True})


def digest(*parts: object) -> str:
    """A short name for what the parts say: 32 hexadecimal digits of their sha256."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]
