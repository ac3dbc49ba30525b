"""The library's aggregate recorder over the catalogue's own events in their own streams.

A model's stream also holds observations, scores and decisions. The recorder shows the library only
the events of the aggregate's family, numbered 1, 2, 3, … among themselves, and refuses an insert
whose number is not the next: that is the aggregate's optimistic concurrency.
"""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from eventsourcing.persistence import AggregateRecorder, IntegrityError, StoredEvent

from ledger.errors import LedgerError, Reason, event_unreadable
from ledger.events.canonical import decode
from ledger.events.envelope import RecordedEvent
from ledger.events.registry import BY_TYPE
from ledger.storage.store import AppendRequest, Guard, NewEvent, Store

_FAMILIES: Final = {
    "models/": frozenset(name for name in BY_TYPE if name.startswith("model.")),
    "policies/": frozenset(name for name in BY_TYPE if name.startswith("policy.")),
    "signals/": frozenset(name for name in BY_TYPE if name.startswith("signal.defined.")),
}


def family_of(stream: str) -> frozenset[str]:
    """Return the event types that make up the aggregate of a stream; empty if it has none."""
    prefix = stream[: stream.find("/") + 1]
    return _FAMILIES.get(prefix, frozenset())


class NativeRecorder(AggregateRecorder):
    """Records aggregates of one ledger as native events."""

    def __init__(self, store: Store, origin: str) -> None:
        super().__init__()
        self._store = store
        self._origin = origin

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        **kwargs: Any,  # noqa: ANN401 - the library's signature
    ) -> Sequence[int] | None:
        """Append the events in one transaction and return their positions.

        Keywords: `method`, `request_id`, `digest`, `stated_time`, `deadline_monotonic` as in an
        AppendRequest. IntegrityError where a version is not the next of its stream.
        """
        if not stored_events:
            return None
        firsts: dict[str, int] = {}
        for stored in stored_events:
            firsts.setdefault(str(stored.originator_id), stored.originator_version)
        request = AppendRequest(
            ledger=self._origin,
            actor=_actor_of(stored_events[0]),
            method=kwargs.get("method", "Save"),
            events=[
                NewEvent(str(stored.originator_id), stored.topic, stored.state)
                for stored in stored_events
            ],
            request_id=kwargs.get("request_id"),
            digest=kwargs.get("digest", b""),
            guards=[
                Guard(stream, family_of(stream), expected_count=version - 1)
                for stream, version in firsts.items()
            ],
            stated_time=kwargs.get("stated_time"),
            deadline_monotonic=kwargs.get("deadline_monotonic"),
        )
        try:
            result = self._store.append(request)
        except LedgerError as error:
            if error.reason is Reason.VERSION_CONFLICT:
                raise IntegrityError(error.message) from error
            raise
        return range(result.first_position, result.last_position + 1)

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """Return the aggregate's events with versions counted among themselves."""
        stream = str(originator_id)
        events = self._store.of_types(self._origin, family_of(stream), stream=stream)
        numbered = [
            StoredEvent(stream, version, event.type, _body_of(event))
            for version, event in enumerate(events, 1)
            if (gt is None or version > gt) and (lte is None or version <= lte)
        ]
        if desc:
            numbered.reverse()
        return numbered if limit is None else numbered[:limit]


def aggregate_recorder(store: Store, origin: str) -> NativeRecorder:
    """Return the recorder of one ledger's aggregates."""
    return NativeRecorder(store, origin)


def _body_of(event: RecordedEvent) -> bytes:
    if event.body_bytes is None:
        raise event_unreadable(event.position, "its body was erased")
    return event.body_bytes


def _actor_of(stored: StoredEvent) -> str:
    return str(decode(stored.state)["actor"])
