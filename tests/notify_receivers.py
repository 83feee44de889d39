"""Who is told in tests: a webhook and a mail server on 127.0.0.1, which keep what they get."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default as modern
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from lvbag.services.ports import free_port

TOKEN = "T0K3N-of-a-webhook-5f2c"
"""In the webhook's address, which is what makes it a secret."""
USER, PASSWORD = "nights", "sesame-of-the-mail-server"


@dataclass
class Webhook:
    """What came by POST, in order; `answer` is the status of each answer."""

    port: int
    answer: int = 200
    got: list[dict[str, Any]] = field(default_factory=list)
    tries: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks/{TOKEN}"

    @property
    def events(self) -> list[str]:
        return [item["event"] for item in self.got]

    def clear(self) -> None:
        self.got.clear()
        self.answer, self.tries = 200, 0


@contextlib.contextmanager
def webhook() -> Iterator[Webhook]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.tries += 1
            if self.path.endswith(f"/{TOKEN}") and hook.answer < 300:
                hook.got.append(json.loads(body))
            self.send_response(hook.answer)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook = Webhook(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class MailServer:
    """What was sent, in order, with those whom it was sent to."""

    port: int
    got: list[tuple[tuple[str, ...], EmailMessage]] = field(default_factory=list)

    @property
    def connection(self) -> str:
        """For `AIRFLOW_CONN_SMTP_DEFAULT`."""
        return f"smtp://{USER}:{PASSWORD}@127.0.0.1:{self.port}/?disable_ssl=true&disable_tls=true&retry_limit=1"


@contextlib.contextmanager
def mail_server() -> Iterator[MailServer]:
    class Handler:
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
            message = BytesParser(policy=modern).parsebytes(envelope.content)
            mails.got.append((tuple(envelope.rcpt_tos), message))
            return "250 taken"

    def sign_in(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> Any:
        known = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=known, handled=False)

    mails = MailServer(free_port())
    controller = Controller(
        Handler(),
        hostname="127.0.0.1",
        port=mails.port,
        authenticator=sign_in,
        auth_required=True,
        auth_require_tls=False,
    )
    controller.start()
    try:
        yield mails
    finally:
        controller.stop()
