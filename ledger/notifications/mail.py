"""E-mail by SMTP: one message for each event, with the CloudEvent attached.

The connection is encrypted and the server verified, unless it is this machine. Its replies are
bounded, and nothing of them is repeated.
"""

import smtplib
import socket
import ssl
from contextlib import closing, suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import partial
from pathlib import Path
from typing import IO, Any, Final, cast

from ledger.clock import Clock
from ledger.events.values import SECOND
from ledger.notification_settings import SubscriberSettings
from ledger.notifications.allow_list import AllowList, DeliveryError, is_loopback
from ledger.notifications.attempt import Attempt
from ledger.notifications.notification import Notification
from ledger.secrecy import read_secret
from ledger.tls_socket import connected_to, cut, plainly_connected_to

_PASSWORD_BYTES_MAX: Final = 1_024
_REPLY_BYTES_MAX: Final = 256 * 1024  # of one conversation
_PORTS: Final = {"smtps": 465, "smtp": 587}


class Mail:
    """Sends to one address by way of one mail server."""

    def __init__(self, subscriber: SubscriberSettings, allow_list: AllowList, clock: Clock) -> None:
        self._subscriber = subscriber
        self._parts = subscriber.parts
        self._allow_list = allow_list
        self._clock = clock

    def send(self, notification: Notification, attempt: Attempt) -> None:
        """Send one notification; DeliveryError where the server does not take it."""
        subscriber, parts = self._subscriber, self._parts
        message = self._message(notification)
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        context = ssl.create_default_context(cafile=subscriber.ca or None)

        def connect() -> socket.socket:
            places = self._allow_list.places(host, port)
            if parts.scheme == "smtps":
                return connected_to(context, host, places, attempt.seconds_left)
            return plainly_connected_to(places, attempt.seconds_left)

        with closing(attempt.apart(connect)) as link:
            link.settimeout(attempt.seconds_left)
            attempt.ends_by(partial(cut, link))
            if isinstance(link, ssl.SSLSocket):
                link.do_handshake()
            with closing(_Conversation(link, host, port, attempt.seconds_left)) as server:
                attempt.ends_by(server.cut)
                _encrypt(server, context, attempt)
                if subscriber.user:
                    server.login(subscriber.user, _password(Path(subscriber.secret_file)))
                server.send_message(message, subscriber.sender, [subscriber.recipient])
                with suppress(OSError):  # it was taken: its last words change nothing
                    server.putcmd("quit")

    def _message(self, notification: Notification) -> EmailMessage:
        """Return the e-mail; its id is the same in every attempt."""
        place = f"position {notification.position}" if notification.position else "a test"
        message = EmailMessage(policy=SMTP)
        message["From"] = self._subscriber.sender
        message["To"] = self._subscriber.recipient
        message["Subject"] = f"{notification.type}: {notification.subject}, {place}"
        message["Message-ID"] = _message_id(notification)
        now = self._clock.now_micros() // SECOND
        message["Date"] = format_datetime(datetime.fromtimestamp(now, UTC))
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(
            f"Ledger {notification.origin} has recorded {notification.type} in the stream "
            f"{notification.subject}, {place}.\n\nThe event is attached as a CloudEvent 1.0.\n"
        )
        message.add_attachment(
            notification.body,
            maintype="application",
            subtype="cloudevents+json",
            filename="event.json",
        )
        return message


class _Conversation(smtplib.SMTP):
    """A conversation over a connection that is there already, with bounded replies."""

    def __init__(self, link: socket.socket, host: str, port: int, seconds: float) -> None:
        self._link = link
        self._left = _REPLY_BYTES_MAX
        # Its own name for itself would take a look-up of unknown length.
        super().__init__(host, port, socket.gethostname(), timeout=seconds)

    def _get_socket(self, *_: object) -> socket.socket:
        return self._link

    def getreply(self) -> tuple[int, bytes]:
        """Read a reply, as long as the conversation has not become too long."""
        if self.file is None and self.sock is not None:
            self.file: Any = _Bounded(self.sock.makefile("rb"))
        return super().getreply()

    def begin_tls(self, seconds: float) -> None:
        """Shake hands."""
        assert isinstance(self.sock, ssl.SSLSocket)
        self.sock.settimeout(seconds)
        self.sock.do_handshake()

    def cut(self) -> None:
        """End it, encrypted or not, while another thread reads."""
        if self.sock is not None:
            cut(self.sock)


class _Bounded:
    """A file of which so much can be read, and no more."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._left = _REPLY_BYTES_MAX

    def readline(self, most: int) -> bytes:
        """Return a line; DeliveryError beyond the bound."""
        line = self._file.readline(most)
        self._left -= len(line)
        if self._left < 0:
            raise DeliveryError(f"its replies have more than {_REPLY_BYTES_MAX} bytes")
        return line

    def close(self) -> None:
        """Close it."""
        self._file.close()


class _Unhurried:
    """A context of TLS whose handshakes are begun by the caller, who can end them."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context

    def wrap_socket(self, link: socket.socket, server_hostname: str) -> ssl.SSLSocket:
        """Return the connection before its handshake."""
        return self._context.wrap_socket(
            link, server_hostname=server_hostname, do_handshake_on_connect=False
        )


def _encrypt(server: _Conversation, context: ssl.SSLContext, attempt: Attempt) -> None:
    """Begin TLS, unless it has begun; DeliveryError where a server elsewhere does not offer it."""
    server.ehlo_or_helo_if_needed()
    if isinstance(server.sock, ssl.SSLSocket):
        return
    if server.has_extn("starttls"):
        server.starttls(context=cast("ssl.SSLContext", _Unhurried(context)))
        attempt.ends_by(server.cut)  # an end that came meanwhile met a socket that was given up
        server.begin_tls(attempt.seconds_left)
        server.ehlo()
    elif server.sock is None or not is_loopback(server.sock):
        raise DeliveryError("it does not offer STARTTLS, and is not on this machine")


def _password(path: Path) -> str:
    return read_secret(path, _PASSWORD_BYTES_MAX).decode("utf-8", "replace").strip()


def _message_id(notification: Notification) -> str:
    """Return the id of the e-mail: the event's, in the form that e-mail has for one."""
    name, _, path = notification.id.replace("%2E", ".").partition("/")
    return f"<{path.replace('/', '.')}@{name}>"
