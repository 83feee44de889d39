"""Messages arrive at a webhook and in a mailbox; where they cannot, the log says why and no secret."""

from __future__ import annotations

from collections.abc import Iterator
from email.message import EmailMessage

import pytest
from typer.testing import CliRunner

from lvbag.cli import app
from lvbag.notify_settings import Event, NotifySettings
from lvbag.orchestrate import masking, messages
from lvbag.orchestrate.messages import Run
from lvbag.orchestrate.sending import send
from lvbag.services.ports import free_port
from lvbag.settings import Settings, SettingsError
from notify_receivers import PASSWORD, TOKEN, MailServer, Webhook, mail_server, webhook

pytestmark = pytest.mark.usefixtures("airflow_home")

MESSAGE = messages.failed(Run("lvbag_curate", "r1", "http://127.0.0.1:8080"), ["mark_near"], "task_failure")
TO = ("nights@shop.example", "boss@shop.example")


@pytest.fixture(scope="module")
def hook() -> Iterator[Webhook]:
    with webhook() as found:
        yield found


@pytest.fixture
def mails(monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    with mail_server() as found:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", found.connection)
        yield found


def told(**values: object) -> NotifySettings:
    return NotifySettings.model_validate({"email_from": "lvbag@shop.example", "timeout_s": 5, **values})


def test_nobody_is_told_by_default() -> None:
    settings = Settings().notify
    assert not any(settings.tells(event) for event in Event)
    assert send(MESSAGE, settings) == ()


def test_only_what_is_wanted_is_told() -> None:
    settings = told(email_to=TO, events=["promoted"])
    assert [event for event in Event if settings.tells(event)] == [Event.PROMOTED]


def test_a_webhook_and_mailboxes_get_the_same_message(hook: Webhook, mails: MailServer) -> None:
    hook.clear()
    assert send(MESSAGE, told(webhook_url=hook.url, email_to=TO)) == ("webhook", "mail")
    assert hook.got == [MESSAGE.as_json()]
    ((receivers, mail),) = mails.got
    assert receivers == TO
    assert (mail["From"], mail["Subject"]) == ("lvbag@shop.example", "[lvbag] lvbag_curate failed")
    assert "task mark_near failed" in html_of(mail)
    assert 'href="http://127.0.0.1:8080/dags/lvbag_curate/runs/r1"' in html_of(mail)


def html_of(mail: EmailMessage) -> str:
    body = mail.get_body(("html",))
    assert body is not None
    return str(body.get_content())


def test_what_a_mail_quotes_is_not_rendered(mails: MailServer) -> None:
    run = Run("lvbag_crawl", "r1")
    message = messages.not_understood(
        run, "2026-11-22", {"{{ 7 * 7 }}": "{% raise %} {{ conn.smtp_default.password }}"}
    )
    assert send(message, told(email_to=TO)) == ("mail",)
    mail = mails.got[0][1]
    assert mail["Subject"] == "[lvbag] night 2026-11-22: nothing understood of {{ 7 * 7 }}"
    assert "{{ conn.smtp_default.password }}" in html_of(mail)
    assert PASSWORD not in str(mail)


@pytest.mark.parametrize(("status", "tries"), [(404, 1), (302, 1), (503, 3)])
def test_a_webhook_that_refuses_is_named_without_its_address(
    hook: Webhook, caplog: pytest.LogCaptureFixture, status: int, tries: int
) -> None:
    hook.clear()
    hook.answer = status
    assert send(MESSAGE, told(webhook_url=hook.url)) == ()
    assert hook.tries == tries
    assert f"the webhook answered {status}; is notify.webhook_url still valid?" in caplog.text
    assert TOKEN not in caplog.text


def test_where_one_way_fails_the_other_is_taken(mails: MailServer, caplog: pytest.LogCaptureFixture) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/hooks/{TOKEN}"
    assert send(MESSAGE, told(webhook_url=nowhere, email_to=TO)) == ("mail",)
    assert len(mails.got) == 1
    assert "ConnectionError" in caplog.text
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("fault", ["none", "down", "password"])
def test_a_mail_server_that_is_not_there_or_does_not_know_us_is_named_with_the_remedy(
    mails: MailServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    if fault == "none":
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", "")
    elif fault == "down":
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", mails.connection.replace(str(mails.port), str(free_port())))
    else:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", mails.connection.replace(PASSWORD, f"{PASSWORD}-of-old"))
    assert send(MESSAGE, told(email_to=TO)) == ()
    assert "the mail server is what AIRFLOW_CONN_SMTP_DEFAULT says" in caplog.text
    assert PASSWORD not in caplog.text


def test_the_command_line_sends_a_trial_and_says_what_arrived(
    hook: Webhook, mails: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook.clear()
    asked = CliRunner().invoke(app, ["notify"])
    assert isinstance(asked.exception, SettingsError), "nobody is told of anything"
    monkeypatch.setenv("LVBAG_NOTIFY__WEBHOOK_URL", hook.url)
    monkeypatch.setenv("LVBAG_NOTIFY__EMAIL_TO", '["nights@shop.example"]')
    monkeypatch.setenv("LVBAG_NOTIFY__EMAIL_FROM", "lvbag@shop.example")
    asked = CliRunner().invoke(app, ["notify"])
    assert (asked.exit_code, asked.output.split()) == (0, ["webhook:", "sent", "mail:", "sent"])
    assert (hook.events, mails.got[0][1]["Subject"]) == (["trial"], "[lvbag] a trial of lvbag's messages")
    hook.answer = 404
    asked = CliRunner().invoke(app, ["notify"])
    assert asked.exit_code == 1
    assert "webhook: failed" in asked.output


def test_a_secret_that_an_error_quotes_leaves_as_stars(hook: Webhook) -> None:
    hook.clear()
    settings = Settings.model_validate({"store": {"secret_key": "s3cret-of-the-store"}})
    masking.mask_secrets(settings)
    message = messages.quarantined(MESSAGE.run, ["the store refused s3cret-of-the-store"], ["2026-11-22"])
    assert send(message, told(webhook_url=hook.url)) == ("webhook",)
    assert hook.got[0]["what"] == ["the store refused ***"]


def test_every_secret_of_the_settings_is_found_however_deep() -> None:
    store = {
        "access_key": "a-key",
        "secret_key": "a-secret",
        "roles": {"crawler": {"access_key": "c-key", "secret_key": "c-secret"}},
    }
    source = {"kind": "google_images", "enabled": False, "api_key": "g-key"}
    settings = Settings.model_validate(
        {"store": store, "crawl": {"sources": {"g": source}}, "notify": {"webhook_url": "http://chat.example/x?y"}}
    )
    wanted = {"a-key", "a-secret", "c-key", "c-secret", "g-key", "http://chat.example/x?y", "/x?y"}
    assert set(masking.secrets_of(settings)) == wanted
