"""What people read: complete, and of what it quotes nothing that a chat or a mail takes for more than text."""

from __future__ import annotations

import json

import pytest

from lvbag.notify_settings import Event
from lvbag.orchestrate import messages
from lvbag.orchestrate.messages import MOST_CHARACTERS, MOST_LINES, Message, Run

RUN = Run("lvbag_curate", "asset_triggered__2026-11-23T02:31:00+00:00_x/y", "http://127.0.0.1:8080/")
DECISIONS = [{"challenger": 7, "summary": "0007 replaces 0003", "rules": ["ok gain: top-1 0.61 against 0.58"]}]
HOSTILE = "<!channel> <@U1> [bank](http://evil.example) <script>alert(1)</script> @all\r\nBcc: a@b.example `x` \x1b[31m"


def every_message() -> list[Message]:
    return [
        messages.failed(RUN, ["mark_near"], "task_failure"),
        messages.quarantined(RUN, ["night 2026-11-22: source shop was set aside: price_share: 0.97"], ["2026-11-22"]),
        messages.late(RUN, "2026-11-23 14:31 UTC"),
        messages.promoted(RUN, "classifier", DECISIONS),
        messages.refused(RUN, "detector", DECISIONS),
        messages.not_understood(RUN, "2026-11-22", {"shop": "3 of 3 pages of results could not be read"}),
    ]


def test_there_is_a_message_for_each_event() -> None:
    assert {message.event for message in every_message()} == set(Event)


@pytest.mark.parametrize("message", every_message(), ids=lambda message: message.event)
def test_a_message_says_what_where_and_what_to_do_with_a_link_to_the_run(message: Message) -> None:
    text = message.as_text()
    assert message.title
    assert message.what[0] in text
    assert "Where: lvbag_curate, run asset_triggered__2026-11-23T02:31:00+00:00" in text
    assert len(message.todo) > 20
    assert f"What to do: {message.todo}" in text
    assert "run: http://127.0.0.1:8080/dags/lvbag_curate/runs/asset_triggered__2026-11-23T02%3A31" in text
    told = json.loads(json.dumps(message.as_json()))
    assert (told["event"], told["text"], told["dag"]) == (message.event, text, "lvbag_curate")
    assert all(f'<a href="{url}">' in message.as_html() for url in message.links.values())


def test_logs_and_reports_are_linked() -> None:
    by_event = {message.event: message for message in every_message()}
    assert by_event[Event.FAILED].links["log of mark_near"].endswith("x%2Fy/tasks/mark_near")
    report = "http://127.0.0.1:8080/lvbag/reports/nights/2026-11-22/index.html"
    assert by_event[Event.QUARANTINED].links["report of 2026-11-22"] == report
    assert by_event[Event.NOT_UNDERSTOOD].links["report of 2026-11-22"] == report
    assert messages.failed(Run("d", "r"), [], "timed_out").links == {}, "no address is better than half of one"


def test_what_is_quoted_stays_text() -> None:
    message = messages.quarantined(RUN, [HOSTILE], ["2026-11-22"])
    (line,) = message.lines
    assert not set("<>[]`@\r\n\x1b") & set(line)
    assert "Bcc: a＠b.example" in line
    assert "<script" not in message.as_html()
    titled = messages.not_understood(RUN, "2026-11-22", {HOSTILE: HOSTILE})
    assert "\n" not in titled.subject
    assert "<script" not in titled.as_html() + titled.as_text()


def test_a_message_has_an_end() -> None:
    message = messages.quarantined(RUN, ["x" * 10_000] * 1000, [])
    assert len(message.lines) == MOST_LINES + 1
    assert message.lines[-1] == "… and 980 more"
    assert {len(line) for line in message.lines[:-1]} == {MOST_CHARACTERS}
