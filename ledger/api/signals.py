"""SignalService: definitions, observations in single batches and in streams, states of signals."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Final

import grpc

from ledger.api import errors
from ledger.api.calls import call_of, parsed
from ledger.api.checks import Checks
from ledger.api.convert.basics import appended, timestamp
from ledger.api.convert.ledgers import inclusion
from ledger.api.convert.signals import (
    intake,
    replacements_of,
    rows_of,
    signal,
    signal_of,
    signal_state,
)
from ledger.api.paging import cut, page_of
from ledger.api.server_context import ServerContext, Servicer, await_checkpoint
from ledger.api.steps import Deferred, answered_stream, deferred
from ledger.application.fleet.intake import PendingBatch
from ledger.application.ledger import LedgerApplication
from ledger.application.refusals import RefusedCall
from ledger.errors import LedgerError, Reason, invalid_field
from ledger.limits import PAGE_STATES_MAX, STREAM_BATCH_SECONDS_MAX
from ledger.storage.records import AppendResult
from ledger.v1 import checkpoint_pb2, errors_pb2, signal_service_pb2_grpc
from ledger.v1 import signal_service_pb2 as pb

_PROJECTION: Final = "signals"
_METHOD: Final = "SubmitSignals"
"""Batches of streams share their request ids with single ones: either may repeat the other."""

_STREAMED: Final = "StreamSignals"
_FATAL: Final = frozenset({Reason.LEDGER_UNKNOWN, Reason.DRAINING})


class SignalServicer(Servicer, signal_service_pb2_grpc.SignalServiceServicer):
    """Serves SignalService."""

    def DefineSignal(
        self, request: pb.DefineSignalRequest, context: grpc.ServicerContext
    ) -> pb.DefineSignalResponse:
        """Record a definition."""
        checks = Checks()
        checks.present("signal", request.HasField("signal"))
        replacements = replacements_of(request.replacements, checks)
        stated = signal_of(request.signal, checks)
        defined = stated.defined
        ledger, caller = self._server.append(request, context)
        written = ledger.definitions.define(
            caller, defined, replacements, owner=stated.owner, standard=stated.standard
        )
        ledger.fleet.refresh(written.last_position)
        view = ledger.fleet.signal(defined.signal)
        assert view is not None, "what was defined is known"
        usage = ledger.definitions.usage
        uses = usage.uses(defined.signal, written.last_position)
        replaced = usage.replaced_between(written.first_position, written.last_position)
        return pb.DefineSignalResponse(
            appended=appended(written),
            signal=signal(view),
            policies_in_force=[str(use) for use in uses],
            policies_replaced=[str(use) for use in replaced],
        )

    def ListSignals(
        self, request: pb.ListSignalsRequest, context: grpc.ServicerContext
    ) -> pb.ListSignalsResponse:
        """List definitions by id."""
        page = page_of(request)
        ledger = self._server.read(request, context)
        ledger.fleet.refresh()
        views, token = cut(page, ledger.fleet.signals(), lambda view: view.name)
        return pb.ListSignalsResponse(
            signals=[signal(view) for view in views], next_page_token=token
        )

    def SubmitSignals(
        self, request: pb.SubmitSignalsRequest, context: grpc.ServicerContext
    ) -> pb.SubmitSignalsResponse:
        """Record a batch, and answer once it is durable, or covered by a checkpoint if asked."""
        ledger = self._server.backend.ledger(request.ledger)
        rows, details = rows_of(request.observations, ledger.intake.unstated_time())
        is_waiting, is_left_out = request.wait_for_checkpoint, request.leave_out_duplicates
        caller = self._server.caller(request, context)
        submission = ledger.intake.submit(
            caller, rows, _METHOD, leave_out_duplicates=is_left_out, details=details
        )
        if is_waiting:
            return deferred(Deferred(submission, partial(_proven, ledger, context), is_long=True))
        return deferred(Deferred(submission, _recorded))

    def StreamSignals(
        self,
        request_iterator: Iterator[pb.StreamSignalsRequest],
        context: grpc.ServicerContext,
    ) -> Iterator[pb.StreamSignalsResponse]:
        """Record batches one after the other, and answer each."""
        return answered_stream(IngestStream(self._server, context))

    def ListSignalStates(
        self, request: pb.ListSignalStatesRequest, context: grpc.ServicerContext
    ) -> pb.ListSignalStatesResponse:
        """List where signals stand, from the projection."""
        page = page_of(request)
        page = replace(page, size=min(page.size, PAGE_STATES_MAX))  # so that no call takes long
        checks = Checks()
        checks.identifier("model", request.model, optional=True)
        ledger = self._server.read(request, context, checks)
        host = self._server.backend.projections(ledger.info.origin)
        if request.min_position:
            self._server.await_projection(host, _PROJECTION, request.min_position, context)
        if request.model and ledger.fleet.model(request.model) is None:
            raise ledger.fleet.model_unknown(request.model)
        states = host.signals(request.model or None)
        rows, token = cut(page, states.rows, lambda row: f"{row['model']}/{row['signal']}")
        repeats = {
            model: ledger.intake.likely_duplicates(model, states.position)
            for model in {row["model"] for row in rows}
        }
        response = pb.ListSignalStatesResponse(
            states=[signal_state(row, repeats[row["model"]].get(row["signal"], 0)) for row in rows],
            next_page_token=token,
            position=states.position,
        )
        last = ledger.log.event(states.position)
        if last is not None:
            response.recorded_at.CopyFrom(timestamp(last.recorded_at))
        return response


class IngestStream:
    """Serves one call of StreamSignals: each batch is queued as it comes, answered once durable.

    Several batches of a stream wait for the writer together, so that group commit has something to
    group; answers keep the order of the batches. The bound: so many batches in flight, then
    nothing is read, then gRPC's flow control holds the client back.
    """

    def __init__(self, server: ServerContext, context: grpc.ServicerContext) -> None:
        self._server = server
        self._call = call_of(context)
        self._origin: str | None = None
        self._batches = 0

    def take(self, data: bytes) -> pb.StreamSignalsResponse | Deferred[pb.StreamSignalsResponse]:
        """Queue one batch; raises LedgerError where the stream cannot go on."""
        self._server.check_draining()
        self._batches += 1
        answer = pb.StreamSignalsResponse(batch=self._batches)
        try:
            request = parsed(data, pb.StreamSignalsRequest.FromString)
            assert isinstance(request, pb.StreamSignalsRequest)
            answer.request_id = request.request_id
            return Deferred(self._queued(request, len(data)), partial(self._answered, answer))
        except LedgerError as error:
            if error.reason in _FATAL or self._has_no_place(error) or _is_unknown(error):
                raise
            return self._refused(answer, error)

    def _queued(self, request: pb.StreamSignalsRequest, size: int) -> PendingBatch:
        origin = self._origin or request.ledger
        try:
            self._server.gate.admit(self._call, request, origin)
        finally:
            if self._call.actor:
                self._server.limits.charge(self._call, origin, request, size)
        ledger = self._ledger(request.ledger)
        rows, details = rows_of(request.observations, ledger.intake.unstated_time())
        caller = self._server.caller_for(request, _METHOD, self._call, self._deadline())
        is_left_out = request.leave_out_duplicates
        return ledger.intake.submit(
            caller, rows, _METHOD, leave_out_duplicates=is_left_out, details=details
        )

    def _has_no_place(self, error: LedgerError) -> bool:
        """Return whether the actor has so many streams that this one cannot begin."""
        return error.reason is Reason.LIMIT_REACHED and self._call.place is None

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

    def _answered(
        self, answer: pb.StreamSignalsResponse, done: PendingBatch
    ) -> pb.StreamSignalsResponse:
        try:
            taken = done.result()
        except Exception as failure:  # noqa: BLE001 - one batch's failure is its own
            return self._refused(answer, errors.refusal_of(failure, self._server.clock))
        answer.appended.CopyFrom(appended(taken.appended))
        answer.intake.CopyFrom(intake(taken))
        return answer

    def _refused(
        self, answer: pb.StreamSignalsResponse, error: LedgerError
    ) -> pb.StreamSignalsResponse:
        answer.error.CopyFrom(batch_error(error))
        call = self._call
        refused = RefusedCall(call.shown_actor, _STREAMED, error.reason, call.address)
        self._server.backend.count_refusal(self._origin or "", refused)
        return answer


def _is_unknown(error: LedgerError) -> bool:
    """Return whether a caller has shown nothing that counts, or nothing that counts any more."""
    return error.reason.status == "UNAUTHENTICATED"


def batch_error(error: LedgerError) -> pb.BatchError:
    """Return what a failed call would say, as a message."""
    message = pb.BatchError(
        code=errors.code_of(error),
        reason=errors_pb2.ErrorReason.Value(f"ERROR_REASON_{error.reason.value}"),
        message=error.message,
        remedy=errors.remedy_of(error),
        field_violations=[
            pb.FieldFault(field=one.field, description=one.description) for one in error.violations
        ],
        metadata=error.metadata,
    )
    seconds = errors.retry_seconds(error)
    if seconds is not None:
        message.retry_delay.FromNanoseconds(round(seconds * 1_000_000_000))
    return message


def _recorded(done: PendingBatch) -> pb.SubmitSignalsResponse:
    taken = done.result()
    return pb.SubmitSignalsResponse(appended=appended(taken.appended), intake=intake(taken))


def _proven(
    ledger: LedgerApplication, context: grpc.ServicerContext, done: PendingBatch
) -> pb.SubmitSignalsResponse:
    response = _recorded(done)
    response.proof.CopyFrom(_proof(ledger, done.result().appended, context))
    return response


def _proof(
    ledger: LedgerApplication, written: AppendResult, context: grpc.ServicerContext
) -> checkpoint_pb2.InclusionProof:
    """Wait until a checkpoint covers a batch and return the proof of its last event.

    A refusal keeps its reason and says that the batch is on record all the same, and where.
    """
    try:
        await_checkpoint(ledger, written.last_position, context)
        ledger.attestation.checkpoints.refuse_uncovered(written.last_position)
        proof = ledger.attestation.prover.inclusion(written.last_position)
    except LedgerError as error:
        first, last = written.first_position, written.last_position
        place = f"position {last}" if first == last else f"positions {first} to {last}"
        raise LedgerError(
            error.reason,
            f"The batch is on record at {place}, but not proven yet: {error.message}",
            remedy=f"Ask for the proof of position {last} later; send nothing again as new.",
            retry_after_seconds=error.retry_after_seconds,
            metadata={
                **error.metadata,
                "first_position": str(first),
                "position": str(last),
                "event_hash": written.event_hash.hex(),
            },
        ) from error
    return inclusion(ledger.info.origin, proof)
