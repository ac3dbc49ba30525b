"""One stream of batches: read ahead, validated and queued on one thread, answered on another.

Several batches of a stream wait for the writer together, so that group commit has something to
group; answers keep the order of the batches. What bounds it: so many batches in flight, then the
reader waits, then gRPC's flow control holds the client back.
"""

import threading
from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

import grpc

from ledger.api import errors
from ledger.api.actors import actor_of
from ledger.api.calls import Desk
from ledger.api.convert.basics import appended
from ledger.api.convert.signals import intake, rows_of
from ledger.api.interceptors import TooLarge, seconds_left
from ledger.application.commands import Written
from ledger.application.intake import Submission
from ledger.application.ledger import Ledger
from ledger.errors import LedgerError, Reason, invalid_field
from ledger.limits import STREAM_BATCH_SECONDS_MAX, STREAM_BATCHES_IN_FLIGHT
from ledger.v1 import errors_pb2, signal_service_pb2

METHOD: Final = "SubmitSignals"
"""Batches of streams share their request ids with single ones: either may repeat the other."""

_STREAMED: Final = "StreamSignals"
_IDLE_SECONDS: Final = 0.25
_FATAL: Final = frozenset({Reason.LEDGER_UNKNOWN, Reason.DRAINING})


class _Batch(NamedTuple):
    """A batch in flight: on its way to the writer, or refused already."""

    number: int
    request_id: str
    outcome: Submission | LedgerError


class IngestStream:
    """Serves one call of StreamSignals."""

    def __init__(
        self,
        desk: Desk,
        requests: Iterator[signal_service_pb2.StreamSignalsRequest | TooLarge],
        context: grpc.ServicerContext,
    ) -> None:
        self._desk = desk
        self._requests = requests
        self._context = context
        self._actor = actor_of(context)
        self._changed = threading.Condition()
        self._in_flight: deque[_Batch] = deque()
        self._has_ended = False  # no more batches will come
        self._is_abandoned = False  # nobody waits for answers any more
        self._failure: Exception | None = None
        self._origin: str | None = None

    def answers(self) -> Iterator[signal_service_pb2.StreamSignalsResponse]:
        """Yield an answer for each batch; raises LedgerError where the stream cannot go on."""
        if not self._context.add_callback(self._abandon):
            return  # the call is over already
        reader = threading.Thread(target=self._read, name="ingest", daemon=True)
        reader.start()
        try:
            while (batch := self._next()) is not None:
                yield self._answer(batch)
                self._done()
            if self._failure is not None:
                raise self._failure
        finally:
            self._abandon()

    # ---- the reader's thread ---------------------------------------------------------------------

    def _read(self) -> None:
        try:
            for number, request in enumerate(self._requests, start=1):
                batch = self._queued(number, request)
                if not self._put(batch):
                    return
                self._desk.check_draining()
        except Exception as error:  # noqa: BLE001 - told to the client by the answering thread
            self._end(error if self._context.is_active() else None)
        else:
            self._end(None)

    def _queued(
        self, number: int, request: signal_service_pb2.StreamSignalsRequest | TooLarge
    ) -> _Batch:
        if isinstance(request, TooLarge):
            return _Batch(number, "", request.error)
        request_id = request.request_id
        try:
            ledger = self._ledger(request.ledger)
            rows = rows_of(request.observations, ledger.unstated_time())
            caller = self._desk.caller_for(
                request, request_id, METHOD, self._actor, self._deadline()
            )
            is_left_out = request.leave_out_duplicates
            submission = ledger.submit(caller, rows, METHOD, leave_out_duplicates=is_left_out)
            return _Batch(number, request_id, submission)
        except LedgerError as error:
            if error.reason in _FATAL:
                raise
            return _Batch(number, request_id, error)

    def _ledger(self, origin: str) -> Ledger:
        """Return the stream's ledger: the first batch settles it."""
        if self._origin is None:
            ledger = self._desk.backend.ledger(origin)
            self._origin = ledger.info.origin
            return ledger
        if origin not in {"", self._origin}:
            raise invalid_field(
                "ledger",
                f"is {origin[:255]!r}, and this stream writes to {self._origin}",
                remedy="Open another stream for another ledger.",
            )
        return self._desk.backend.ledger(self._origin)

    def _deadline(self) -> float:
        left = seconds_left(self._context)
        seconds = STREAM_BATCH_SECONDS_MAX if left is None else min(left, STREAM_BATCH_SECONDS_MAX)
        return self._desk.clock.monotonic_seconds() + seconds

    def _put(self, batch: _Batch) -> bool:
        """Add a batch once there is room; False if nobody waits for it any more."""
        with self._changed:
            self._in_flight.append(batch)
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: self._is_abandoned or len(self._in_flight) < STREAM_BATCHES_IN_FLIGHT
            )
            return not self._is_abandoned

    def _end(self, failure: Exception | None) -> None:
        with self._changed:
            self._has_ended = True
            self._failure = failure
            self._changed.notify_all()

    # ---- the call's thread -----------------------------------------------------------------------

    def _next(self) -> _Batch | None:
        """Wait for the oldest batch, and leave it in flight; None at the end."""
        with self._changed:
            while not self._changed.wait_for(
                lambda: self._in_flight or self._has_ended or self._is_abandoned, _IDLE_SECONDS
            ):
                self._desk.check_draining()  # or an idle stream would hold up the server's end
            return self._in_flight[0] if self._in_flight and not self._is_abandoned else None

    def _done(self) -> None:
        with self._changed:
            self._in_flight.popleft()
            self._changed.notify_all()

    def _abandon(self) -> None:
        with self._changed:
            self._is_abandoned = True
            self._changed.notify_all()

    def _answer(self, batch: _Batch) -> signal_service_pb2.StreamSignalsResponse:
        answer = signal_service_pb2.StreamSignalsResponse(
            batch=batch.number, request_id=batch.request_id
        )
        error = batch.outcome
        if isinstance(error, Submission):
            try:
                taken = error.result()
            except Exception as failure:  # noqa: BLE001 - one batch's failure is its own
                error = errors.refusal_of(failure, self._desk.clock)
            else:
                answer.appended.CopyFrom(appended(Written.of(taken.appended)))
                answer.intake.CopyFrom(intake(taken))
                return answer
        answer.error.CopyFrom(batch_error(error))
        self._desk.backend.count_refusal(self._origin or "", self._actor, _STREAMED, error.reason)
        return answer


def batch_error(error: LedgerError) -> signal_service_pb2.BatchError:
    """Return what a failed call would say, as a message."""
    message = signal_service_pb2.BatchError(
        code=errors.grpc_code(error.reason),
        reason=errors_pb2.ErrorReason.Value(f"ERROR_REASON_{error.reason.value}"),
        message=error.message,
        remedy=errors.remedy_of(error),
        field_violations=[
            signal_service_pb2.FieldFault(field=one.field, description=one.description)
            for one in error.violations
        ],
        metadata=error.metadata,
    )
    seconds = errors.retry_seconds(error)
    if seconds is not None:
        message.retry_delay.FromNanoseconds(int(seconds * 1_000_000_000))
    return message
