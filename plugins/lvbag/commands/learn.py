"""`lvbag train` and `lvbag train-detector`: what the training DAGs do, by hand."""

from __future__ import annotations

import datetime as dt
import getpass
import logging
from typing import Annotated

import typer

from lvbag.commands.common import Session, emit, open_session
from lvbag.errors import LvbagError
from lvbag.store import ModelKind
from lvbag.terminal import console


def train(
    recipe: Annotated[list[str] | None, typer.Option(help="a recipe; those of train.recipes when left out")] = None,
    seed: Annotated[int, typer.Option(help="another seed makes another challenger", min=0)] = 0,
    force: Annotated[bool, typer.Option(help="train although there is little new")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> None:
    """Train challengers on the newest snapshot, measure them beside the champion, and let the gate decide."""
    from lvbag import learn
    from lvbag.curate import newest_snapshot

    _show_progress(as_json)
    session = open_session()
    store, settings = session.store, session.settings
    snapshot = newest_snapshot(store)
    if snapshot is None:
        raise LvbagError("there is no snapshot to train on yet; crawl and curate a night first")
    ready = learn.enough_new(store, settings, snapshot, force=force)
    emit(ready, as_json)
    if not ready.ready:
        return
    versions = []
    for name in recipe or settings.train.recipes:
        result = learn.train_classifier(store, settings, snapshot, name, seed=seed)
        emit(result, as_json)
        versions.append(result.version)
    evaluation = learn.evaluate_classifiers(store, settings, snapshot, tuple(versions))
    _judge_and_promote(session, ModelKind.CLASSIFIER, evaluation.key, as_json)


def train_detector(
    labels: Annotated[str | None, typer.Option(help="a label set; the newest when left out")] = None,
    recipe: Annotated[str | None, typer.Option(help="a recipe; detector.recipe when left out")] = None,
    seed: Annotated[int, typer.Option(help="another seed makes another challenger", min=0)] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> None:
    """Train a detector on a label set, measure it beside the champion, and let the gate decide.

    What an earlier detector decided narrowly is judged again by a new champion.
    """
    from lvbag import learn
    from lvbag.labels import newest_labels

    _show_progress(as_json)
    session = open_session()
    store, settings = session.store, session.settings
    name = labels or newest_labels(store)
    if name is None:
        raise LvbagError("there is no label set yet; bring one in with `lvbag labels import EXPORT.zip`")
    result = learn.train_detector(store, settings, name, recipe or settings.detector.recipe, seed=seed)
    emit(result, as_json)
    evaluation = learn.evaluate_detectors(store, settings, name, (result.version,))
    if _judge_and_promote(session, ModelKind.DETECTOR, evaluation.key, as_json):
        from lvbag.curate import reclean_all

        for step in reclean_all(store, settings):  # what the predecessor decided narrowly, as the DAG does
            emit(step, as_json)


def _show_progress(as_json: bool) -> None:
    """A training takes minutes to hours: its lines (epoch, loss, time left) go to the terminal as they come."""
    if not as_json:
        logging.getLogger("lvbag.learn").setLevel(logging.INFO)


def _judge_and_promote(session: Session, kind: ModelKind, evaluation: str, as_json: bool) -> bool:
    """Whether there is a new champion."""
    from lvbag.registry import judge, promote

    at = dt.datetime.now(dt.UTC)
    is_new = False
    for decision in judge(session.store, session.settings, kind, evaluation, at):
        is_new |= promote(session.store, kind, decision, at, by=getpass.getuser())
        if as_json:
            print(decision.model_dump_json())
            continue
        console.print(decision.summary)
        for rule in decision.rules:
            console.print(f"  {'ok ' if rule.passed else 'NO '} {rule.rule}: {rule.sentence}", markup=False)
    return is_new
