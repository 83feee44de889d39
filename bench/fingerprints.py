"""Looking at pictures and fingerprinting them, beside `PIL.Image.open` + `imagehash.phash`: in one process, by turns.

The peer computes one 64-bit hash of whatever it is given. Ours checks the file, puts it upright and on white, hashes 64
and 256 bits in eight views and the colours ("fingerprint"), and measures the quality and the bytes' digest in the same
pass ("look"). Every picture is a JPEG of 1000 px on its longer side, quality 90. Reported are CPU seconds of one core
(BLAS threads count), the median ratio of pairs of rounds, and how far our 64-bit hash drifts from the peer's, which
decodes in full.

    python bench/fingerprints.py             drawn bags; real photographs as well where ../shared/data stands
    python bench/fingerprints.py --drift     the drift alone, over all of those photographs in many sizes and codings
"""

from __future__ import annotations

import io
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import imagehash
from PIL import Image

from lvbag.demo.bags import drawn_products
from lvbag.demo.scene import Shot, Subject, render
from lvbag.images import ImageRefused, look
from lvbag.images.fingerprints import fingerprint_reduced
from lvbag.images.looking import glimpse
from lvbag.settings import ImageSettings

LIMITS = ImageSettings()
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "photos"
LONGEST_PX, QUALITY, COUNT, ROUNDS = 1000, 90, 100, 7
Step = Callable[[bytes], object]


def drawn() -> Iterator[bytes]:
    """The demo's bags, in rooms and in studios, enlarged from 480 px."""
    products = drawn_products()
    for number in range(COUNT):
        shot = Shot(Subject.BAG, products[number % len(products)], f"bench/{number}", f"bench/{number}")
        yield encoded(render(shot))


def enlarged() -> Iterator[bytes]:
    """Web photographs of bags, most of 200 to 400 px."""
    return shared(sorted((SHARED / "bag_types10").rglob("*.jpg"))[::10], least_px=1)


def large() -> Iterator[bytes]:
    """Photographs of at least 1000 px, made smaller: the detail of a camera, so most of the time goes into codes."""
    return shared(sorted((SHARED / "backpack_yolo").rglob("*.jp*g")), least_px=LONGEST_PX)


SETS = {"drawn bags": drawn, "enlarged web photos": enlarged, "large photos": large}


def shared(paths: list[Path], least_px: int) -> Iterator[bytes]:
    for path in paths:
        with Image.open(path) as image:
            if max(image.size) >= least_px:
                yield encoded(image.convert("RGB"))


def encoded(image: Image.Image) -> bytes:
    scale = LONGEST_PX / max(image.size)
    size = (round(image.width * scale), round(image.height * scale))
    buffer = io.BytesIO()
    image.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def peer(data: bytes) -> imagehash.ImageHash:
    return imagehash.phash(Image.open(io.BytesIO(data)))


def fingerprint(data: bytes) -> object:
    return fingerprint_reduced(glimpse(data, LIMITS)[1])


STEPS: dict[str, Step] = {"peer": peer, "fingerprint": fingerprint, "look": lambda data: look(data, LIMITS)}


def cpu_seconds(step: Step, files: list[bytes]) -> float:
    start = time.process_time()
    for data in files:
        step(data)
    return time.process_time() - start


def measure(name: str, files: list[bytes]) -> None:
    rounds = []
    for number in range(ROUNDS):
        order = list(STEPS.items())[:: 1 if number % 2 else -1]
        rounds.append({step: cpu_seconds(run, files) for step, run in order})
    line = [f"{name}: {len(files)} files of {sum(map(len, files)) / len(files) / 1000:.0f} KB;"]
    for step in STEPS:
        per_core = len(files) / statistics.median(took[step] for took in rounds)
        ratio = statistics.median(took["peer"] / took[step] for took in rounds)
        line.append(f"{step} {per_core:.0f}/s" + ("" if step == "peer" else f" = {ratio:.2f} x peer") + ",")
    print(" ".join(line).rstrip(","), flush=True)


def drift(files: Iterable[bytes]) -> Counter[int]:
    """How many files are how many bits away from the peer's hash; what we refuse does not count."""
    found: Counter[int] = Counter()
    for data in files:
        try:
            seen = look(data, LIMITS).print.phash64
        except ImageRefused:
            continue
        found[(seen ^ int(str(peer(data)), 16)).bit_count()] += 1
    return found


def coded_otherwise() -> Iterator[bytes]:
    """All the shared photographs, resized to 600 to 1500 px, in random qualities, subsamplings and modes."""
    rng = random.Random(7)
    for path in sorted(SHARED.rglob("*.jp*g")):
        with Image.open(path) as image:
            scale = rng.randint(600, 1500) / max(image.size)
            size = (round(image.width * scale), round(image.height * scale))
            resized = image.convert("RGB").resize(size, Image.Resampling.BICUBIC)
        buffer = io.BytesIO()
        modes = {"subsampling": rng.randrange(3), "progressive": rng.random() < 0.5}
        resized.save(buffer, "JPEG", quality=rng.randint(60, 95), **modes)
        yield buffer.getvalue()


def tell(bits: Counter[int]) -> None:
    told = ", ".join(f"{count} files {distance} bits" for distance, count in sorted(bits.items()))
    print(f"drift of the 64-bit hash: {told}; at most {max(bits, default=0)} of {bits.total()} files")


def main() -> None:
    if "--drift" in sys.argv:
        tell(drift(coded_otherwise()))
        return
    bits: Counter[int] = Counter()
    for name, source in SETS.items():
        files = list(islice(source(), COUNT)) if source is drawn or SHARED.is_dir() else []
        if not files:
            print(f"{name}: skipped, {SHARED} is not there")
            continue
        for step in STEPS.values():
            step(files[0])  # imports of the peer's
        measure(name, files)
        bits += drift(files)
    tell(bits)


if __name__ == "__main__":
    main()
