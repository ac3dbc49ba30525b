"""What happens around every call, outermost first: log context, errors, actor, size, deadline.

Only the error interceptor ends calls; those inside it raise LedgerError like any handler.
"""

from collections.abc import Callable, Iterator
from typing import Final, NoReturn, TypeAlias

import grpc
import structlog

from ledger.api import errors
from ledger.api.actors import actor_of, stated_actor
from ledger.api.handlers import Behaviour, Continuation, Handler, Parse, around, before, parsed_by
from ledger.clock import Clock
from ledger.errors import LedgerError, Reason
from ledger.limits import MESSAGE_BYTES_MAX

WRITES: Final = frozenset(
    f"/ledger.v1.{name}"
    for name in (
        "SignalService/DefineSignal",
        "SignalService/SubmitSignals",
        "ModelService/RegisterModel",
        "ModelService/UpdateModel",
        "ModelService/RecordDeployment",
        "ModelService/RetireModel",
        "PolicyService/DraftPolicy",
        "PolicyService/ActivatePolicy",
        "DecisionService/Evaluate",
        "PriorityService/MakePlan",
        "LedgerService/CreateLedger",
        "LedgerService/RotateKey",
        "LedgerService/RevokeKey",
        "LedgerService/SealStreams",
        "LedgerService/EraseBodies",
        "LedgerService/RecordAudit",
        "ExportService/CreateExport",
    )
)
"""Calls that append and answer once. StreamSignals lives as long as its monitor: no deadline."""

_OURS: Final = "/ledger.v1."
_FOREVER_SECONDS: Final = 10 * 365 * 86_400.0  # what gRPC reports without a deadline is above


class Once(grpc.ServerInterceptor):
    """Wraps each handler at its first call and keeps it: gRPC would wrap anew for every call.

    The interceptors inside it look at a call's method only, and at the call itself when it runs.
    """

    def __init__(self) -> None:
        self._wrapped: dict[str, Handler] = {}

    def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        """Return the kept handler; methods nobody serves are not kept, whatever clients ask for."""
        method = handler_call_details.method
        handler = self._wrapped.get(method) or continuation(handler_call_details)
        if handler is not None:
            self._wrapped[method] = handler
        return handler


class LogContext(grpc.ServerInterceptor):
    """Names the call in every log line written while it runs."""

    def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        """Wrap the handler; a method nobody serves stays None."""
        handler = continuation(handler_call_details)
        method = handler_call_details.method

        def look(_request: object, _context: grpc.ServicerContext) -> None:
            structlog.contextvars.clear_contextvars()  # the thread served another call before
            structlog.contextvars.bind_contextvars(method=method)

        return None if handler is None else before(handler, look)


CountRefusal: TypeAlias = Callable[[str, str, str, Reason], None]
"""Counts a refusal: the ledger named ("" for the first one), the actor as given, method, reason."""


class Errors(grpc.ServerInterceptor):
    """Turns what handlers raise into rich statuses: the only place that ends a call with one.

    Each is counted, with nothing of the request but its ledger, its method and who sent it.
    """

    def __init__(self, clock: Clock, count: CountRefusal) -> None:
        self._clock = clock
        self._count = count

    def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        """Wrap the handler; a method nobody serves stays None."""
        handler = continuation(handler_call_details)
        if handler is None:
            return None
        wrap = self._many if handler.response_streaming else self._one
        method = handler_call_details.method
        return around(handler, lambda behaviour: wrap(behaviour, method))

    def _one(self, behaviour: Behaviour, method: str) -> Behaviour:
        def answer(request: object, context: grpc.ServicerContext) -> object:
            ledger = _ledger_of(request)  # now: handlers clear what may differ in a repeat
            try:
                return behaviour(request, context)
            except Exception as error:  # noqa: BLE001 - nothing of ours may reach the client raw
                refusal = errors.refusal_of(error, self._clock)
            return self._fail(context, refusal, method, ledger)

        return answer

    def _many(self, behaviour: Behaviour, method: str) -> Behaviour:
        def answers(request: object, context: grpc.ServicerContext) -> Iterator[object]:
            ledger = _ledger_of(request)
            try:
                yield from behaviour(request, context)
            except Exception as error:  # noqa: BLE001 - as above
                if not context.is_active():
                    return  # the client is gone; there is nobody to tell
                refusal = errors.refusal_of(error, self._clock)
            else:
                return
            self._fail(context, refusal, method, ledger)

        return answers

    def _fail(
        self, context: grpc.ServicerContext, refusal: LedgerError, method: str, ledger: str
    ) -> NoReturn:
        if method.startswith(_OURS):
            named = ledger or refusal.metadata.get("ledger", "")  # of a stream, which has batches
            actor = stated_actor(context)
            self._count(named, actor, method.rpartition("/")[2], refusal.reason)
        errors.fail(context, refusal)


def _ledger_of(request: object) -> str:
    """Return the ledger that a request names; "" where it names none, or is a stream of them."""
    named = getattr(request, "ledger", "") or getattr(request, "origin", "")
    return named if isinstance(named, str) else ""


class Actor(grpc.ServerInterceptor):
    """Refuses a call whose `ledger-actor` names no caller, before anything is read for it."""

    def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        """Wrap our own handlers; health and reflection ask for nobody."""
        handler = continuation(handler_call_details)
        if handler is None or not handler_call_details.method.startswith(_OURS):
            return handler

        def look(_request: object, context: grpc.ServicerContext) -> None:
            actor_of(context)

        return before(handler, look)


class TooLarge:
    """Stands in for a request that was not parsed, because it is over the limit."""

    def __init__(self, size: int) -> None:
        self.error = LedgerError(
            Reason.MESSAGE_TOO_LARGE,
            f"The request has {size} bytes; at most {MESSAGE_BYTES_MAX} (4 MiB) are taken.",
            remedy="Send it in smaller parts: 500 observations a batch are enough for full speed.",
            metadata={"bytes": str(size), "bytes_max": str(MESSAGE_BYTES_MAX)},
        )


class Size(grpc.ServerInterceptor):
    """Refuses a request over 4 MiB by name, without parsing it.

    gRPC's own limit is set higher for this: it would cut the call off with no reason at all. In a
    stream the message arrives as TooLarge, so that one batch of too many bytes ends nothing.
    """

    def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        """Wrap our own handlers; those of gRPC take small messages only."""
        handler = continuation(handler_call_details)
        if handler is None or not handler_call_details.method.startswith(_OURS):
            return handler

        def bounded(parse: Parse) -> Parse:
            def parse_or_refuse(data: bytes) -> object:
                return parse(data) if len(data) <= MESSAGE_BYTES_MAX else TooLarge(len(data))

            return parse_or_refuse

        def look(request: object, _context: grpc.ServicerContext) -> None:
            if isinstance(request, TooLarge):
                raise request.error

        return parsed_by(before(handler, look), bounded)


class Deadline(grpc.ServerInterceptor):
    """Refuses a write without a deadline: its caller would wait for ever for a lost answer."""

    def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        """Wrap the handlers of calls that append."""
        handler = continuation(handler_call_details)
        if handler is None or handler_call_details.method not in WRITES:
            return handler

        def look(_request: object, context: grpc.ServicerContext) -> None:
            if seconds_left(context) is None:
                raise LedgerError(
                    Reason.DEADLINE_MISSING,
                    "A write needs a deadline, and this call has none.",
                    remedy="Set one on the call, such as timeout=10 in Python.",
                )

        return before(handler, look)


def seconds_left(context: grpc.ServicerContext) -> float | None:
    """Return how long the caller still waits; None for ever."""
    remaining: float | None = context.time_remaining()
    return remaining if remaining is not None and remaining < _FOREVER_SECONDS else None


def all_interceptors(clock: Clock, count: CountRefusal) -> list[grpc.ServerInterceptor]:
    """Return the interceptors, outermost first."""
    return [Once(), LogContext(), Errors(clock, count), Actor(), Size(), Deadline()]
