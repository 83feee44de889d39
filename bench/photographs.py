"""A classifier of real photographs: a recipe of ours beside a plain loop; same pictures, network, size and epochs.

Photographs (a folder a product) are offered by the demo's marketplace, crawled and curated as a night is, so that
copies are gone and no listing or near-duplicate stands in two splits. Then the recipe is trained as `lvbag train` does
it, and `peers/plain_loop.py` on the same training pictures, at the same time on half of the cores each, so that what
else the machine does falls on both. Both are measured on the snapshot's test split; seconds are those of the loops.

    python bench/photographs.py [PHOTOS]       ../shared/data/photos/bag_types10; efficientnet_b0, 128 px, 25 epochs
    python bench/photographs.py --no-peer      ours alone, with all threads
    python bench/photographs.py --set batch=16 learning_rate=0.05      a recipe that differs

The snapshot and what was trained stay in .run/bench/photographs; remove the folder, or take another --seed, to train
again.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from peers.installing import WORK

from crawl import KEY, running, wait_for
from lvbag import schemas
from lvbag.catalog import load_catalog
from lvbag.crawl import close_night, crawl_shard, plan_night
from lvbag.curate import curate_night, newest_snapshot
from lvbag.demo.configuration import write_configuration
from lvbag.demo.market import Market
from lvbag.demo.server import MarketServer
from lvbag.learn import train_classifier
from lvbag.learn.classifier.data import read_snapshot
from lvbag.registry import load_version
from lvbag.services.object_store import endpoint, environment
from lvbag.services.ports import free_port
from lvbag.settings import PROJECT_ROOT, Settings, config_dir, load_settings
from lvbag.store import ModelKind, Store, keys, open_store
from lvbag.store.tables import read_table

FOLDER = WORK / "photographs"
NIGHT = dt.date(2026, 11, 22)
PEER = Path(__file__).parent / "peers" / "plain_loop.py"
Result = tuple[float, float, dict[str, tuple[int, int]]]
"""Seconds, top-1, and of each product the pictures that were right and all."""


@contextmanager
def snapshot_of(photos: Path, threads: int) -> Iterator[tuple[Store, Settings, str]]:
    """A store with a curated night of these photographs."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    port = free_port()
    os.environ.update(LVBAG_HOME=str(FOLDER / "home"), LVBAG_CONFIG_DIR=str(FOLDER / "home" / "config"))
    os.environ.update(LVBAG_STORE__ENDPOINT=endpoint(port), LVBAG_STORE__ACCESS_KEY=KEY, LVBAG_STORE__SECRET_KEY=KEY)
    os.environ["LVBAG_TRAIN__THREADS"] = str(threads)
    with (
        running([sys.executable, "-m", "ministack"], environment(port, FOLDER / "store", KEY, KEY)),
        MarketServer(Market(1, 2, photos), FOLDER / "market") as shop,
    ):
        wait_for(f"{endpoint(port)}/_ministack/health")
        write_configuration(FOLDER / "home", shop.port, photos)
        settings = load_settings()
        store = open_store(settings)
        store.ensure_buckets()
        if newest_snapshot(store) is None:
            catalog = load_catalog(FOLDER / "home" / "config")
            for shard in plan_night(store, settings, catalog, NIGHT).shards:
                crawl_shard(store, settings, catalog, NIGHT, shard)
            close_night(store, settings, NIGHT)
            for _ in curate_night(store, settings, NIGHT):
                pass
        snapshot = newest_snapshot(store)
        if snapshot is None:
            raise SystemExit(f"photographs: {photos} gave no snapshot")
        yield store, settings, snapshot


def write_recipe(name: str, changes: list[str]) -> dict[str, Any]:
    """The shipped recipe with changes (`field=value`), under the name `bench`."""
    recipe: dict[str, Any] = yaml.safe_load((PROJECT_ROOT / "config" / "recipes" / f"{name}.yaml").read_text())
    for field, _, value in (change.partition("=") for change in changes):
        group, _, inner = field.partition(".")
        if inner:
            recipe.setdefault(group, {})[inner] = yaml.safe_load(value)
        else:
            recipe[field] = yaml.safe_load(value)
    (config_dir() / "recipes" / "bench.yaml").write_text(yaml.safe_dump(recipe))
    return recipe


def ours(store: Store, settings: Settings, snapshot: str, seed: int) -> Result:
    trained = train_classifier(store, settings, snapshot, "bench", seed)
    record = load_version(store, ModelKind.CLASSIFIER, trained.version)
    answers = read_table(
        store, keys.version_file(ModelKind.CLASSIFIER, trained.version, "predictions.parquet"), schemas.PREDICTIONS
    )
    pairs = zip(answers["style_code"], answers["correct"], strict=True)
    return record.metrics["train_seconds"], record.metrics["top1"], by_product(list(pairs))


@contextmanager
def theirs(
    store: Store, settings: Settings, snapshot: str, recipe: dict[str, Any], given: argparse.Namespace
) -> Iterator[Callable[[], Result]]:
    """The plain loop at work on the first half of the cores; what is yielded waits for what it comes to."""
    data = read_snapshot(store, snapshot, recipe["image_side_px"], settings.images)
    rows = {split: data.indices(split) for split in ("train", "test")}
    with tempfile.TemporaryDirectory(prefix="lvbag-bench-") as folder:
        train, test = (data.images[part] for part in rows.values())
        train_labels, test_labels = (data.labels[part] for part in rows.values())
        np.savez(f"{folder}/data.npz", train=train, test=test, train_labels=train_labels, test_labels=test_labels)
        command = [sys.executable, str(PEER), f"{folder}/data.npz", recipe["model"]]
        command += [str(recipe["epochs"]), str(given.batch), str(given.threads // 2), str(given.seed)]
        peer = subprocess.Popen(
            command,
            env={**os.environ, "OMP_WAIT_POLICY": "passive"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        os.sched_setaffinity(peer.pid, halves()[0])

        def answer() -> Result:
            out, errors = peer.communicate()
            if peer.returncode != 0:
                raise SystemExit(f"photographs: the plain loop failed:\n{errors[-2000:]}")
            told = json.loads(out)
            truths = data.labels[rows["test"]]
            right = np.array(told["answers"]) == truths
            named = [(data.products[label], bool(one)) for label, one in zip(truths, right, strict=True)]
            return told["seconds"], float(right.mean()), by_product(named)

        try:
            yield answer
        finally:
            peer.kill()
            peer.wait()


def halves() -> tuple[set[int], set[int]]:
    """The cores, divided."""
    cores = sorted(os.sched_getaffinity(0))
    return set(cores[: len(cores) // 2]), set(cores[len(cores) // 2 :])


def by_product(pairs: list[tuple[str, bool]]) -> dict[str, tuple[int, int]]:
    """Right and all, by style code."""
    counts: dict[str, tuple[int, int]] = {}
    for product, right in sorted(pairs):
        before = counts.get(product, (0, 0))
        counts[product] = before[0] + right, before[1] + 1
    return counts


def tell(name: str, result: Result) -> None:
    seconds, top1, products = result
    print(f"photographs: {name}: top-1 {top1:.3f}, {seconds:.0f} s")
    print(
        "photographs:   " + ", ".join(f"{code} {right}/{all_}" for code, (right, all_) in products.items()), flush=True
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = Path(__file__).parents[2] / "shared" / "data" / "photos" / "bag_types10"
    parser.add_argument("photos", type=Path, nargs="?", default=shared)
    parser.add_argument("--recipe", default="efficientnet_b0_few", help="of ours; the network, size and epochs of both")
    parser.add_argument("--set", nargs="*", default=[], metavar="FIELD=VALUE", help="changes of the recipe")
    parser.add_argument("--batch", type=int, default=32, help="of the plain loop")
    parser.add_argument("--threads", type=int, default=2, help="of both together")
    parser.add_argument("--seed", type=int, default=0, help="of both")
    parser.add_argument("--no-peer", action="store_true")
    given = parser.parse_args()
    if not given.photos.is_dir():
        print(f"photographs: {given.photos} is no folder; nothing is measured")
        return
    if given.threads < 2 and not given.no_peer:
        parser.error("--threads: each of the two needs one, so at least 2, or --no-peer")
    with snapshot_of(given.photos, given.threads if given.no_peer else given.threads // 2) as (
        store,
        settings,
        snapshot,
    ):
        recipe = write_recipe(given.recipe, given.set)
        name = f"ours, {recipe['model']} on {snapshot}"
        if given.no_peer:
            tell(name, ours(store, settings, snapshot, given.seed))
            return
        with theirs(store, settings, snapshot, recipe, given) as answer:
            os.sched_setaffinity(0, halves()[1])
            tell(name, ours(store, settings, snapshot, given.seed))
            tell("plain loop", answer())


if __name__ == "__main__":
    main()
