"""One ledger's events as they were recorded: the head, pages of events, and times."""

from collections.abc import Collection

from ledger.events.envelope import RecordedEvent
from ledger.storage.records import Head, LedgerInfo
from ledger.storage.store import Store


class LedgerLog:
    """Reads one ledger. Safe between threads."""

    def __init__(self, store: Store, info: LedgerInfo) -> None:
        self._store = store
        self._info = info

    def head(self) -> Head:
        """Return the newest durable head."""
        return self._store.events.head(self._info.origin)

    def event(self, position: int) -> RecordedEvent | None:
        """Return the event at a position, or None."""
        return self._store.events.event(self._info.origin, position)

    def events(
        self,
        *,
        after: int = 0,
        until: int | None = None,
        limit: int = 1000,
        types: Collection[str] | None = None,
        streams: Collection[str] | None = None,
    ) -> list[RecordedEvent]:
        """Return events with after < position <= until, in order."""
        return self._store.events.read(
            self._info.origin, after=after, until=until, limit=limit, types=types, streams=streams
        )

    def position_at(self, micros: int) -> int:
        """Return the newest position recorded at or before a time, 0 if there is none."""
        return self._store.events.position_at(self._info.origin, micros)

    @property
    def heard(self) -> int:
        """The newest position heard of: never beyond the head, and not behind it for long."""
        return self._store.commits.newest(self._info.origin)
