# Generated from ledger/client/aio/log.py by `tools/dev.py proto`; do not edit.
"""Ledgers and their events, for threads."""

from collections.abc import Iterator, Sequence

from ledger.client.authority import Administrator
from ledger.client.blocking.connection import ServiceCalls
from ledger.client.call import Call
from ledger.client.decode import decode, one, paged, whole
from ledger.client.enums import LedgerClock
from ledger.client.inputs import administrator_message, number_of
from ledger.client.outcomes import Erased
from ledger.client.records import Appended, Event, Ledger
from ledger.limits import PAGE_SIZE_MAX
from ledger.v1 import ledger_pb2
from ledger.v1 import ledger_service_pb2 as pb


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
        administrator: Administrator | None = None,
        request_id: str | None = None,
    ) -> Ledger:
        """Create a ledger with its own chain, clock (`wall` if not given) and signing key.

        `unit_of_cost` is what `…_micros` are millionths of, such as `EUR`. With an `administrator`
        authority is in force from the start; without one, callers are believed.
        """
        request = pb.CreateLedgerRequest(
            origin=origin,
            clock=number_of(clock, LedgerClock, ledger_pb2.LedgerClock, "clock"),
            skew_seconds=skew_seconds,
            unit_of_cost=unit_of_cost,
            leap_seconds=leap_seconds,
            administrator=(None if administrator is None else administrator_message(administrator)),
        )
        return self._connection.run(Call(request, one(Ledger, "ledger"), request_id))

    def get_ledger(self, *, min_position: int = 0) -> Ledger:
        """Return the client's ledger and where its head is."""
        request = pb.GetLedgerRequest(min_position=min_position)
        return self._connection.run(Call(request, one(Ledger, "ledger")))

    def confirm_clock(self, reason: str, *, request_id: str | None = None) -> Appended:
        """Confirm the server's clock where it steps, for actors with `clock.confirm`."""
        request = pb.ConfirmClockRequest(reason=reason)
        return self._connection.run(Call(request, one(Appended, "appended"), request_id))

    def list_ledgers(self) -> Iterator[Ledger]:
        """Iterate over the server's ledgers by origin."""
        return self._connection.items(paged(pb.ListLedgersRequest(), Ledger, "ledgers"))

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
        request = pb.ListEventsRequest(
            after_position=after_position,
            until_position=until_position,
            types=types,
            streams=streams,
            min_position=min_position,
            page_size=PAGE_SIZE_MAX,
        )
        return self._connection.items(paged(request, Event, "events"))

    def watch_events(
        self,
        *,
        after_position: int = 0,
        types: Sequence[str] = (),
        streams: Sequence[str] = (),
    ) -> Iterator[Event]:
        """Iterate over events as they are recorded, without end; in order, at least once each.

        A lost connection is taken up again after the last event processed, that is, the last one
        after which the next was asked for.
        """

        def read(answer: pb.WatchEventsResponse) -> list[tuple[Event, int]]:
            return [(decode(Event, event), event.position) for event in answer.events]

        request = pb.WatchEventsRequest(types=types, streams=streams)
        return self._connection.watch(Call(request, read), after_position)

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
        ranges = [pb.PositionRange(first=first, last=last) for first, last in positions]
        request = pb.EraseBodiesRequest(positions=ranges, ground=ground, authority=authority)
        return self._connection.run(Call(request, whole(Erased), request_id))
