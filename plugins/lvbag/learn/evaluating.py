"""One evaluation, of classifiers or detectors: which versions, under which key, and whether it stands already."""

from __future__ import annotations

import logging
from pathlib import Path

from lvbag.learn.errors import LearnError
from lvbag.learn.jobs import EvaluationJob, digest
from lvbag.learn.launch import run_job
from lvbag.learn.results import EvaluationResult
from lvbag.registry import RegistryError, champion, list_history, load_evaluation
from lvbag.settings import Settings
from lvbag.store import ModelKind, Store, keys

log = logging.getLogger(__name__)

_DATA_CHARS, _DIGEST_CHARS = 40, 16
"""In the key of an evaluation, of which a name in the store may have 64."""

MODULES = {
    ModelKind.CLASSIFIER: "lvbag.learn.classifier.run_evaluation",
    ModelKind.DETECTOR: "lvbag.learn.detector.run_evaluation",
}

MEASURED: dict[ModelKind, tuple[str, ...]] = {ModelKind.CLASSIFIER: ("listings, products, calibration",)}
"""Part of the key: what was evaluated before these were measured is evaluated again rather than found."""


def evaluate(
    store: Store, settings: Settings, kind: ModelKind, data: str, challengers: tuple[int, ...]
) -> EvaluationResult:
    """Measure champion and challengers on the test part of `data`, unless this evaluation stands."""
    alias = champion(store, kind)
    best = alias.version if alias else None
    others = tuple(sorted({number for number in challengers if number != best}))
    if best is None and not others:
        raise LearnError(f"there is no {kind} to measure on {data}: no champion, and no challenger was named")
    if decided := _decided_before(store, kind, data, best, frozenset(challengers)):
        log.info("evaluate.decided kind=%s data=%s key=%s", kind, data, decided.key)
        return decided
    key = _key(kind, data, best, others)
    if store.exists(keys.evaluation(kind, key)):
        log.info("evaluate.reused kind=%s data=%s key=%s", kind, data, key)
        return EvaluationResult(key, best, others)

    def make(folder: Path, cache: Path) -> EvaluationJob:
        return EvaluationJob.asked(
            settings, folder, cache, kind=kind, data=data, key=key, champion=best, challengers=others
        )

    run_job(MODULES[kind], settings, make)
    log.info("evaluate.done kind=%s data=%s key=%s champion=%s challengers=%s", kind, data, key, best, others)
    return EvaluationResult(key, best, others)


def _key(kind: ModelKind, data: str, best: int | None, others: tuple[int, ...]) -> str:
    """By its snapshot first, so that a person who browses the bucket finds it; a detector's as it ever was."""
    own = digest(str(kind), data, best, others, *MEASURED.get(kind, ()))
    return f"{data[:_DATA_CHARS]}-{own[:_DIGEST_CHARS]}" if kind in MEASURED else own


def _decided_before(
    store: Store, kind: ModelKind, data: str, best: int | None, named: frozenset[int]
) -> EvaluationResult | None:
    """The evaluation of the same challengers that made one of them champion: a run that is repeated finds its own."""
    if best not in named:
        return None
    for event in reversed(list_history(store, kind)):
        if event.version != best or event.event != "promoted" or event.decision is None:
            continue
        try:
            evaluation = load_evaluation(store, kind, event.decision.evaluation)
        except RegistryError as error:  # it was cleared away: then it is measured anew
            log.warning("evaluate.lost kind=%s version=%d error=%s", kind, best, error)
            continue
        before = evaluation.champion.version if evaluation.champion else None
        measured = {challenger.version for challenger in evaluation.challengers}
        if evaluation.data == data and measured == named - {before}:
            return EvaluationResult(evaluation.key, before, tuple(sorted(measured)))
    return None
