"""One attempt to deliver: bounded in time, and ended at once when the server stops."""

import smtplib
import socket
import ssl
import threading
from collections.abc import Callable
from http.client import HTTPException
from types import TracebackType
from typing import Any, Final, Protocol, Self, TypeVar

from ledger.clock import Clock
from ledger.notifications.allow_list import DeliveryError
from ledger.notifications.notification import Notification
from ledger.secrecy import ExposedError

S = TypeVar("S", bound=socket.socket)


class Attempt:
    """A context in which one notification is sent. `abort` ends it from another thread."""

    def __init__(self, seconds: float, clock: Clock) -> None:
        self._seconds = seconds
        self._clock = clock
        self._until = clock.monotonic_seconds() + seconds
        self._lock = threading.Lock()
        self._end: Callable[[], None] | None = None
        self._is_over = False
        self.is_late = False
        """Whether its time was over before it ended by itself."""
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        """Let its time begin."""
        self._timer.start()
        return self

    def __exit__(
        self, _kind: object, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Turn what went wrong into a DeliveryError that says it, and nothing of an answer."""
        self._timer.cancel()
        self._timer.join()
        is_cut = error is not None and not isinstance(error, DeliveryError)
        if self.is_late or (is_cut and self._clock.monotonic_seconds() >= self._until):
            raise DeliveryError(f"it had not answered after {self._seconds:g} s") from error
        if self._is_over:
            raise DeliveryError("the server stops") from error
        if error is not None and (why := _said(error)):
            raise DeliveryError(why) from error

    @property
    def seconds_left(self) -> float:
        """How much of its time is left; DeliveryError for nothing."""
        left = self._until - self._clock.monotonic_seconds()
        if left <= 0:
            self.is_late = True
            raise DeliveryError("its time is over")
        return left

    def apart(self, connect: Callable[[], S]) -> S:
        """Return a connection whose making knows no bound of its own: names are resolved first.

        One that is made too late is closed by the thread that made it.
        """
        made: list[S] = []
        failed: list[Exception] = []
        is_done, is_left, lock = threading.Event(), threading.Event(), threading.Lock()

        def run() -> None:
            try:
                link = connect()
            except Exception as error:  # noqa: BLE001 - raised by the thread that waits
                failed.append(error)
            else:
                with lock:
                    made.append(link)
                    is_late = is_left.is_set()
                if is_late:
                    link.close()
            is_done.set()

        self.ends_by(is_done.set)
        threading.Thread(target=run, name="notification connection", daemon=True).start()
        is_done.wait(self.seconds_left)
        if failed:
            raise failed[0]
        with lock:
            if made:
                return made[0]
            is_left.set()
        raise TimeoutError

    def ends_by(self, end: Callable[[], None]) -> None:
        """Call this when the time is over, or when it is aborted; at once where it was."""
        with self._lock:
            self._end = end
            if self._is_over:
                end()

    def abort(self) -> None:
        """End it."""
        with self._lock:
            self._is_over = True
            if self._end is not None:
                self._end()

    def _expire(self) -> None:
        self.is_late = True
        self.abort()


class Sender(Protocol):
    """Sends notifications to one subscriber, each in an attempt of its own."""

    def send(self, notification: Notification, attempt: Attempt) -> None:
        """Send one; anything that it raises is a failed attempt."""


_WORDS: Final[tuple[tuple[type[BaseException], Callable[[Any], str]], ...]] = (
    (ExposedError, lambda error: f"its secret is not kept: {error.filename}: {error.why}"),
    (
        ssl.SSLCertVerificationError,
        lambda error: f"its certificate is not accepted: {error.verify_message}",
    ),
    (ssl.SSLError, lambda error: f"it does not speak TLS as it should: {error.reason}"),
    (smtplib.SMTPResponseException, lambda error: f"it refused with SMTP code {error.smtp_code}"),
    (
        smtplib.SMTPException,
        lambda error: f"it does not speak SMTP as it should: {type(error).__name__}",
    ),
    (HTTPException, lambda _: "its answer is not HTTP, or was cut short"),
    (
        OSError,
        lambda error: ": ".join(
            filter(None, ("it cannot be reached", error.filename, error.strerror))
        ),
    ),
)
"""The words for an error, by the first class that it belongs to."""


def _said(error: BaseException) -> str:
    """Return what an error of a connection says of itself; "" for errors that are ours."""
    return next((words(error) for kind, words in _WORDS if isinstance(error, kind)), "")
