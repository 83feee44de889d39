"""What groups of settings are made of: the base class, and numbers with their limits."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0.0, le=1.0)]
PositiveInt = Annotated[int, Field(ge=1)]
PositiveFloat = Annotated[float, Field(gt=0.0)]


class Group(BaseModel):
    """A group of settings: unknown names are refused, values cannot be changed after the start."""

    model_config = ConfigDict(extra="forbid", frozen=True)
