"""Signals and their observations, for asyncio."""

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Literal, overload

from ledger.client.aio.batch import AsyncSignalBatch
from ledger.client.aio.service import AsyncServiceCalls
from ledger.client.aio.stream import AsyncSignalStream
from ledger.client.calls import signals as calls
from ledger.client.observations import Observations
from ledger.client.records import Defined, PolicyReplacement, Signal, SignalStates, Submitted
from ledger.client.trust.results import ProvenSubmission
from ledger.client.trust.verification import Verification
from ledger.client.window import BatchResult


class AsyncSignalCalls(AsyncServiceCalls):
    """What is measured, and what was observed."""

    async def define_signal(
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
        scope = self._append_scope(request_id)
        return await self._connection.run(calls.define_signal(scope, signal, replacements))

    def list_signals(self, *, min_position: int = 0) -> AsyncIterator[Signal]:
        """Iterate over the defined signals by id."""
        return self._connection.items(calls.list_signals(self._scope, min_position))

    @overload
    async def submit(
        self,
        observations: Observations,
        *,
        request_id: str | None = None,
        leave_out_duplicates: bool = True,
        allow_leap: bool = False,
        wait_for_checkpoint: Literal[False] = False,
    ) -> Submitted: ...

    @overload
    async def submit(
        self,
        observations: Observations,
        *,
        request_id: str | None = None,
        leave_out_duplicates: bool = True,
        allow_leap: bool = False,
        wait_for_checkpoint: Literal[True],
    ) -> ProvenSubmission: ...

    async def submit(
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

        What repeats an observation on record (the same model, signal, version, time, source and
        value) is left out and counted in `intake`; without `leave_out_duplicates` it is recorded.
        `allow_leap` says that a time is meant which leaps far ahead of a `data` ledger's newest.

        With `wait_for_checkpoint` it returns once a signed checkpoint covers the batch, with the
        verified proof of its last event. What is raised after that says where the batch is.
        """
        settings = self._connection.settings
        scope = self._append_scope(request_id, allow_leap=allow_leap)
        if wait_for_checkpoint:
            call = calls.submit_proven(
                scope, observations, leave_out_duplicates=leave_out_duplicates
            )
            return await self._connection.carry_out(Verification(settings).submission(call))
        return await self._connection.run(
            calls.submit(scope, observations, leave_out_duplicates=leave_out_duplicates)
        )

    def batch(self, max_items: int = 500, max_seconds: float = 1.0) -> AsyncSignalBatch:
        """Return a buffer that submits itself when full, or after `max_seconds`."""
        return AsyncSignalBatch(self.submit, max_items, max_seconds)

    def stream_signals(
        self,
        *,
        window: int = 8,
        on_result: Callable[[BatchResult], None] | None = None,
        leave_out_duplicates: bool = True,
        allow_leap: bool = False,
    ) -> AsyncSignalStream:
        """Open a stream of batches, `window` of them under way at once: the fastest way in."""
        return AsyncSignalStream(
            self._connection,
            window,
            on_result,
            leave_out_duplicates=leave_out_duplicates,
            allow_leap=allow_leap,
        )

    async def list_signal_states(self, *, model: str = "", min_position: int = 0) -> SignalStates:
        """Return the state of each signal of each model, or of one model."""
        paged = calls.list_signal_states(self._scope, model, min_position)
        pages = await self._connection.all_pages(paged)
        return calls.all_states(pages)
