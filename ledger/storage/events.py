"""The events of every ledger, read by position, stream, type and time.

Events come back as stored; nothing is decoded here except the time of an observation, which is
compared with the column that it was found by.
"""

from collections.abc import Collection, Iterator, Sequence
from itertools import groupby, product
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import Select, bindparam, func, select

from ledger.chain.key_history import KEY_TYPES
from ledger.chain.link import Link
from ledger.events.envelope import RecordedEvent
from ledger.events.horizons import Bearing
from ledger.events.signals import OBSERVED_TYPES
from ledger.events.values import TIME_LIMIT
from ledger.storage.database import damaged
from ledger.storage.event_queries import (
    AT,
    BY_OBSERVED,
    BY_RUN,
    EVENT,
    HEAD,
    NEWEST_STREAMS,
    RAW_COLUMNS,
    TYPES_OF,
    Shape,
    of_types,
)
from ledger.storage.event_rows import checked_observations, events_of, timed
from ledger.storage.read_connections import ReadConnections
from ledger.storage.records import Head, RawEvent
from ledger.storage.schema import RUN_TAIL_BYTES, events, run_tail

RAW_PAGE: Final = 2_000
STREAMS_AT_ONCE: Final = 1_000
"""Streams that one query asks for: a fleet costs few queries, and its rows little memory."""


class Events:
    """Reads events on connections that never block the writer. Positions ascend.

    Safe between threads, unless its view is of one moment.
    """

    def __init__(self, view: ReadConnections) -> None:
        self._view = view

    def head(self, ledger: str) -> Head:
        """Return the newest durable head."""
        rows = self._view.rows(HEAD, {"ledger_id_": self._view.id_of(ledger)})
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
        statement = EVENT.where(
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
        found = self._events(AT, {"ledger_id_": self._view.id_of(ledger), "position_": position})
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
            ledger, types, stream=stream, at_or_before=at_or_before, limit=skip + 1, descending=True
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
        wanted = sorted(set(types))
        at_once = limit is None and len(wanted) > 1
        shape = Shape(
            of_stream=stream is not None,
            of_many=at_once,
            has_end=at_or_before is not None,
            is_ordered=not at_once,
            is_descending=descending and not at_once,
            has_limit=limit is not None,
        )
        values: dict[str, Any] = {"ledger_id_": self._view.id_of(ledger), "after_": after}
        if stream is not None:
            values["stream_"] = stream
        if at_or_before is not None:
            values["end_"] = at_or_before
        if limit is not None:
            values["limit_"] = limit
        if at_once:
            found = self._events(of_types(shape), {**values, "types_": wanted})
        else:
            # Type by type: only within one is the index in order, so that a limit ends the walk.
            found = [
                event
                for type_ in wanted
                for event in self._events(of_types(shape), {**values, "type_": type_})
            ]
        if len(wanted) > 1:
            found.sort(reverse=descending)
        return found[:limit]

    def of_run(
        self, ledger: str, run_id: str, *, at_or_before: int, limit: int
    ) -> list[RecordedEvent]:
        """Return at most so many events that name a run, by how their bodies end; none of others.

        Ids are those that a service gives: a `runs/` with a UUID. An erased body names no run.
        """
        tail = f'"{run_id}"}}'.encode()
        if len(tail) != RUN_TAIL_BYTES:
            return []
        statement = BY_RUN.where(
            events.c.ledger_id == self._view.id_of(ledger),
            run_tail == tail,
            events.c.position <= at_or_before,
        )
        return self._events(statement.order_by(events.c.position).limit(limit))

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
        rows = self._view.rows(TYPES_OF, {"ledger_id": self._view.id_of(ledger), "stream": stream})
        return [str(row[0]) for row in rows]

    def newest_streams(self, ledger: str, type_: str, limit: int) -> list[str]:
        """Return the streams of a type's newest events, without bodies. As `of_types` else."""
        asked = {"ledger_id_": self._view.id_of(ledger), "type_": type_, "limit_": limit}
        return [str(row[0]) for row in self._view.rows(NEWEST_STREAMS, asked)]

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
        statement = BY_OBSERVED.where(
            events.c.ledger_id == self._view.id_of(ledger),
            events.c.stream == stream,
            events.c.observed_at.is_not(None),
            events.c.observed_at.between(observed_from, observed_until),
            events.c.position <= at_or_before,
        ).order_by(events.c.observed_at, events.c.position)
        return checked_observations(self._events(statement))

    def observations_of(
        self,
        ledger: str,
        streams: Sequence[str],
        *,
        observed_from: int,
        observed_until: int,
        at_or_before: int,
    ) -> Iterator[list[RecordedEvent]]:
        """Yield what `observations` returns for each of many streams that has any, in any order.

        Costs a query for each STREAMS_AT_ONCE streams, and holds the rows of so many.
        """
        for some in _batches(streams):
            statement = BY_OBSERVED.where(
                events.c.ledger_id == self._view.id_of(ledger),
                events.c.stream.in_(some),
                events.c.observed_at.is_not(None),
                events.c.observed_at.between(observed_from, observed_until),
                events.c.position <= at_or_before,
            ).order_by(events.c.stream, events.c.observed_at, events.c.position)
            found = checked_observations(self._events(statement))
            yield from (list(each) for _, each in groupby(found, key=attrgetter("stream")))

    def newest_of_each(
        self, ledger: str, streams: Sequence[str], types: Collection[str], *, at_or_before: int
    ) -> dict[str, RecordedEvent]:
        """Return the newest event of these types in each of many streams that has one by then.

        Not for `signal.observed`. Costs a query for each STREAMS_AT_ONCE streams and type.
        """
        assert not _has_observations(types), "observations are found by their time"
        newest: dict[str, RecordedEvent] = {}
        for some, type_ in product(_batches(streams), sorted(set(types))):
            ledger_id = self._view.id_of(ledger)
            positions = (
                select(func.max(events.c.position))
                .with_hint(events, "INDEXED BY events_stream_type", "sqlite")
                .where(
                    events.c.ledger_id == ledger_id,
                    events.c.observed_at.is_(None),
                    events.c.stream.in_(some),
                    events.c.type == type_,
                    events.c.position <= at_or_before,
                )
                .group_by(events.c.stream)
            )
            found = EVENT.where(events.c.ledger_id == ledger_id, events.c.position.in_(positions))
            for event in self._events(found):
                if event.stream not in newest or event.position > newest[event.stream].position:
                    newest[event.stream] = event
        return newest

    def newest_observed(
        self, ledger: str, stream: str, *, at_or_before: int, limit: int, before: int | None = None
    ) -> list[RecordedEvent]:
        """Return a stream's newest observations by (observed_at, position), descending.

        `before`: only those that were observed earlier than this time.
        """
        statement = BY_OBSERVED.where(
            events.c.ledger_id == self._view.id_of(ledger),
            events.c.stream == stream,
            events.c.observed_at.is_not(None),
            events.c.position <= at_or_before,
        )
        if before is not None:
            statement = statement.where(events.c.observed_at < before)
        ordered = statement.order_by(events.c.observed_at.desc(), events.c.position.desc())
        return checked_observations(self._events(ordered.limit(limit)))

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
            f"SELECT {RAW_COLUMNS} FROM events "  # noqa: S608 - numbers
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
        statement = EVENT.where(
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
        return events_of(self._view.rows(statement, values))


def _batches(streams: Sequence[str]) -> Iterator[Sequence[str]]:
    for at in range(0, len(streams), STREAMS_AT_ONCE):
        yield streams[at : at + STREAMS_AT_ONCE]


def _has_observations(types: Collection[str]) -> bool:
    return any(type_ in types for type_ in OBSERVED_TYPES)
