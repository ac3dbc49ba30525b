"""A call as a value: what to send, and what its answer means.

Both clients carry out the same values. Which method a request is of, and which message answers it,
follows from its type. Nothing here touches the network.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, NamedTuple, TypeAlias, TypeVar

from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from ledger.v1 import (
    authority_service_pb2,
    budget_service_pb2,
    case_service_pb2,
    decision_service_pb2,
    export_service_pb2,
    job_service_pb2,
    ledger_service_pb2,
    model_service_pb2,
    notification_service_pb2,
    policy_service_pb2,
    priority_service_pb2,
    recipe_service_pb2,
    run_service_pb2,
    signal_service_pb2,
)

T = TypeVar("T")

_SERVICES: Final = (
    authority_service_pb2,
    budget_service_pb2,
    case_service_pb2,
    decision_service_pb2,
    export_service_pb2,
    job_service_pb2,
    ledger_service_pb2,
    model_service_pb2,
    notification_service_pb2,
    policy_service_pb2,
    priority_service_pb2,
    recipe_service_pb2,
    run_service_pb2,
    signal_service_pb2,
)


class Method(NamedTuple):
    """A method of the contract."""

    name: str
    """In full, such as `/ledger.v1.ModelService/GetModel`."""
    response: type[Message]


METHODS: Final[dict[str, Method]] = {
    method.input_type.full_name: Method(
        f"/{service.full_name}/{method.name}", GetMessageClass(method.output_type)
    )
    for module in _SERVICES
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
"""By the full name of the request: no two methods take the same one."""


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request, and how each of its answers is read; the connection states the ledger in it."""

    request: Message
    read: Callable[[Any], T]
    request_id: str | None = None
    """Of an append: what the caller stated; without one the connection makes one, before the first
    attempt."""
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
        return replace(self.first, request=request)


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait between two calls."""

    seconds: float


Steps: TypeAlias = Generator[Call[Any] | Wait, Any, T]
"""Calls one after the other, of which each depends on the answers before it: yields a call, is sent
its answer or thrown its ClientError, and returns the result. Both clients carry them out."""
