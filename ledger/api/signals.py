"""SignalService: definitions, observations, and where signals stand."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import grpc

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
from ledger.api.ingest import METHOD, IngestStream
from ledger.api.paging import cut, page_of
from ledger.api.server_context import ServerContext, await_checkpoint
from ledger.api.steps import Deferred, answered_stream, deferred
from ledger.application.fleet.intake import PendingBatch
from ledger.application.ledger import LedgerApplication
from ledger.errors import LedgerError
from ledger.limits import PAGE_STATES_MAX
from ledger.storage.records import AppendResult
from ledger.v1 import checkpoint_pb2, signal_service_pb2_grpc
from ledger.v1 import signal_service_pb2 as pb

_PROJECTION = "signals"


class SignalServicer(signal_service_pb2_grpc.SignalServiceServicer):
    """Serves SignalService."""

    def __init__(self, server: ServerContext) -> None:
        self._server = server

    def DefineSignal(
        self, request: pb.DefineSignalRequest, context: grpc.ServicerContext
    ) -> pb.DefineSignalResponse:
        """Record a definition."""
        checks = Checks()
        checks.present("signal", request.HasField("signal"))
        replacements = replacements_of(request.replacements, checks)
        defined = signal_of(request.signal, checks)
        ledger, caller = self._server.append(request, context)
        written = ledger.definitions.define(caller, defined, replacements)
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
        rows = rows_of(request.observations, ledger.intake.unstated_time())
        is_waiting, is_left_out = request.wait_for_checkpoint, request.leave_out_duplicates
        caller = self._server.caller(request, context)
        submission = ledger.intake.submit(caller, rows, METHOD, leave_out_duplicates=is_left_out)
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
