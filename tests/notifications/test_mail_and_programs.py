"""E-mail goes to a mail server that others wrote, and a program reads the event that it is run for.

Method: `aiosmtpd` on loopback takes what it is sent, with and without TLS and a password; programs
are of one line. Each is one attempt of a sender, as a subscriber makes it.
"""

import json
import socket
import ssl
import sys
import threading
from asyncio import Server
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword

from ledger.clock import SystemClock
from ledger.notification_settings import NotificationSettings
from ledger.notifications.allow_list import AllowList, DeliveryError
from ledger.notifications.attempt import Attempt
from ledger.notifications.notification import of_test
from ledger.notifications.senders import sender_of
from tests.support.receivers import aborted_once, secret_file, silent, speaking
from tests.support.served import ORIGIN
from tests.support.server_process import is_running, until
from tests.support.trial import trial

HOSTS = ("localhost", "127.0.0.0/8", "::1")
LONG = 60.0
PASSWORD = "correct horse battery staple"


class Mailbox:
    """What a mail server was handed, and how it answers."""

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []
        self.answer = "250 OK"
        self.recipients: list[str] = []

    async def handle_DATA(self, _server: object, _session: object, envelope: Envelope) -> str:
        """Take a message."""
        content = envelope.content
        assert isinstance(content, bytes)
        if self.answer.startswith("250"):
            self.taken.append(message_from_bytes(content, policy=default))
            self.recipients += envelope.rcpt_tos
        return self.answer


def _knows(*asked: object) -> AuthResult:
    data = asked[-1]
    assert isinstance(data, LoginPassword)
    is_known = (data.login, data.password) == (b"ledger", PASSWORD.encode())
    return AuthResult(success=is_known, handled=False)


class _OnFreePort(Controller):
    """A controller that knows which port it was given."""

    def _trigger_server(self) -> None:
        assert isinstance(self.server, Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


@contextmanager
def mail_server(**stated: Any) -> Iterator[tuple[Mailbox, int]]:  # noqa: ANN401 - aiosmtpd's
    """Serve SMTP on a free port; yield the mailbox and the port."""
    box = Mailbox()
    controller = _OnFreePort(box, hostname="127.0.0.1", port=0, **stated)
    controller.start()
    try:
        yield box, controller.port
    finally:
        controller.stop()


def tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trial().certificate, trial().key)
    return context


def by_mail(port: int, scheme: str = "smtp", **stated: str) -> dict[str, Any]:
    """Return the settings of a subscriber that is told by this mail server."""
    usual = {
        "name": "board",
        "kind": "smtp",
        "types": ("model.*",),
        "url": f"{scheme}://localhost:{port}",
        "sender": "ledger@bank.example",
        "recipient": "risk@bank.example",
    }
    return usual | stated


def sent(stated: dict[str, Any], seconds: float = LONG, *, attempt: Attempt | None = None) -> str:
    """Try to deliver once; return why it failed, "" if it did not."""
    settings = NotificationSettings.model_validate({"hosts": HOSTS, "subscribers": [stated]})
    clock = SystemClock()
    sender = sender_of(settings.subscribers[0], AllowList(HOSTS), clock)
    try:
        with attempt or Attempt(seconds, clock) as begun:
            sender.send(of_test(ORIGIN, "board", "one", clock.now_micros()), begun)
    except DeliveryError as error:
        return str(error)
    return ""


# ---- e-mail --------------------------------------------------------------------------------------


def test_an_e_mail_says_what_was_recorded_and_carries_the_event() -> None:
    with mail_server() as (box, port):
        assert sent(by_mail(port)) == ""
    (mail,) = box.taken
    assert (mail["From"], mail["To"]) == ("ledger@bank.example", "risk@bank.example")
    assert box.recipients == ["risk@bank.example"]
    assert mail["Subject"] == "notification.test: subscribers/board, a test"
    assert mail["Message-ID"] == "<test.test.one@ledger.example>"
    (attached,) = mail.iter_attachments()
    assert attached.get_content_type() == "application/cloudevents+json"
    assert json.loads(attached.get_content())["id"] == "ledger%2Eexample/test/test/one"
    body = mail.get_body()
    assert body is not None
    assert ORIGIN in body.get_content()


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_password_goes_to_a_server_that_has_shown_its_certificate(
    scheme: str, tmp_path: Path
) -> None:
    secure: dict[str, Any] = (
        {"tls_context": tls(), "require_starttls": True, "auth_required": True}
        if scheme == "smtp"
        else {"ssl_context": tls(), "auth_require_tls": False}
    )
    known = {"user": "ledger", "secret_file": secret_file(tmp_path, PASSWORD)}
    with mail_server(authenticator=_knows, **secure) as (box, port):
        assert sent(by_mail(port, scheme, ca=str(trial().ca), **known)) == ""
        assert len(box.taken) == 1
        said = sent(by_mail(port, scheme, ca=str(trial("other").ca), **known))
        assert said.startswith("its certificate is not accepted: "), said
        wrong = {"user": "ledger", "secret_file": secret_file(tmp_path, "guess", "wrong")}
        said = sent(by_mail(port, scheme, ca=str(trial().ca), **wrong))
        assert said == "it refused with SMTP code 535"
        assert len(box.taken) == 1


def test_a_server_elsewhere_that_offers_no_tls_is_told_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ledger.notifications.mail.is_loopback", lambda _: False)
    with mail_server() as (box, port):
        assert sent(by_mail(port)) == "it does not offer STARTTLS, and is not on this machine"
    assert box.taken == []


def test_of_a_refusal_the_code_is_repeated_and_not_the_words() -> None:
    with mail_server() as (box, port):
        box.answer = f"554 no: {PASSWORD}"
        assert sent(by_mail(port)) == "it refused with SMTP code 554"


def endless(link: socket.socket) -> None:
    """Greet without an end."""
    while True:
        link.sendall(b"220-" + b"z" * 4_000 + b"\r\n")


@pytest.mark.parametrize(
    ("talk", "seconds", "said"),
    [
        (silent, 0.3, "it had not answered after 0.3 s"),
        (endless, LONG, "its replies have more than 262144 bytes"),
    ],
    ids=["silent", "endless"],
)
def test_a_mail_server_that_is_slow_or_says_too_much_is_left(
    talk: Callable[[socket.socket], None], seconds: float, said: str
) -> None:
    with speaking(talk) as place:
        assert sent(by_mail(int(place.rpartition(":")[2])), seconds) == said


def test_a_mail_server_whose_time_is_over_while_tls_begins_is_left() -> None:
    heard_out: list[bool] = []

    def talk(link: socket.socket) -> None:
        pause = threading.Event()
        pause.wait(0.6)
        link.sendall(b"220 here\r\n")
        link.recv(4_096)
        link.sendall(b"250-here\r\n250 STARTTLS\r\n")
        link.recv(4_096)
        link.sendall(b"220 go on\r\n")
        pause.wait(0.7)  # its time ends here, and that of the handshake alone does not
        with tls().wrap_socket(link, server_side=True) as secure:
            for _ in range(200):
                secure.sendall(b"2")
                pause.wait(0.02)
            heard_out.append(True)

    with speaking(talk) as place:
        said = sent(by_mail(int(place.rpartition(":")[2]), ca=str(trial().ca)), 1.0)
    assert (said, heard_out) == ("it had not answered after 1 s", [])


# ---- programs ------------------------------------------------------------------------------------


def run(tmp_path: Path, program: str) -> str:
    """Try to deliver to a program of Python; return why it failed."""
    command = (sys.executable, "-c", program, str(tmp_path))
    stated = {"name": "board", "kind": "command", "types": ("model.*",), "command": command}
    return sent(stated)


def test_a_program_reads_the_event_and_has_no_setting_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEDGER_KEYS__SECRET", "00" * 32)
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    keep = (
        "import json, os, pathlib, sys; "
        "pathlib.Path(sys.argv[1], 'kept').write_text(json.dumps([json.load(sys.stdin), "
        "[n for n in os.environ if n.startswith(('LEDGER_', 'PG'))]]))"
    )
    assert run(tmp_path, keep) == ""
    event, settings = json.loads((tmp_path / "kept").read_text())
    assert event["type"] == "notification.test"
    assert [name for name in settings if name != "LEDGER_VECTORS"] == []


def test_a_program_that_fails_has_not_taken_the_event(tmp_path: Path) -> None:
    assert run(tmp_path, "import sys; sys.exit(3)") == "it ended with status 3"
    killed = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    assert run(tmp_path, killed) == "signal 15 ended it"
    gone = {"name": "b", "kind": "command", "types": ("model.*",), "command": ("/no/such",)}
    assert sent(gone) == "it cannot be started: No such file or directory"


def test_a_program_that_does_not_end_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    hang = 'sleep 600 & echo "$$ $!" > "$0/new" && mv "$0/new" "$0/pids"; wait'
    stated = {
        "name": "board",
        "kind": "command",
        "types": ("model.*",),
        "command": ("/bin/sh", "-c", hang, str(tmp_path)),
    }
    pids, attempt = tmp_path / "pids", Attempt(LONG, SystemClock())
    with aborted_once(attempt, pids.exists):
        assert sent(stated, attempt=attempt) == "the server stops"
    for pid in map(int, pids.read_text().split()):
        until(lambda pid=pid: not is_running(pid), "it is gone")  # type: ignore[misc]
