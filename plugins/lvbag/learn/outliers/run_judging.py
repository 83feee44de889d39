"""Train a night's autoencoder and judge how odd each picture is. From top to bottom: crops, network, loop, scores.

Runs as `python -m lvbag.learn.outliers.run_judging job.json`, started by `lvbag.learn.outliers.steps`. What the
autoencoder learnt on one night is where the next one begins.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from lvbag import schemas
from lvbag.images import ImageRefused, decode, square
from lvbag.learn import child
from lvbag.learn.devices import choose_device
from lvbag.learn.errors import LearnError
from lvbag.learn.jobs import JobResult
from lvbag.learn.outliers.autoencoder import SIDE_PX, Autoencoder
from lvbag.learn.outliers.records import ROWS_NAME, OutlierJob, OutlierModel
from lvbag.learn.outliers.scores import ranks, score
from lvbag.outliers import MODEL, SCORES, WEIGHTS
from lvbag.settings import ImageSettings, OutlierSettings
from lvbag.store import CorruptObject, ObjectMissing, Store, keys, open_store
from lvbag.store.tables import write_table

LEARNING_RATE, WEIGHT_DECAY = 2e-3, 0.01
NEW_SHARE, SETTLED = 1.0, 0.5
"""The first learning rate of a network that is new, and of one that was trained on earlier nights."""
BATCH, ENCODE_BATCH = 64, 256
SAID_EVERY = 50
WORKERS = 8
"""Requests to the store at a time."""


def work(job: OutlierJob) -> JobResult:
    """Everything from the crops to the night's `model.json`."""
    settings = job.read_settings()
    store = open_store(settings)
    device = choose_device(settings.train)
    rows, pictures = read_crops(store, pl.read_parquet(job.folder / ROWS_NAME), settings.images)
    model, start = begin(store, job)
    child.say(f"outliers of {job.night}: {len(rows)} crops, weights {f'of {start}' if start else 'new'}; {device}")
    steps, loss = train(job, model.to(device), pictures, settings.outliers, start is not None)
    codes, errors = encode(model, pictures)
    scores = judge(rows, codes, errors, settings.outliers)
    weights = save({name: value.cpu().contiguous() for name, value in model.state_dict().items()})
    store.put(keys.outliers(job.night, WEIGHTS), weights)
    write_table(store, keys.outliers(job.night, SCORES), scores, schemas.OUTLIERS)
    said = OutlierModel(
        key=job.key,
        night=job.night,
        start=start,
        weights_sha256=hashlib.sha256(weights).hexdigest(),
        images=len(rows),
        judged=scores.height,
        products=scores["style_code"].n_unique(),
        steps=steps,
        loss=loss,
    )
    store.put_json(keys.outliers(job.night, MODEL), said.model_dump(mode="json"))
    child.say(f"judged {scores.height} crops of {said.products} products")
    return JobResult()


# ------------------------------------------------------------------ crops


def read_crops(store: Store, rows: pl.DataFrame, limits: ImageSettings) -> tuple[pl.DataFrame, npt.NDArray[np.uint8]]:
    """The rows whose crops still stand, and the crops as squares, uint8 (n, 64, 64, 3)."""
    loose = limits.model_copy(update={"min_side_px": 1})  # a rule for photos; a crop of a slim bag may be narrower
    names = rows.select("detector", "sha256", "crop_sha256").rows()
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="crops") as pool:
        found = list(pool.map(partial(_read_crop, store, loose), names))
    there = [crop is not None for crop in found]
    if not any(there):
        raise LearnError(f"none of {len(found)} crops is in the store; clean their nights again")
    if not all(there):
        child.say(f"{len(found) - sum(there)} of {len(found)} crops are gone, and left out")
    return rows.filter(pl.Series(there, dtype=pl.Boolean)), np.stack([crop for crop in found if crop is not None])


def _read_crop(store: Store, limits: ImageSettings, name: tuple[str, str, str]) -> npt.NDArray[np.uint8] | None:
    detector, sha256, crop_sha256 = name
    ref = keys.crop(detector, sha256)
    try:
        data = store.get(ref)
    except ObjectMissing:
        return None
    if hashlib.sha256(data).hexdigest() != crop_sha256:
        raise CorruptObject(f"{store.uri(ref)} is not the crop that was recorded; clean the image's night again")
    try:
        return square(decode(data, limits), SIDE_PX)
    except ImageRefused as error:
        raise CorruptObject(f"{store.uri(ref)} does not decode: {error}; clean the image's night again") from None


# ------------------------------------------------------------------ network and loop


def begin(store: Store, job: OutlierJob) -> tuple[Autoencoder, dt.date | None]:
    """The network with the earlier night's weights, and that night; new ones and None where they cannot be used."""
    torch.manual_seed(job.seed)
    model = Autoencoder()
    if job.start is None:
        return model, None
    ref = keys.outliers(job.start, WEIGHTS)
    try:
        data = store.get(ref)
        if hashlib.sha256(data).hexdigest() != job.start_sha256:
            raise CorruptObject("its digest is not the recorded one")
        model.load_state_dict(load(data))
    except (ObjectMissing, CorruptObject, SafetensorError, RuntimeError) as error:
        # a night must not fail for weights that a few hundred steps make again
        child.say(f"{store.uri(ref)} cannot be carried on ({error}); the network begins anew")
        torch.manual_seed(job.seed)
        return Autoencoder(), None
    return model, job.start


def train(
    job: OutlierJob, model: Autoencoder, pictures: npt.NDArray[np.uint8], settings: OutlierSettings, settled: bool
) -> tuple[int, float | None]:
    """Redraw pictures, half of them mirrored, for `outliers.steps` or `outliers.seconds`; steps done, and last loss."""
    if not settings.steps:
        return 0, None
    device = next(model.parameters()).device
    highest = LEARNING_RATE * (SETTLED if settled else NEW_SHARE)
    optimizer = torch.optim.AdamW(model.parameters(), lr=highest, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.steps)
    random = torch.Generator().manual_seed(job.seed)
    started, loss, step = time.monotonic(), math.nan, 0
    model.train()
    for step, rows in enumerate(_batches(len(pictures), settings.steps, random), start=1):
        batch = as_input(pictures[rows.numpy()], device)
        mirrored = torch.rand(len(batch), 1, 1, 1, generator=random).to(device) < 0.5
        batch = torch.where(mirrored, batch.flip(3), batch)
        error = nn.functional.mse_loss(model(batch), batch)
        optimizer.zero_grad()
        error.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if step % SAID_EVERY == 0 or step == settings.steps:
            child.check_parent(job)
            loss = _checked(float(error.detach()), step)
            child.say(f"step {step}/{settings.steps} loss {loss:.4f}")
        if time.monotonic() - started > settings.seconds:
            child.say(f"stopped after {step} steps: outliers.seconds = {settings.seconds:g}; the next night goes on")
            break
    return step, round(_checked(float(error.detach()), step), 6)


def _batches(count: int, steps: int, random: torch.Generator) -> Iterator[Tensor]:
    """Positions of `BATCH` pictures each; every picture once before one comes again."""
    waiting = torch.empty(0, dtype=torch.int64)
    for _ in range(steps):
        while len(waiting) < min(BATCH, count):
            waiting = torch.cat([waiting, torch.randperm(count, generator=random)])
        yield waiting[:BATCH]
        waiting = waiting[BATCH:]


def _checked(loss: float, step: int) -> float:
    if not math.isfinite(loss):
        raise LearnError(f"the autoencoder's loss became {loss} in step {step}; run it with --again")
    return loss


def as_input(pictures: npt.NDArray[np.uint8], device: torch.device) -> Tensor:
    """Pictures (n, side, side, 3) of 0 to 255 as the network takes them: (n, 3, side, side) of 0 to 1."""
    return torch.from_numpy(pictures).to(device).permute(0, 3, 1, 2).float() / 255


@torch.inference_mode()
def encode(
    model: Autoencoder, pictures: npt.NDArray[np.uint8]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Codes (n, 32), and the mean squared error of each picture's pixels when it is redrawn from its code (n,)."""
    model.eval()
    device = next(model.parameters()).device
    codes, errors = [], []
    for start in range(0, len(pictures), ENCODE_BATCH):
        batch = as_input(pictures[start : start + ENCODE_BATCH], device)
        code = model.encoder(batch)
        codes.append(code.cpu().double())
        errors.append(((model.decoder(code) - batch) ** 2).mean(dim=(1, 2, 3)).cpu().double())
    return torch.cat(codes).numpy(), torch.cat(errors).numpy()


# ------------------------------------------------------------------ scores


def judge(
    rows: pl.DataFrame, codes: npt.NDArray[np.float64], errors: npt.NDArray[np.float64], settings: OutlierSettings
) -> pl.DataFrame:
    """The table (`schemas.OUTLIERS`) of the products that have enough pictures."""
    labels = rows["style_code"].rank("dense").to_numpy().astype(np.int64)
    found = score(codes, errors, labels, settings.min_images)
    judged = ~np.isnan(found.score)
    kept = rows.filter(pl.Series(judged))
    places = ranks(found.score[judged], labels[judged], kept["decided"].to_numpy(), kept["sha256"].to_list())
    return kept.drop("decided").with_columns(
        pl.Series("reconstruction", errors[judged]),
        pl.Series("distance", found.distance[judged]),
        pl.Series("reconstruction_z", found.reconstruction_z[judged]),
        pl.Series("distance_z", found.distance_z[judged]),
        pl.Series("score", found.score[judged]),
        pl.Series("rank", places, dtype=pl.Int32),
        pl.Series("x", found.x[judged]),
        pl.Series("y", found.y[judged]),
    )


if __name__ == "__main__":
    child.run(OutlierJob, work)
