"""Receivers of notifications on loopback, which answer as badly as a test wants.

`Receiver` is a web server that keeps what came; `webhook` names it in settings. What came is judged
by libraries that others wrote: `standardwebhooks` for signatures, `cloudevents` for events.
"""

import base64
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from cloudevents.core.v1.event import CloudEvent
from standardwebhooks import Webhook

from ledger.notifications.attempt import Attempt
from tests.support.server_process import until

SECRET: Final = "whsec_" + base64.b64encode(bytes(range(32))).decode()
Answer = Callable[[BaseHTTPRequestHandler], None]


def status(code: int, *, location: str = "") -> Answer:
    """Return an answer of a status alone."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        if location:
            handler.send_header("Location", location)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


TAKEN: Final = status(204)


@dataclass(frozen=True)
class Received:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """The id by which a receiver knows the event."""
        return self.headers["webhook-id"]

    @property
    def position(self) -> int:
        """The event's place in its ledger; 0 for a test."""
        place = self.id.rpartition("/")[2]
        return int(place) if place.isdecimal() else 0

    @property
    def event(self) -> CloudEvent:
        """The event, read by the library of CloudEvents."""
        found = from_http_event(HTTPMessage(self.headers, self.body))
        assert isinstance(found, CloudEvent)
        return found

    @property
    def data(self) -> Any:  # noqa: ANN401 - JSON
        """The event of the ledger, as the CloudEvent has it."""
        return self.event.get_data()

    def verified(self, secret: str = SECRET) -> Any:  # noqa: ANN401 - JSON
        """Return the body; the library of Standard Webhooks raises where it was not signed so."""
        return Webhook(secret).verify(self.body, self.headers)


class Receiver:
    """A web server whose answer a test sets, and what came to it."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.received: list[Received] = []
        self.url = ""

    def positions(self) -> list[int]:
        """Return the positions that came, in order."""
        return [one.position for one in self.received]

    def wait(self, count: int) -> None:
        """Wait until so many requests came."""
        until(lambda: len(self.received) >= count, f"{count} notifications came")


@contextmanager
def receiver(
    answer: Answer = TAKEN, tls: ssl.SSLContext | None = None, *, port: int = 0
) -> Iterator[Receiver]:
    """Serve on loopback, on a port of the system's choice if none is stated."""
    served = Receiver(answer)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): text for name, text in self.headers.items()}
            served.received.append(Received(self.path, headers, body))
            served.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass  # a server that has had enough is gone, which is what some tests are about

    with Quiet(("127.0.0.1", port), Handler) as server:
        served.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
            served.url = f"https://localhost:{server.server_address[1]}/hook"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def aborted_once(attempt: Attempt, condition: Callable[[], object]) -> Iterator[None]:
    """Abort an attempt from another thread as soon as a condition holds."""

    def abort() -> None:
        until(condition, "the attempt is under way")
        attempt.abort()

    thread = threading.Thread(target=abort)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def silent(link: socket.socket) -> None:
    """Take everything and answer nothing."""
    while link.recv(65_536):
        pass


@contextmanager
def speaking(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve one connection at a time with raw bytes; yield host and port."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while not over.is_set():
                link, _ = listener.accept()
                with link, suppress(OSError):  # the sender has had enough
                    talk(link)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        host, port = listener.getsockname()
        try:
            yield f"{host}:{port}"
        finally:
            over.set()
            socket.create_connection((host, port)).close()
            thread.join()


def secret_file(folder: Path, secret: str = SECRET, name: str = "hook.secret") -> str:
    """Write a secret as its owner would; return the file."""
    path = folder / name
    path.touch(0o600)
    path.write_text(secret + "\n", "ascii")
    return str(path)


def webhook(folder: Path, url: str, name: str = "pager", **stated: Any) -> dict[str, Any]:  # noqa: ANN401 - as settings take them
    """Return the settings of a subscriber that is told at a URL; it is impatient."""
    usual: dict[str, Any] = {
        "name": name,
        "kind": "webhook",
        "types": ("model.*",),
        "url": url,
        "secret_file": secret_file(folder),
        "pause_seconds": 0.01,
        "pause_seconds_max": 0.05,
    }
    return usual | stated


def told(*subscribers: dict[str, Any]) -> dict[str, Any]:
    """Return settings of a server with these subscribers, as `quiet` takes them."""
    hosts = ("localhost", "127.0.0.0/8", "::1")
    return {"notifications__subscribers": subscribers, "notifications__hosts": hosts}
