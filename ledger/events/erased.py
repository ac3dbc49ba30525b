"""What a fold sees of an event whose body was erased: its header says its type, and no more."""

from dataclasses import dataclass

from ledger.events.base import EventData
from ledger.events.envelope import RecordedEvent
from ledger.events.registry import decode_data


@dataclass(frozen=True, slots=True)
class ErasedData:
    """Takes the place of the data of an event of this type."""

    type: str


def data_or_erased(event: RecordedEvent) -> EventData | ErasedData:
    """Return the event's data, or that it is gone; EVENT_UNREADABLE as `decode_data`."""
    return ErasedData(event.type) if event.body_bytes is None else decode_data(event)
