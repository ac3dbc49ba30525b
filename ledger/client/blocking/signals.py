# Generated from ledger/client/aio/signals.py by `tools/dev.py proto`; do not edit.
"""Signals and their observations, for threads."""

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, overload

from ledger.client.blocking.batch import SignalBatch
from ledger.client.blocking.connection import ServiceCalls
from ledger.client.blocking.stream import SignalStream
from ledger.client.call import Call
from ledger.client.decode import moment, paged, whole
from ledger.client.inputs import id_of, in_collection, signal_message
from ledger.client.observations import Observations, add_observations
from ledger.client.records import (
    Defined,
    PolicyReplacement,
    Signal,
    SignalState,
    SignalStates,
    Submitted,
)
from ledger.client.trust.results import ProvenSubmission
from ledger.client.trust.verification import Verification
from ledger.client.window import BatchResult
from ledger.v1 import signal_service_pb2 as pb


class SignalCalls(ServiceCalls):
    """Definitions of signals, and observations."""

    def define_signal(
        self,
        signal: Signal,
        *,
        replacements: Iterable[PolicyReplacement] = (),
        request_id: str | None = None,
    ) -> Defined:
        """Define a signal, or replace its definition as a whole.

        A change of kind, unit or direction touches the policy versions in force that read the
        signal: `replacements` has a document for each, and all is recorded together or nothing is.
        """
        request = pb.DefineSignalRequest(
            signal=signal_message(signal),
            replacements=[
                pb.PolicyReplacement(
                    name=in_collection("policies", one.policy),
                    document=one.document,
                    rationale=one.rationale,
                )
                for one in replacements
            ],
        )
        return self._connection.run(Call(request, whole(Defined), request_id))

    def list_signals(self, *, min_position: int = 0) -> Iterator[Signal]:
        """Iterate over the defined signals by id."""
        request = pb.ListSignalsRequest(min_position=min_position)
        return self._connection.items(paged(request, Signal, "signals"))

    @overload
    def submit(
        self,
        observations: Observations,
        *,
        request_id: str | None = None,
        leave_out_duplicates: bool = True,
        allow_leap: bool = False,
        wait_for_checkpoint: Literal[False] = False,
    ) -> Submitted: ...

    @overload
    def submit(
        self,
        observations: Observations,
        *,
        request_id: str | None = None,
        leave_out_duplicates: bool = True,
        allow_leap: bool = False,
        wait_for_checkpoint: Literal[True],
    ) -> ProvenSubmission: ...

    def submit(
        self,
        observations: Observations,
        *,
        request_id: str | None = None,
        leave_out_duplicates: bool = True,
        allow_leap: bool = False,
        wait_for_checkpoint: bool = False,
    ) -> Submitted | ProvenSubmission:
        """Record 1 to 5000 observations, all or none; durable when this returns.

        Each is an Observation, a tuple of its fields in order (model, signal, value, observed_at,
        model_version, sample_size; three are enough) or a mapping of them; a DataFrame with those
        columns is taken too. Without `observed_at` it has the time at which the server takes it,
        or is refused where the ledger takes its time from the data.

        A repeat of an observation on record (the same model, signal, version, time, source and
        value) is left out and counted in `intake`; without `leave_out_duplicates` it is recorded.
        `allow_leap` allows a time that leaps far ahead of a `data` ledger's newest.

        With `wait_for_checkpoint` it returns once a signed checkpoint covers the batch, with the
        verified proof of its last event. An error raised after that says where the batch is.
        """
        request = pb.SubmitSignalsRequest(
            leave_out_duplicates=leave_out_duplicates, allow_leap=allow_leap
        )
        add_observations(request, observations)
        if wait_for_checkpoint:
            steps = Verification(self._connection.settings).submission(request, request_id)
            return self._connection.carry_out(steps)
        return self._connection.run(Call(request, whole(Submitted), request_id))

    def batch(self, max_items: int = 500, max_seconds: float = 1.0) -> SignalBatch:
        """Return a buffer that submits itself when full, or after `max_seconds`."""
        return SignalBatch(self.submit, max_items, max_seconds)

    def stream_signals(
        self,
        *,
        window: int = 8,
        on_result: Callable[[BatchResult], None] | None = None,
        leave_out_duplicates: bool = True,
        allow_leap: bool = False,
    ) -> SignalStream:
        """Open a stream of batches, `window` of them under way at once: the fastest way in."""
        return SignalStream(
            self._connection,
            window,
            on_result,
            leave_out_duplicates=leave_out_duplicates,
            allow_leap=allow_leap,
        )

    def list_signal_states(self, *, model: str = "", min_position: int = 0) -> SignalStates:
        """Return the state of each signal of each model, or of one model."""
        request = pb.ListSignalStatesRequest(
            model=id_of("models", model), min_position=min_position
        )
        pages = self._connection.all_pages(paged(request, SignalState, "states"))
        position, recorded_at = moment(pages[0].answer)  # all pages show that of the first
        states = tuple(state for page in pages for state in page.items)
        return SignalStates(states, position, recorded_at)
