"""How well a night's autoencoder finds wrong pictures among a product's, beside simpler ways to look at the same.

Wrong pictures are planted: 5 in 100 of each product get another product's name, and 2 in 100 are no bags. Photographs
are those of ten types of bags, a type a product (with some noise that nobody marked, which counts against everybody
here), the no-bags corners of street photographs beside the labelled boxes; drawn are the demo's twelve products, cut as
a detector cuts them, the no-bags its shoes, wallets, boxes and people. Reported are the areas under the ROC curve of
planted against all other pictures, and what is flagged as the settings have it. Beside ours stand chance, the distance
of the mean colour to the product's median, what a principal component analysis of the pixels cannot redraw, and that
analysis' 32 components in place of our codes, in our own rule of neighbours. The second night begins with the weights
of the first, as it does in use.

    python bench/outliers.py                 three plantings of two nights each
    python bench/outliers.py --plantings 1
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from lvbag.demo.bags import drawn_products
from lvbag.demo.scene import Shot, Subject, compose, render
from lvbag.images import ImageRefused, decode, square
from lvbag.learn.outliers.autoencoder import CODE, SIDE_PX, Autoencoder
from lvbag.learn.outliers.records import OutlierJob
from lvbag.learn.outliers.run_judging import encode, train
from lvbag.learn.outliers.scores import Scores, ranks, robust_z, score
from lvbag.settings import ImageSettings, OutlierSettings

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "photos"
LIMITS = ImageSettings(min_side_px=1)
SETTINGS = OutlierSettings(seconds=600)
"""Time enough on a busy machine, so that every run takes the same steps."""
DRAWN_OF_A_PRODUCT = 60
SWAPPED, NO_BAGS = 0.05, 0.02
RIGHT, OTHER_PRODUCT, NO_BAG = 0, 1, 2

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Pictures = npt.NDArray[np.uint8]


def photographs() -> tuple[Pictures, Ints]:
    """Squares of every type's photographs, and the types."""
    pictures, labels = [], []
    for label, folder in enumerate(sorted(path for path in (SHARED / "bag_types10").iterdir() if path.is_dir())):
        for path in sorted(folder.iterdir()):
            try:
                pictures.append(square(decode(path.read_bytes(), LIMITS), SIDE_PX))
            except ImageRefused:
                continue
            labels.append(label)
    return np.stack(pictures), np.array(labels)


def street_corners() -> Iterator[Pictures]:
    """Parts of street photographs that no labelled bag touches."""
    rng = np.random.default_rng(3)
    files = sorted((SHARED / "backpack_yolo").glob("*/images/*"))
    for number in rng.permutation(len(files)):
        boxes = files[number].parent.parent / "labels" / f"{files[number].stem}.txt"
        rows = [[float(word) for word in line.split()[1:5]] for line in boxes.read_text().splitlines() if line.strip()]
        for _ in range(20):
            side = rng.uniform(0.3, 0.5)
            left, top = rng.uniform(0, 1 - side, 2)
            if all(
                abs(x - left - side / 2) > (width + side) / 2 or abs(y - top - side / 2) > (height + side) / 2
                for x, y, width, height in rows
            ):
                image = decode(files[number].read_bytes(), LIMITS)
                across, down = image.size
                corner = (left * across, top * down, (left + side) * across, (top + side) * down)
                yield square(image.crop(tuple(round(value) for value in corner)), SIDE_PX)
                break


def drawings() -> tuple[Pictures, Ints]:
    """The demo's bags, cut around the bag with the margin of cleaning."""
    pictures, labels = [], []
    for label, product in enumerate(drawn_products()):
        for number in range(DRAWN_OF_A_PRODUCT):
            shot = Shot(Subject.BAG, product, f"outliers/{product}/{number // 3}", f"outliers/{product}/{number}")
            box = compose(shot).box
            assert box is not None
            pictures.append(square(cut(render(shot), box), SIDE_PX))
            labels.append(label)
    return np.stack(pictures), np.array(labels)


def cut(image: Image.Image, box: tuple[float, ...]) -> Image.Image:
    """A crop with 8 % of the box around it."""
    x, y = 0.08 * (box[2] - box[0]), 0.08 * (box[3] - box[1])
    corner = (max(0, box[0] - x), max(0, box[1] - y), min(image.width, box[2] + x), min(image.height, box[3] + y))
    return image.convert("RGB").crop(tuple(round(value) for value in corner))


def drawn_things() -> Iterator[Pictures]:
    """What stands in the demo's shop and is no bag."""
    subjects = (Subject.SHOE, Subject.WALLET, Subject.BOX, Subject.PERSON)
    for number in range(10_000):
        image = render(Shot(subjects[number % len(subjects)], None, f"outliers/{number}", f"outliers/{number}"))
        yield square(image.convert("RGB"), SIDE_PX)


def planted(pictures: Pictures, labels: Ints, things: Iterator[Pictures], seed: int) -> tuple[Pictures, Ints, Ints]:
    """The pictures with wrong ones among them, the products they are said to be, and what is wrong with each."""
    rng = random.Random(seed)
    said, wrong = labels.copy(), np.zeros(len(labels), np.int64)
    products = sorted(set(labels.tolist()))
    for label in products:
        own = np.flatnonzero(labels == label).tolist()
        for row in rng.sample(own, round(SWAPPED * len(own))):
            said[row], wrong[row] = rng.choice([one for one in products if one != label]), OTHER_PRODUCT
    count = round(NO_BAGS * len(labels))
    strange = np.stack([next(things) for _ in range(count)])
    places = np.array([products[number % len(products)] for number in range(count)])
    return (
        np.concatenate([pictures, strange]),
        np.concatenate([said, places]),
        np.concatenate([wrong, np.full(count, NO_BAG)]),
    )


# ------------------------------------------------------------------ ways to look


def components(pictures: Pictures) -> tuple[Floats, Floats]:
    """The first components of the pixels, as many as our code has, and the squared error of what they redraw."""
    pixels = pictures.reshape(len(pictures), -1).astype(np.float64) / 255
    centred = pixels - pixels.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    codes = centred @ directions[:CODE].T
    return codes, ((centred - codes @ directions[:CODE]) ** 2).mean(axis=1)


def within(values: Floats, labels: Ints) -> Floats:
    """Robust deviations within each product."""
    found = np.empty(len(values))
    for label in np.unique(labels):
        found[labels == label] = robust_z(values[labels == label])
    return found


def colour(pictures: Pictures, labels: Ints) -> Floats:
    """How far a picture's mean colour is from its product's."""
    means = pictures.reshape(len(pictures), -1, 3).mean(axis=1)
    apart = np.empty(len(means))
    for label in np.unique(labels):
        own = labels == label
        apart[own] = np.linalg.norm(means[own] - np.median(means[own], axis=0), axis=1)
    return within(apart, labels)


def own_distance(codes: Floats, labels: Ints) -> Floats:
    """The plain distance to the five nearest of the same product."""
    apart = np.empty(len(codes))
    for label in np.unique(labels):
        own = codes[labels == label]
        distances = np.sqrt(((own[:, None] - own[None]) ** 2).sum(axis=2))
        apart[labels == label] = np.sort(distances, axis=1)[:, 1:6].mean(axis=1)
    return within(apart, labels)


def area(values: Floats, positive: npt.NDArray[np.bool_]) -> float:
    """Under the ROC curve: how often a positive has the larger value; no values are equal here."""
    place = np.argsort(np.argsort(values)) + 1
    count, others = int(positive.sum()), int((~positive).sum())
    return float((place[positive].sum() - count * (count + 1) / 2) / (count * others))


def tell(name: str, values: Floats, wrong: Ints, flagged: npt.NDArray[np.bool_] | None = None) -> list[float]:
    """The areas and, of what is flagged, how much is planted and how much of the planted it is."""
    bad = wrong != RIGHT
    areas = [area(values, bad)]
    for kind, other in ((OTHER_PRODUCT, NO_BAG), (NO_BAG, OTHER_PRODUCT)):
        areas.append(area(values[wrong != other], (wrong == kind)[wrong != other]))
    if flagged is None:  # as many as are planted
        flagged = values >= np.sort(values)[-int(bad.sum())]
    areas += [float(bad[flagged].mean()) if flagged.any() else 0.0, float(flagged[bad].mean()), float(flagged.sum())]
    print(f"    {name:46s}" + "".join(f"{value:8.3f}" for value in areas[:5]) + f"{areas[5]:6.0f}", flush=True)
    return areas


def asked(found: Scores, labels: Ints) -> npt.NDArray[np.bool_]:
    """What people are asked about by the settings as they are."""
    names = [f"{row:06d}" for row in range(len(labels))]
    place = ranks(found.score, labels, np.zeros(len(labels), bool), names)
    flagged: npt.NDArray[np.bool_] = (found.score >= SETTINGS.threshold) & (place <= SETTINGS.max_per_product)
    return flagged


def job(seed: int) -> OutlierJob:
    """What the loop reads of a job: the process that waits, and a seed."""
    import datetime as dt
    import os

    return OutlierJob(
        folder=Path(), cache=Path(), parent_process=os.getppid(), settings={}, night=dt.date(2026, 11, 23), key="",
        start=None, start_sha256=None, seed=seed,
    )  # fmt: skip


def measure(pictures: Pictures, labels: Ints, wrong: Ints, seed: int, nights: int) -> dict[str, list[float]]:
    """Every way to look at one planting."""
    found: dict[str, list[float]] = {}

    def note(name: str, values: Floats, flagged: npt.NDArray[np.bool_] | None = None) -> None:
        found[name] = tell(name, values, wrong, flagged)

    note("chance", np.random.default_rng(seed).random(len(labels)))
    note("mean colour", colour(pictures, labels))
    codes, errors = components(pictures)
    note("pixels, PCA: reconstruction", within(errors, labels))
    note("pixels, PCA: distance to its own", own_distance(codes, labels))
    simple = score(codes, errors, labels, 3)
    note("pixels, PCA: our rule of neighbours", simple.distance_z)
    torch.manual_seed(seed)
    model = Autoencoder()
    for night in ("first", "second")[:nights]:
        started = time.monotonic()
        train(job(seed), model, pictures, SETTINGS, night == "second")
        seconds = time.monotonic() - started
        codes, errors = encode(model, pictures)
        ours = score(codes, errors, labels, SETTINGS.min_images)
        print(f"    {night} night: {SETTINGS.steps} steps in {seconds:.0f} s, error {errors.mean():.4f}")
        note(f"autoencoder, {night} night: reconstruction", ours.reconstruction_z)
        note(f"autoencoder, {night} night: distance to its own", own_distance(codes, labels))
        note(f"autoencoder, {night} night: rule of neighbours", ours.distance_z)
        note(f"autoencoder, {night} night: score", ours.score)
        note(f"autoencoder, {night} night: score, as asked", ours.score, asked(ours, labels))
    return found


def main() -> int:
    """Both kinds of pictures, several plantings, and their means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plantings", type=int, default=3)
    parser.add_argument("--nights", type=int, choices=(1, 2), default=2)
    parser.add_argument("--threads", type=int, default=0, help="of torch; 1 on a busy machine")
    parser.add_argument("--of", nargs="+", choices=("photographs", "drawn"), default=["photographs", "drawn"])
    chosen = parser.parse_args()
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    kinds: dict[str, tuple[Callable[[], tuple[Pictures, Ints]], Callable[[], Iterator[Pictures]]]] = {
        "photographs": (photographs, street_corners),
        "drawn": (drawings, drawn_things),
    }
    for name in chosen.of:
        read, things = kinds[name]
        if name == "photographs" and not SHARED.is_dir():
            print(f"no photographs: {SHARED} is not there")
            continue
        pictures, labels = read()
        results = []
        for seed in range(chosen.plantings):
            mixed, said, wrong = planted(pictures, labels, things(), seed)
            print(f"{name}: {len(mixed)} pictures, {(wrong != RIGHT).sum()} planted, planting {seed}")
            print(f"    {'':46s}     all product  no bag   prec.  recall  shown")
            results.append(measure(mixed, said, wrong, seed, chosen.nights))
        print(f"{name}: mean of {len(results)} plantings")
        for way in results[0]:
            means = np.mean([result[way] for result in results], axis=0)
            print(f"  = {way:46s}" + "".join(f"{value:8.3f}" for value in means[:5]) + f"{means[5]:6.1f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
