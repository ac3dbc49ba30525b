"""Events in memory, with the few reads of a store that assessing and planning need."""

from collections.abc import Collection, Iterator, Sequence
from typing import cast

from ledger.events.envelope import RecordedEvent
from ledger.storage.events import Events


class EventsInMemory:
    """A list of events that answers as a store does."""

    def __init__(self) -> None:
        self.events: list[RecordedEvent] = []

    def reader(self) -> Events:
        """Return this ledger as what the application reads from."""
        return cast("Events", self)

    def of_types(
        self,
        _ledger: str,
        types: Collection[str],
        *,
        stream: str | None = None,
        after: int = 0,
        at_or_before: int | None = None,
        limit: int | None = None,
        descending: bool = False,
    ) -> list[RecordedEvent]:
        """Return events of these types, as a store does."""
        last = at_or_before if at_or_before is not None else len(self.events)
        found = [
            event
            for event in self.events[after:last]
            if event.type in types and stream in (None, event.stream)
        ]
        return (found[::-1] if descending else found)[:limit]

    def types_of(self, _ledger: str, stream: str) -> list[str]:
        """Return the types of a stream's events but observations, as a store does."""
        return sorted(
            {
                event.type
                for event in self.events
                if (event.stream, event.observed_at) == (stream, None)
            }
        )

    def latest(
        self, _ledger: str, stream: str, types: Collection[str], *, at_or_before: int
    ) -> RecordedEvent | None:
        """Return the newest event of these types in a stream, as a store does."""
        found = self.of_types("", types, stream=stream, at_or_before=at_or_before)
        return found[-1] if found else None

    def observations(
        self,
        _ledger: str,
        stream: str,
        *,
        observed_from: int,
        observed_until: int,
        at_or_before: int,
    ) -> list[RecordedEvent]:
        """Return a stream's observations between two times, as a store does."""
        return [
            event
            for event in self.events[:at_or_before]
            if event.stream == stream
            and event.observed_at is not None
            and observed_from <= event.observed_at <= observed_until
        ]

    def observations_of(
        self, ledger: str, streams: Sequence[str], **bounds: int
    ) -> Iterator[list[RecordedEvent]]:
        """Yield what each of many streams has, as a store does."""
        for stream in streams:
            if found := self.observations(ledger, stream, **bounds):
                yield found

    def newest_of_each(
        self, ledger: str, streams: Sequence[str], types: Collection[str], *, at_or_before: int
    ) -> dict[str, RecordedEvent]:
        """Return the newest event of these types in each of many streams, as a store does."""
        newest = {
            stream: self.latest(ledger, stream, types, at_or_before=at_or_before)
            for stream in streams
        }
        return {stream: event for stream, event in newest.items() if event is not None}
