"""How many planted wrong labels are among the most suspicious ones, beside chance.

Photographs of ten types of bags, a type a product, are offered by the demo's marketplace, crawled and curated as a
night is (as in `photographs.py`). Then 5 in 100 pictures of the snapshot get another product's label, and the labels
are judged as `lvbag dataset suspicious` does it. Their own noise is not marked and counts against us. Reported is how
many of the planted are among the first N, for N as many as were planted, and twice and four times as many, the area
under the ROC curve of planted against all others, and how many the networks name as labelled.

    python bench/suspicions.py [PHOTOS]                   ../shared/data/photos/bag_types10; the shipped settings
    python bench/suspicions.py --recipe NAME --folds 5 --set epochs=20 --plantings 3
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import photographs
import polars as pl
from peers.installing import WORK

from lvbag import schemas
from lvbag.learn import find_suspicions
from lvbag.learn.results import SuspicionResult
from lvbag.settings import Settings, SuspicionSettings
from lvbag.store import Bucket, Store, keys
from lvbag.store.tables import read_table, write_table
from lvbag.suspicions import read_suspicions

SHARE = 0.05
MANIFEST = "manifest.parquet"


def plant(store: Store, snapshot: str, seed: int) -> tuple[str, set[str]]:
    """The same snapshot under another name with wrong labels; its name and the pictures (sha256) that have them."""
    rng = np.random.default_rng(seed)
    manifest = read_table(store, keys.snapshot(snapshot, MANIFEST), schemas.MANIFEST)
    codes = manifest.select("label", "style_code").unique().sort("label")["style_code"].to_list()
    labels = manifest["label"].to_numpy().copy()
    chosen = rng.permutation(len(labels))[: round(SHARE * len(labels))]
    labels[chosen] = (labels[chosen] + rng.integers(1, len(codes), len(chosen))) % len(codes)
    name = f"{snapshot[:10]}-planted{seed}"
    for item in store.list_objects(Bucket.DATASETS, f"{snapshot}/shards/"):
        store.put(keys.Ref(Bucket.DATASETS, item.ref.key.replace(snapshot, name, 1)), store.get(item.ref))
    changed = manifest.with_columns(
        pl.Series("label", labels, dtype=pl.Int32), pl.Series("style_code", [codes[label] for label in labels])
    )
    write_table(store, keys.snapshot(name, MANIFEST), changed, schemas.MANIFEST)
    return name, set(manifest["sha256"].gather(chosen))


def area(quality: npt.NDArray[np.float64], planted: npt.NDArray[np.bool_]) -> float:
    """That a planted label looks worse than another one (area under the ROC curve)."""
    below = (quality[planted][:, None] < quality[~planted][None]).mean()
    return float(below + (quality[planted][:, None] == quality[~planted][None]).mean() / 2)


def tell(scores: pl.DataFrame, wrong: set[str], result: SuspicionResult) -> None:
    planted = scores["sha256"].is_in(list(wrong)).to_numpy()
    quality = scores["quality"].to_numpy()
    order = np.argsort(quality, kind="stable")
    count = int(planted.sum())
    first = "; ".join(
        f"{int(planted[order[:n]].sum())} of {count} among the first {n} (chance {n * planted.mean():.1f})"
        for n in (count, 2 * count, 4 * count)
    )
    flagged = scores["suspicious"].to_numpy()
    print(f"suspicions: {first}")
    print(
        f"suspicions: area {area(quality, planted):.3f}; {int(flagged.sum())} of {len(scores)} flagged, "
        f"{int((flagged & planted).sum())} of them planted; top-1 out of sample {result.top1:.3f}; "
        f"{result.seconds:.0f} s, load {os.getloadavg()[0]:.1f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = Path(__file__).parents[2] / "shared" / "data" / "photos" / "bag_types10"
    parser.add_argument("photos", type=Path, nargs="?", default=shared)
    parser.add_argument("--recipe", default=SuspicionSettings().recipe)
    parser.add_argument("--folds", type=int, default=SuspicionSettings().folds)
    parser.add_argument("--set", nargs="*", default=[], metavar="FIELD=VALUE", help="changes of the recipe")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--plantings", type=int, default=1)
    given = parser.parse_args()
    if not given.photos.is_dir():
        print(f"suspicions: {given.photos} is no folder; nothing is measured")
        return
    photographs.FOLDER = WORK / "suspicions"
    with photographs.snapshot_of(given.photos, given.threads) as (store, settings, snapshot):
        recipe = photographs.write_recipe(given.recipe, given.set)
        own = settings.suspicions.model_copy(update={"recipe": "bench", "folds": given.folds})
        chosen: Settings = settings.model_copy(update={"suspicions": own})
        print(f"suspicions: {recipe['model']}, {recipe['epochs']} epochs, {given.folds} folds, {snapshot}", flush=True)
        for seed in range(given.plantings):
            name, wrong = plant(store, snapshot, seed)
            result = find_suspicions(store, chosen, name)
            scores = read_suspicions(store, name)
            assert scores is not None
            tell(scores, wrong, result)


if __name__ == "__main__":
    main()
