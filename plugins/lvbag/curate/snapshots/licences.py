"""What the owners of the pictures allowed, source by source, as the settings say it. Pure, no store."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from lvbag.source_settings import AnySource


class SourceNote(BaseModel):
    """A source of a snapshot: its images, and what its setting says of the pictures' licence.

    `licence` is empty where nothing is stated. `permission` is the sentence that confirms what the kind needs a
    permission for; empty where it needs none. `known` is False where the settings name no such source any more.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    images: int
    kind: str
    licence: str
    permission: str
    known: bool


def source_notes(images: Mapping[str, int], sources: Mapping[str, AnySource]) -> tuple[SourceNote, ...]:
    """A note for each source that a snapshot has images of."""
    return tuple(_note(name, count, sources.get(name)) for name, count in sorted(images.items()))


def licence_line(note: SourceNote) -> str:
    """What to say of a source's licence; never empty."""
    if not note.known:
        return f"NOT STATED: the settings name no source {note.source} any more"
    return note.licence or f"NOT STATED: set crawl.sources.{note.source}.licence to what the owner allowed"


def _note(name: str, images: int, source: AnySource | None) -> SourceNote:
    if source is None:
        return SourceNote(source=name, images=images, kind="", licence="", permission="", known=False)
    return SourceNote(
        source=name,
        images=images,
        kind=str(getattr(source, "kind", "")),
        licence=" ".join(source.licence.split()),
        permission=source.SENTENCE if source.enabled else "",
        known=True,
    )
