"""Airflow's notifiers that tell people of a night: what each listens to, and how it reads the message off the context.

They are attached to DAGs and tasks as callbacks, so they run after the state of a run or task is settled: nothing that
goes wrong here fails a night. Where nobody is to be told, they do nothing at all.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import BaseNotifier
from airflow.sdk.configuration import conf
from airflow.sdk.definitions.callback import AsyncCallback, SyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference
from airflow.sdk.exceptions import AirflowFailException

from lvbag.notify_settings import Event, NotifySettings
from lvbag.orchestrate import context as task_context
from lvbag.orchestrate import messages
from lvbag.orchestrate.messages import Message, Run
from lvbag.settings import SettingsError, load_settings
from lvbag.store_roles import StoreRole

log = logging.getLogger(__name__)

Context = Mapping[str, Any]

TELLS_ITSELF = "raise_alarm"
"""A task whose own notifier says why it failed; a run that failed by it alone needs no second message."""


class Quarantined(AirflowFailException):  # type: ignore[misc]
    """Sources were set aside; `found` says which and why, `nights` of which nights."""

    def __init__(self, found: Sequence[str], nights: Sequence[str]) -> None:
        super().__init__("; ".join(found) + ". The night's report and data docs show what was seen")
        self.found = tuple(found)
        self.nights = tuple(nights)


class Notifier(BaseNotifier, ABC):  # type: ignore[misc]
    """What all have in common; each says which events it may tell and makes its messages."""

    events: tuple[Event, ...] = ()

    def __init__(self, context: Any = None) -> None:
        super().__init__(context=context)

    def render_template_fields(self, context: Any, jinja_env: Any = None) -> None:
        """Nothing of a message is a template: it quotes strangers."""

    def notify(self, context: Any) -> None:
        """Tell of what the context holds; whatever goes wrong is logged and not raised."""
        from lvbag.orchestrate.sending import send

        try:
            settings = task_context.read_settings().notify
            if any(settings.tells(event) for event in self.events):
                for message in self.messages(context, settings):
                    send(message, settings)
        except Exception:
            log.exception("notify.failed by=%s; nobody was told", type(self).__name__)

    async def async_notify(self, context: Any) -> None:
        """The same in a triggerer, whose other work must not wait."""
        await asyncio.to_thread(self.notify, context)

    @abstractmethod
    def messages(self, context: Context, settings: NotifySettings) -> list[Message]:
        """What there is to tell, of the events that are wanted."""


class TellFailed(Notifier):
    """`on_failure_callback` of a DAG: once a run, whichever of its tasks failed.

    It runs in the DAG processor, which kills what takes longer than a minute and needs long to make an API for those
    who ask it: nothing is asked here. Of several tasks that failed Airflow names the last.
    """

    events = (Event.FAILED,)

    def messages(self, context: Context, settings: NotifySettings) -> list[Message]:
        """One message, unless the task's own notifier has said it all."""
        ti = context.get("ti")
        if ti is not None and ti.task_id == TELLS_ITSELF:
            return []
        reason = str(context.get("reason") or "no reason")
        return [messages.failed(_run(context), () if ti is None else (str(ti.task_id),), reason)]


class TellQuarantined(Notifier):
    """`on_failure_callback` of `raise_alarm`, the last task of its run, which is left to it by `TellFailed`."""

    events = (Event.QUARANTINED, Event.FAILED)

    def messages(self, context: Context, settings: NotifySettings) -> list[Message]:
        """The alarm; that the run has failed where it has by other tasks as well, or where the alarm is not wanted."""
        error, run = context.get("exception"), _run(context)
        told = []
        if isinstance(error, Quarantined) and settings.tells(Event.QUARANTINED):
            told.append(messages.quarantined(run, error.found, error.nights))
        others = _others_that_failed(context, run) if isinstance(error, BaseException) else ()
        if settings.tells(Event.FAILED) and (others or not told):
            told.append(messages.failed(run, others or (TELLS_ITSELF,), str(error)))
        return told


class TellDecided(Notifier):
    """`on_success_callback` of `promote`: what was promoted, and what was refused."""

    events = (Event.PROMOTED, Event.REFUSED)

    def __init__(self, kind: str, context: Any = None) -> None:
        super().__init__(context=context)
        self.kind = kind

    def messages(self, context: Context, settings: NotifySettings) -> list[Message]:
        """At most one of each."""
        ti, run = context["ti"], _run(context)
        decisions: list[dict[str, Any]] = ti.xcom_pull(task_ids="judge") or []
        numbers = set(ti.xcom_pull(task_ids="promote") or [])
        won = [item for item in decisions if item["challenger"] in numbers]
        lost = [item for item in decisions if item["challenger"] not in numbers]
        told = []
        if won and settings.tells(Event.PROMOTED):
            told.append(messages.promoted(run, self.kind, won))
        if lost and settings.tells(Event.REFUSED):
            told.append(messages.refused(run, self.kind, lost))
        return told


class TellNotUnderstood(Notifier):
    """Of `close_night`, however it ended: sources of which nothing was understood."""

    events = (Event.NOT_UNDERSTOOD,)

    def messages(self, context: Context, settings: NotifySettings) -> list[Message]:
        """One message for all sources; none after a worker was lost, when this runs where no store is."""
        from lvbag import crawl

        if not isinstance(context.get("exception", "a worker that was lost"), BaseException | None):
            return []
        night = task_context.one_night(task_context.run_of(context))
        store, _ = task_context.open_store(StoreRole.CRAWLER)
        try:
            found = crawl.not_understood(store, night)
        except crawl.CrawlError:  # there is no plan: the run has failed by that, which is told
            return []
        return [messages.not_understood(_run(context), night.isoformat(), found)] if found else []


class TellLate(Notifier):
    """Of a deadline."""

    events = (Event.LATE,)

    def messages(self, context: Context, settings: NotifySettings) -> list[Message]:
        """One message."""
        deadline = dt.datetime.fromisoformat(str(context["deadline"]["deadline_time"]))
        return [messages.late(_run(context), f"{deadline.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC")]


def late_alert() -> DeadlineAlert:
    """`deadline` of a nightly DAG. Executors of Kubernetes run no callbacks, there the triggerer does; the embedded
    machine has no triggerer."""
    kind = AsyncCallback if "Kubernetes" in conf.get("core", "executor") else SyncCallback
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=dt.timedelta(hours=_late_after_h()),
        callback=kind(f"{TellLate.__module__}.{TellLate.__qualname__}"),
    )


def _late_after_h() -> float:
    """A wrong setting takes no DAG away: each task names it."""
    try:
        return load_settings().notify.late_after_h
    except SettingsError:
        log.exception("notify.late_after_h is not read; the default holds")
        return NotifySettings().late_after_h


def _run(context: Context) -> Run:
    """Callbacks of tasks and DAGs know their objects, those of deadlines plain values."""
    run = context.get("dag_run")
    base_url = conf.get("api", "base_url", fallback="")
    if isinstance(run, Mapping):
        return Run(str(run["dag_id"]), str(run.get("run_id") or run["dag_run_id"]), base_url)
    if run is not None:
        return Run(str(run.dag_id), str(run.run_id), base_url)
    return Run(str(context["dag"].dag_id), str(context["run_id"]), base_url)


def _others_that_failed(context: Context, run: Run) -> tuple[str, ...]:
    """The other tasks of the run that have failed by now; mapped ones once."""
    task = context["ti"].task
    try:
        states = context["ti"].get_task_states(dag_id=run.dag_id, run_ids=[run.run_id])[run.run_id]
    except Exception as error:
        log.warning("the states of run %s cannot be asked for: %r", run.run_id, error)
        return ()
    failed = {name for name, state in states.items() if str(state) == "failed"}
    # of a mapped task each index has a name of its own
    known = {name if name in task.dag.task_dict else name.rpartition("_")[0] for name in failed}
    return tuple(sorted(known - {TELLS_ITSELF}))
