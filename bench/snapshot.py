"""How long a snapshot takes, and how much memory: the decision for 100,000 images, and a whole build in a store.

The decision is everything from the kept rows to the manifest and its name: copies behind better ones, near-duplicates
that no cluster knows of, groups, splits. It is made of everything new, and of a tenth more on top of what stands, by
turns; medians of three rounds. The rows are drawn from a seed: listings of 1 to 8 pictures, two thirds of them with a
seller (most with one or two listings, some shops with hundreds), 5 % better copies in other listings, 2 %
near-duplicates and re-framed crops that nothing links. The whole build writes shards, card and preview into a store
(MiniStack) on this machine and reads it back for the check. Each runs in a process of its own; memory is its
peak. The target stands beside it.

    python bench/snapshot.py                        100,000 images decided; 5,000 built and checked
    python bench/snapshot.py --images 20000 --built 0
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import io
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from PIL import Image

from lvbag import schemas
from lvbag.curate.duplicates.linking import crop_limits, near_limits
from lvbag.curate.snapshots.draft import Draft, draft_snapshot
from lvbag.curate.snapshots.groups import Home
from lvbag.curate.snapshots.material import COLUMNS, PRINTS
from lvbag.curate.snapshots.members import candidates, find_ties
from lvbag.curate.snapshots.snapshot import build_snapshot
from lvbag.curate.snapshots.straddle import check_snapshot, near_across
from lvbag.images.fingerprints import VERSION
from lvbag.services.object_store import endpoint, environment
from lvbag.services.ports import free_port
from lvbag.settings import CurateSettings, Settings, StoreSettings
from lvbag.store import Store, keys
from lvbag.store.tables import write_table

KEY = "111122223333"
NIGHT = dt.date(2026, 11, 23)
PRODUCTS, PER_PART = 424, 1000
TARGET_S, TARGET_MB = 60, 2000
Took = dict[str, float]


# ------------------------------------------------------------------ rows


def kept_rows(images: int, crop_sha256: list[str] | None = None) -> pl.DataFrame:
    """`COLUMNS` of kept pictures."""
    rng = np.random.default_rng(7)
    listing = np.repeat(np.arange(images), rng.integers(1, 9, images))[:images]
    listings = int(listing[-1]) + 1
    # a few sellers have very many listings, most have one or two; a third of the listings states none
    seller = (rng.pareto(1.1, listings) * 40).astype(np.int64) + rng.integers(0, max(1, listings // 3), listings)
    stated = rng.random(listings) < 2 / 3
    product = (rng.beta(1, 3, listings) * PRODUCTS).astype(np.int64)
    sha = [hashlib.sha256(b"%d" % number).hexdigest() for number in range(images)]
    copied = np.where(rng.random(images) < 0.05, rng.integers(0, images, images), np.arange(images))
    copied = np.where(
        product[listing[copied]] == product[listing], np.minimum(copied, np.arange(images)), np.arange(images)
    )
    near = np.where(rng.random(images) < 0.02, rng.integers(0, images, images), copied)
    prints = _prints(rng, images, np.minimum(near, np.arange(images)))
    crops = {
        f"crop_{name}": column for name, column in _prints(rng, images, np.minimum(near, np.arange(images))).items()
    }
    frame = pl.DataFrame(
        {
            "night": pl.Series([NIGHT] * images),
            "source": pl.Series(["shop"] * images),
            "listing_id": pl.Series([f"l{number}" for number in listing]),
            "image_url": pl.Series([f"https://shop.test/pictures/{number}.jpg" for number in range(images)]),
            "sha256": pl.Series(sha),
            "format": pl.Series(["jpg"] * images),
            "style_code": pl.Series([f"M{40000 + number}" for number in product[listing]]),
            "seller_key": pl.Series([f"{seller[n]:016x}" if stated[n] else None for n in listing], dtype=pl.String),
            "width": rng.integers(400, 1600, images),
            "height": rng.integers(400, 1600, images),
            "fingerprint": pl.Series([VERSION] * images),
            **prints,
            "brightness": rng.random(images),
            "contrast": rng.random(images),
            "blur": rng.gamma(2.0, 200.0, images),
            "entropy": rng.random(images) * 8,
            "white_share": rng.random(images),
            "chroma": rng.random(images) * 40,
            "cluster": pl.Series([sha[number] for number in copied]),
            "box": pl.Series([[0.1, 0.1, 0.9, 0.9]] * images),
            "detector": pl.Series(["0001"] * images),
            "crop_sha256": pl.Series(crop_sha256 or sha),
            "crop_width": np.full(images, 288),
            "crop_height": np.full(images, 240),
            **crops,
            "crop_cluster": pl.Series(sha),
        }
    )
    return frame.select(pl.col(name).cast(schemas.IMAGES[name]) for name in COLUMNS).sort("sha256")


def _prints(rng: np.random.Generator, images: int, like: np.ndarray) -> dict[str, pl.Series]:
    """Fingerprints; a picture that is like another one is two bits of 64 and eight of 256 away from it."""
    codes = rng.integers(0, 2**64, images, dtype=np.uint64)
    long = rng.integers(0, 256, (images, 32), dtype=np.uint8)
    thumbs = rng.integers(-60, 60, (images, 192)).astype(np.int8)
    copies = like != np.arange(images)
    codes[copies] = codes[like[copies]] ^ np.uint64(0b100000001)
    long[copies] = long[like[copies]]
    long[copies, 5] ^= 0xFF
    thumbs[copies] = thumbs[like[copies]]
    flips, long_flips = (
        rng.integers(0, 2**64, images, dtype=np.uint64),
        rng.integers(0, 256, (images, 32), dtype=np.uint8),
    )
    columns = {
        "phash64": pl.Series(codes),
        "phash256": pl.Series([row.tobytes() for row in long]),
        "thumb": pl.Series([row.tobytes() for row in thumbs]),
        "flip64": pl.Series(flips),
        "flip256": pl.Series([row.tobytes() for row in long_flips]),
    }
    return {name: columns[name] for name in PRINTS}


# ------------------------------------------------------------------ what is measured, each in a process of its own


def decide(images: int, rounds: int) -> dict[str, list[float]]:
    """CPU seconds of each round, by what was done; memory in MB and counts beside them."""
    settings = Settings(store=_store_settings("http://127.0.0.1:1"))
    whole = kept_rows(images)
    took: dict[str, list[float]] = {"rows_mb": [_peak_mb()]}
    before = whole.sort("listing_id").head(images * 9 // 10).sort("sha256")
    homes = tuple(_decide(before, (), settings.curate).homes.values())
    for _ in range(rounds):
        for name, known in (("new", ()), ("grown", homes)):
            began, began_cpu = time.perf_counter(), time.process_time()
            made = _decide(whole, known, settings.curate)
            took.setdefault(f"{name}_cpu_s", []).append(time.process_time() - began_cpu)
            took.setdefault(f"{name}_wall_s", []).append(time.perf_counter() - began)
            took[f"{name}_rows"] = [made.manifest.height]
            took[f"{name}_refused"] = [sum(made.refused.values())]
        began_cpu = time.process_time()
        prints = made.manifest.select("sha256", "split").join(whole.select("sha256", *PRINTS), on="sha256")
        if near_across(prints, near_limits(settings.curate)):
            raise SystemExit("near-duplicates straddle splits")
        took.setdefault("across_cpu_s", []).append(time.process_time() - began_cpu)
    took["peak_mb"] = [_peak_mb()]
    return took


def _decide(kept: pl.DataFrame, homes: Iterable[Home], settings: CurateSettings) -> Draft:
    rows = candidates(kept, settings.min_images)
    prints = rows.select("sha256", *PRINTS)
    crops = rows.select("sha256", *(pl.col(f"crop_{name}").alias(name) for name in PRINTS))
    ties = find_ties([(prints, near_limits(settings)), (crops, crop_limits(settings))])
    return draft_snapshot(kept, rows, ties, homes, settings)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def build(store_url: str, images: int) -> Took:
    settings = Settings(store=_store_settings(store_url, uuid.uuid4().hex[:12]))
    settings = settings.model_copy(update={"curate": settings.curate.model_copy(update={"min_images": 5})})
    store = Store(settings.store)
    store.ensure_buckets()
    data = [_crop(number) for number in range(images)]
    rows = kept_rows(images, [hashlib.sha256(crop).hexdigest() for crop in data])
    by_digest = {hashlib.sha256(crop).hexdigest(): crop for crop in data}
    for sha256, digest in rows.select("sha256", "crop_sha256").iter_rows():
        store.put(keys.crop("0001", sha256), by_digest[digest], "image/jpeg", digest)
    took: Took = {}
    later = rows.with_row_index("row").filter(pl.col("row") % 10 == 0)["sha256"].implode()
    for night, name in ((NIGHT, "first"), (NIGHT + dt.timedelta(days=1), "next")):
        of_night = rows.filter(pl.col("sha256").is_in(later) == (name == "next")).with_columns(night=pl.lit(night))
        parts = _write_tables(store, night, of_night)
        began, began_cpu = time.perf_counter(), time.process_time()
        result = build_snapshot(store, settings, night, parts)
        built, took[f"{name}_cpu_s"] = time.perf_counter(), time.process_time() - began_cpu
        report = check_snapshot(store, settings, str(result.snapshot))
        took |= {f"{name}_s": built - began, f"{name}_check_s": time.perf_counter() - built, name: report.images}
    took["peak_mb"] = _peak_mb()
    return took


def _write_tables(store: Store, night: dt.date, rows: pl.DataFrame) -> list[int]:
    """A night's curated tables, all kept; returns the parts."""
    table = rows.with_columns(verdict=pl.lit("kept"))
    missing = {name: kind for name, kind in schemas.IMAGES.items() if name not in table.columns}
    table = table.with_columns(pl.lit(None, kind).alias(name) for name, kind in missing.items())
    starts = range(0, table.height, PER_PART)
    for part, start in enumerate(starts):
        write_table(
            store,
            keys.curated_images(night, part),
            table.slice(start, PER_PART).select(list(schemas.IMAGES)),
            schemas.IMAGES,
        )
    return list(range(len(starts)))


def _crop(number: int) -> bytes:
    """A drawn crop of 288 x 240; the number behind its end makes it another file."""
    rng = np.random.default_rng(number % 64)
    coarse = Image.fromarray(rng.integers(0, 255, (20, 24, 3), dtype=np.uint8))
    buffer = io.BytesIO()
    coarse.resize((288, 240), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    return buffer.getvalue() + b"%d" % number


def _store_settings(url: str, prefix: str = "bench") -> StoreSettings:
    return StoreSettings.model_validate(
        {"endpoint": url, "access_key": KEY, "secret_key": KEY, "bucket_prefix": prefix, "timeout_s": 60}
    )


# ------------------------------------------------------------------ processes


def apart(*arguments: str) -> Any:
    done = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)} failed:\n{done.stderr[-4000:]}")
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def object_store(folder: Path) -> Iterator[str]:
    import requests

    port = free_port()
    started_with = {**os.environ, **environment(port, folder, KEY, KEY)}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "ministack"], env=started_with, stdout=log, stderr=log)
    try:
        for _ in range(600):
            try:
                requests.get(f"{endpoint(port)}/_ministack/health", timeout=1)
                break
            except requests.RequestException:
                time.sleep(0.1)
        yield endpoint(port)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=100_000, help="of the decision")
    parser.add_argument("--built", type=int, default=5_000, help="of the whole build; 0 leaves it out")
    parser.add_argument("--rounds", type=int, default=3, help="of the decision")
    parser.add_argument("--decide", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--build", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.decide:
        print(json.dumps(decide(arguments.decide, arguments.rounds)))
        return
    if arguments.build:
        print(json.dumps(build(arguments.build[0], int(arguments.build[1]))))
        return
    took = apart("--decide", str(arguments.images), "--rounds", str(arguments.rounds))
    median = {name: statistics.median(values) for name, values in took.items()}
    for name, what in (("new", "everything new"), ("grown", "a tenth new")):
        print(
            f"snapshot: {arguments.images} images, {what}: {median[f'{name}_cpu_s']:.1f} s CPU, "
            f"{median[f'{name}_wall_s']:.1f} s by the clock (target {TARGET_S} s); {median[f'{name}_rows']:.0f} rows, "
            f"{median[f'{name}_refused']:.0f} refused"
        )
    print(f"snapshot: looking for near-duplicates across splits, as the check does: {median['across_cpu_s']:.1f} s CPU")
    print(
        f"snapshot: peak memory {median['peak_mb']:.0f} MB, {median['rows_mb']:.0f} of it to draw the rows "
        f"(target {TARGET_MB} MB)"
    )
    if arguments.built:
        with tempfile.TemporaryDirectory(prefix="lvbag-bench-") as name, object_store(Path(name)) as url:
            took = apart("--build", url, str(arguments.built))
        for name, what in (("first", "all new"), ("next", "a tenth new")):
            print(
                f"snapshot: {took[name]:.0f} images, {what}, built with shards, card and preview in "
                f"{took[f'{name}_cpu_s']:.1f} s CPU, {took[f'{name}_s']:.1f} s by the clock, checked in "
                f"{took[f'{name}_check_s']:.1f} s"
            )
        print(f"snapshot: peak memory of both {took['peak_mb']:.0f} MB")


if __name__ == "__main__":
    main()
