"""Figures of an exported classifier on a snapshot: its ONNX file on the CPU, as it is used; no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from lvbag import schemas
from lvbag.infer.classifier import softmax
from lvbag.learn.classifier.calibration import fit_temperature
from lvbag.learn.classifier.data import Snapshot
from lvbag.learn.classifier.scores import Answers, answers, figures
from lvbag.learn.onnx_cpu import latencies_ms, open_onnx, size_mb
from lvbag.store.tables import check_schema, parquet_bytes

__all__ = [
    "MEASURE_BATCH",
    "measure",
    "network_inputs",
    "open_onnx",
    "scores_of",
    "softmax",
    "write_predictions",
]

MEASURE_BATCH = 64


def measure(
    path: Path, snapshot: Snapshot, mean: Sequence[float], std: Sequence[float]
) -> tuple[dict[str, float], Answers]:
    """Figures of the exported network on the test split, the validation split's top-1, and the test answers.

    `mean` and `std` are of RGB in 0 to 1, as in `ModelSpec`. `temperature` is fitted on the validation split, and the
    test answers are given with it; `latency_ms` is of one picture on one thread of the CPU.
    """
    session = open_onnx(path)
    scores, truths = {}, {}
    for split in ("val", "test"):
        rows = snapshot.indices(split)
        if len(rows):
            truths[split] = snapshot.rows["style_code"].gather(rows).to_list()
            scores[split] = scores_of(session, snapshot, rows, mean, std)
    temperature = 1.0
    if "val" in scores:
        temperature = fit_temperature(scores["val"], snapshot.labels[snapshot.indices("val")])
    test = answers(scores["test"], snapshot.products, truths["test"], temperature)
    metrics = figures(test) | {"temperature": temperature, "onnx_mb": size_mb(path)}
    picture = network_inputs(snapshot.images[snapshot.indices("test")[:1]], mean, std)
    (metrics["latency_ms"],) = latencies_ms([(path, picture)])
    if "val" in scores:
        val = answers(scores["val"], snapshot.products, truths["val"])
        metrics["val_top1"] = float(val.correct.mean())
    return metrics, test


def scores_of(
    session: Any, snapshot: Snapshot, rows: npt.NDArray[np.int64], mean: Sequence[float], std: Sequence[float]
) -> npt.NDArray[np.float64]:
    """What the network answers to these rows' pictures, before softmax: (rows, products)."""
    (asked,) = session.get_inputs()
    parts = []
    for start in range(0, len(rows), MEASURE_BATCH):
        inputs = network_inputs(snapshot.images[rows[start : start + MEASURE_BATCH]], mean, std)
        (scores,) = session.run(None, {asked.name: inputs})
        parts.append(np.asarray(scores, np.float64))
    return np.concatenate(parts)


def network_inputs(
    images: npt.NDArray[np.uint8], mean: Sequence[float], std: Sequence[float]
) -> npt.NDArray[np.float32]:
    """Pictures (n, side, side, 3) as the network takes them: (n, 3, side, side)."""
    pixels = images.astype(np.float32) / np.float32(255)
    scaled = (pixels - np.asarray(mean, np.float32)) / np.asarray(std, np.float32)
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2), np.float32)


def write_predictions(path: Path, snapshot: Snapshot, test: Answers) -> None:
    """What the version answered to each test picture (`schemas.PREDICTIONS`)."""
    rows = snapshot.rows.filter(pl.col("split") == "test").select("sha256", "listing_id", "style_code")
    frame = rows.with_columns(
        pl.Series("predicted", test.predicted, pl.String()),
        pl.Series("correct", test.correct, pl.Boolean()),
        pl.Series("probability", test.probability, pl.Float64()),
        pl.Series("rank", [rank or None for rank in test.rank.tolist()], pl.Int32()),
    )
    check_schema(frame, schemas.PREDICTIONS, path.name)
    path.write_bytes(parquet_bytes(frame))
