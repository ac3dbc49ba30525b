"""The witness over HTTP (C2SP tlog-witness): two paths, and nothing that a client can hold up.

Each connection has a thread, and each of its requests a deadline for all of it. A slow client holds
one place of many; when all are taken, further connections are turned away at once. A client may
keep its connection for a further request, but those that wait so take half of the places at most.
There is no TLS: put a proxy in front to serve beyond this machine.
"""

import io
import re
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

import structlog

from ledger.clock import Clock
from ledger.errors import LedgerError
from ledger.witness.body import BodyError, read_body
from ledger.witness.witness import HttpResponse, Witness

REQUEST_SECONDS: Final = 10.0
KEPT_SECONDS: Final = 30.0  # how long a connection without a request is kept
LINGER_SECONDS: Final = 1.0  # in which a client takes the answer to what it is still sending
CONNECTIONS_MAX: Final = 64
KEPT_MAX: Final = CONNECTIONS_MAX // 2
REQUESTS_MAX: Final = 100  # of one connection, which then makes room for others

_LINGER_READS: Final = 64
_LINGER_BYTES: Final = 65_536
_POLL_SECONDS: Final = 0.1  # how soon it notices that it should end
_FULL: Final = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_log = structlog.get_logger(__name__)


class _TimedSocket(io.RawIOBase):
    """The bytes that a client sends, until its time is up."""

    def __init__(self, connection: socket.socket, clock: Clock, seconds: float) -> None:
        self._connection = connection
        self._clock = clock
        self.restart(seconds)

    def restart(self, seconds: float) -> None:
        """Give the client so much time from now on."""
        self._end = self._clock.monotonic_seconds() + seconds

    def readable(self) -> bool:
        """Return True, as a buffered reader asks."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - as the base class has it
        """Read what there is, waiting no longer than the time that is left."""
        left = self._end - self._clock.monotonic_seconds()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)


class _Handler(BaseHTTPRequestHandler):
    """One connection, a request after the other."""

    protocol_version = default_request_version = "HTTP/1.1"
    server: "_Server"

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self._timed = _TimedSocket(self.connection, self.server.clock, self.server.seconds)
        self.rfile: io.BufferedReader = io.BufferedReader(self._timed)
        self._is_kept = False
        self._left = REQUESTS_MAX

    def handle(self) -> None:
        self.close_connection = True
        self.handle_one_request()
        while not self.close_connection and self._has_more():
            self.handle_one_request()

    def finish(self) -> None:
        self._let_go()
        super().finish()

    def _has_more(self) -> bool:
        """Wait for a further request, which has its own deadline from its first byte on."""
        self._timed.restart(self.server.kept_seconds)
        try:
            return bool(self.rfile.peek(1))
        except OSError:  # the time is up, too
            return False
        finally:
            self._let_go()
            self._timed.restart(self.server.seconds)

    def _let_go(self) -> None:
        """Give back the place among those that wait for a further request."""
        if self._is_kept:
            self._is_kept = False
            self.server.kept.release()

    def version_string(self) -> str:
        return "decision-ledger"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base has it
        _log.debug("request", said=format % args)

    def do_GET(self) -> None:
        has_body = "Content-Length" in self.headers or "Transfer-Encoding" in self.headers
        match = self.server.latest_path.fullmatch(self.path)
        found = match and self._try(lambda: self.server.witness.latest(match["hash"]))
        found = found or _plain(HTTPStatus.NOT_FOUND, "nothing is served here")
        self._answer(found, may_go_on=not has_body)

    def do_POST(self) -> None:
        if self.path != self.server.add_path:
            self._answer(_plain(HTTPStatus.NOT_FOUND, "nothing is taken here"), may_go_on=False)
            self._see_out()
            return
        lengths, codings = (
            self.headers.get_all(name) or [] for name in ("Content-Length", "Transfer-Encoding")
        )
        try:
            if codings and self.request_version == "HTTP/1.0":
                raise BodyError(HTTPStatus.BAD_REQUEST, "HTTP/1.0 has no transfer codings")  # noqa: TRY301
            body = read_body(self.rfile, lengths, codings)
        except BodyError as error:
            self._answer(_plain(error.status, error.why), may_go_on=False)
            self._see_out()
        except TimeoutError:
            why = f"the request took more than {self.server.seconds:g} seconds"
            self._answer(_plain(HTTPStatus.REQUEST_TIMEOUT, why), may_go_on=False)
        else:
            answer = self._try(lambda: self.server.witness.add_checkpoint(body))
            assert answer is not None
            self._answer(answer, may_go_on=True)

    def _see_out(self) -> None:
        """Take in the rest of a refused request: closed before, it could lose the answer."""
        self._timed.restart(LINGER_SECONDS)
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            for _ in range(_LINGER_READS):
                if not self.rfile.read1(_LINGER_BYTES):
                    break

    def _try(self, ask: Callable[[], HttpResponse | None]) -> HttpResponse | None:
        """Return the witness's answer; a failure of its own is one that says no more."""
        try:
            return ask()
        except LedgerError as error:
            _log.error("unavailable", message=error.message)
            return _plain(HTTPStatus.SERVICE_UNAVAILABLE, "the witness cannot answer now")
        except Exception:  # noqa: BLE001 - any fault: the client learns no more
            _log.exception("failed")
            return _plain(HTTPStatus.INTERNAL_SERVER_ERROR, "the witness failed")

    def _answer(self, answer: HttpResponse, *, may_go_on: bool) -> None:
        """Send an answer, and say whether a further request is waited for.

        `may_go_on`: whether all of this one was read, so that what follows is the next.
        """
        self._left -= 1
        may_go_on = may_go_on and self._left > 0 and not self.close_connection
        self._is_kept = may_go_on and self.server.kept.acquire(blocking=False)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Connection", "keep-alive" if self._is_kept else "close")
        self.end_headers()
        self.wfile.write(answer.body)


class _Server(ThreadingHTTPServer):
    """A thread for each connection, as long as there are places."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self,
        witness: Witness,
        clock: Clock,
        address: tuple[str, int],
        prefix: str,
        seconds: tuple[float, float],
    ) -> None:
        self.witness = witness
        self.clock = clock
        self.seconds, self.kept_seconds = seconds
        self.kept = threading.BoundedSemaphore(KEPT_MAX)
        self.add_path = f"{prefix}/add-checkpoint"
        self.latest_path = re.compile(re.escape(prefix) + r"/(?P<hash>[0-9a-f]{64})/checkpoint")
        self._places = threading.BoundedSemaphore(CONNECTIONS_MAX)
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Start a thread for a connection, or turn it away."""
        if self._places.acquire(blocking=False):
            try:
                super().process_request(request, client_address)
            except BaseException:  # the system has no thread to give
                self._places.release()
                raise
            return
        _log.warning("turned away", connections=CONNECTIONS_MAX)
        request.settimeout(0)
        try:
            request.send(_FULL)
        except OSError:  # it did not wait for the answer
            _log.debug("gone")
        self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Serve a connection, and give its place back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401, ARG002
        """Note a connection that broke, in few words: clients can make many of them."""
        error = sys.exception()
        if isinstance(error, OSError):
            _log.info("connection broke", why=str(error))
        else:
            _log.exception("failed")


def refuse_taken(host: str, port: int) -> None:
    """Raise OSError where something listens on an address already; takes nothing itself."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
        probe.bind((host, port))


class WitnessServer:
    """A witness that listens, from `with` to its end."""

    def __init__(
        self,
        witness: Witness,
        clock: Clock,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        prefix: str = "",
        seconds: float = REQUEST_SECONDS,
        kept_seconds: float = KEPT_SECONDS,
    ) -> None:
        """Bind the address, port 0 for a free one.

        `seconds` is what one request may take, `kept_seconds` how long the next is waited for.
        """
        times = seconds, kept_seconds
        self._server = _Server(witness, clock, (host, port), prefix, times)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_SECONDS,), daemon=True
        )

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take no further connections; those under way end with the process."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _plain(status: HTTPStatus, why: str) -> HttpResponse:
    """Return an answer that is a sentence."""
    return HttpResponse(status.value, f"{why}\n".encode())
