"""Measure the champion and challengers on one snapshot's test split, in one process, as they are used: by ONNX.

Runs as `python -m lvbag.learn.classifier.run_evaluation job.json`, started by `lvbag.learn.evaluating`. A product that
a version has never seen counts as its error (`top1`); `top1_shared` leaves out the products that the champion has never
seen. Beside the record, which is written last, stand what every version answered to every picture, a sheet of its
confusions and a card to read.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from lvbag import schemas
from lvbag.infer.onnx_session import OnnxSession, open_session
from lvbag.learn import child
from lvbag.learn.classifier.comparing import Answered, compare
from lvbag.learn.classifier.confusions import confusion_sheet
from lvbag.learn.classifier.data import Snapshot, read_snapshot
from lvbag.learn.classifier.measuring import network_inputs
from lvbag.learn.classifier.scores import Answers, answers
from lvbag.learn.errors import LearnError
from lvbag.learn.jobs import EvaluationJob, JobResult
from lvbag.learn.local_cache import open_cache
from lvbag.learn.onnx_cpu import latencies_ms, size_mb
from lvbag.registry import fetch_file, load_version, model_card
from lvbag.registry.records import Evaluation, VersionRecord
from lvbag.store import ObjectMissing, Store, keys, open_store
from lvbag.store.keys import version_name
from lvbag.store.tables import read_columns, write_table

BATCH = 64


def work(job: EvaluationJob) -> JobResult:
    """Measure every version and write the evaluation."""
    settings = job.read_settings()
    store = open_store(settings)
    numbers = ([job.champion] if job.champion is not None else []) + list(job.challengers)
    records = [load_version(store, job.kind, number) for number in numbers]
    snapshots: dict[int, Snapshot] = {}
    cache = open_cache(job.cache, settings.train.cache_gb)
    results: dict[int, Answers] = {}
    for record in sorted(records, key=lambda record: record.model.image_side_px):
        child.check_parent(job)
        side = record.model.image_side_px
        if side not in snapshots:
            snapshots = {side: read_snapshot(store, job.data, side, settings.images, ("test",), cache=cache)}
        results[record.version] = ask(fetch_model(store, job, record), record, snapshots[side])
        child.say(f"version {record.version:04d}: top-1 {results[record.version].correct.mean():.4f}")
    (snapshot,) = snapshots.values()
    if any(len(result.truths) != len(snapshot.rows) for result in results.values()):
        raise LearnError(f"pictures of snapshot {job.data} were taken down while it was measured; evaluate again")
    every = describe(store, job, records, results, snapshot.rows)
    best = every[0] if job.champion is not None else None
    evaluation = compare(job.key, job.data, snapshot.rows, best, every[1:] if best else every)
    write_answers(store, evaluation, snapshot.rows, every)
    draw_confusions(store, evaluation, snapshot)
    write_cards(store, evaluation, records)
    store.put_json(keys.evaluation(job.kind, job.key), evaluation.model_dump(mode="json"))
    return JobResult()


def fetch_model(store: Store, job: EvaluationJob, record: VersionRecord) -> Path:
    """The version's ONNX file, from the cache or the store."""
    return fetch_file(store, job.kind, record.version, "model.onnx", job.cache / "models")


def ask(path: Path, record: VersionRecord, snapshot: Snapshot) -> Answers:
    """What a version answers to the test pictures."""
    session, spec = open_session(path), record.model
    scores = np.concatenate(
        [_run(session, snapshot, start, record) for start in range(0, len(snapshot.rows), BATCH)]
    ).astype(np.float64)
    if not np.isfinite(scores).all():
        raise LearnError(f"{record.kind} version {record.version} answers with numbers that are none; train it again")
    return answers(scores, spec.classes, snapshot.rows["style_code"].to_list(), spec.temperature)


def _run(session: OnnxSession, snapshot: Snapshot, start: int, record: VersionRecord) -> npt.NDArray[np.float32]:
    return session.run(network_inputs(snapshot.images[start : start + BATCH], record.model.mean, record.model.std))


def describe(
    store: Store,
    job: EvaluationJob,
    records: list[VersionRecord],
    results: dict[int, Answers],
    rows: pl.DataFrame,
) -> list[Answered]:
    """What is measured beside the answers, in the order of the records: time, size, leaks."""
    paths = [fetch_model(store, job, record) for record in records]
    white = [np.ones((1, 3, record.model.image_side_px, record.model.image_side_px), np.float32) for record in records]
    times = latencies_ms(list(zip(paths, white, strict=True)))
    return [
        Answered(record, results[record.version], latency, size_mb(path), seen_in_training(store, record.data, rows))
        for record, path, latency in zip(records, paths, times, strict=True)
    ]


def seen_in_training(store: Store, snapshot: str, rows: pl.DataFrame) -> int | None:
    """How many test images stand in the training part of a snapshot; None where the snapshot is gone."""
    try:
        manifest = read_columns(
            store, keys.snapshot(snapshot, "manifest.parquet"), schemas.MANIFEST, ["sha256", "split"]
        )
    except ObjectMissing:
        return None
    return rows.join(manifest.filter(pl.col("split") == "train"), on="sha256", how="semi").height


def write_answers(store: Store, evaluation: Evaluation, rows: pl.DataFrame, every: list[Answered]) -> None:
    """What each version answered to each test picture (`schemas.EVALUATED`)."""
    frames = [
        rows.select("sha256", "source", "listing_id", "style_code").with_columns(
            pl.lit(item.record.version, pl.Int32).alias("version"),
            pl.Series("predicted", item.answers.predicted, pl.String()),
            pl.Series("probability", item.answers.probability, pl.Float64()),
            pl.Series("rank", [rank or None for rank in item.answers.rank.tolist()], pl.Int32()),
        )
        for item in sorted(every, key=lambda item: item.record.version)
    ]
    ref = keys.evaluation_predictions(evaluation.kind, evaluation.key)
    write_table(store, ref, pl.concat(frames), schemas.EVALUATED)


def draw_confusions(store: Store, evaluation: Evaluation, snapshot: Snapshot) -> None:
    """A sheet for each version that takes any product for another."""
    position = {sha256: index for index, sha256 in enumerate(snapshot.rows["sha256"])}
    for item in (evaluation.champion, *evaluation.challengers):
        if item is None or not item.confusions:
            continue
        shown = {sha256 for pair in item.confusions for sha256 in pair.examples}
        pictures = {sha256: snapshot.images[position[sha256]] for sha256 in sorted(shown)}
        title = f"What classifier {version_name(item.version)} confuses most, on {evaluation.data}"
        sheet = confusion_sheet(item.confusions, evaluation.products, pictures, title)
        ref = keys.confusion_sheet(evaluation.kind, evaluation.key, item.version)
        store.put(ref, sheet, "image/jpeg")


def write_cards(store: Store, evaluation: Evaluation, records: list[VersionRecord]) -> None:
    """Each version's card with what was measured here."""
    for record in records:
        ref = keys.evaluation_card(evaluation.kind, evaluation.key, record.version)
        store.put(ref, model_card(record, evaluation, None).encode(), "text/markdown; charset=utf-8")


if __name__ == "__main__":
    child.run(EvaluationJob, work)
