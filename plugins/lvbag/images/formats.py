"""What a picture's first bytes say: its format, its size in pixels, how many frames, and whether its end is missing.

Read from the bytes alone, before any decoder is opened: some decoders allocate the whole canvas when they are opened,
so a size has to be known earlier. Sources: PNG (ISO/IEC 15948), WEBP container (RFC 9649), AVIF (ISO/IEC 14496-12
boxes, `ispe` of ISO/IEC 23008-12), APNG (part of PNG since its third edition).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

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
    readers = {"jpg": jpeg_size, "png": _png_size, "webp": _webp_size, "avif": _avif_size}
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
        return _last_box_end(data) > len(data)
    return jpeg_misses_end(data)


def frames(data: bytes, kind: str) -> int:
    """How many frames there are: as many as are declared, or more where more are there; 1 for a still picture."""
    readers = {"png": _png_frames, "webp": _webp_frames, "avif": _avif_frames}
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


def _avif_size(data: bytes) -> tuple[int, int] | None:
    """The largest of the items' sizes: the picture itself, or the grid that it is put together from."""
    sizes = []
    for _, start, end in _boxes(data, 0, len(data), (b"meta",)):
        for _, start_properties, end_properties in _boxes(data, start + 4, end, (b"iprp",)):
            for _, start_list, end_list in _boxes(data, start_properties, end_properties, (b"ipco",)):
                for _, at, _ in _boxes(data, start_list, end_list, (b"ispe",)):
                    width, height = struct.unpack_from(">II", data, at + 4)
                    sizes.append((int(width), int(height)))
    return max(sizes, key=lambda size: size[0] * size[1], default=None)


def _avif_frames(data: bytes) -> int:
    """A sequence has tracks; the table of sample sizes (`stsz`) of each counts its frames."""
    if b"stsz" not in data:
        return 1
    spans = [(0, len(data))]
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsz"):
        spans = [(begin, after) for start, end in spans for _, begin, after in _boxes(data, start, end, (name,))]
    return max((int(struct.unpack_from(">I", data, begin + 8)[0]) for begin, _ in spans), default=1)


def _boxes(data: bytes, start: int, end: int, wanted: tuple[bytes, ...]) -> Iterator[tuple[bytes, int, int]]:
    """Name, begin and end of the content of the boxes with a wanted name between two positions."""
    at = start
    while at + 8 <= min(end, len(data)):
        begin, after = _box(data, at, end)
        name = data[at + 4 : at + 8]
        if name in wanted:
            yield name, begin, min(after, end)
        at = after


def _box(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Where the content of the box at a position begins, and where the box ends."""
    (length,) = struct.unpack_from(">I", data, at)
    begin = at + 8
    if length == 1:
        (length,) = struct.unpack_from(">Q", data, at + 8)
        begin = at + 16
    elif length == 0:
        return begin, max(end, begin)  # a box of length 0 reaches to the end of the file
    return begin, at + max(length, begin - at)


def _last_box_end(data: bytes) -> int:
    at = 0
    while at + 8 <= len(data):
        try:
            _, at = _box(data, at, len(data))
        except struct.error:
            return len(data) + 1
    return at
