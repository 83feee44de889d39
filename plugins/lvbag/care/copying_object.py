"""Bringing one key of a store into another: what is missing there, written, and read back."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from typing import BinaryIO, cast

from lvbag.care.checks import Finding
from lvbag.store import CorruptObject, ObjectMissing, StoreError
from lvbag.store.carrying import CarryingStore, Facts, Piece, Standing
from lvbag.store.client import PART_BYTES


@dataclass(frozen=True)
class How:
    """What a copy may do.

    `overwrite`: replace what differs. `read_all`: read back also what stood there before. `dry_run`: write nothing.
    """

    overwrite: bool = False
    read_all: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class Brought:
    """What became of a key: versions and bytes written (or missing, in a dry run), and what is wrong with it.

    `gone`: it was deleted at the source after it had been listed.
    """

    versions: int = 0
    bytes: int = 0
    gone: bool = False
    finding: Finding | None = None


class _ChangedMeanwhile(Exception):
    """The source is not what it was when it was listed."""


class _Gone(Exception):
    """The source has it no more."""


class Bringer:
    """Copies keys from one store to another. Safe to share between threads."""

    def __init__(self, source: CarryingStore, target: CarryingStore, how: How) -> None:
        self._source = source
        self._target = target
        self._how = how

    def bring(self, here: Standing, there: Standing | None) -> Brought:
        """Write what is missing of a key, oldest version first, and read it back."""
        try:
            return self._brought(here, there)
        except _Gone:
            return Brought(gone=True)
        except (_ChangedMeanwhile, ObjectMissing):
            problem = "it changed while it was copied"
            return Brought(finding=self._finding("changed", here, problem, "copy again, best with all DAGs paused"))
        except CorruptObject as error:
            remedy = "`lvbag verify` on the source says what is damaged there; nothing was written in its place"
            return Brought(finding=self._finding("damaged", here, str(error), remedy))

    def _brought(self, here: Standing, there: Standing | None) -> Brought:
        missing = self._missing(here, there)
        if missing is None:
            remedy = "look at both; --overwrite replaces it there"
            return Brought(
                finding=self._finding("differs", here, "the target has something else under its key", remedy)
            )
        if not missing and self._how.read_all and there is not None and (damage := self._damage(here, there)):
            if not self._how.overwrite:
                return Brought(finding=damage)
            missing = here.pieces[-1:]
        hides = here.hidden and (bool(missing) or (there is not None and not there.hidden))
        if not self._how.dry_run:
            for piece in missing:
                self._copy(piece)
            if hides:
                self._target.delete(here.ref)
        return Brought(len(missing) + hides, sum(piece.size for piece in missing))

    def _missing(self, here: Standing, there: Standing | None) -> tuple[Piece, ...] | None:
        """The versions to write on top of what is there; None where something else stands that may not be replaced."""
        if there is None:
            return here.pieces
        if self._goes_on_from(here, there):
            return here.pieces[len(there.pieces) :]
        if self._looks_like(here, there):
            return ()  # another past, the same present
        return here.pieces[-1:] if self._how.overwrite else None

    def _goes_on_from(self, here: Standing, there: Standing) -> bool:
        """Whether what is there is the beginning of what is here: a copy that was stopped, or one of an earlier day."""
        fewer = len(there.pieces) < len(here.pieces) or (
            len(there.pieces) == len(here.pieces) and here.hidden >= there.hidden
        )
        return fewer and all(map(self._same, here.pieces, there.pieces))

    def _looks_like(self, here: Standing, there: Standing) -> bool:
        if here.hidden or there.hidden or not here.pieces or not there.pieces:
            return here.hidden and there.hidden
        return self._same(here.pieces[-1], there.pieces[-1])

    def _same(self, here: Piece, there: Piece) -> bool:
        """Whether two versions have the same bytes: by entity tag, else by recorded digest, else by reading both."""
        if here.size != there.size:
            return False
        if here.etag == there.etag:
            return True
        ours, theirs = self._source.facts(here).sha256, self._target.facts(there).sha256
        if ours and theirs:
            return ours == theirs
        return (ours or self._source.digest(here)) == (theirs or self._target.digest(there))

    def _damage(self, here: Standing, there: Standing) -> Finding | None:
        """What is wrong with what stood there before: it is read, and what was recorded of it is not believed."""
        for ours, theirs in zip(reversed(here.pieces), reversed(there.pieces), strict=False):
            if not self._same(ours, theirs):
                continue  # another past
            wanted = self._source.facts(ours).sha256 or self._source.digest(ours)
            if self._target.digest(theirs) != wanted:
                problem = f"its bytes at the target are not those with sha256 {wanted}"
                return self._finding("damaged", here, problem, "--overwrite writes it again")
        return None

    def _copy(self, piece: Piece) -> None:
        with tempfile.SpooledTemporaryFile(max_size=PART_BYTES) as spooled:
            file = cast("BinaryIO", spooled)
            try:
                facts, digest = self._source.fetch(piece, file)
            except ObjectMissing:
                raise _Gone from None
            self._check(piece, facts, digest)
            self._target.lay(piece.ref, file, facts, digest)
        if self._target.digest(Piece(piece.ref, facts.size, "")) != digest:
            raise StoreError(
                f"{self._target.uri(piece.ref)} was written to {self._target.settings.endpoint} and read back as "
                f"something else (sha256 should be {digest}): look at the target's disk and log, then copy again with "
                "--read-all --overwrite"
            )

    def _check(self, piece: Piece, facts: Facts, digest: str) -> None:
        if facts.sha256 not in (None, digest):
            raise CorruptObject(
                f"its bytes at the source have sha256 {digest}, recorded is {facts.sha256}: they are not those that "
                "were written"
            )
        if facts.etag != piece.etag:
            raise _ChangedMeanwhile

    def _finding(self, kind: str, here: Standing, problem: str, remedy: str) -> Finding:
        return Finding(kind, self._source.uri(here.ref), problem, remedy)
