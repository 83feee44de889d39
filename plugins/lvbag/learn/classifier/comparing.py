"""From what each version answered to the record of an evaluation: figures, and challengers against the champion.

Pure; the figures that take a store or a clock are handed in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from lvbag.learn.classifier.confusions import confusion_pairs
from lvbag.learn.classifier.scores import Answers, figures, pairs, right_by_product, within
from lvbag.registry.bootstrap import cells_of, cluster_bootstrap
from lvbag.registry.records import Bootstrap, Evaluation, Measured, VersionRecord
from lvbag.store import ModelKind


@dataclass(frozen=True)
class Answered:
    """One version's answers to the test set, in the order of its rows, and what else was measured of it."""

    record: VersionRecord
    answers: Answers
    latency_ms: float
    onnx_mb: float
    seen_in_training: int | None


def compare(
    key: str, data: str, rows: pl.DataFrame, champion: Answered | None, challengers: Sequence[Answered]
) -> Evaluation:
    """The evaluation's record. `rows` are the test set's, fit for `schemas.MANIFEST`."""
    known = None if champion is None else within(champion.answers, champion.record.model.classes)
    products = rows["style_code"].value_counts().sort("style_code")
    return Evaluation(
        kind=ModelKind.CLASSIFIER,
        key=key,
        data=data,
        test_images=len(rows),
        classes=products.height,
        champion=None if champion is None else _measured(champion, rows, known),
        challengers=tuple(_challenger(item, rows, champion, known) for item in challengers),
        products=dict(products.iter_rows()),
        shared_images=None if known is None else int(known.sum()),
    )


def _measured(item: Answered, rows: pl.DataFrame, known: npt.NDArray[np.bool_] | None) -> Measured:
    result = item.answers
    metrics = figures(result) | {
        "temperature": item.record.model.temperature,
        "latency_ms": round(item.latency_ms, 3),
        "onnx_mb": item.onnx_mb,
    }
    if known is None or known.any():
        metrics["top1_shared"] = float(result.correct[slice(None) if known is None else known].mean())
    return Measured(
        version=item.record.version,
        metrics=metrics,
        right=right_by_product(result),
        confusions=confusion_pairs(result, rows["sha256"].to_list()),
        seen_in_training=item.seen_in_training,
    )


def _challenger(
    item: Answered, rows: pl.DataFrame, champion: Answered | None, known: npt.NDArray[np.bool_] | None
) -> Measured:
    measured = _measured(item, rows, known)
    if champion is None or known is None:
        return measured
    every = np.ones(len(rows), np.bool_)
    return measured.model_copy(
        update={
            "versus_champion": pairs(champion.answers, item.answers),
            "versus_champion_shared": pairs(champion.answers, item.answers, known),
            "bootstrap": by_listing(rows, champion.answers, item.answers, every),
            "bootstrap_shared": by_listing(rows, champion.answers, item.answers, known),
        }
    )


def by_listing(
    rows: pl.DataFrame, champion: Answers, challenger: Answers, where: npt.NDArray[np.bool_]
) -> Bootstrap | None:
    """The gain with listings drawn anew; None where no image is left."""
    if not where.any():
        return None
    gains = challenger.correct.astype(np.int64) - champion.correct.astype(np.int64)
    listings: dict[tuple[str, str], list[int]] = defaultdict(list)
    columns = (rows["source"].to_list(), rows["listing_id"].to_list(), gains.tolist(), where.tolist())
    for source, listing_id, gain, wanted in zip(*columns, strict=True):
        if wanted:
            listings[source, listing_id].append(gain)
    return cluster_bootstrap(cells_of((len(own), sum(own)) for own in listings.values()))
