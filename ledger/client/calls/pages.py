"""Reading answers: what most calls have in common."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from ledger.client.call import Page
from ledger.client.decode import decode, to_datetime
from ledger.client.records import Appended, Intake, Submitted

T = TypeVar("T")


def appended(response: Any) -> Appended:  # noqa: ANN401 - any response with `appended`
    """Return where an append stands."""
    return decode(Appended, response.appended)


def submitted(response: Any) -> Submitted:  # noqa: ANN401 - any response with `intake`
    """Return where a batch stands, and what was done to it."""
    stands = decode(Appended, response.appended)
    return Submitted(
        stands.position,
        stands.event_hash,
        stands.recorded_at,
        stands.first_position,
        stands.repeated_request,
        decode(Intake, response.intake),
    )


def one(cls: type[T], field: str) -> Callable[[Any], T]:
    """Return what reads the single resource of an answer."""
    return lambda response: decode(cls, getattr(response, field))


def whole(cls: type[T]) -> Callable[[Any], T]:
    """Return what reads an answer that is the result itself."""
    return lambda response: decode(cls, response)


def page(cls: type[T], field: str) -> Callable[[Any], Page[T]]:
    """Return what reads one page of a list."""
    return lambda answer: Page(
        tuple([decode(cls, item) for item in getattr(answer, field)]),
        answer.next_page_token,
        answer,
    )


def moment(answer: Any) -> tuple[int, datetime | None]:  # noqa: ANN401 - an answer with `position`
    """Return the position and the time that a list shows."""
    time = to_datetime(answer.recorded_at) if answer.HasField("recorded_at") else None
    return answer.position, time
