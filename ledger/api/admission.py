"""What every call of ours goes through: who calls, the request's size and form, its deadline.

Nothing here ends a call. What is wrong is raised as LedgerError, and a request that does not parse
is one of them: a parser that raised within gRPC would leave the call's memory behind for good.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

import structlog
from google.protobuf.message import DecodeError, Message

from ledger.api import errors
from ledger.api.served_call import ServedCall
from ledger.clock import Clock
from ledger.errors import FieldViolation, LedgerError, Reason
from ledger.limits import MESSAGE_BYTES_MAX

_OURS: Final = "/ledger.v1."

CountRefusal: TypeAlias = Callable[[str, str, str, Reason], None]
"""Counts a refusal: the ledger named ("" for the first one), the actor as given, method, reason."""

Parse: TypeAlias = Callable[[bytes], Message]


class MalformedError(LedgerError):
    """What is no message: FIELD_INVALID like any other wrong field."""

    def __init__(self, size: int) -> None:
        fault = f"its {size} bytes are no message of this method"
        super().__init__(
            Reason.FIELD_INVALID,
            f"message: {fault}.",
            remedy="Send it with the stubs that are made from the ledger's .proto files.",
            violations=(FieldViolation("message", fault),),
            metadata={"field": "message"},
        )


class Admission:
    """Lets calls in, and says why not; counts what was refused."""

    def __init__(self, clock: Clock, count: CountRefusal) -> None:
        self._clock = clock
        self._count = count

    def request(self, call: ServedCall, data: bytes, parse: Parse) -> Message:
        """Return the request of a call with one; raises LedgerError where it is not let in."""
        structlog.contextvars.clear_contextvars()  # the thread served another call before
        structlog.contextvars.bind_contextvars(method=call.method)
        self.caller(call)
        request = parsed(data, parse)
        call.ledger = _ledger_of(request)
        is_write = "request_id" in request.DESCRIPTOR.fields_by_name
        if is_write and call.seconds_left is None:
            raise LedgerError(
                Reason.DEADLINE_MISSING,
                "A write needs a deadline, and this call has none.",
                remedy="Set one on the call, such as timeout=10 in Python.",
            )
        return request

    def caller(self, call: ServedCall) -> None:
        """Raise FIELD_INVALID where `ledger-actor` names no caller; others ask for none."""
        if call.method.startswith(_OURS):
            _ = call.actor

    def refusal(self, call: ServedCall, error: Exception) -> LedgerError:
        """Return what a caller may learn of an error, and count it.

        Of the request only its ledger, its method and who sent it are noted.
        """
        refusal = errors.refusal_of(error, self._clock)
        ledger = call.ledger or refusal.metadata.get("ledger", "")  # of a stream, which has batches
        self._count(ledger, call.stated_actor, call.method_name, refusal.reason)
        return refusal


def parsed(data: bytes, parse: Parse) -> Message:
    """Return a message; MESSAGE_TOO_LARGE, unread, over 4 MiB, FIELD_INVALID where it is none.

    gRPC's own limit is set higher for this: it would cut the call off with no reason at all.
    """
    if len(data) > MESSAGE_BYTES_MAX:
        raise LedgerError(
            Reason.MESSAGE_TOO_LARGE,
            f"The request has {len(data)} bytes; at most {MESSAGE_BYTES_MAX} (4 MiB) are taken.",
            remedy="Send it in smaller parts: 500 observations a batch are enough for full speed.",
            metadata={"bytes": str(len(data)), "bytes_max": str(MESSAGE_BYTES_MAX)},
        )
    try:
        return parse(data)
    except DecodeError as error:
        raise MalformedError(len(data)) from error


def _ledger_of(request: Message) -> str:
    """Return the ledger that a request names; "" where it names none."""
    named = getattr(request, "ledger", "") or getattr(request, "origin", "")
    return named if isinstance(named, str) else ""
