"""The end of every training: judge the challengers, ask a person if so configured, promote, say so.

The same four tasks for classifiers and detectors, built into a DAG by `add_promotion`.
"""

# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import XComArg, task
from airflow.sdk.exceptions import AirflowSkipException

from lvbag.orchestrate import context
from lvbag.orchestrate.defaults import APPROVAL_TIMEOUT
from lvbag.orchestrate.notifying import TellDecided
from lvbag.store_roles import StoreRole

if TYPE_CHECKING:
    from airflow.sdk import Asset

    from lvbag.registry.records import Decision

log = logging.getLogger(__name__)

ASKED = """{% for item in ti.xcom_pull(task_ids='judge') %}{{ item.summary }}

{% for line in item.rules %}- {{ line }}
{% endfor %}
{% endfor %}"""
"""What the person reads who is asked, in Markdown: each challenger and every rule about it."""


def add_promotion(kind: str, evaluation: XComArg, asset: Asset) -> XComArg:
    """`judge → (approve) → promote → announce`; `evaluation` is the key that the evaluating task returned.

    Returns the task `announce`, which is skipped where no champion has changed.
    """

    @task
    def judge(evaluation_key: str) -> list[dict[str, Any]]:
        """Apply the gate to every challenger; the sentences are in the log."""
        from lvbag import registry
        from lvbag.store import ModelKind

        run = context.current()
        store, settings = context.open_store(StoreRole.TRAINER)
        decisions = registry.judge(store, settings, ModelKind(kind), evaluation_key, run.at)
        for decision in decisions:
            log.info("gate %s %04d: %s", kind, decision.challenger, decision.summary)
            for line in _rules(decision):
                log.info("  %s", line)
        return [
            {
                "challenger": item.challenger,
                "promoted": item.promoted,
                "summary": item.summary,
                "rules": _rules(item),
            }
            for item in decisions
        ]

    @task.branch
    def ask(decisions: list[dict[str, Any]]) -> str:
        """A person decides when `train.approval` is set and the gate let somebody pass."""
        _, settings = context.open_store(StoreRole.TRAINER)
        wanted = settings.train.approval and any(item["promoted"] for item in decisions)
        return "approve" if wanted else "promote"

    approve = ApprovalOperator(
        task_id="approve",
        subject=f"Promote this {kind}?",
        body=ASKED,
        defaults="Reject",
        response_timeout=APPROVAL_TIMEOUT,
        execution_timeout=None,
    )

    @task(trigger_rule="none_failed_min_one_success", on_success_callback=TellDecided(kind))
    def promote(evaluation_key: str) -> list[int]:
        """Carry the decisions out and record each, promotion or refusal; returns the versions that were promoted."""
        from lvbag import registry
        from lvbag.store import ModelKind

        run = context.current()
        store, settings = context.open_store(StoreRole.TRAINER)
        model = ModelKind(kind)
        decisions = registry.judge(store, settings, model, evaluation_key, run.at)
        return [
            decision.challenger for decision in decisions if registry.promote(store, model, decision, run.at, run.by)
        ]

    @task(outlets=[asset])
    def announce(promoted: list[int], *, outlet_events: Any = None) -> None:
        """Send the asset's event when the champion has changed; skipped when every challenger was refused."""
        if not promoted:
            raise AirflowSkipException(f"nothing changed: the {kind} champion stays, every challenger was refused")
        outlet_events[asset].extra = {"kind": kind, "version": promoted[-1]}

    judged = judge(evaluation)
    asked = ask(judged)
    promoted = promote(evaluation)
    asked >> [approve, promoted]
    approve >> promoted
    announced: XComArg = announce(promoted)
    return announced


def _rules(decision: Decision) -> list[str]:
    """A line for each rule: whether it holds, its name, its sentence."""
    words = {(True, True): "ok", (True, False): "ok", (False, True): "FAILS", (False, False): "fails, not required"}
    return [f"{words[rule.passed, rule.required]} {rule.rule}: {rule.sentence}" for rule in decision.rules]
