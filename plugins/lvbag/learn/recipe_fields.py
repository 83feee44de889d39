"""What recipes of both kinds are made of: kinds of numbers, and a model that refuses unknown fields."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Epochs = Annotated[int, Field(ge=0, le=1000, description="0 leaves the model untrained: the gate must refuse it")]
Batch = Annotated[int, Field(ge=2, le=4096)]
Rate = Annotated[float, Field(gt=0.0, le=10.0)]
WeightDecay = Annotated[float, Field(ge=0.0, le=1.0)]
Warmup = Annotated[int, Field(ge=0, le=100)]
Ratio = Annotated[float, Field(ge=0.25, le=4.0)]
Degrees = Annotated[float, Field(ge=0.0, le=180.0)]


class RecipeModel(BaseModel):
    """A recipe or a part of one: never changed, and every field is known."""

    model_config = ConfigDict(extra="forbid", frozen=True)
