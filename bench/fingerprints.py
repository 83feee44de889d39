"""Decode and fingerprint pictures: ours beside `PIL.Image.open` + `imagehash.phash`, in one process, alternating.

Ours also checks the header, applies orientation and transparency, hashes 256 bits and colours, and measures quality.
The pictures are drawn here from a seed: 1000 x 800 JPEG. Reported is the median ratio of pairs of rounds.
"""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable

import imagehash
import numpy as np
from PIL import Image

from lvbag.images import decode, fingerprint, quality
from lvbag.settings import ImageSettings

COUNT, ROUNDS = 40, 5


def pictures() -> list[bytes]:
    rng = np.random.default_rng(7)
    found = []
    for _ in range(COUNT):
        coarse = rng.integers(0, 255, (20, 25, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((1000, 800), Image.Resampling.BICUBIC)
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=90)
        found.append(buffer.getvalue())
    return found


def ours(data: bytes) -> None:
    image = decode(data, ImageSettings())
    fingerprint(image)
    quality(image)


def peer(data: bytes) -> None:
    imagehash.phash(Image.open(io.BytesIO(data)))


def seconds(step: Callable[[bytes], None], files: list[bytes]) -> float:
    start = time.process_time()
    for data in files:
        step(data)
    return time.process_time() - start


def main() -> None:
    files = pictures()
    ours(files[0]), peer(files[0])
    pairs = [(seconds(ours, files), seconds(peer, files)) for _ in range(ROUNDS)]
    ratio = statistics.median(theirs / own for own, theirs in pairs)
    per_core = [COUNT / statistics.median(column) for column in zip(*pairs, strict=True)]
    print(
        f"fingerprints: ours {per_core[0]:.0f} images/s per core, PIL + imagehash {per_core[1]:.0f}, ratio {ratio:.2f}"
    )


if __name__ == "__main__":
    main()
