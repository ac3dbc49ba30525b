"""Reading answers: what most calls have in common."""

from collections.abc import Callable
from dataclasses import fields
from datetime import datetime
from typing import Any, TypeVar

from ledger.client.call import AnswerPage
from ledger.client.decode import decode, to_datetime
from ledger.client.records import Appended, Defined, Deployed, Intake, RecordedOverride, Submitted

T = TypeVar("T")


def appended(response: Any) -> Appended:  # noqa: ANN401 - any response with `appended`
    """Return where an append is."""
    return decode(Appended, response.appended)


def submitted(response: Any) -> Submitted:  # noqa: ANN401 - any response with `intake`
    """Return where a batch is, and what was done to it."""
    return Submitted(**_placed(response), intake=decode(Intake, response.intake))


def deployed(response: Any) -> Deployed:  # noqa: ANN401 - of RecordDeployment
    """Return where a deployment is, and what is in service by stated times."""
    return Deployed(
        **_placed(response),
        version_in_service=response.version_in_service,
        rounded=response.rounded,
    )


def overridden(response: Any) -> RecordedOverride:  # noqa: ANN401 - of OverrideDecision
    """Return where an override is, and when it holds."""
    return RecordedOverride(
        **_placed(response),
        effective_from=to_datetime(response.effective_from),
        effective_until=to_datetime(response.effective_until),
        decision_position=response.decision_position,
    )


def defined(response: Any) -> Defined:  # noqa: ANN401 - of DefineSignal
    """Return where a definition is, and which policies read the signal."""
    return Defined(
        **_placed(response),
        policies_in_force=tuple(response.policies_in_force),
        policies_replaced=tuple(response.policies_replaced),
    )


def _placed(response: Any) -> dict[str, Any]:  # noqa: ANN401 - any response with `appended`
    appended = decode(Appended, response.appended)
    return {item.name: getattr(appended, item.name) for item in fields(Appended)}


def one(cls: type[T], field: str) -> Callable[[Any], T]:
    """Return what reads the single resource of an answer."""
    return lambda response: decode(cls, getattr(response, field))


def whole(cls: type[T]) -> Callable[[Any], T]:
    """Return what reads an answer that is the result itself."""
    return lambda response: decode(cls, response)


def page(cls: type[T], field: str) -> Callable[[Any], AnswerPage[T]]:
    """Return what reads one page of a list."""
    return lambda answer: AnswerPage(
        tuple([decode(cls, item) for item in getattr(answer, field)]),
        answer.next_page_token,
        answer,
    )


def moment(answer: Any) -> tuple[int, datetime | None]:  # noqa: ANN401 - an answer with `position`
    """Return the position and the time that a list shows."""
    time = to_datetime(answer.recorded_at) if answer.HasField("recorded_at") else None
    return answer.position, time
