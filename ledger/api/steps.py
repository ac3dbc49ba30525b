"""Steps from a servicer to the front end besides messages: reasons to wait, told instead of waited.

Servicers run on threads of which there are few, so none of them waits there for what may take long.
It says what it waits for, and goes on once that is so: `handlers` waits on the event loop.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar, cast

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_LOOK_SECONDS: Final = 0.5  # how often a wait looks again even where nothing told it to


@dataclass(frozen=True, slots=True)
class Pause:
    """Between two messages of a stream: nothing to send until something is so, or time is up.

    `is_over` is asked often and on the event loop: it must not wait, nor read a database.
    """

    is_over: Callable[[], bool]
    seconds: float


class NotYetError(Exception):
    """Raised by a call that must wait for something: it is made again from its beginning then."""

    def __init__(self, is_over: Callable[[], bool]) -> None:
        super().__init__()
        self.pause = Pause(is_over, _LOOK_SECONDS)


class Completion(Protocol):
    """Work under way: a future, or an object that tells like one that it is done."""

    def add_done_callback(self, function: Callable[[Any], object], /) -> None:
        """Call a function, on any thread, once it is done; at once where it is."""


@dataclass(frozen=True, slots=True)
class Deferred(Generic[T]):
    """An answer made of something once that is done. `then` runs on a thread if `is_long`."""

    future: Completion
    then: Callable[[Any], T]
    is_long: bool = False


class BidirectionalStream(Protocol[T_co]):
    """A stream of requests, each of which is answered once, in order."""

    def take(self, data: bytes) -> T_co | Deferred[T_co]:
        """Take one request, as it came; called for one after the other, on any thread."""


def deferred(answer: Deferred[T]) -> T:
    """Return an answer that comes later where the generated code asks for the answer itself."""
    return cast("T", answer)


def paused(steps: "Iterator[T | Pause]") -> Iterator[T]:
    """Return a stream with pauses where the generated code asks for its messages alone."""
    return cast("Iterator[T]", steps)


def answered_stream(exchange: BidirectionalStream[T]) -> Iterator[T]:
    """Return an exchange where the generated code asks for the stream of its answers."""
    return cast("Iterator[T]", exchange)
