"""Calls of LedgerService: ledgers and their events."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ledger.client.call import Call, CallScope, EndlessStream, Paged
from ledger.client.calls.pages import appended, one, page, whole
from ledger.client.decode import decode
from ledger.client.enums import LedgerClock
from ledger.client.inputs import number_of
from ledger.client.outcomes import Erased
from ledger.client.records import Appended, Event, Ledger
from ledger.limits import PAGE_SIZE_MAX
from ledger.v1 import ledger_pb2, ledger_service_pb2

_SERVICE: Final = "/ledger.v1.LedgerService/"


@dataclass(frozen=True, slots=True)
class Configuration:
    """What is chosen once, when a ledger is created; None and "" leave it to the server."""

    clock: LedgerClock | str | None
    skew_seconds: int | None
    unit_of_cost: str
    leap_seconds: int | None


def create_ledger(scope: CallScope, origin: str, chosen: Configuration) -> Call[Ledger]:
    """Return the call that creates a ledger."""
    number = number_of(chosen.clock, LedgerClock, ledger_pb2.LedgerClock, "clock")
    return Call(
        _SERVICE + "CreateLedger",
        ledger_service_pb2.CreateLedgerRequest(
            origin=origin,
            clock=ledger_pb2.LedgerClock.ValueType(number),
            skew_seconds=chosen.skew_seconds,
            unit_of_cost=chosen.unit_of_cost,
            leap_seconds=chosen.leap_seconds,
            request_id=scope.request_id,
        ),
        ledger_service_pb2.CreateLedgerResponse,
        one(Ledger, "ledger"),
        scope.request_id,
    )


def confirm_clock(scope: CallScope, reason: str) -> Call[Appended]:
    """Return the call that confirms the server's clock."""
    return Call(
        _SERVICE + "ConfirmClock",
        ledger_service_pb2.ConfirmClockRequest(
            reason=reason, ledger=scope.ledger, request_id=scope.request_id
        ),
        ledger_service_pb2.ConfirmClockResponse,
        appended,
        scope.request_id,
    )


def get_ledger(scope: CallScope, min_position: int) -> Call[Ledger]:
    """Return the call that reads a ledger and its head."""
    return Call(
        _SERVICE + "GetLedger",
        ledger_service_pb2.GetLedgerRequest(ledger=scope.ledger, min_position=min_position),
        ledger_service_pb2.GetLedgerResponse,
        one(Ledger, "ledger"),
    )


def list_ledgers() -> Paged[Ledger]:
    """Return the call that lists the server's ledgers."""
    return Paged(
        Call(
            _SERVICE + "ListLedgers",
            ledger_service_pb2.ListLedgersRequest(),
            ledger_service_pb2.ListLedgersResponse,
            page(Ledger, "ledgers"),
        )
    )


def list_events(
    scope: CallScope,
    *,
    after_position: int,
    until_position: int,
    types: Sequence[str],
    streams: Sequence[str],
    min_position: int,
) -> Paged[Event]:
    """Return the call that lists events by position."""
    return Paged(
        Call(
            _SERVICE + "ListEvents",
            ledger_service_pb2.ListEventsRequest(
                ledger=scope.ledger,
                after_position=after_position,
                until_position=until_position,
                types=types,
                streams=streams,
                min_position=min_position,
                page_size=PAGE_SIZE_MAX,
            ),
            ledger_service_pb2.ListEventsResponse,
            page(Event, "events"),
        )
    )


def watch_events(
    scope: CallScope, *, types: Sequence[str], streams: Sequence[str]
) -> EndlessStream[Event]:
    """Return the watch of events as they are recorded."""
    return EndlessStream(
        _SERVICE + "WatchEvents",
        ledger_service_pb2.WatchEventsRequest(ledger=scope.ledger, types=types, streams=streams),
        ledger_service_pb2.WatchEventsResponse,
        _events,
    )


def erase_bodies(
    scope: CallScope, positions: Sequence[tuple[int, int]], *, ground: str, authority: str
) -> Call[Erased]:
    """Return the call that removes body and salt of events."""
    return Call(
        _SERVICE + "EraseBodies",
        ledger_service_pb2.EraseBodiesRequest(
            positions=[
                ledger_service_pb2.PositionRange(first=first, last=last)
                for first, last in positions
            ],
            ground=ground,
            authority=authority,
            ledger=scope.ledger,
            request_id=scope.request_id,
        ),
        ledger_service_pb2.EraseBodiesResponse,
        whole(Erased),
        scope.request_id,
    )


def _events(response: Any) -> list[tuple[Event, int]]:  # noqa: ANN401 - of the watch
    return [(decode(Event, event), event.position) for event in response.events]
