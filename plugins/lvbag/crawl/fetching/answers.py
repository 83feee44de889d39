"""What asking for a page or picture brings, wherever it is read from, and what makes the next asking conditional."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Validators:
    """What makes a request conditional: the entity tag and date of the version that is known already."""

    etag: str | None = None
    last_modified: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """The request's headers; none where nothing is known."""
        pairs = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in pairs.items() if value}

    def or_else(self, other: Validators) -> Validators:
        """These, or the others where these are empty (a 304 need not repeat them)."""
        return Validators(self.etag or other.etag, self.last_modified or other.last_modified)


NO_VALIDATORS = Validators()


@dataclass(frozen=True)
class Answer:
    """One answer of a server: `body` is decompressed and no longer than the limit."""

    url: str  # that gave the answer, after redirects
    status: int
    body: bytes
    content_type: str  # lower case, with parameters; empty when there was none
    validators: Validators
    robots_tags: tuple[str, ...] = ()  # the values of X-Robots-Tag, one a header
    tdm_reservation: str | None = None  # the header of that name
    redirect: str | None = None
    retry_after: str | None = None


class Reader(Protocol):
    """Where pages and pictures come from: the network (`fetcher`) or a partner's files (`files`)."""

    def fetch(self, url: str, max_bytes: int, validators: Validators = NO_VALIDATORS) -> Answer:
        """The answer with status 200, or 304 where validators were given and still hold; raises `Refused`."""
        ...
