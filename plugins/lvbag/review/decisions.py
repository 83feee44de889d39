"""What people decided, as records, and which of them count. Pure, no store.

A decision is never changed. The newest of an item counts; a decision `undo` takes one back, and what stood before it
counts again. Of two decisions of the same microsecond the one whose digest sorts last counts, everywhere alike.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

from lvbag.review.errors import ReviewError
from lvbag.review.items import ItemId, parse_id
from lvbag.store import json_bytes

NAME = re.compile(r"[0-9]{8}T[0-9]{6}\.[0-9]{6}Z-[0-9a-f]{8}")
"""What a decision is called within its item: when it was made, and the start of its content's digest."""


class Verdict(StrEnum):
    """What can be decided: it is fine as it is, it does not belong there, it is another product; or take that back."""

    KEEP = "keep"
    REFUSE = "refuse"
    RELABEL = "relabel"
    UNDO = "undo"


class Decision(BaseModel):
    """One person's word on an item.

    `style_code` goes with `relabel` alone. `replaces` is the name of the decision that counted when this one was made;
    of an `undo` it is the one that is taken back.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    item: str
    verdict: Verdict
    style_code: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    who: Annotated[str, Field(min_length=1, max_length=200)]
    at: AwareDatetime
    why: Annotated[str, Field(max_length=2000)] = ""
    replaces: Annotated[str | None, Field(pattern=f"^{NAME.pattern}$")] = None

    @field_validator("at")
    @classmethod
    def _in_utc(cls, at: dt.datetime) -> dt.datetime:
        return at.astimezone(dt.UTC)

    @field_validator("item")
    @classmethod
    def _is_item(cls, item: str) -> str:
        try:
            return str(parse_id(item))
        except ReviewError as error:
            raise ValueError(str(error)) from None

    @model_validator(mode="after")
    def _fits_its_verdict(self) -> Decision:
        if (self.verdict is Verdict.RELABEL) != (self.style_code is not None):
            raise ValueError("a style code goes with `relabel`, and with nothing else")
        if self.verdict is Verdict.UNDO and self.replaces is None:
            raise ValueError("`undo` names no decision that it takes back")
        return self

    @property
    def id(self) -> ItemId:
        """The item, in parts."""
        return parse_id(self.item)

    @property
    def name(self) -> str:
        """`20261128T035501.123456Z-1a2b3c4d`: sorts by time; follows from the content, so a change would show."""
        return f"{self.at:%Y%m%dT%H%M%S.%fZ}-{hashlib.sha256(self.data).hexdigest()[:8]}"

    @property
    def data(self) -> bytes:
        """The JSON that is stored."""
        return json_bytes(self.model_dump(mode="json"))


History = Mapping[str, tuple[Decision, ...]]
"""All decisions of each item, by the item's name, oldest first."""


def history_of(decisions: Iterable[Decision]) -> History:
    """Put decisions, in any order, into the order in which they count."""
    found: dict[str, list[Decision]] = defaultdict(list)
    for decision in decisions:
        found[decision.item].append(decision)
    return {item: tuple(sorted(found[item], key=lambda one: one.name)) for item in sorted(found)}


def standing(decisions: Iterable[Decision]) -> Decision | None:
    """The one that counts of an item's decisions: the newest that was not taken back; None where all were."""
    everything = list(decisions)
    taken_back = {one.replaces for one in everything if one.verdict is Verdict.UNDO}
    left = [one for one in everything if one.verdict is not Verdict.UNDO and one.name not in taken_back]
    return max(left, key=lambda one: one.name, default=None)
