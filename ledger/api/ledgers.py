"""LedgerService: ledgers and their events as hashed.

Its other methods stand in `checkpoints`, `keys`, `attesting`, `erasure` and `clocks`.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import grpc

from ledger.api.attesting import AttestingMethods
from ledger.api.calls import Desk, beyond_head
from ledger.api.checkpoints import CheckpointMethods
from ledger.api.checks import Checks
from ledger.api.clocks import ClockMethods
from ledger.api.convert import events as convert
from ledger.api.convert.basics import appended
from ledger.api.erasure import ErasureMethods
from ledger.api.keys import KeyMethods
from ledger.api.paging import cut, page_of
from ledger.api.steps import paused
from ledger.api.watches import EventFilter, EventWatch, fitting
from ledger.application.commands import CommandResult
from ledger.events import values
from ledger.limits import LEAP_SECONDS_MAX, SKEW_SECONDS_DEFAULT, SKEW_SECONDS_MAX
from ledger.v1 import ledger_pb2, ledger_service_pb2_grpc
from ledger.v1 import ledger_service_pb2 as pb

_FILTERS_MAX: Final = 100
_CLOCKS: Final = {
    ledger_pb2.LEDGER_CLOCK_UNSPECIFIED: "wall",
    ledger_pb2.LEDGER_CLOCK_WALL: "wall",
    ledger_pb2.LEDGER_CLOCK_DATA: "data",
}


class LedgerServicer(
    CheckpointMethods,
    KeyMethods,
    AttestingMethods,
    ErasureMethods,
    ClockMethods,
    ledger_service_pb2_grpc.LedgerServiceServicer,
):
    """Serves LedgerService."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def CreateLedger(
        self, request: pb.CreateLedgerRequest, context: grpc.ServicerContext
    ) -> pb.CreateLedgerResponse:
        """Create a ledger."""
        self._desk.operator_only(context, "create a ledger")
        checks = Checks()
        if checks.present("origin", request.origin) and not values.ORIGIN.fullmatch(request.origin):
            checks.refuse(
                "origin",
                "must be segments of a-z, 0-9, '.', '_' and '-' joined by '/', "
                "at most 255 characters",
            )
        if request.clock not in _CLOCKS:
            checks.refuse("clock", f"{request.clock} is no clock")
        given = request.HasField("skew_seconds")
        skew = request.skew_seconds if given else SKEW_SECONDS_DEFAULT
        if not 0 <= skew <= SKEW_SECONDS_MAX:
            checks.refuse("skew_seconds", f"must be from 0 to {SKEW_SECONDS_MAX}")
        if request.unit_of_cost and not values.is_unit_of_cost(request.unit_of_cost):
            checks.refuse("unit_of_cost", values.UNIT_OF_COST_FORM)
        leap = request.leap_seconds if request.HasField("leap_seconds") else None
        if leap is not None and not 0 <= leap <= LEAP_SECONDS_MAX:
            checks.refuse("leap_seconds", f"must be from 0 to {LEAP_SECONDS_MAX}")
        checks.done()
        origin, clock = request.origin, _CLOCKS[request.clock]
        caller = self._desk.caller(request, request.request_id, "CreateLedger", context)
        known = {info.origin for info in self._desk.backend.ledgers()}
        info = self._desk.backend.create_ledger(
            origin,
            clock=clock,
            skew_seconds=skew,
            unit_of_cost=request.unit_of_cost,
            leap_seconds=leap,
            actor=caller.actor,
            request_id=caller.request_id,
            digest=caller.digest,
        )
        ledger = self._desk.backend.ledger(origin)
        first, last = ledger.log.event(1), ledger.log.event(2)
        assert first is not None, "a ledger begins with two events"
        assert last is not None, "a ledger begins with two events"
        written = CommandResult(1, 2, last.event_hash, last.recorded_at, repeated=origin in known)
        return pb.CreateLedgerResponse(
            appended=appended(written), ledger=convert.ledger(info, ledger.log.head())
        )

    def GetLedger(
        self, request: pb.GetLedgerRequest, context: grpc.ServicerContext
    ) -> pb.GetLedgerResponse:
        """Return one ledger and its head."""
        checks = Checks()
        checks.position("min_position", request.min_position)
        checks.done()
        ledger = self._desk.ledger_at(request.ledger, request.min_position, context)
        return pb.GetLedgerResponse(ledger=convert.ledger(ledger.info, ledger.log.head()))

    def ListLedgers(
        self, request: pb.ListLedgersRequest, context: grpc.ServicerContext
    ) -> pb.ListLedgersResponse:
        """List the server's ledgers by origin."""
        page = page_of(request)
        every = sorted(self._desk.backend.ledgers(), key=lambda info: info.origin)
        shown, token = cut(page, every, lambda info: info.origin, 0)
        backend = self._desk.backend
        return pb.ListLedgersResponse(
            ledgers=[
                convert.ledger(info, backend.ledger(info.origin).log.head()) for info in shown
            ],
            next_page_token=token,
        )

    def ListEvents(
        self, request: pb.ListEventsRequest, context: grpc.ServicerContext
    ) -> pb.ListEventsResponse:
        """List events by position, as hashed."""
        checks = Checks()
        after = checks.position("after_position", request.after_position)
        until = checks.position("until_position", request.until_position)
        checks.position("min_position", request.min_position)
        wanted = _wanted(checks, request.types, request.streams)
        checks.done()
        page = page_of(request)
        ledger = self._desk.ledger_at(request.ledger, request.min_position, context)
        head = page.upper if page.upper is not None else ledger.log.head().position
        if until > head:
            raise beyond_head("until_position", until, head)
        events = ledger.log.events(
            after=int(page.cursor) if page.cursor else after,
            until=until or head,
            limit=page.size + 1,
            types=wanted.types,
            streams=wanted.streams,
        )
        shown = events[: min(fitting(events), page.size)]
        return pb.ListEventsResponse(
            events=[convert.event(event) for event in shown],
            next_page_token=page.token(str(shown[-1].position), head)
            if len(shown) < len(events)
            else "",
            head_position=head,
        )

    def WatchEvents(
        self, request: pb.WatchEventsRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.WatchEventsResponse]:
        """Send events as they are recorded."""
        checks = Checks()
        after = checks.position("after_position", request.after_position)
        wanted = _wanted(checks, request.types, request.streams)
        checks.done()
        ledger = self._desk.backend.ledger(request.ledger)
        return paused(EventWatch(self._desk, ledger, wanted, after).messages())


def _wanted(checks: Checks, types: Iterable[str], streams: Iterable[str]) -> EventFilter:
    """Return the filter that a request states."""
    named_types = checks.at_most("types", types, _FILTERS_MAX)
    named_streams = checks.at_most("streams", streams, _FILTERS_MAX)
    for index, name in enumerate(named_types):
        if values.TYPE.fullmatch(name) is None:
            checks.refuse(f"types[{index}]", f"{name[:160]!r} is no event type")
    for index, name in enumerate(named_streams):
        if values.STREAM.fullmatch(name) is None:
            checks.refuse(f"streams[{index}]", f"{name[:160]!r} is no stream")
    return EventFilter(frozenset(named_types) or None, frozenset(named_streams) or None)
