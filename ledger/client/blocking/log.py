# Generated from ledger/client/aio/log.py by `tools/dev.py proto`; do not edit.
"""Ledgers and their events, for threads."""

from collections.abc import Iterator, Sequence

from ledger.client.blocking.service import ServiceCalls
from ledger.client.calls import log as calls
from ledger.client.enums import LedgerClock
from ledger.client.outcomes import Erased
from ledger.client.records import Appended, Event, Ledger


class LogCalls(ServiceCalls):
    """Ledgers and their events: created, listed, followed, and bodies removed for good."""

    def create_ledger(
        self,
        origin: str,
        *,
        clock: LedgerClock | str | None = None,
        skew_seconds: int | None = None,
        unit_of_cost: str = "",
        leap_seconds: int | None = None,
        request_id: str | None = None,
    ) -> Ledger:
        """Create a ledger with its own chain, clock (`wall` if not given) and signing key.

        `unit_of_cost` is what `…_micros` are millionths of, such as `EUR`.
        """
        scope = self._append_scope(request_id)
        chosen = calls.Configuration(clock, skew_seconds, unit_of_cost, leap_seconds)
        return self._connection.run(calls.create_ledger(scope, origin, chosen))

    def get_ledger(self, *, min_position: int = 0) -> Ledger:
        """Return the client's ledger and where its head is."""
        return self._connection.run(calls.get_ledger(self._scope, min_position))

    def confirm_clock(self, reason: str, *, request_id: str | None = None) -> Appended:
        """Confirm the server's clock where it steps, for an actor that the operator has named."""
        scope = self._append_scope(request_id)
        return self._connection.run(calls.confirm_clock(scope, reason))

    def list_ledgers(self) -> Iterator[Ledger]:
        """Iterate over the server's ledgers by origin."""
        return self._connection.items(calls.list_ledgers())

    def list_events(
        self,
        *,
        after_position: int = 0,
        until_position: int = 0,
        types: Sequence[str] = (),
        streams: Sequence[str] = (),
        min_position: int = 0,
    ) -> Iterator[Event]:
        """Iterate over events by position, up to the head at the time of the first page."""
        paged = calls.list_events(
            self._scope,
            after_position=after_position,
            until_position=until_position,
            types=types,
            streams=streams,
            min_position=min_position,
        )
        return self._connection.items(paged)

    def watch_events(
        self,
        *,
        after_position: int = 0,
        types: Sequence[str] = (),
        streams: Sequence[str] = (),
    ) -> Iterator[Event]:
        """Iterate over events as they are recorded, for ever; in order, at least once each.

        A lost connection is taken up again after the last event processed, that is, the last one
        after which the next was asked for.
        """
        watch = calls.watch_events(self._scope, types=types, streams=streams)
        return self._connection.watch(watch, after_position)

    def erase_bodies(
        self,
        positions: Sequence[tuple[int, int]],
        *,
        ground: str,
        authority: str,
        request_id: str | None = None,
    ) -> Erased:
        """Remove body and salt of the events in these ranges (first and last), for good.

        Answers when the service holds no copy any more, which takes as long as its projections
        take to be folded again: give it a deadline of minutes where the ledger is large.
        """
        scope = self._append_scope(request_id)
        call = calls.erase_bodies(scope, positions, ground=ground, authority=authority)
        return self._connection.run(call)
