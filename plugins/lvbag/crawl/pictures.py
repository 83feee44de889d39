"""The pictures of a listing: each fetched once a shard, checked by its content, stored, and written down as a row."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from lvbag.crawl.errors import Refused
from lvbag.crawl.fetching.answers import NO_VALIDATORS, Answer, Validators
from lvbag.crawl.journal import PICTURE, Upload
from lvbag.crawl.memory import KnownImage
from lvbag.crawl.rows import (
    DUPLICATE,
    KEPT,
    REFUSED,
    UNCHANGED,
    FetchRow,
    ListingRow,
    fetch_of,
    is_our_own,
    is_transient,
    to_json,
)
from lvbag.crawl.run import FETCH_ROW, ShardRun, now
from lvbag.crawl.taken_down import why_picture
from lvbag.images import ImageRefused, check_header
from lvbag.store import keys

_TYPES = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp", "avif": "image/avif"}


@dataclass
class Pictures:
    """The pictures of one running shard."""

    run: ShardRun

    def take_all(self, listing: ListingRow) -> None:
        """Add a row for each picture of a kept listing."""
        for position, url in enumerate(listing.image_urls):
            row = self._row(listing, url, position)
            self.run.left_something |= is_transient(row.reason)
            self.run.pictures += 1
            self.run.journal.add_row(FETCH_ROW, to_json(row))
            self.run.tell()

    def _row(self, listing: ListingRow, url: str, position: int) -> FetchRow:
        noted, met = self.run.journal.meet(PICTURE, url)
        read = self.run.memory.digest(url) if noted is None else noted["sha256"]
        if reason := why_picture(self.run.tombstones, url, read):
            return replace(self._empty(listing, url, position), reason=reason)
        if noted is None:
            row, upload = self._fetch(listing, url, position)
            if not is_our_own(row.reason):
                self.run.journal.note(PICTURE, url, to_json(row), self.run.requests, upload)
            return row
        here = replace(fetch_of(noted), listing_id=listing.listing_id, position=position)
        if not met:
            return here
        verdict = REFUSED if here.verdict == REFUSED else DUPLICATE
        return replace(here, verdict=verdict, http_status=None, bytes=None)

    def _empty(self, listing: ListingRow, url: str, position: int) -> FetchRow:
        """The row of a picture that was not fetched."""
        return FetchRow(
            night=self.run.night,
            source=self.run.planned.source,
            shard=self.run.planned.name,
            listing_id=listing.listing_id,
            image_url=url,
            position=position,
            verdict=REFUSED,
            reason=None,
            http_status=None,
            bytes=None,
            format=None,
            sha256=None,
            etag=None,
            last_modified=None,
            fetched_at=now(),
        )

    def _fetch(self, listing: ListingRow, url: str, position: int) -> tuple[FetchRow, Upload | None]:
        run = self.run
        empty = self._empty(listing, url, position)
        known = run.memory.image(url)
        try:
            answer = run.ask(url, run.settings.crawl.max_image_bytes, known.validators if known else NO_VALIDATORS)
        except Refused as error:
            return replace(empty, reason=error.reason, http_status=error.status, bytes=error.size), None
        answered = replace(
            empty,
            http_status=answer.status,
            bytes=None if answer.status == 304 else len(answer.body),
            etag=answer.validators.etag,
            last_modified=answer.validators.last_modified,
            fetched_at=now(),
        )
        try:
            return self._judge(answered, known, answer)
        except (Refused, ImageRefused) as error:
            return replace(answered, reason=error.reason), None

    def _judge(self, answered: FetchRow, known: KnownImage | None, answer: Answer) -> tuple[FetchRow, Upload | None]:
        if directive := self.run.opt_out_of(answer, is_page=False):
            raise Refused(f"opt_out: {directive}", answer.status)
        if known is not None and answer.status == 304:
            return _known_picture(answered, known), None
        header = check_header(answer.body, self.run.settings.images)
        sha256 = hashlib.sha256(answer.body).hexdigest()
        judged = replace(answered, sha256=sha256, format=header.format)
        if reason := why_picture(self.run.tombstones, answered.image_url, sha256):
            return replace(judged, reason=reason), None
        if known is not None and known.sha256 == sha256:
            return replace(judged, verdict=UNCHANGED), None
        upload = Upload(keys.raw_image(sha256, header.format), answer.body, _TYPES[header.format], sha256)
        return replace(judged, verdict=KEPT), upload


def _known_picture(answered: FetchRow, known: KnownImage) -> FetchRow:
    """The row of a picture that is as an earlier night found it: unchanged, or refused for the same reason."""
    validators = Validators(answered.etag, answered.last_modified).or_else(known.validators)
    return replace(
        answered,
        verdict=UNCHANGED if known.reason is None else REFUSED,
        reason=known.reason,
        sha256=known.sha256,
        format=known.format,
        etag=validators.etag,
        last_modified=validators.last_modified,
    )
