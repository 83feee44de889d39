"""What people are told: a message for each event, from plain values, and how it reads as text, as HTML and as JSON.

What a message quotes was crawled from strangers' pages. It is shown as plain text: nothing of it becomes markup, a
mention of people, or a link that hides where it leads.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from lvbag.notify_settings import Event

MOST_LINES = 20
MOST_CHARACTERS = 500
"""Of a line."""

_NO_MARKUP = str.maketrans({"<": "‹", ">": "›", "[": "(", "]": ")", "`": "'", "@": "＠"})


@dataclass(frozen=True)
class Run:
    """Which run a message is about; `base_url` is Airflow's address, empty where it is not known."""

    dag_id: str
    run_id: str
    base_url: str = ""

    def page(self) -> dict[str, str]:
        """A link to the run."""
        return self._link("run", f"dags/{quote(self.dag_id)}/runs/{quote(self.run_id, safe='')}")

    def task_page(self, task_id: str) -> dict[str, str]:
        """A link to a task of the run, with its log."""
        path = f"dags/{quote(self.dag_id)}/runs/{quote(self.run_id, safe='')}/tasks/{quote(task_id, safe='')}"
        return self._link(f"log of {task_id}", path)

    def report_page(self, night: str) -> dict[str, str]:
        """A link to a night's report."""
        return self._link(f"report of {night}", f"lvbag/reports/nights/{quote(night, safe='')}/index.html")

    def _link(self, label: str, path: str) -> dict[str, str]:
        return {label: f"{self.base_url.rstrip('/')}/{path}"} if self.base_url else {}


@dataclass(frozen=True)
class Message:
    """One message: what has happened, where, and what to do; `links` by what they lead to. `event` is one of `Event`,
    or `trial`."""

    event: str
    title: str
    what: tuple[str, ...]
    todo: str
    run: Run
    links: Mapping[str, str]

    @property
    def lines(self) -> tuple[str, ...]:
        """What has happened, in plain lines."""
        shown = tuple(plain(line) for line in self.what[:MOST_LINES])
        more = len(self.what) - MOST_LINES
        return (*shown, f"… and {more} more") if more > 0 else shown

    @property
    def where(self) -> str:
        """The DAG and its run."""
        return plain(f"{self.run.dag_id}, run {self.run.run_id}")

    @property
    def subject(self) -> str:
        """The title as one line that no header can follow."""
        return plain(self.title)

    def as_text(self) -> str:
        """For a chat."""
        links = "".join(f"\n{plain(label)}: {url}" for label, url in self.links.items())
        body = "\n".join(self.lines)
        return f"{self.subject}\n{body}\nWhere: {self.where}\nWhat to do: {self.todo}{links}"

    def as_html(self) -> str:
        """For a mail."""
        rows = [*self.lines, f"Where: {self.where}", f"What to do: {self.todo}"]
        body = "".join(f"<p>{html.escape(row)}</p>" for row in rows)
        links = "".join(
            f'<li><a href="{html.escape(url, quote=True)}">{html.escape(plain(label))}</a></li>'
            for label, url in self.links.items()
        )
        return f"<h3>{html.escape(self.subject)}</h3>{body}<ul>{links}</ul>"

    def as_json(self) -> dict[str, Any]:
        """For a webhook; chats read `text` alone."""
        return {
            "text": self.as_text(),
            "event": str(self.event),
            "title": self.subject,
            "what": list(self.lines),
            "todo": self.todo,
            "dag": self.run.dag_id,
            "run": self.run.run_id,
            "links": dict(self.links),
        }


def plain(text: str) -> str:
    """One line without control characters or markup of mails and chats, of `MOST_CHARACTERS` at most."""
    one_line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    cut = one_line if len(one_line) <= MOST_CHARACTERS else one_line[: MOST_CHARACTERS - 1] + "…"
    return cut.translate(_NO_MARKUP)


# ------------------------------------------------------------------ one message an event


def failed(run: Run, tasks: Sequence[str], reason: str) -> Message:
    """A run has ended as failed; `tasks` are those that failed, as far as they are known."""
    named = f"task{'s' if len(tasks) > 1 else ''} {', '.join(tasks)} failed" if tasks else f"Airflow says: {reason}"
    return Message(
        Event.FAILED,
        f"{run.dag_id} failed",
        (named,),
        "read the task's log, mend what it names, and clear the task in the run: every step can run again. What the "
        "night had finished before stands.",
        run,
        run.page() | {label: url for task in tasks[:3] for label, url in run.task_page(task).items()},
    )


def quarantined(run: Run, found: Sequence[str], nights: Sequence[str]) -> Message:
    """Sources of a night were set aside; `found` says which, of which night, and why."""
    return Message(
        Event.QUARANTINED,
        f"quarantined: {', '.join(nights)}",
        tuple(found),
        "look at the night's report and its data docs. If the source is broken, mend it and crawl again; if it is "
        "right after all, change the setting that the reason names and trigger lvbag_curate for the night. Other "
        "sources went on. The run counts as failed, so that somebody looks.",
        run,
        {label: url for night in nights for label, url in run.report_page(night).items()} | run.page(),
    )


def late(run: Run, deadline: str) -> Message:
    """A nightly run has not ended by `deadline`."""
    return Message(
        Event.LATE,
        f"{run.dag_id} is late",
        (f"the run has not ended by {deadline}",),
        "open the run: the log of the task that runs says how far it is; one that waits for a person stands under "
        "Required Actions. Where nights take as long as that, raise notify.late_after_h.",
        run,
        run.page(),
    )


def promoted(run: Run, kind: str, decisions: Sequence[Mapping[str, Any]]) -> Message:
    """Another version is champion; `decisions` are those of the gate that were carried out."""
    number = int(decisions[-1]["challenger"])
    return Message(
        Event.PROMOTED,
        f"{kind} {number:04d} is the new champion",
        _decided(decisions),
        f"nothing. `lvbag registry list` shows all versions, and `lvbag registry rollback` (or lvbag_operate, action "
        f"rollback, kind {kind}) brings an earlier one back.",
        run,
        run.page(),
    )


def refused(run: Run, kind: str, decisions: Sequence[Mapping[str, Any]]) -> Message:
    """The gate has refused challengers; `decisions` say by which rules."""
    numbers = ", ".join(f"{int(item['challenger']):04d}" for item in decisions)
    return Message(
        Event.REFUSED,
        f"{kind} {numbers} refused",
        _decided(decisions),
        "nothing, if the rules that fail are meant: the champion stays. docs/gate.md names the setting of each rule.",
        run,
        run.page(),
    )


def not_understood(run: Run, night: str, found: Mapping[str, str]) -> Message:
    """Sources of which no shard understood its pages, with what the first shard says."""
    return Message(
        Event.NOT_UNDERSTOOD,
        f"night {night}: nothing understood of {', '.join(sorted(found))}",
        tuple(f"{source}: {why}" for source, why in sorted(found.items())),
        "see whether the shop is up, and what `lvbag crawl parse` reads in its pages (those that were not understood "
        "are kept under pages/ of the raw bucket). When it has changed them, its parser must be mended; then trigger "
        "lvbag_crawl for the night with `again`.",
        run,
        run.page() | run.report_page(night),
    )


def trial() -> Message:
    """To see that messages arrive, before one is needed."""
    return Message(
        "trial",
        "a trial of lvbag's messages",
        ("nothing has happened: somebody wanted to see that this arrives",),
        "nothing.",
        Run("lvbag notify", "by hand"),
        {},
    )


def _decided(decisions: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(
        line for item in decisions for line in (str(item["summary"]), *(f"- {rule}" for rule in item["rules"]))
    )
