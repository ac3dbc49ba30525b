"""A call as a value: what to send where, and what its answer means.

Both clients carry out the same values, so request building, paging and reading of answers exist
once. Nothing here touches the network.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from google.protobuf.message import Message

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request with one answer."""

    method: str
    """Full name, such as `/ledger.v1.ModelService/GetModel`."""
    request: Message
    response: type[Message]
    read: Callable[[Any], T]
    request_id: str = ""
    """Of an append: made before the first attempt, the same in all."""
    deadline_seconds_min: float = 0.0
    """For what takes its time, however short the client's deadline is."""


@dataclass(frozen=True, slots=True)
class AnswerPage(Generic[T]):
    """A part of a list, and the answer it was read from for what that says beside the items."""

    items: tuple[T, ...]
    next_page_token: str
    answer: Any


@dataclass(frozen=True, slots=True)
class Paged(Generic[T]):
    """A list: the first page, and how to ask for the next."""

    first: Call[AnswerPage[T]]

    def after(self, token: str) -> Call[AnswerPage[T]]:
        """Return the call for the page that a token means."""
        request: Any = type(self.first.request)()
        request.CopyFrom(self.first.request)
        request.page_token = token
        first = self.first
        return Call(first.method, request, first.response, first.read)


@dataclass(frozen=True, slots=True)
class Stream(Generic[T]):
    """One request with many answers, over once the server ends it."""

    method: str
    request: Message
    response: type[Message]
    read: Callable[[Any], T]
    deadline_seconds_min: float = 0.0


@dataclass(frozen=True, slots=True)
class EndlessStream(Generic[T]):
    """A stream without end that can be taken up again after a position."""

    method: str
    request: Any
    response: type[Message]
    read: Callable[[Any], list[tuple[T, int]]]
    """What to hand out, each with the position that is done once it was processed. The answer's
    own `position` is done after all of them."""

    def resumed(self, position: int) -> Any:  # noqa: ANN401 - a request of the watch's own type
        """Return the request that goes on after a position."""
        request = type(self.request)()
        request.CopyFrom(self.request)
        request.after_position = position
        return request


@dataclass(frozen=True, slots=True)
class CallScope:
    """What every request of a client states: its ledger, and the id of an append."""

    ledger: str
    request_id: str = ""
    allow_leap: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait between two calls."""

    seconds: float


Steps: TypeAlias = Generator[Call[Any] | Wait, Any, T]
"""Calls one after the other, of which each depends on the answers before it: yields a call, is sent
its answer or thrown its ClientError, and returns the result. Both clients carry them out."""
