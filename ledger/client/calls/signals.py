"""Calls of SignalService."""

from collections.abc import Iterable, Sequence
from typing import Final

from ledger.client.call import AnswerPage, Call, CallScope, Paged
from ledger.client.calls.pages import defined, moment, page, submitted
from ledger.client.decode import decode
from ledger.client.enums import SignalDirection, SignalKind
from ledger.client.inputs import id_of, in_collection, number_of
from ledger.client.observations import Observations, add_observations
from ledger.client.proofs import InclusionProof
from ledger.client.records import (
    Defined,
    PolicyReplacement,
    Signal,
    SignalState,
    SignalStates,
    Submitted,
)
from ledger.v1 import signal_pb2, signal_service_pb2

_SERVICE: Final = "/ledger.v1.SignalService/"
STREAM: Final = _SERVICE + "StreamSignals"


def define_signal(
    scope: CallScope, signal: Signal, replacements: Iterable[PolicyReplacement]
) -> Call[Defined]:
    """Return the call that defines a signal, or replaces its definition as a whole."""
    return Call(
        _SERVICE + "DefineSignal",
        signal_service_pb2.DefineSignalRequest(
            ledger=scope.ledger,
            request_id=scope.request_id,
            signal=signal_pb2.Signal(
                signal=id_of("signals", signal.signal),
                kind=_kind(signal),
                unit=signal.unit,
                direction=_direction(signal),
                meaning=signal.meaning,
                collection=signal.collection,
            ),
            replacements=[
                signal_service_pb2.PolicyReplacement(
                    name=in_collection("policies", one.policy),
                    document=one.document,
                    rationale=one.rationale,
                )
                for one in replacements
            ],
        ),
        signal_service_pb2.DefineSignalResponse,
        defined,
        scope.request_id,
    )


def list_signals(scope: CallScope, min_position: int) -> Paged[Signal]:
    """Return the call that lists the defined signals."""
    return Paged(
        Call(
            _SERVICE + "ListSignals",
            signal_service_pb2.ListSignalsRequest(ledger=scope.ledger, min_position=min_position),
            signal_service_pb2.ListSignalsResponse,
            page(Signal, "signals"),
        )
    )


def submit(
    scope: CallScope, observations: Observations, *, leave_out_duplicates: bool
) -> Call[Submitted]:
    """Return the call that records one batch: all of it, or nothing."""
    request = signal_service_pb2.SubmitSignalsRequest(
        ledger=scope.ledger,
        request_id=scope.request_id,
        leave_out_duplicates=leave_out_duplicates,
        allow_leap=scope.allow_leap,
    )
    add_observations(request, observations)
    return Call(
        _SERVICE + "SubmitSignals",
        request,
        signal_service_pb2.SubmitSignalsResponse,
        submitted,
        scope.request_id,
    )


def submit_proven(
    scope: CallScope, observations: Observations, *, leave_out_duplicates: bool
) -> Call[tuple[Submitted, InclusionProof | None]]:
    """Return the call that records one batch and is answered once a checkpoint covers it."""
    plain = submit(scope, observations, leave_out_duplicates=leave_out_duplicates)
    request = plain.request
    assert isinstance(request, signal_service_pb2.SubmitSignalsRequest)
    request.wait_for_checkpoint = True
    return Call(plain.method, request, plain.response, _with_proof, plain.request_id)


def _with_proof(
    response: signal_service_pb2.SubmitSignalsResponse,
) -> tuple[Submitted, InclusionProof | None]:
    proof = decode(InclusionProof, response.proof) if response.HasField("proof") else None
    return submitted(response), proof


def batch_of_stream(
    scope: CallScope, observations: Observations, *, leave_out_duplicates: bool
) -> signal_service_pb2.StreamSignalsRequest:
    """Return one batch of a stream."""
    request = signal_service_pb2.StreamSignalsRequest(
        ledger=scope.ledger,
        request_id=scope.request_id,
        leave_out_duplicates=leave_out_duplicates,
        allow_leap=scope.allow_leap,
    )
    add_observations(request, observations)
    return request


def list_signal_states(scope: CallScope, model: str, min_position: int) -> Paged[SignalState]:
    """Return the call that lists the states of signals."""
    return Paged(
        Call(
            _SERVICE + "ListSignalStates",
            signal_service_pb2.ListSignalStatesRequest(
                ledger=scope.ledger, model=id_of("models", model), min_position=min_position
            ),
            signal_service_pb2.ListSignalStatesResponse,
            page(SignalState, "states"),
        )
    )


def all_states(pages: Sequence[AnswerPage[SignalState]]) -> SignalStates:
    """Return the whole list, which all pages show as of the moment of the first."""
    position, recorded_at = moment(pages[0].answer)
    states = tuple(state for page in pages for state in page.items)
    return SignalStates(states, position, recorded_at)


def _kind(signal: Signal) -> signal_pb2.SignalKind.ValueType:
    number = number_of(signal.kind, SignalKind, signal_pb2.SignalKind, "signal.kind")
    return signal_pb2.SignalKind.ValueType(number)


def _direction(signal: Signal) -> signal_pb2.SignalDirection.ValueType:
    number = number_of(
        signal.direction, SignalDirection, signal_pb2.SignalDirection, "signal.direction"
    )
    return signal_pb2.SignalDirection.ValueType(number)
