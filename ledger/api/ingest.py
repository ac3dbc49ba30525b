"""One stream of batches: each validated and queued as it comes, answered once it is durable.

Several batches of a stream wait for the writer together, so that group commit has something to
group; answers keep the order of the batches. What bounds it: so many batches in flight, then
nothing is read, then gRPC's flow control holds the client back.
"""

from functools import partial
from typing import Final

import grpc

from ledger.api import errors
from ledger.api.calls import call_of, parsed
from ledger.api.convert.basics import appended
from ledger.api.convert.signals import intake, rows_of
from ledger.api.server_context import ServerContext
from ledger.api.steps import Deferred
from ledger.application.fleet.intake import PendingBatch
from ledger.application.ledger import LedgerApplication
from ledger.errors import LedgerError, Reason, invalid_field
from ledger.limits import STREAM_BATCH_SECONDS_MAX
from ledger.v1 import errors_pb2
from ledger.v1.signal_service_pb2 import (
    BatchError,
    FieldFault,
    StreamSignalsRequest,
    StreamSignalsResponse,
)

METHOD: Final = "SubmitSignals"
"""Batches of streams share their request ids with single ones: either may repeat the other."""

_STREAMED: Final = "StreamSignals"
_FATAL: Final = frozenset({Reason.LEDGER_UNKNOWN, Reason.DRAINING})


class IngestStream:
    """Serves one call of StreamSignals."""

    def __init__(self, server: ServerContext, context: grpc.ServicerContext) -> None:
        self._server = server
        self._call = call_of(context)
        self._actor = self._call.actor
        self._origin: str | None = None
        self._batches = 0

    def take(self, data: bytes) -> StreamSignalsResponse | Deferred[StreamSignalsResponse]:
        """Queue one batch; raises LedgerError where the stream cannot go on."""
        self._server.check_draining()
        self._batches += 1
        answer = StreamSignalsResponse(batch=self._batches)
        try:
            request = parsed(data, StreamSignalsRequest.FromString)
            assert isinstance(request, StreamSignalsRequest)
            answer.request_id = request.request_id
            return Deferred(self._queued(request), partial(self._answered, answer))
        except LedgerError as error:
            if error.reason in _FATAL:
                raise
            return self._refused(answer, error)

    def _queued(self, request: StreamSignalsRequest) -> PendingBatch:
        ledger = self._ledger(request.ledger)
        rows = rows_of(request.observations, ledger.intake.unstated_time())
        caller = self._server.caller_for(request, METHOD, self._actor, self._deadline())
        is_left_out = request.leave_out_duplicates
        return ledger.intake.submit(caller, rows, METHOD, leave_out_duplicates=is_left_out)

    def _ledger(self, origin: str) -> LedgerApplication:
        """Return the stream's ledger: the first batch settles it."""
        if self._origin is None:
            ledger = self._server.backend.ledger(origin)
            self._origin = ledger.info.origin
            return ledger
        if origin not in {"", self._origin}:
            raise invalid_field(
                "ledger",
                f"is {origin[:255]!r}, and this stream writes to {self._origin}",
                remedy="Open another stream for another ledger.",
            )
        return self._server.backend.ledger(self._origin)

    def _deadline(self) -> float:
        left = self._call.seconds_left
        seconds = STREAM_BATCH_SECONDS_MAX if left is None else min(left, STREAM_BATCH_SECONDS_MAX)
        return self._server.clock.monotonic_seconds() + seconds

    def _answered(self, answer: StreamSignalsResponse, done: PendingBatch) -> StreamSignalsResponse:
        try:
            taken = done.result()
        except Exception as failure:  # noqa: BLE001 - one batch's failure is its own
            return self._refused(answer, errors.refusal_of(failure, self._server.clock))
        answer.appended.CopyFrom(appended(taken.appended))
        answer.intake.CopyFrom(intake(taken))
        return answer

    def _refused(self, answer: StreamSignalsResponse, error: LedgerError) -> StreamSignalsResponse:
        answer.error.CopyFrom(batch_error(error))
        self._server.backend.count_refusal(self._origin or "", self._actor, _STREAMED, error.reason)
        return answer


def batch_error(error: LedgerError) -> BatchError:
    """Return what a failed call would say, as a message."""
    message = BatchError(
        code=errors.code_of(error),
        reason=errors_pb2.ErrorReason.Value(f"ERROR_REASON_{error.reason.value}"),
        message=error.message,
        remedy=errors.remedy_of(error),
        field_violations=[
            FieldFault(field=one.field, description=one.description) for one in error.violations
        ],
        metadata=error.metadata,
    )
    seconds = errors.retry_seconds(error)
    if seconds is not None:
        message.retry_delay.FromNanoseconds(int(seconds * 1_000_000_000))
    return message
