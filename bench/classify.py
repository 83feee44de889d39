"""How long `lvbag classify` takes to its first answer, and how many photos it names a second.

The champion is an untrained `efficientnet_b0` at 224 px, exported as a training exports it: time does not depend on
what a network has learnt. The photos are drawn bags of 1000 px on the longer side (`bag_shots.py`), JPEG of quality 90.
A run is the command in a process of its own against a store on this machine, with the model in this machine's cache
and Python's bytecode on its disk, as after any first use. Taken are the time to the first line of its output, and
from there to the last line.

    python bench/classify.py                 200 photos, five starts; two cores where there are more
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bag_shots import draw, shots
from picture_edits import encoded

from crawl import KEY, running, wait_for
from lvbag.registry import publish_version, reserve_version, rollback
from lvbag.registry.records import ModelSpec, VersionRecord
from lvbag.services.object_store import endpoint, environment
from lvbag.services.ports import free_port
from lvbag.settings import StoreSettings
from lvbag.store import ModelKind, Store

NETWORK, SIDE_PX, CLASSES, CORES = "efficientnet_b0", 224, 424, 2
DRAWN, LONGEST_PX, SEED = 40, 1000, 99
FIRST_S, PER_S = 2.0, 20.0
"""The targets."""


def export_network(path: Path) -> ModelSpec:
    """The network as ONNX with any batch, and how pictures reach it."""
    import timm
    import torch

    from lvbag.learn.classifier.export import export_onnx

    torch.manual_seed(0)
    model = timm.create_model(NETWORK, num_classes=CLASSES).eval()
    export_onnx(model, SIDE_PX, path)
    config = model.pretrained_cfg
    codes = tuple(f"M{10000 + number}" for number in range(CLASSES))
    return ModelSpec(architecture=NETWORK, image_side_px=SIDE_PX, mean=config["mean"], std=config["std"], classes=codes)


def make_champion(store: Store, folder: Path) -> None:
    folder.mkdir()
    spec = export_network(folder / "model.onnx")
    now, kind = dt.datetime.now(dt.UTC), ModelKind.CLASSIFIER
    number = reserve_version(store, kind, "bench")
    record = VersionRecord(
        kind=kind, version=number, created_at=now, data="none", recipe="untrained", recipe_sha256="0" * 64, seed=0,
        training_key="bench", parent=None, detector=None, code_version="bench", model=spec, metrics={},
    )  # fmt: skip
    publish_version(store, kind, number, folder, record)
    rollback(store, kind, number, now, "bench", "the only one")


def write_photos(folder: Path, count: int) -> list[Path]:
    folder.mkdir()
    drawn = []
    for shot, _ in zip(shots(SEED, DRAWN), range(min(count, DRAWN)), strict=False):
        image = draw(shot)
        scale = LONGEST_PX / max(image.size)
        size = (round(image.width * scale), round(image.height * scale))
        drawn.append(encoded(image.resize(size), quality=90))
    paths = [folder / f"{number:04d}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(drawn[number % len(drawn)])
    return paths


@contextmanager
def machine(folder: Path) -> Iterator[dict[str, str]]:
    """A store with the champion; yields the environment in which the command finds it."""
    port = free_port()
    with running([sys.executable, "-m", "ministack"], environment(port, folder / "store", KEY, KEY)):
        wait_for(f"{endpoint(port)}/_ministack/health")
        store = Store(StoreSettings.model_validate({"endpoint": endpoint(port), "access_key": KEY, "secret_key": KEY}))
        store.ensure_buckets()
        make_champion(store, folder / "version")
        config = folder / "home" / "config"
        config.mkdir(parents=True)
        (config / "lvbag.yaml").write_text("{}")
        yield {
            "LVBAG_HOME": str(folder / "home"),
            "LVBAG_STORE__ENDPOINT": endpoint(port),
            "LVBAG_STORE__ACCESS_KEY": KEY,
            "LVBAG_STORE__SECRET_KEY": KEY,
        }


def classify(photos: Sequence[Path], found: dict[str, str]) -> tuple[float, float]:
    """Seconds to the first answer, and from it to the last one."""
    command = [sys.executable, "-c", "from lvbag.cli import main; main()", "classify", "--json", *map(str, photos)]
    started = time.perf_counter()
    # where no bytecode may be kept, every start would compile all that it imports
    environment = {**os.environ, **found, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": ""}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        times = [time.perf_counter() for _ in process.stdout]
    if process.returncode or len(times) != len(photos):
        raise SystemExit(f"lvbag classify ended with {process.returncode} after {len(times)} answers")
    return times[0] - started, times[-1] - times[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--starts", type=int, default=5)
    given = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))[:CORES]
    with tempfile.TemporaryDirectory(prefix="lvbag-bench-") as name, machine(Path(name)) as found:
        photos = write_photos(Path(name) / "photos", given.photos)
        os.sched_setaffinity(0, cores)
        classify(photos[:1], found)  # fetches the model
        starts = [classify(photos[:1], found)[0] for _ in range(given.starts)]
        _, seconds = classify(photos, found)
    rate = (given.photos - 1) / seconds
    print(f"classify: {len(cores)} cores, load {os.getloadavg()[0]:.1f}")
    print(
        f"classify: first answer after {statistics.median(starts):.2f} s "
        f"({min(starts):.2f} to {max(starts):.2f}, {given.starts} starts; target at most {FIRST_S:g})"
    )
    print(f"classify: {rate:.1f} photos/s ({NETWORK}, {SIDE_PX} px, {given.photos} photos; target {PER_S:g})")


if __name__ == "__main__":
    main()
