"""Measure detectors, champion and challengers, on one label set's test part, in one process, as used: by ONNX.

Runs as `python -m lvbag.learn.detector.run_evaluation job.json`, started by `lvbag.learn.evaluating`.
"""

from __future__ import annotations

from lvbag.learn import child
from lvbag.learn.detector.data import Labels, open_labels
from lvbag.learn.detector.scoring import measure_detector
from lvbag.learn.jobs import EvaluationJob, JobResult
from lvbag.registry import fetch_file, load_version
from lvbag.registry.records import Evaluation, Measured
from lvbag.settings import Settings
from lvbag.store import Store, keys, open_store

FIT_IMAGES = 150
"""Training pictures on which a challenger shows that it learnt its labels: enough for two digits."""


def work(job: EvaluationJob) -> JobResult:
    """Measure every version and write the evaluation."""
    settings = job.read_settings()
    store = open_store(settings)
    with open_labels(store, settings, job.data) as labels:
        best = measured(store, settings, job, job.champion, labels) if job.champion is not None else None
        challengers = tuple(measured(store, settings, job, number, labels) for number in job.challengers)
        evaluation = Evaluation(
            kind=job.kind,
            key=job.key,
            data=job.data,
            test_images=len(labels.part("test")),
            classes=len(labels.index.classes),
            champion=best,
            challengers=challengers,
        )
    store.put_json(keys.evaluation(job.kind, job.key), evaluation.model_dump(mode="json"))
    return JobResult()


def measured(store: Store, settings: Settings, job: EvaluationJob, number: int, labels: Labels) -> Measured:
    """One version's figures."""
    child.check_parent(job)
    record = load_version(store, job.kind, number)
    path = fetch_file(store, job.kind, number, "model.onnx", job.cache / "models")
    metrics = measure_detector(path, record, settings.detector, labels, "test")
    if number in job.challengers:
        fit = measure_detector(path, record, settings.detector, labels, "train", most=FIT_IMAGES)
        metrics["train_map50"] = fit["map50"]
    child.say(f"version {number:04d}: mAP50 {metrics['map50']:.4f}")
    return Measured(version=number, metrics=metrics)


if __name__ == "__main__":
    child.run(EvaluationJob, work)
