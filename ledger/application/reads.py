"""The reads of one ledger, summed until they are recorded: in memory, within bounds.

Answered reads are counted by UTC day, actor and method. Beside that, reads of events, exports and
replays are summed by day, actor, method, address, stated purpose and export. Such a sum is
recorded as one access if it is of an export or a replay, has a purpose or is of more than
`MASS_EVENTS` events: once `REST_SECONDS` pass without another such read, the day ends or the server
does. Then the sum begins again at 0; one that is too small goes on growing, so that no mass read is
hidden in small ones. Days and times are those of the machine's clock.
"""

from collections import OrderedDict, deque
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

from ledger.clock import Clock, uuid7
from ledger.events.access import AccessKind, AccessRecorded, ReadPart, ReadsCounted
from ledger.events.values import DAY, TIME_LIMIT, format_time
from ledger.limits import LABEL_CHARS_MAX, MASS_EVENTS

ROWS_MAX: Final = 1_000
GROWING_MAX: Final = 1_000
"""Sums that grow at once; beyond, the one that rested longest is closed."""
WAITING_MAX: Final = 1_000
"""Accesses that wait to be recorded; what comes beyond is counted."""
REST_SECONDS: Final = 60.0

Kind: TypeAlias = Literal["events", "exports", "replays"]
"""The kinds of reads of which one call may hand out much."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Part of the answer to one call that reads: who got it, and how much it is."""

    actor: str
    method: str
    address: str
    purpose: str = ""
    is_new: bool = True
    """Whether it is the first that is noted of its call."""
    kind: Kind | None = None
    """None for a read of which only the number counts."""
    export: str = ""
    first_position: int = 0
    last_position: int = 0
    events: int = 0
    archive_bytes: int = 0


class _Span:
    """The first and last of some moments, in whichever order a clock that is set tells them."""

    def __init__(self, now: int) -> None:
        self.first = self.last = now

    def take(self, now: int) -> None:
        self.first, self.last = min(self.first, now), max(self.last, now)


class _Row(_Span):
    """How often, and when."""

    count = 0


class _Tally:
    """The reads since they were last taken."""

    def __init__(self) -> None:
        self.total = self.unlisted = 0
        self.span: _Span | None = None
        self.rows: dict[tuple[int, str, str], _Row] = {}

    def count(self, actor: str, method: str, now: int) -> None:
        """Count one read; beyond the rows that fit, in the total only."""
        self._see(now)
        self.total += 1
        row = self.rows.get((now // DAY, actor, method))
        if row is None:
            if len(self.rows) == ROWS_MAX:
                return
            row = self.rows[now // DAY, actor, method] = _Row(now)
        row.count += 1
        row.take(now)

    def miss(self, now: int) -> None:
        """Count an access that cannot be kept until it is recorded."""
        self._see(now)
        self.unlisted += 1

    def _see(self, now: int) -> None:
        if self.span is None:
            self.span = _Span(now)
        self.span.take(now)

    def data(self) -> ReadsCounted | None:
        """Return what is recorded of it; None for nothing."""
        if self.span is None:
            return None
        return ReadsCounted(
            since=format_time(self.span.first),
            until=format_time(self.span.last),
            total=self.total,
            reads=[
                ReadPart(
                    actor=actor,
                    method=method,
                    count=row.count,
                    first_at=format_time(row.first),
                    last_at=format_time(row.last),
                )
                for (_, actor, method), row in sorted(self.rows.items())
            ],
            unlisted=self.unlisted,
        )


class _Key(NamedTuple):
    """The things that reads have in common that are summed; the kind follows from the method."""

    day: int
    kind: Kind
    actor: str
    method: str
    address: str
    purpose: str
    export: str


class _Sum:
    """The sum of the reads of one key, since the last that was recorded of it."""

    def __init__(self, now: int) -> None:
        self.span = _Span(now)
        self.rested_since = 0.0
        self.first_position = self.last_position = self.events = self.archive_bytes = 0

    def add(self, reading: Reading, now: int, elapsed: float) -> None:
        self.span.take(now)
        self.rested_since = elapsed
        self.events += reading.events
        self.archive_bytes += reading.archive_bytes
        if reading.last_position:
            first = self.first_position or reading.first_position
            self.first_position = min(first, reading.first_position)
            self.last_position = max(self.last_position, reading.last_position)


class Reads:
    """The reads of one ledger that are not taken yet. Its owner keeps threads apart."""

    def __init__(self, clock: Clock, kinds: Collection[AccessKind], *, is_counting: bool) -> None:
        self._clock = clock
        self._kinds = kinds
        self._is_counting = is_counting
        self._tally = _Tally()
        self._growing: OrderedDict[_Key, _Sum] = OrderedDict()  # by their last read
        self._waiting: deque[AccessRecorded] = deque()

    def note(self, reading: Reading) -> None:
        """Take in a read, in the time of a lookup and an addition."""
        now, method = self._now(), reading.method[:LABEL_CHARS_MAX]
        if reading.is_new and self._is_counting:
            self._tally.count(reading.actor, method, now)
        if reading.kind is None or not self._kinds:
            return
        address = reading.address[:LABEL_CHARS_MAX]
        key = _Key(
            now // DAY,
            reading.kind,
            reading.actor,
            method,
            address,
            reading.purpose,
            reading.export,
        )
        found = self._growing.get(key)
        if found is None:
            if len(self._growing) == GROWING_MAX:
                self._close(next(iter(self._growing)))
            found = self._growing[key] = _Sum(now)
        self._growing.move_to_end(key)
        found.add(reading, now, self._clock.elapsed_seconds())

    def close(self, *, is_last: bool) -> None:
        """End each sum that is recorded and has rested, and each of a day that is over.

        `is_last`: all of them.
        """
        today, elapsed = self._now() // DAY, self._clock.elapsed_seconds()
        for key, found in list(self._growing.items()):
            has_rested = elapsed - found.rested_since >= REST_SECONDS
            is_over = is_last or key.day != today
            if is_over or (has_rested and self._is_recorded(key, found)):
                self._close(key)

    def accesses(self, count: int) -> list[AccessRecorded]:
        """Take so many of the accesses that wait to be recorded, oldest first."""
        return [self._waiting.popleft() for _ in range(min(count, len(self._waiting)))]

    def counted(self) -> ReadsCounted | None:
        """Take the reads that were counted; None for nothing."""
        data, self._tally = self._tally.data(), _Tally()
        return data

    def _is_recorded(self, key: _Key, found: _Sum) -> bool:
        """Return whether reads that come to this are recorded."""
        if key.purpose and "purposes" in self._kinds:
            return True
        is_mass = key.kind != "events" or found.events > MASS_EVENTS
        return is_mass and key.kind in self._kinds

    def _close(self, key: _Key) -> None:
        """End a sum: what it comes to waits to be recorded, or is counted, or is dropped."""
        found = self._growing.pop(key)
        if not self._is_recorded(key, found):
            return
        if len(self._waiting) == WAITING_MAX:
            self._tally.miss(self._now())
            return
        access = AccessRecorded(
            access=uuid7(self._clock),
            actor=key.actor,
            method=key.method,
            address=key.address,
            purpose=key.purpose,
            export=key.export or None,
            first_position=found.first_position,
            last_position=found.last_position,
            events=found.events,
            archive_bytes=found.archive_bytes,
            started_at=format_time(found.span.first),
            ended_at=format_time(found.span.last),
        )
        self._waiting.append(access)

    def _now(self) -> int:
        return min(max(self._clock.now_micros(), 0), TIME_LIMIT - 1)
