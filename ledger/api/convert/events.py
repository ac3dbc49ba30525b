"""Events and ledgers."""

from typing import Final

from ledger.api.convert.basics import timestamp
from ledger.events.envelope import RecordedEvent
from ledger.storage.records import Head, LedgerInfo
from ledger.v1 import event_pb2, ledger_pb2

CLOCKS: Final = {
    "wall": ledger_pb2.LEDGER_CLOCK_WALL,
    "data": ledger_pb2.LEDGER_CLOCK_DATA,
}


def event(recorded: RecordedEvent) -> event_pb2.Event:
    """Return an event with the bytes that were hashed."""
    return event_pb2.Event(
        position=recorded.position,
        stream=recorded.stream,
        stream_version=recorded.stream_version,
        type=recorded.type,
        recorded_at=timestamp(recorded.recorded_at),
        body=recorded.body_bytes or b"",
        salt=recorded.salt or b"",
        body_hash=recorded.body_hash,
        prev_hash=recorded.prev_hash,
        event_hash=recorded.event_hash,
    )


def ledger(info: LedgerInfo, head: Head) -> ledger_pb2.Ledger:
    """Return a ledger and where its head is."""
    message = ledger_pb2.Ledger(
        origin=info.origin,
        clock=CLOCKS[info.clock],
        skew_seconds=info.skew_seconds,
        unit_of_cost=info.unit_of_cost,
        leap_seconds=info.leap_seconds,
        verifier_key=info.vkey,
        head_position=head.position,
        head_hash=head.event_hash,
        head_recorded_at=timestamp(head.recorded_at),
    )
    if head.newest_observed_at is not None:
        message.newest_observed_at.CopyFrom(timestamp(head.newest_observed_at))
    return message
