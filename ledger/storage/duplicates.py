"""Observations that repeat earlier ones: equal in all but sample size and request id.

Almost every observation is newer than all that its stream holds, and cannot be a repeat. So a chain
remembers a number for each recent observation, equal for equal ones, and from when on it remembers
all. Only what is older than that, or has a number that was seen, is looked up in the database: that
alone decides. What is remembered is bounded; what is forgotten costs a look-up.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import Connection, bindparam, func, select

from ledger.events.fast import repeated_part
from ledger.storage.schema import events

if TYPE_CHECKING:
    from ledger.storage.records import NewEvent

REMEMBERED_MAX: Final = 100_000  # observations of one ledger: about 8 MB
_CHUNK: Final = 500
_TIMES_MAX: Final = 500  # in one statement

_NEWEST: Final = select(func.max(events.c.observed_at)).where(
    events.c.ledger_id == bindparam("ledger_id_"),
    events.c.stream == bindparam("stream_"),
    events.c.observed_at.is_not(None),
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


class Duplicates(NamedTuple):
    """The observations of a request that repeat earlier ones, and where those are on record.

    Equal in model, signal, version, observed_at, source and value. The places are 0 where unknown.
    """

    found: int = 0
    left_out: int = 0
    first_position: int = 0
    last_position: int = 0


NONE_FOUND: Final = Duplicates()


@dataclass(slots=True)
class Chunk:
    """Identities remembered together, and the span of time that they are of."""

    earliest: int
    latest: int
    identities: list[int]
    known: set[int] | None = None
    """The same as a set, once somebody has asked: most are never asked."""


@dataclass(slots=True)
class Recent:
    """The identities that a chain remembers, and up to which time each stream has older ones."""

    chunks: list[Chunk] = field(default_factory=list)
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
            self.chunks.append(Chunk(earliest, latest, list(identities)))
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
        self, new: "Sequence[NewEvent]", times: Sequence[int], identities: Sequence[int], floor: int
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


def stored_repeats(
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
                    found.setdefault((stream, repeated_part(bytes(body))), position)
    return found
