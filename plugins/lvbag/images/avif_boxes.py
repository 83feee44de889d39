"""An AVIF's boxes (ISO/IEC 14496-12, 23008-12): declared size, frames, end, and the sizes that its coded data have.

A decoder makes room for what the coded data say and scales it down afterwards, so a small declared size alone says
nothing about memory.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from lvbag.images.av1_header import coded_size

_Span = tuple[int, int]

_MOST_ITEMS = 4096
"""Looked at; a picture put together from tiles of 64 x 64 pixels has fewer."""


def avif_size(data: bytes) -> tuple[int, int] | None:
    """The largest of the items' sizes: the picture itself, or the grid that it is put together from."""
    sizes = []
    for at, _ in _inside(data, _meta(data), b"iprp", b"ipco", b"ispe"):
        width, height = struct.unpack_from(">II", data, at + 4)
        sizes.append((int(width), int(height)))
    return max(sizes, key=lambda size: size[0] * size[1], default=None)


def avif_frames(data: bytes) -> int:
    """A sequence has tracks; the table of sample sizes (`stsz`) of each counts its frames."""
    if b"stsz" not in data:
        return 1
    tables = _inside(data, [(0, len(data))], b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsz")
    return max((int(struct.unpack_from(">I", data, begin + 8)[0]) for begin, _ in tables), default=1)


def avif_misses_end(data: bytes) -> bool:
    """Whether the last box is longer than the file."""
    at = 0
    while at + 8 <= len(data):
        try:
            _, at = _box(data, at, len(data))
        except struct.error:
            return True
    return at > len(data)


def avif_coded_sizes(data: bytes) -> list[tuple[int, int]]:
    """Of every coded picture and of each track's first frame; those that cannot be found are left to the decoder."""
    try:
        starts = [*_items(data), *_tracks(data)]
    except (struct.error, IndexError):
        return []
    return [size for begin, end in starts if (size := coded_size(data, begin, end)) is not None]


def _items(data: bytes) -> Iterator[_Span]:
    """Where the first part of each coded item stands (`iloc`)."""
    meta = _meta(data)
    entries = _inside(data, _entries(data, _inside(data, meta, b"iinf")), b"infe")
    coded = {_item_id(data, at) for at, _ in entries if _item_type(data, at) == b"av01"}
    inline = next(iter(_inside(data, meta, b"idat")), (0, 0))[0]
    for at, _ in _inside(data, meta, b"iloc"):
        for number, in_idat, begin, length in _places(data, at):
            start = begin + (inline if in_idat else 0)
            if number in coded:
                yield start, start + length if length else len(data)


def _item_id(data: bytes, at: int) -> int:
    return int(struct.unpack_from(">H" if data[at] < 3 else ">I", data, at + 4)[0])


def _item_type(data: bytes, at: int) -> bytes:
    begin = at + (8 if data[at] < 3 else 10)
    return data[begin : begin + 4]


def _places(data: bytes, at: int) -> Iterator[tuple[int, bool, int, int]]:
    """Item, whether it stands in `idat`, where its first part begins, and how long that is (0: to the end)."""
    version, sizes = data[at], struct.unpack_from(">H", data, at + 4)[0]
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if version in (1, 2) else 0
    wide = 4 if version == 2 else 2
    count, at = _number(data, at + 6, wide), at + 6 + wide
    for _ in range(min(count, _MOST_ITEMS)):
        number, at = _number(data, at, wide), at + wide
        in_idat = version in (1, 2) and data[at + 1] & 15 == 1
        at += 4 if version in (1, 2) else 2
        base, parts, at = _number(data, at, base_size), _number(data, at + base_size, 2), at + base_size + 2
        offset = _number(data, at + index_size, offset_size)
        yield number, in_idat, base + offset, _number(data, at + index_size + offset_size, length_size)
        at += parts * (index_size + offset_size + length_size)


def _tracks(data: bytes) -> Iterator[_Span]:
    """Where the first chunk of each track stands."""
    if b"stbl" not in data:
        return
    for stbl in _inside(data, [(0, len(data))], b"moov", b"trak", b"mdia", b"minf", b"stbl"):
        for name, wide in ((b"stco", 4), (b"co64", 8)):
            for at, _ in _inside(data, [stbl], name):
                yield _number(data, at + 8, wide), len(data)


def _number(data: bytes, at: int, size: int) -> int:
    if at + size > len(data):
        raise IndexError(at)
    return int.from_bytes(data[at : at + size], "big")


def _meta(data: bytes) -> list[_Span]:
    """The content of the file's `meta` boxes, without version and flags."""
    return [(begin + 4, end) for begin, end in _inside(data, [(0, len(data))], b"meta")]


def _entries(data: bytes, tables: list[_Span]) -> list[_Span]:
    """The content of `iinf` boxes, without version, flags and count."""
    return [(begin + (6 if data[begin] == 0 else 8), end) for begin, end in tables]


def _inside(data: bytes, spans: list[_Span], *path: bytes) -> list[_Span]:
    """Begin and end of the content of all boxes at a path of names below some spans."""
    for name in path:
        spans = [found for start, end in spans for found in _boxes(data, start, end, name)]
    return spans


def _boxes(data: bytes, start: int, end: int, wanted: bytes) -> Iterator[_Span]:
    at = start
    while at + 8 <= min(end, len(data)):
        begin, after = _box(data, at, end)
        if data[at + 4 : at + 8] == wanted:
            yield begin, min(after, end)
        at = after


def _box(data: bytes, at: int, end: int) -> _Span:
    """Where the content of the box at a position begins, and where the box ends."""
    (length,) = struct.unpack_from(">I", data, at)
    begin = at + 8
    if length == 1:
        (length,) = struct.unpack_from(">Q", data, at + 8)
        begin = at + 16
    elif length == 0:
        return begin, max(end, begin)  # a box of length 0 reaches to the end of the file
    return begin, at + max(length, begin - at)
