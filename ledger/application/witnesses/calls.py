"""Requests to a witness over HTTP: to cosign a checkpoint, and which one it cosigned last.

A witness is a server of another operator. Its answers are bounded in size and in time, however
slowly they drip; redirects are not followed; nothing of an answer is believed here.
"""

import hashlib
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final
from urllib.parse import urlsplit

ANSWER_BYTES_MAX: Final = 1_000_000  # a note of the size that a note may have
TIMEOUT_SECONDS: Final = 10.0

_CONNECT_SECONDS: Final = 3.0


class WitnessCallError(Exception):
    """A witness that cannot be asked, or whose answer is no answer; the text says why."""


@dataclass(frozen=True, slots=True)
class WitnessResponse:
    """The answer of a witness."""

    status: int
    body: bytes


class WitnessCalls:
    """Calls to one witness, one at a time. `abort` ends the one under way from another thread."""

    def __init__(self, url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        try:
            parts = urlsplit(url)
            is_usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        except ValueError:  # of brackets or of a port
            is_usable = False
        if not is_usable:
            raise WitnessCallError(f"{url[:80]!r} is not an http or https URL")
        self._parts = parts
        self._timeout = timeout_seconds
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._is_aborted = False

    def add_checkpoint(self, request: bytes) -> WitnessResponse:
        """Send a request to cosign; see `ledger.chain.witness` for its bytes."""
        return self._call("POST", "/add-checkpoint", request)

    def newest(self, origin: str, timeout_seconds: float | None = None) -> bytes | None:
        """Return the note that the witness cosigned last for a log, or None before the first."""
        path = f"/{hashlib.sha256(origin.encode()).hexdigest()}/checkpoint"
        answer = self._call("GET", path, timeout_seconds=timeout_seconds)
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if answer.status != HTTPStatus.OK:
            raise WitnessCallError(f"it answered with status {answer.status}")
        return answer.body

    def abort(self) -> None:
        """End the call under way, and refuse further ones."""
        with self._lock:
            self._is_aborted = True
        self._shut()

    def _shut(self) -> None:
        """Wake the thread that waits for an answer: there will be none."""
        with self._lock:
            if self._socket is not None:
                with suppress(OSError):  # it is gone already
                    self._socket.shutdown(socket.SHUT_RDWR)

    def _call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        timeout_seconds: float | None = None,
    ) -> WitnessResponse:
        """Send a request and return its answer; nothing after the connection outlasts the time."""
        timeout = timeout_seconds or self._timeout
        kind = HTTPSConnection if self._parts.scheme == "https" else HTTPConnection
        assert self._parts.hostname
        connection = kind(
            self._parts.hostname, self._parts.port, timeout=min(timeout, _CONNECT_SECONDS)
        )
        timer = threading.Timer(timeout, self._shut)
        try:
            connection.connect()
            with self._lock:
                self._socket = connection.sock
                if self._is_aborted:
                    raise WitnessCallError("the server stops")
            connection.sock.settimeout(timeout)
            timer.start()
            headers = {"Content-Type": "text/plain; charset=utf-8"} if body is not None else {}
            headers |= {"Connection": "close", "Accept-Encoding": "identity"}
            connection.request(method, self._parts.path.rstrip("/") + path, body, headers)
            return _read(connection)
        except (OSError, HTTPException, ValueError) as error:
            why = str(error) or type(error).__name__
            raise WitnessCallError(f"it cannot be asked: {why}") from error
        finally:
            with self._lock:
                self._socket = None
            timer.cancel()
            connection.close()
            if timer.is_alive():
                timer.join()


def _read(connection: HTTPConnection) -> WitnessResponse:
    """Return the answer, unless it is too large."""
    response = connection.getresponse()
    body = response.read(ANSWER_BYTES_MAX + 1)
    if len(body) > ANSWER_BYTES_MAX:
        raise WitnessCallError(f"its answer is larger than {ANSWER_BYTES_MAX} bytes")
    if response.length:  # what it announced and did not send
        raise WitnessCallError("its answer breaks off")
    return WitnessResponse(response.status, body)
