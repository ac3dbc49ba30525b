"""Signals and their observations, for threads."""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, overload

from ledger.client.blocking.batch import SignalBatch
from ledger.client.blocking.connection import Service
from ledger.client.blocking.stream import SignalStream
from ledger.client.calls import signals as calls
from ledger.client.observations import ObservationLike
from ledger.client.records import Appended, Signal, SignalStates
from ledger.client.verification import Verification
from ledger.client.verified import ProvenSubmission
from ledger.client.window import BatchResult


class Signals(Service):
    """What is measured, and what was observed."""

    def define_signal(self, signal: Signal, *, request_id: str | None = None) -> Appended:
        """Define a signal, or replace its definition as a whole."""
        scope = self._connection.settings.append_scope(request_id)
        return self._connection.run(calls.define_signal(scope, signal))

    def list_signals(self, *, min_position: int = 0) -> Iterator[Signal]:
        """Iterate over the defined signals by id."""
        scope = self._connection.settings.scope()
        return self._connection.items(calls.list_signals(scope, min_position))

    @overload
    def submit(
        self,
        observations: Sequence[ObservationLike],
        *,
        request_id: str | None = None,
        wait_for_checkpoint: Literal[False] = False,
    ) -> Appended: ...

    @overload
    def submit(
        self,
        observations: Sequence[ObservationLike],
        *,
        request_id: str | None = None,
        wait_for_checkpoint: Literal[True],
    ) -> ProvenSubmission: ...

    def submit(
        self,
        observations: Sequence[ObservationLike],
        *,
        request_id: str | None = None,
        wait_for_checkpoint: bool = False,
    ) -> Appended | ProvenSubmission:
        """Record 1 to 5000 observations, all or none; durable when this returns.

        Each is an Observation, a tuple of its fields in order (model, signal, value, observed_at,
        model_version, sample_size; three are enough) or a mapping of them. Without `observed_at` it
        was observed now; who brings a `request_id` to repeat a request later states the times, or
        the repeat has other content and is refused.

        With `wait_for_checkpoint` it returns once a signed checkpoint covers the batch, with the
        verified proof of its last event. What is raised after that says where the batch stands.
        """
        settings = self._connection.settings
        scope, now = settings.append_scope(request_id), settings.clock.now_micros()
        if wait_for_checkpoint:
            call = calls.submit_proven(scope, observations, now)
            return self._connection.carry_out(Verification(settings).submission(call))
        return self._connection.run(calls.submit(scope, observations, now))

    def batch(self, max_items: int = 500, max_seconds: float = 1.0) -> SignalBatch:
        """Return a buffer that submits itself when full, or after `max_seconds`."""
        clock = self._connection.settings.clock
        return SignalBatch(self.submit, clock, max_items, max_seconds)

    def stream_signals(
        self, *, window: int = 8, on_result: Callable[[BatchResult], None] | None = None
    ) -> SignalStream:
        """Open a stream of batches, `window` of them under way at once: the fastest way in."""
        return SignalStream(self._connection, window, on_result)

    def list_signal_states(self, *, model: str = "", min_position: int = 0) -> SignalStates:
        """Return where each signal of each model stands, or of one model."""
        scope = self._connection.settings.scope()
        paged = calls.list_signal_states(scope, model, min_position)
        pages = list(self._connection.pages(paged))
        return calls.all_states(pages)
