"""From an evaluation to decisions: the gate on every challenger, and the history of what was decided already."""

from __future__ import annotations

import datetime as dt
import logging

from lvbag.registry.gate import beaten_by, decide, keep_best
from lvbag.registry.promotion import recorded_event
from lvbag.registry.reading import load_evaluation
from lvbag.registry.records import Decision
from lvbag.settings import Settings
from lvbag.store import ModelKind, Store

log = logging.getLogger(__name__)


def judge(
    store: Store, settings: Settings, kind: ModelKind, evaluation_key: str, at: dt.datetime
) -> tuple[Decision, ...]:
    """Decide for each challenger of an evaluation, in its order; at most one stays promoted.

    What stands in the history for a challenger and this evaluation is returned word for word, whatever the settings
    say by now. `at` is the moment of the decision, for the log. Writes nothing: `promote` records each decision. Raises
    `RegistryError` when there is no such evaluation.
    """
    evaluation = load_evaluation(store, kind, evaluation_key)
    events = [recorded_event(store, kind, item.version, evaluation_key) for item in evaluation.challengers]
    standing = {event.version: event.decision for event in events if event is not None and event.decision is not None}
    fresh = [decide(settings.gate, evaluation, item) for item in evaluation.challengers if item.version not in standing]
    winner = next((decision.challenger for decision in standing.values() if decision.promoted), None)
    if winner is None:
        fresh = list(keep_best(evaluation, fresh))
    else:
        fresh = [beaten_by(evaluation, item, winner) if item.promoted else item for item in fresh]
    by_version = standing | {decision.challenger: decision for decision in fresh}
    decisions = tuple(by_version[item.version] for item in evaluation.challengers)
    for decision in decisions:
        log.info(
            "registry.judge done kind=%s challenger=%d promoted=%s evaluation=%s at=%s recorded=%s: %s",
            kind, decision.challenger, decision.promoted, evaluation_key, at.isoformat(),
            decision.challenger in standing, decision.summary,
        )  # fmt: skip
    return decisions
