"""The three ideas that this project began with, at a size that two cores allow: docs/experiments.md tells of them.

EfficientNet-B0, ViT-B/16 and the codes of the autoencoder with a linear layer, each by its recipe with what is said
below, on photographs of ten types of bags (the snapshot of `photographs.py`) and on the demo's market (that of
`market_night.py`, cleaned by a detector). Measured on the snapshot's test split, from the exported ONNX file.

    python bench/experiments.py                          all of them, about an hour on two quiet cores
    python bench/experiments.py --only latents --on photographs market

The snapshots stay in .run/bench; a training that was done is not done again.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import photographs
from market_night import NIGHTS, crawl_and_curate, market_with_detector

from lvbag.curate import newest_snapshot
from lvbag.demo.market import Market
from lvbag.learn import find_outliers, train_classifier
from lvbag.nights import night_of
from lvbag.registry import load_version
from lvbag.settings import Settings
from lvbag.store import ModelKind, Store


@dataclass(frozen=True)
class Experiment:
    """A recipe, what is changed of it for two cores, and that on the drawn market, which is learnt sooner."""

    recipe: str
    changes: tuple[str, ...] = ()
    on_market: tuple[str, ...] = ()


EXPERIMENTS = {
    "efficientnet": Experiment("efficientnet_b0_few", on_market=("image_side_px=96", "epochs=10")),
    # from scratch, for its weights cannot be had without the hub; so nothing that is for fine-tuning or many pictures
    "vit": Experiment(
        "vit_base_patch16_224",
        ("start=scratch", "image_side_px=64", "epochs=6", "batch=32", "accumulate=1", "learning_rate=0.0003",
         "layer_decay=1.0", "warmup_epochs=2", "mixup=0", "cutmix=0", "ema=0", "augment.randaugment=0",
         "augment.scale=[0.6, 1.0]"),
    ),
    "latents": Experiment("autoencoder_linear"),
}  # fmt: skip


@contextmanager
def market(threads: int) -> Iterator[tuple[Store, Settings, str]]:
    """A store with both nights of the demo's market, cleaned."""
    os.environ["LVBAG_TRAIN__THREADS"] = str(threads)
    with market_with_detector(1) as (store, settings, shop):
        for number in NIGHTS:
            crawl_and_curate(store, settings, shop, Market(1, number))
        snapshot = newest_snapshot(store)
        if snapshot is None:
            raise SystemExit("experiments: the market gave no snapshot")
        yield store, settings, snapshot


def run(place: tuple[Store, Settings, str], name: str, changes: tuple[str, ...], seed: int) -> None:
    """One training, and what came out of it as a row of a table."""
    store, settings, snapshot = place
    recipe = photographs.write_recipe(name, list(changes))
    begun = 0.0
    if recipe["start"] == "outliers":
        night = night_of(snapshot)
        if night is None:
            raise SystemExit(f"experiments: {snapshot} is of no night")
        begun = find_outliers(store, settings, night).seconds
    trained = train_classifier(store, settings, snapshot, "bench", seed)
    told = load_version(store, ModelKind.CLASSIFIER, trained.version).metrics
    figures = ", ".join(f"{key} {told[key]:.3f}" for key in ("top1", "top3", "macro_f1", "ece") if key in told)
    print(
        f"experiments: {snapshot}, {name} at {recipe['image_side_px']} px, {recipe['epochs']} epochs: {figures}, "
        f"{told['latency_ms']:.1f} ms, {told['onnx_mb']:.1f} MB; {told['train_seconds']:.0f} s of training"
        f"{f' after {begun:.0f} s of the autoencoder' if begun else ''}, load {os.getloadavg()[0]:.1f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = Path(__file__).parents[2] / "shared" / "data" / "photos" / "bag_types10"
    parser.add_argument("--only", nargs="*", choices=tuple(EXPERIMENTS), default=list(EXPERIMENTS))
    parser.add_argument("--on", nargs="*", choices=("photographs", "market"), default=["photographs", "market"])
    parser.add_argument("--photos", type=Path, default=shared, help="a folder of pictures for each product")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if "photographs" in given.on:
        if given.photos.is_dir():
            with photographs.snapshot_of(given.photos, given.threads) as place:
                for one in given.only:
                    run(place, EXPERIMENTS[one].recipe, EXPERIMENTS[one].changes, given.seed)
        else:
            print(f"experiments: {given.photos} is no folder; photographs are left out")
    if "market" in given.on:
        with market(given.threads) as place:
            for one in given.only:
                chosen = EXPERIMENTS[one]
                run(place, chosen.recipe, (*chosen.changes, *chosen.on_market), given.seed)


if __name__ == "__main__":
    main()
