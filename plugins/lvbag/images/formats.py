"""What a picture's first bytes say: its format, its size in pixels, how many frames, and whether its end is missing.

Read from the bytes alone, before any decoder is opened: some decoders allocate the whole canvas when they are opened,
so a size has to be known earlier. Sources: PNG (ISO/IEC 15948), APNG (part of PNG since its third edition), WEBP
container (RFC 9649).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from lvbag.images.avif_boxes import avif_frames, avif_misses_end, avif_size
from lvbag.images.jpeg_marks import jpeg_misses_end, jpeg_size

ALLOWED = ("jpg", "png", "webp", "avif")

_AVIF_BRANDS = (b"avif", b"avis")
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "jpg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"\x00\x00\x01\x00", "ico"),
    (b"\x00\x00\x00\x0cjP  ", "jp2"),
    (b"\xff\x0a", "jxl"),
    (b"\x00\x00\x00\x0cJXL ", "jxl"),
    (b"8BPS", "psd"),
    (b"%PDF-", "pdf"),
)


def sniff(data: bytes) -> str | None:
    """The format that the content has, also of formats that are not allowed; None when it is no picture."""
    for start, name in _STARTS:
        if data.startswith(start):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[4:8] == b"ftyp":
        return _sniff_heif(data)
    if data[:2] == b"BM" and len(data) >= 26 and data[6:10] == bytes(4):
        return "bmp"
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return "svg" if head.startswith((b"<svg", b"<?xml")) and b"<svg" in head else None


def declared_size(data: bytes, kind: str) -> tuple[int, int] | None:
    """Width and height in pixels as stored (before EXIF orientation); None when the header ends too early."""
    readers = {"jpg": jpeg_size, "png": _png_size, "webp": _webp_size, "avif": avif_size}
    try:
        return readers[kind](data)
    except (struct.error, IndexError):
        return None


def misses_end(data: bytes, kind: str) -> bool:
    """Whether the file is shorter than it says of itself. A JPEG does not say; there the end mark must be found."""
    if kind == "webp":
        return len(data) < 8 + int(struct.unpack_from("<I", data, 4)[0])
    if kind == "png":
        return not any(name == b"IEND" for name, _ in _png_chunks(data))
    if kind == "avif":
        return avif_misses_end(data)
    return jpeg_misses_end(data)


def frames(data: bytes, kind: str) -> int:
    """How many frames there are: as many as are declared, or more where more are there; 1 for a still picture."""
    readers = {"png": _png_frames, "webp": _webp_frames, "avif": avif_frames}
    try:
        return max(1, readers[kind](data)) if kind in readers else 1
    except (struct.error, IndexError):
        return 1


def png_sample_bits(data: bytes) -> int:
    """Bits of a sample (1, 2, 4, 8, 16) of a PNG with a header."""
    return data[24]


# ------------------------------------------------------------------ one reader a format


def _sniff_heif(data: bytes) -> str | None:
    (length,) = struct.unpack_from(">I", data, 0)
    brands = data[8:12], *(data[at : at + 4] for at in range(16, min(length, len(data), 256), 4))
    if any(brand in _AVIF_BRANDS for brand in brands):
        return "avif"
    return "heic" if any(brand in _HEIF_BRANDS for brand in brands) else None


def _png_size(data: bytes) -> tuple[int, int] | None:
    if data[12:16] != b"IHDR":
        return None
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Names and positions of the chunks that are there with all their bytes."""
    at = 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        if at + 12 + length > len(data):
            return
        yield data[at + 4 : at + 8], at
        at += 12 + length


def _png_frames(data: bytes) -> int:
    """`acTL` declares the frames before the picture's own data, an `fcTL` stands before each."""
    if b"acTL" not in data:
        return 1
    declared = there = 0
    for name, at in _png_chunks(data):
        if name == b"acTL":
            declared = max(declared, int(struct.unpack_from(">I", data, at + 8)[0]))
        there += name == b"fcTL"
    return max(declared, there)


def _webp_size(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + _three(data, 27)
    if kind == b"VP8L":
        if data[20] != 0x2F:
            return None
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _webp_frames(data: bytes) -> int:
    """Each frame of an animation is a chunk `ANMF`."""
    if data[12:16] != b"VP8X" or b"ANMF" not in data:
        return 1
    there, at = 0, 12
    while at + 8 <= len(data):
        (length,) = struct.unpack_from("<I", data, at + 4)
        there += data[at : at + 4] == b"ANMF"
        at += 8 + length + (length & 1)
    return there


def _three(data: bytes, at: int) -> int:
    low, high = struct.unpack_from("<HB", data, at)
    return int(low | high << 16)
