"""Observations that repeat earlier ones: told apart within the writer's transaction.

Equal in all but sample size and request id. Almost every observation is newer than all that its
stream holds, and cannot be a repeat. So a chain remembers a number for each recent observation,
equal for equal ones, and from when on it remembers all. Only what is older than that, or has a
number that was seen, is looked up in the database: that alone decides. The memory is
bounded; a forgotten observation costs a look-up.

An observation placed earlier in the same group counts as on record, and so does one earlier in
the same request. A request is told apart before any of it is placed, so leaving out happens before
the append, and a repeat of the request finds what the first attempt found.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, select

from ledger.events.fast import identity_of, repeated_part
from ledger.storage.database import EVENT_COLUMNS, EVENT_WIDTH, stored_bytes
from ledger.storage.records import NONE_FOUND, AppendRequest, AppendResult, Duplicates, NewEvent
from ledger.storage.schema import events

REMEMBERED_MAX: Final = 100_000  # observations of one ledger: about 8 MB
_CHUNK: Final = 500
_TIMES_MAX: Final = 500  # in one statement

_NEWEST: Final = select(func.max(events.c.observed_at)).where(
    events.c.ledger_id == bindparam("ledger_id_"),
    events.c.stream == bindparam("stream_"),
    events.c.observed_at.is_not(None),
)
_NEWEST_OF_TIME: Final = (
    select(func.max(events.c.position))
    .where(
        events.c.ledger_id == bindparam("ledger_id_"),
        events.c.stream == bindparam("stream_"),
        events.c.observed_at.is_not(None),
        events.c.observed_at == bindparam("at_"),
    )
    .with_hint(events, "INDEXED BY events_observed", "sqlite")
)
_AT_TIMES: Final = (
    select(events.c.position, events.c.body)
    .where(
        events.c.ledger_id == bindparam("ledger_id_"),
        events.c.stream == bindparam("stream_"),
        events.c.observed_at.is_not(None),
        events.c.observed_at.in_(bindparam("times", expanding=True)),
        events.c.position < bindparam("before"),
    )
    .order_by(events.c.position)
)

_LEDGER: Final = EVENT_COLUMNS.index("ledger_id")
_POSITION: Final = EVENT_COLUMNS.index("position")
_STREAM: Final = EVENT_COLUMNS.index("stream")
_OBSERVED_AT: Final = EVENT_COLUMNS.index("observed_at")
_BODY: Final = EVENT_COLUMNS.index("body")

_Split = tuple[Sequence[NewEvent], Sequence[bytes], Duplicates]


@dataclass(slots=True)
class IdentityChunk:
    """Identities remembered together, and the span of time that they are of."""

    earliest: int
    latest: int
    identities: list[int]
    known: set[int] | None = None
    """The same as a set, made at the first question: most are never asked."""


@dataclass(slots=True)
class RecentIdentities:
    """The identities that a chain remembers, and up to which time each stream has older ones."""

    chunks: list[IdentityChunk] = field(default_factory=list)
    floors: dict[str, int] = field(default_factory=dict)
    count: int = 0
    """How many identities are remembered."""

    def trim(self) -> None:
        """Forget everything once it is too much; only between transactions."""
        if self.count > REMEMBERED_MAX:
            self.chunks.clear()
            self.floors.clear()
            self.count = 0

    def remember(self, times: Sequence[int], identities: Sequence[int]) -> None:
        """Take note of the observations of a request."""
        earliest, latest = min(times), max(times)
        self.count += len(identities)
        last = self.chunks[-1] if self.chunks else None
        if last is None or len(last.identities) >= _CHUNK:
            self.chunks.append(IdentityChunk(earliest, latest, list(identities)))
            return
        last.earliest, last.latest = min(last.earliest, earliest), max(last.latest, latest)
        last.identities += identities
        if last.known is not None:
            last.known.update(identities)

    def _overlapping(self, earliest: int, latest: int) -> Iterator[set[int]]:
        for chunk in self.chunks:
            if chunk.earliest <= latest and chunk.latest >= earliest:
                if chunk.known is None:
                    chunk.known = set(chunk.identities)
                yield chunk.known

    def learn_floors(self, connection: Connection, ledger_id: int, streams: Iterable[str]) -> int:
        """Return the time up to which any of the streams may hold what is not remembered."""
        floor = -1
        for stream in streams:
            known = self.floors.get(stream)
            if known is None:
                values = {"ledger_id_": ledger_id, "stream_": stream}
                newest = connection.execute(_NEWEST, values).scalar()
                known = self.floors[stream] = -1 if newest is None else newest
            floor = max(floor, known)
        return floor

    def suspects(
        self, new: Sequence[NewEvent], times: Sequence[int], identities: Sequence[int], floor: int
    ) -> list[int]:
        """Return the indexes of the observations that may be repeats, ascending."""
        fresh = set(identities)
        seen: set[int] = set()
        for known in self._overlapping(min(times), max(times)):
            seen |= known & fresh
        if min(times) > floor and len(fresh) == len(times) and not seen:
            return []
        counted = Counter(identities)
        floors = self.floors
        return [
            index
            for index, identity in enumerate(identities)
            if times[index] <= floors[new[index].stream]
            or identity in seen
            or counted[identity] > 1
        ]


class RepeatFinder:
    """Finds repeats for one group, whose rows that are not stored yet it reads along."""

    def __init__(self, connection: Connection, rows: list[Any]) -> None:
        self._connection = connection
        self._rows = rows
        self._indexed = 0
        self._placed: dict[tuple[int, str, int], list[tuple[int, bytes]]] = {}

    def told_apart(
        self,
        ledger_id: int,
        recent: RecentIdentities,
        first: int,
        request: AppendRequest,
        bodies: Sequence[bytes],
    ) -> _Split:
        """Return the events and bodies to place, and what was found of repeats.

        Remembers all of them as seen: a number that is seen without need costs a look-up, no more.
        """
        new = request.events
        times = [event.observed_at for event in new if event.observed_at is not None]
        if not times:
            return new, bodies, NONE_FOUND
        identities = request.identities or [
            identity_of(event.stream, event.observed_at, body)
            for event, body in zip(new, bodies, strict=True)
            if event.observed_at is not None
        ]
        floor = recent.learn_floors(self._connection, ledger_id, {event.stream for event in new})
        is_mixed = len(times) < len(new)  # which no call of the service makes: it is only noted
        suspects = [] if is_mixed else recent.suspects(new, times, identities, floor)
        recent.remember(times, identities)
        if not suspects:
            return new, bodies, NONE_FOUND
        found = self._find(ledger_id, request, bodies, suspects, first)
        return _split(request, bodies, found)

    def found_before(
        self, ledger_id: int, request: AppendRequest, result: AppendResult
    ) -> Duplicates:
        """Return what the first attempt of a repeated request found, from what was there then."""
        new = request.events
        if not new or any(event.observed_at is None for event in new):
            return NONE_FOUND
        bodies = [event.body for event in new if isinstance(event.body, bytes)]
        found = self._find(ledger_id, request, bodies, range(len(new)), result.first_position)
        _, _, duplicates = _split(request, bodies, found)
        if not request.leave_out_duplicates:
            return duplicates
        left_out = len(new) - (result.last_position - result.first_position + 1)
        return duplicates._replace(found=left_out, left_out=left_out)

    def _find(
        self,
        ledger_id: int,
        request: AppendRequest,
        bodies: Sequence[bytes],
        suspects: Sequence[int],
        first: int,
    ) -> dict[int, int]:
        """Return, by index, the position of what each repeated suspect repeats.

        `first` is where the request's own events begin: a repeat within it has the position, from
        there on, that its original is given.
        """
        new = request.events
        times: dict[str, set[int]] = {}
        for index in suspects:
            times.setdefault(new[index].stream, set()).add(new[index].observed_at or 0)
        known = _stored_repeats(self._connection, ledger_id, times, first)
        self._index_placed()
        for stream, wanted in times.items():
            for at in wanted:
                for position, body in self._placed.get((ledger_id, stream, at), ()):
                    if position < first:
                        known.setdefault((stream, repeated_part(body)), position)
        found: dict[int, int] = {}
        for index in suspects:
            identity = (new[index].stream, repeated_part(bodies[index]))
            original = known.get(identity)
            if original is None:
                left_out = len(found) if request.leave_out_duplicates else 0
                known[identity] = first + index - left_out
            else:
                found[index] = original
        return found

    def newest_of_time(self, ledger_id: int, stream: str, observed_at: int) -> int:
        """Return the position of a stream's newest observation of a time; 0 for none."""
        self._index_placed()
        placed = self._placed.get((ledger_id, stream, observed_at))
        if placed:
            return placed[-1][0]
        values = {"ledger_id_": ledger_id, "stream_": stream, "at_": observed_at}
        return self._connection.execute(_NEWEST_OF_TIME, values).scalar() or 0

    def _index_placed(self) -> None:
        """Take note of the observations that the group has placed since the last look."""
        rows = self._rows
        for at in range(self._indexed, len(rows), EVENT_WIDTH):
            observed_at = rows[at + _OBSERVED_AT]
            if observed_at is not None:
                key = rows[at + _LEDGER], rows[at + _STREAM], observed_at
                placed = rows[at + _POSITION], rows[at + _BODY]
                self._placed.setdefault(key, []).append(placed)
        self._indexed = len(rows)


def _split(request: AppendRequest, bodies: Sequence[bytes], found: dict[int, int]) -> _Split:
    """Return what of a request is to be placed, given what each of its repeats repeats."""
    if not found:
        return request.events, bodies, NONE_FOUND
    first, last = min(found.values()), max(found.values())
    if not request.leave_out_duplicates:
        return request.events, bodies, Duplicates(len(found), 0, first, last)
    kept = [index for index in range(len(bodies)) if index not in found]
    return (
        [request.events[index] for index in kept],
        [bodies[index] for index in kept],
        Duplicates(len(found), len(found), first, last),
    )


def _stored_repeats(
    connection: Connection, ledger_id: int, times: Mapping[str, Iterable[int]], before: int
) -> dict[tuple[str, bytes], int]:
    """Return what is stored below a position at these times of each stream: where it came first."""
    found: dict[tuple[str, bytes], int] = {}
    for stream, wanted in times.items():
        ordered = sorted(wanted)
        for at in range(0, len(ordered), _TIMES_MAX):
            values: dict[str, Any] = {
                "ledger_id_": ledger_id,
                "stream_": stream,
                "times": ordered[at : at + _TIMES_MAX],
                "before": before,
            }
            for position, body in connection.execute(_AT_TIMES, values):
                if body is not None:  # what was erased is not there
                    held = stored_bytes(body, f"the body of event {position}")
                    found.setdefault((stream, repeated_part(held)), position)
    return found
