"""Measure the champion and challengers on one snapshot's test split, in one process, as they are used: by ONNX.

Runs as `python -m lvbag.learn.run_evaluate job.json`, started by `lvbag.learn.evaluating`. A product that a version has
never seen counts as its error (`top1`); `top1_shared` leaves out the products that the champion has never seen.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from lvbag.infer.onnx_session import open_session
from lvbag.learn import child
from lvbag.learn.data import Snapshot, read_snapshot
from lvbag.learn.errors import LearnError
from lvbag.learn.jobs import EvaluationJob, JobResult
from lvbag.learn.scores import Answers, answers, figures, pairs, shared_top1
from lvbag.registry import fetch_file, load_version
from lvbag.registry.records import Evaluation, Measured, VersionRecord
from lvbag.settings import Settings
from lvbag.store import Store, keys, open_store

BATCH = 64


def work(job: EvaluationJob) -> JobResult:
    """Measure every version and write the evaluation."""
    settings = job.read_settings()
    store = open_store(settings)
    numbers = ([job.champion] if job.champion is not None else []) + list(job.challengers)
    records = [load_version(store, job.kind, number) for number in numbers]
    results: dict[int, Answers] = {}
    snapshots: dict[int, Snapshot] = {}
    for record in records:
        child.check_parent(job)
        side = record.model.image_side_px
        if side not in snapshots:
            snapshots = {side: read_snapshot(store, job.data, side, settings.images, ("test",))}
        results[record.version] = ask(store, settings, job, record, snapshots[side])
        child.say(f"version {record.version:04d}: top-1 {figures(results[record.version])['top1']:.4f}")
    store.put_json(keys.evaluation(job.kind, job.key), compare(job, records, results).model_dump(mode="json"))
    return JobResult()


def ask(store: Store, settings: Settings, job: EvaluationJob, record: VersionRecord, snapshot: Snapshot) -> Answers:
    """What a version answers to the test pictures."""
    path = fetch_file(store, job.kind, record.version, "model.onnx", job.cache / "models")
    session = open_session(path)
    mean, std = (np.array(values, np.float32).reshape(1, 3, 1, 1) for values in (record.model.mean, record.model.std))
    parts: list[npt.NDArray[np.float64]] = []
    for start in range(0, len(snapshot.rows), BATCH):
        pixels = snapshot.images[start : start + BATCH].transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
        scores = session.run((pixels - mean) / std).astype(np.float64)
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        parts.append(powers / powers.sum(axis=1, keepdims=True))
    probabilities = np.concatenate(parts)
    if not np.isfinite(probabilities).all():
        raise LearnError(f"{job.kind} version {record.version} answers with numbers that are none; train it again")
    return answers(probabilities, record.model.classes, snapshot.rows["style_code"].to_list())


def compare(job: EvaluationJob, records: list[VersionRecord], results: dict[int, Answers]) -> Evaluation:
    """The evaluation's record: figures of each version, and challengers against the champion, picture by picture."""
    best = next((record for record in records if record.version == job.champion), None)

    def measured(record: VersionRecord) -> Measured:
        result = results[record.version]
        metrics = figures(result)
        shared = shared_top1(result, best.model.classes) if best else metrics["top1"]
        if shared is not None:
            metrics["top1_shared"] = shared
        is_challenger = best is not None and record.version != best.version
        return Measured(
            version=record.version,
            metrics=metrics,
            versus_champion=pairs(results[best.version], result) if best and is_challenger else None,
        )

    truths = pl.Series(next(iter(results.values())).truths)
    return Evaluation(
        kind=job.kind,
        key=job.key,
        data=job.data,
        test_images=len(truths),
        classes=truths.n_unique(),
        champion=measured(best) if best else None,
        challengers=tuple(measured(record) for record in records if record.version != job.champion),
    )


if __name__ == "__main__":
    child.run(EvaluationJob, work)
