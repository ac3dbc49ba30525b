"""LedgerService: ledgers, their clocks, and their events as hashed.

The methods by which a ledger proves itself are in `attestation`.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import grpc

from ledger.api.attestation import AttestationMethods
from ledger.api.checks import Checks
from ledger.api.convert import ledgers as convert
from ledger.api.convert.authority import administrator_of
from ledger.api.convert.basics import appended, inverse
from ledger.api.paging import cut, page_of
from ledger.api.server_context import beyond_head
from ledger.api.steps import paused
from ledger.api.watches import EventFilter, EventWatch, fitting
from ledger.application.commands import fields_named
from ledger.events import values
from ledger.events.authority import NAMED_WITH_LEDGER, AdministratorNamed
from ledger.limits import (
    ERASED_RANGES_MAX,
    LEAP_SECONDS_MAX,
    SKEW_SECONDS_DEFAULT,
    SKEW_SECONDS_MAX,
)
from ledger.storage.records import AppendResult
from ledger.v1 import ledger_pb2, ledger_service_pb2_grpc
from ledger.v1 import ledger_service_pb2 as pb

_FILTERS_MAX: Final = 500  # more than there are types of events: an answer may ask for all of them
_CLOCKS: Final = {**inverse(convert.CLOCKS), ledger_pb2.LEDGER_CLOCK_UNSPECIFIED: "wall"}


class LedgerServicer(AttestationMethods, ledger_service_pb2_grpc.LedgerServiceServicer):
    """Serves LedgerService."""

    def CreateLedger(
        self, request: pb.CreateLedgerRequest, context: grpc.ServicerContext
    ) -> pb.CreateLedgerResponse:
        """Create a ledger."""
        checks = Checks()
        if checks.present("origin", request.origin) and not values.ORIGIN.fullmatch(request.origin):
            checks.refuse(
                "origin",
                "must be segments of a-z, 0-9, '.', '_' and '-' joined by '/', "
                "at most 255 characters",
            )
        if request.clock not in _CLOCKS:
            checks.refuse("clock", f"{request.clock} is not a clock")
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
        administrator = _administrator(request)
        origin, clock = request.origin, _CLOCKS[request.clock]
        caller = self._server.caller(request, context)
        known = {info.origin for info in self._server.backend.ledgers()}
        info = self._server.backend.create_ledger(
            origin,
            clock=clock,
            skew_seconds=skew,
            unit_of_cost=request.unit_of_cost,
            leap_seconds=leap,
            actor=caller.actor,
            request_id=caller.request_id,
            digest=caller.digest,
            administrator=administrator,
            guards=caller.guards,
        )
        ledger = self._server.backend.ledger(origin)
        last = ledger.log.event(2 if administrator is None else 3)
        assert last is not None, "a ledger begins with these events"
        written = AppendResult(
            1, last.position, last.recorded_at, last.event_hash, repeated=origin in known
        )
        return pb.CreateLedgerResponse(
            appended=appended(written), ledger=convert.ledger(info, ledger.log.head())
        )

    def GetLedger(
        self, request: pb.GetLedgerRequest, context: grpc.ServicerContext
    ) -> pb.GetLedgerResponse:
        """Return one ledger and its head."""
        checks = Checks()
        ledger = self._server.read(request, context, checks)
        return pb.GetLedgerResponse(ledger=convert.ledger(ledger.info, ledger.log.head()))

    def ListLedgers(
        self, request: pb.ListLedgersRequest, context: grpc.ServicerContext
    ) -> pb.ListLedgersResponse:
        """List the server's ledgers by origin."""
        page = page_of(request)
        every = sorted(self._server.backend.ledgers(), key=lambda info: info.origin)
        shown, token = cut(page, every, lambda info: info.origin)
        backend = self._server.backend
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
        page = page_of(request)
        checks = Checks()
        after = checks.position("after_position", request.after_position)
        until = checks.position("until_position", request.until_position)
        wanted = _wanted(checks, request.types, request.streams)
        ledger = self._server.read(request, context, checks)
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
        ledger = self._server.backend.ledger(request.ledger)
        return paused(EventWatch(self._server, ledger, wanted, after).messages())

    def EraseBodies(
        self, request: pb.EraseBodiesRequest, context: grpc.ServicerContext
    ) -> pb.EraseBodiesResponse:
        """Remove body and salt of events, under a recorded legal ground."""
        checks = Checks()
        count = len(request.positions)
        if checks.present("positions", count) and count > ERASED_RANGES_MAX:
            checks.refuse("positions", f"has {count} ranges; at most {ERASED_RANGES_MAX} are taken")
        ranges = request.positions[:ERASED_RANGES_MAX]
        for index, each in enumerate(ranges):
            for name in ("first", "last"):
                checks.position(f"positions[{index}].{name}", getattr(each, name), optional=False)
        ground = checks.text("ground", request.ground)
        authority = checks.text("authority", request.authority)
        ledger, caller = self._server.append(request, context, checks)
        named = [(each.first, each.last) for each in ranges]
        erased = ledger.erasure.erase_bodies(caller, named, ground, authority)
        return pb.EraseBodiesResponse(appended=appended(erased.written), erased=erased.bodies)

    def ConfirmClock(
        self, request: pb.ConfirmClockRequest, context: grpc.ServicerContext
    ) -> pb.ConfirmClockResponse:
        """Confirm the server's clock, although it is not where it was expected."""
        checks = Checks()
        reason = checks.text("reason", request.reason)
        ledger, caller = self._server.append(request, context, checks)
        written = ledger.clocks.confirm(caller, reason)
        return pb.ConfirmClockResponse(appended=appended(written))


def _administrator(request: pb.CreateLedgerRequest) -> AdministratorNamed | None:
    """Return the administrator with whom a ledger begins; FIELD_INVALID names what is wrong."""
    if not request.HasField("administrator"):
        return None
    named = administrator_of(request.administrator)
    with fields_named():
        return AdministratorNamed.from_data({**named, "reason": NAMED_WITH_LEDGER})


def _wanted(checks: Checks, types: Iterable[str], streams: Iterable[str]) -> EventFilter:
    """Return the filter that a request states."""
    named_types = checks.at_most("types", types, _FILTERS_MAX)
    named_streams = checks.at_most("streams", streams, _FILTERS_MAX)
    for index, name in enumerate(named_types):
        if values.TYPE.fullmatch(name) is None:
            checks.refuse(f"types[{index}]", f"{name[:160]!r} is not an event type")
    for index, name in enumerate(named_streams):
        if values.STREAM.fullmatch(name) is None:
            checks.refuse(f"streams[{index}]", f"{name[:160]!r} is not a stream")
    return EventFilter(frozenset(named_types) or None, frozenset(named_streams) or None)
