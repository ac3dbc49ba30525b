"""The events of every ledger, read by position, stream, type and time.

Events come back as stored; nothing is decoded here except the time of an observation, which is
compared with the column that it was found by.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import product
from operator import ne
from typing import Any, Final

from sqlalchemy import Select, bindparam, func, select, text

from ledger.chain.key_history import KEY_TYPES
from ledger.chain.link import EventRow, Link
from ledger.errors import LedgerError, chain_broken, event_unreadable
from ledger.events.envelope import RecordedEvent
from ledger.events.horizons import Bearing
from ledger.events.signals import OBSERVED_TYPES
from ledger.events.values import TIME_LIMIT, format_time
from ledger.storage.database import EVENT_COLUMNS, damaged
from ledger.storage.read_connections import ReadConnections
from ledger.storage.records import Head, RawEvent
from ledger.storage.schema import events, heads

RAW_PAGE: Final = 2_000

_EVENT: Final = select(*(events.c[name] for name in EVENT_COLUMNS if name != "ledger_id"))
_RAW_COLUMNS: Final = ", ".join(column.name for column in _EVENT.selected_columns)
_SHAPES: Final = {
    (int, str, int, str, int, observed_at, body, salt, bytes, bytes, bytes)
    for observed_at, body, salt in product(
        (int, type(None)), (bytes, type(None)), (bytes, type(None))
    )
}
# SQLite has no statistics here and would walk the primary key, whose cost grows with the ledger.
_BY_STREAM_TYPE: Final = _EVENT.with_hint(events, "INDEXED BY events_stream_type", "sqlite")
_BY_TYPE: Final = _EVENT.with_hint(events, "INDEXED BY events_type", "sqlite")
_BY_OBSERVED: Final = _EVENT.with_hint(events, "INDEXED BY events_observed", "sqlite")
# The most frequent questions, built once.
_HEAD: Final = select(
    heads.c.position,
    heads.c.event_hash,
    heads.c.recorded_at,
    heads.c.newest_observed_at,
    heads.c.tree,
    heads.c.seal,
).where(heads.c.ledger_id == bindparam("ledger_id_"))
_AT: Final = _EVENT.where(
    events.c.ledger_id == bindparam("ledger_id_"), events.c.position == bindparam("position_")
)
_TYPES_OF: Final = text(
    """
    WITH RECURSIVE found(type) AS (
        SELECT min(type) FROM events
        WHERE ledger_id = :ledger_id AND stream = :stream AND observed_at IS NULL
      UNION ALL
        SELECT (
            SELECT min(type) FROM events
            WHERE ledger_id = :ledger_id AND stream = :stream AND observed_at IS NULL
              AND type > found.type
        ) FROM found WHERE found.type IS NOT NULL
    )
    SELECT found.type FROM found WHERE found.type IS NOT NULL
    """
)


class Events:
    """Reads events on connections that never block the writer. Positions ascend.

    Safe between threads, unless its view is of one moment.
    """

    def __init__(self, view: ReadConnections) -> None:
        self._view = view

    def head(self, ledger: str) -> Head:
        """Return the newest durable head."""
        rows = self._view.rows(_HEAD, {"ledger_id_": self._view.id_of(ledger)})
        if not rows:
            raise damaged(f"the head of {ledger} is missing")
        head = Head(*rows[0])
        at = head.recorded_at
        if type(head.position) is not int or type(at) is not int or not 0 <= at < TIME_LIMIT:
            raise damaged(f"the head of {ledger} cannot be read")
        return head

    def read(
        self,
        ledger: str,
        *,
        after: int = 0,
        until: int | None = None,
        limit: int = 1000,
        types: Collection[str] | None = None,
        streams: Collection[str] | None = None,
    ) -> list[RecordedEvent]:
        """Return at most `limit` events with after < position <= until, ascending."""
        if streams is None and types is not None and not _has_observations(types):
            return self.of_types(ledger, types, after=after, at_or_before=until, limit=limit)
        statement = _EVENT.where(
            events.c.ledger_id == self._view.id_of(ledger), events.c.position > after
        )
        if until is not None:
            statement = statement.where(events.c.position <= until)
        if types is not None:
            statement = statement.where(events.c.type.in_(sorted(types)))
        if streams is None:
            return self._events(statement.order_by(events.c.position).limit(limit))
        # Versions ascend with positions, so each stream is a walk along its own index.
        found = [
            event
            for stream in sorted(set(streams))
            for event in self._events(
                statement.where(
                    events.c.stream == stream,
                    events.c.stream_version > self._version_at(ledger, stream, after),
                )
                .order_by(events.c.stream_version)
                .limit(limit)
            )
        ]
        return sorted(found)[:limit]

    def event(self, ledger: str, position: int) -> RecordedEvent | None:
        """Return the event at a position, or None."""
        found = self._events(_AT, {"ledger_id_": self._view.id_of(ledger), "position_": position})
        return found[0] if found else None

    def latest(
        self,
        ledger: str,
        stream: str,
        types: Collection[str],
        *,
        at_or_before: int,
        skip: int = 0,
    ) -> RecordedEvent | None:
        """Return the newest event of these types in a stream up to a position, after skipping some.

        Not for `signal.observed`, which the index behind this leaves out.
        """
        newest = self.of_types(
            ledger,
            types,
            stream=stream,
            at_or_before=at_or_before,
            limit=skip + 1,
            descending=True,
        )
        return newest[skip] if len(newest) > skip else None

    def of_types(
        self,
        ledger: str,
        types: Collection[str],
        *,
        stream: str | None = None,
        after: int = 0,
        at_or_before: int | None = None,
        limit: int | None = None,
        descending: bool = False,
    ) -> list[RecordedEvent]:
        """Return events of these types, in one stream or in all. Not for `signal.observed`."""
        assert not _has_observations(types), "observations are found by their time"
        statement = (_BY_TYPE if stream is None else _BY_STREAM_TYPE).where(
            events.c.ledger_id == self._view.id_of(ledger),
            events.c.observed_at.is_(None),
            events.c.position > after,
        )
        if stream is not None:
            statement = statement.where(events.c.stream == stream)
        if at_or_before is not None:
            statement = statement.where(events.c.position <= at_or_before)
        order = events.c.position.desc() if descending else events.c.position
        statement = statement.order_by(order).limit(limit)
        # Type by type, because only within one type is the index in order of position.
        found = [
            event
            for type_ in sorted(set(types))
            for event in self._events(statement.where(events.c.type == type_))
        ]
        if len(types) > 1:
            found.sort(reverse=descending)
        return found[:limit]

    def bearing(
        self, ledger: str, bearing: Bearing, after: int, until: int, limit: int | None
    ) -> list[tuple[int, bytes | None]]:
        """Return position and body of the newest events that bear on a horizon, newest first."""
        statement = select(events.c.position, events.c.body).where(
            events.c.ledger_id == self._view.id_of(ledger),
            events.c.type.in_(sorted(bearing.types)),
            events.c.observed_at.is_(None),
            events.c.position > after,
            events.c.position <= until,
        )
        index = "INDEXED BY events_type"
        if bearing.stream is not None:
            statement = statement.where(events.c.stream == bearing.stream)
            index = "INDEXED BY events_stream_type"
        statement = statement.with_hint(events, index, "sqlite")
        rows = self._view.rows(statement.order_by(events.c.position.desc()).limit(limit))
        return [(row[0], row[1]) for row in rows]

    def key_events(self, ledger: str, *, until: int | None = None) -> list[RecordedEvent]:
        """Return the events that say which key signs when, up to a position."""
        return self.of_types(ledger, KEY_TYPES, stream="ledger", at_or_before=until)

    def types_of(self, ledger: str, stream: str) -> list[str]:
        """Return the types of a stream's events in order of name, observations left out.

        Skips along the index from type to type: costs by how many there are, not by the events.
        """
        rows = self._view.rows(_TYPES_OF, {"ledger_id": self._view.id_of(ledger), "stream": stream})
        return [str(row[0]) for row in rows]

    def observations(
        self,
        ledger: str,
        stream: str,
        *,
        observed_from: int,
        observed_until: int,
        at_or_before: int,
    ) -> list[RecordedEvent]:
        """Return a stream's observations with both bounds inclusive, by (observed_at, position).

        EVENT_UNREADABLE where the indexed time differs from the body's.
        """
        statement = _BY_OBSERVED.where(
            events.c.ledger_id == self._view.id_of(ledger),
            events.c.stream == stream,
            events.c.observed_at.is_not(None),
            events.c.observed_at.between(observed_from, observed_until),
            events.c.position <= at_or_before,
        ).order_by(events.c.observed_at, events.c.position)
        return _checked(self._events(statement))

    def newest_observed(
        self, ledger: str, stream: str, *, at_or_before: int, limit: int, before: int | None = None
    ) -> list[RecordedEvent]:
        """Return a stream's newest observations by (observed_at, position), descending.

        `before`: only those that were observed earlier than this time.
        """
        statement = _BY_OBSERVED.where(
            events.c.ledger_id == self._view.id_of(ledger),
            events.c.stream == stream,
            events.c.observed_at.is_not(None),
            events.c.position <= at_or_before,
        )
        if before is not None:
            statement = statement.where(events.c.observed_at < before)
        ordered = statement.order_by(events.c.observed_at.desc(), events.c.position.desc())
        return _checked(self._events(ordered.limit(limit)))

    def position_at(self, ledger: str, micros: int) -> int:
        """Return the largest position recorded at or before a time, 0 if there is none.

        Times ascend with positions, so a binary search over the primary key finds it.
        """
        recorded_at = select(events.c.recorded_at).where(
            events.c.ledger_id == self._view.id_of(ledger),
            events.c.position == bindparam("place"),
        )
        return self._last_at_most(micros, self.head(ledger).position, recorded_at)

    def rows_raw(
        self, ledger: str, *, after: int = 0, until: int | None = None
    ) -> Iterator[list[RawEvent]]:
        """Yield all events with after < position <= until, in pages, as the driver gives them.

        The values stand in the order of RecordedEvent's members, and nothing looks at their types.
        """
        ledger_id, last = self._view.id_of(ledger), after
        end = "" if until is None else f"AND position <= {until:d} "
        while page := self._view.fetch(
            f"SELECT {_RAW_COLUMNS} FROM events "  # noqa: S608 - numbers
            f"WHERE ledger_id = {ledger_id:d} AND position > {last:d} {end}"
            f"ORDER BY position LIMIT {RAW_PAGE:d}"
        ):
            yield page
            last = page[-1][0]

    def links(self, ledger: str, *, after: int = 0, until: int | None = None) -> Iterator[Link]:
        """Yield events as the chain sees them, by the quickest way; a ChainVerifier judges.

        Nothing of a row is checked here but that its time can be spelled.
        """
        for page in self.rows_raw(ledger, after=after, until=until):
            yield from map(Link._make, timed(page))

    def stream_version(self, ledger: str, stream: str) -> int:
        """Return how many events a stream has."""
        statement = select(func.max(events.c.stream_version)).where(
            events.c.ledger_id == self._view.id_of(ledger), events.c.stream == stream
        )
        return self._view.rows(statement)[0][0] or 0

    def stream_event(self, ledger: str, stream: str, version: int) -> RecordedEvent:
        """Return the event that gave a stream this version, which it must have reached."""
        statement = _EVENT.where(
            events.c.ledger_id == self._view.id_of(ledger),
            events.c.stream == stream,
            events.c.stream_version == version,
        )
        return self._events(statement)[0]

    def _version_at(self, ledger: str, stream: str, position: int) -> int:
        """Return a stream's version as of a position, by binary search over its index."""
        if position == 0:
            return 0
        position_of = select(events.c.position).where(
            events.c.ledger_id == self._view.id_of(ledger),
            events.c.stream == stream,
            events.c.stream_version == bindparam("place"),
        )
        return self._last_at_most(position, self.stream_version(ledger, stream), position_of)

    def _last_at_most(self, most: int, places: int, value_at: Select[Any]) -> int:
        """Return the last of the places from 1 on whose value is not greater, 0 if none is."""
        low, high = 0, places
        while low < high:
            middle = (low + high + 1) // 2
            if self._view.rows(value_at, {"place": middle})[0][0] <= most:
                low = middle
            else:
                high = middle - 1
        return low

    def _events(
        self, statement: Select[Any], values: dict[str, Any] | None = None
    ) -> list[RecordedEvent]:
        found = []
        for row in self._view.rows(statement, values):
            if tuple(map(type, row)) not in _SHAPES:
                raise _mistyped(row)
            event = RecordedEvent._make(row)
            recorded, observed = event.recorded_at, event.observed_at or 0
            if not (0 <= recorded < TIME_LIMIT and 0 <= observed < TIME_LIMIT):
                raise chain_broken(event.position, "no event can have its time")
            found.append(event)
        return found


def _has_observations(types: Collection[str]) -> bool:
    return any(type_ in types for type_ in OBSERVED_TYPES)


def timed(rows: Iterable[RawEvent]) -> Iterator[EventRow]:
    """Yield rows as the chain sees them, with their time as text; CHAIN_BROKEN if it is none."""
    micros, text = None, ""
    for position, stream, version, type_, time, _, body, salt, body_hash, prev_hash, hash_ in rows:
        if time != micros:  # events of one commit share their time
            try:
                micros, text = time, format_time(time)
            except (TypeError, ValueError) as error:
                raise chain_broken(position, f"its record time is not a time: {error}") from error
        yield position, stream, version, type_, text, body, salt, body_hash, prev_hash, hash_


def _mistyped(row: Sequence[Any]) -> LedgerError:
    """Return the refusal of a row with a value of the wrong type, which SQLite can store.

    Equal bytes in the wrong type would break every comparison downstream in its own way.
    """
    shape = min(_SHAPES, key=lambda known: sum(map(ne, known, map(type, row))))
    wrong = next(
        at
        for at, (want, value) in enumerate(zip(shape, row, strict=True))
        if want is not type(value)
    )
    return chain_broken(
        row[0] if type(row[0]) is int else 0,
        f"its {RecordedEvent._fields[wrong]} is stored as {type(row[wrong]).__name__}",
    )


def _checked(found: Iterable[RecordedEvent]) -> list[RecordedEvent]:
    """Refuse observations whose indexed time is not the one that was hashed.

    The body is canonical JSON, so its time is there in exactly one spelling.
    """
    checked = []
    for event in found:
        body = event.body_bytes
        if event.type not in OBSERVED_TYPES or event.observed_at is None:
            raise event_unreadable(event.position, "it has a time of observation but is none")
        if body is not None and time_member(event.observed_at) not in body:
            raise event_unreadable(event.position, "its indexed observed_at is not its body's")
        checked.append(event)
    return checked


def time_member(micros: int) -> bytes:
    """Return how a body spells its time of observation."""
    return b'"observed_at":"' + format_time(micros).encode("ascii") + b'"'
