"""The frame size in an AV1 stream's sequence header (AV1 bitstream specification, 5.3 to 5.5). Nothing else is read."""

from __future__ import annotations

_SEQUENCE_HEADER = 1
_LONGEST_HEADER = 512
"""Bytes; with all of its options a sequence header is shorter."""

_MOST_UNITS = 64
"""Looked at; the header is the first or the second unit of a picture."""


def coded_size(data: bytes, begin: int, end: int) -> tuple[int, int] | None:
    """Largest width and height of a frame in the stream between two positions; None when there is no header."""
    at = begin
    for _ in range(_MOST_UNITS):
        if at + 2 > min(end, len(data)):
            break
        flags = data[at]
        body = at + (2 if flags & 4 else 1)
        size, body = _leb128(data, body) if flags & 2 else (end - body, body)
        if flags >> 3 & 15 == _SEQUENCE_HEADER:
            return _frame_size(_Bits(data[body : body + min(size, _LONGEST_HEADER)]))
        at = body + size
    return None


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place, byte in enumerate(data[at : at + 8]):
        value |= (byte & 127) << (7 * place)
        if byte < 128:
            return value, at + place + 1
    return value, at + 8


class _Bits:
    """Reads numbers of some bits each; zeros follow the end."""

    def __init__(self, data: bytes) -> None:
        self._left = 8 * (len(data) + _LONGEST_HEADER)
        self._value = int.from_bytes(data, "big") << (8 * _LONGEST_HEADER)

    def take(self, bits: int) -> int:
        self._left -= bits
        return (self._value >> max(0, self._left)) & ((1 << bits) - 1)


def _frame_size(bits: _Bits) -> tuple[int, int]:
    bits.take(4)  # profile, still picture
    if bits.take(1):  # reduced still picture header
        bits.take(5)
    else:
        _skip_timing_and_operating_points(bits)
    wide, high = bits.take(4) + 1, bits.take(4) + 1
    return bits.take(wide) + 1, bits.take(high) + 1


def _skip_timing_and_operating_points(bits: _Bits) -> None:
    delay_bits = 0
    if bits.take(1):  # timing info
        bits.take(64)
        if bits.take(1):  # equal picture interval
            zeros = 0
            while zeros < 32 and not bits.take(1):
                zeros += 1
            bits.take(zeros)
        if bits.take(1):  # decoder model info
            delay_bits = bits.take(5) + 1
            bits.take(42)
    initial_delays = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:
            bits.take(1)
        if delay_bits and bits.take(1):
            bits.take(2 * delay_bits + 1)
        if initial_delays and bits.take(1):
            bits.take(4)
