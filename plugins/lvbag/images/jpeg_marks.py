"""A JPEG's segments (ITU-T T.81, annex B): its size, whether its end is there, how many scans it has.

A progressive JPEG is a row of scans, each of which refines the picture. A decoder walks over all pixels for each of
them, and a scan that refines nothing takes 56 bytes: a file of a few megabytes keeps it busy for hours.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

SOS, EOI = 0xDA, 0xD9
_END = b"\xff\xd9"
# markers that carry the frame's size: SOF0 to SOF15 without DHT (C4), JPG (C8) and DAC (CC)
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset((0xC2, 0xC6, 0xCA, 0xCE))
# markers without a length: TEM, RST0 to RST7, SOI
_BARE = frozenset((0x01, *range(0xD0, 0xD9)))


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Width and height; None when there is no frame before the first scan."""
    for marker, at in _segments(data, 2):
        if marker in _SOF:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        if marker in (SOS, EOI):
            break
    return None


def jpeg_misses_end(data: bytes) -> bool:
    """No end mark after the first scan. (What stands behind it, such as a phone's video, is none of the picture.)"""
    scan = _first_scan(data)
    return scan is None or data.rfind(_END, scan) < 0


def jpeg_scans(data: bytes, most: int) -> int:
    """How many scans a decoder would walk through; counting ends at one more than `most`."""
    scan = _first_scan(data)
    if scan is None or not _has_several(data, scan) or data.count(b"\xff\xda", scan) <= most:
        return 1
    count = 0
    for marker, _ in _segments(data, scan):
        count += marker == SOS
        if marker == EOI or count > most:
            break
    return count


def _has_several(data: bytes, scan: int) -> bool:
    """Whether a decoder looks for another scan after the first: it refines, or lacks some of the components."""
    for marker, at in _segments(data, 2):
        if marker in _SOF:
            return marker in _PROGRESSIVE or data[scan + 4] != data[at + 9]
    return False


def _first_scan(data: bytes) -> int | None:
    for marker, at in _segments(data, 2):
        if marker == SOS:
            return at
        if marker == EOI:
            break
    return None


def _segments(data: bytes, at: int) -> Iterator[tuple[int, int]]:
    """Markers and positions; thumbnails inside of segments are stepped over, and so is the coded data of a scan.

    Decoders skip padding or rubbish between segments as well.
    """
    while (at := data.find(b"\xff", at)) >= 0 and at + 4 <= len(data):
        marker = data[at + 1]
        if marker in (0x00, 0xFF) or marker in _BARE:
            at += 1 if marker == 0xFF else 2
            continue
        yield marker, at
        at += 2 + max(2, int(struct.unpack_from(">H", data, at + 2)[0]))
