"""Picture files made for tests: encoded pictures, PNGs put together by chunks, files with something wrong."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

FORMATS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "avif": "AVIF"}


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """The picture as a file; `kind` is a name of ours or of PIL's."""
    buffer = io.BytesIO()
    image.save(buffer, FORMATS.get(kind, kind), **options)
    return buffer.getvalue()


def photo(seed: int = 0, size: tuple[int, int] = (480, 360)) -> Image.Image:
    """Soft patches of colour, no two seeds alike."""
    patches = np.random.default_rng(seed).integers(0, 255, (9, 12, 3), dtype=np.uint8)
    return Image.fromarray(patches).resize(size, Image.Resampling.BICUBIC)


def detailed(size: tuple[int, int] = (1000, 750), seed: int = 5) -> Image.Image:
    """Edges and lines of many widths, as a photo has them."""
    rng = np.random.default_rng(seed)
    image = photo(seed, size)
    for _ in range(400):
        x, y = int(rng.integers(0, size[0])), int(rng.integers(0, size[1]))
        wide, high = (int(side) for side in rng.integers(2, 60, 2))
        image.paste(tuple(int(value) for value in rng.integers(0, 255, 3)), (x, y, x + wide, y + high))
    return image


def chunk(name: bytes, body: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(bits: int, colour: int, row: bytes, side: int = 32, extra: bytes = b"", behind: bytes = b"") -> bytes:
    """A square PNG of equal rows; `colour` is the type (0 grey, 2 RGB, 4 grey and alpha, 6 RGBA)."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, bits, colour, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress((b"\0" + row) * side))
    return b"\x89PNG\r\n\x1a\n" + header + extra + pixels + behind + chunk(b"IEND", b"")


def without_segment(jpeg: bytes, marker: int) -> bytes:
    """A JPEG without its segment of this kind."""
    at = jpeg.index(bytes((0xFF, marker)))
    (length,) = struct.unpack_from(">H", jpeg, at + 2)
    return jpeg[:at] + jpeg[at + 2 + length :]


def with_scans(jpeg: bytes, more: int) -> bytes:
    """A progressive JPEG whose last scan comes this many times more."""
    scan, end = jpeg.rindex(b"\xff\xda"), jpeg.rindex(b"\xff\xd9")
    return jpeg[:end] + jpeg[scan:end] * more + jpeg[end:]


def with_declared_size(avif: bytes, size: tuple[int, int]) -> bytes:
    """An AVIF that declares another size than its coded picture has."""
    changed, at = bytearray(avif), avif.index(b"ispe") + 8
    struct.pack_into(">II", changed, at, *size)
    return bytes(changed)
