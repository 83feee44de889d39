"""Which labelled pictures show the same photo: they must stay in one part of the detector's split.

Wider than curation's near-duplicates on purpose: what is put together wrongly costs a little variety in a split, what
is not put together leaks a training picture into the test part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MAX_DISTANCE64 = 8
"""Bits of the 64-bit pHash that propose a pair."""
MAX_DISTANCE256 = 63
"""Bits of the 256-bit pHash that confirm it; different scenes stand near 128."""


@dataclass(frozen=True)
class Print:
    """A decoded picture's identity: name inside the export, sha256 of its file, size in pixels, perceptual hashes."""

    path: str
    sha256: str
    width: int
    height: int
    phash64: int
    phash256: bytes


def group_near(prints: Sequence[Print]) -> dict[str, str]:
    """For every sha256 the sha256 of the first picture (in the order of the digests) that it looks like, or itself."""
    ordered = sorted({print_.sha256: print_ for print_ in prints}.values(), key=lambda print_: print_.sha256)
    groups: dict[str, str] = {}
    firsts: list[Print] = []
    short = np.zeros(len(ordered), dtype=np.uint64)
    long = np.zeros((len(ordered), 32), dtype=np.uint8)
    for print_ in ordered:
        count = len(firsts)
        own = np.frombuffer(print_.phash256, dtype=np.uint8)
        near64 = np.bitwise_count(short[:count] ^ np.uint64(print_.phash64)) <= MAX_DISTANCE64
        near = near64 & (np.bitwise_count(long[:count] ^ own).sum(axis=1) <= MAX_DISTANCE256)
        hits = np.flatnonzero(near)
        if hits.size:
            groups[print_.sha256] = firsts[int(hits[0])].sha256
            continue
        groups[print_.sha256] = print_.sha256
        short[count], long[count] = print_.phash64, own
        firsts.append(print_)
    return groups
