"""Refused requests, counted by caller, method and reason, and recorded now and then.

Of a refused request nothing is recorded but that it was refused. Counting costs a lookup and an
addition; memory and event are bounded for any number of requests: beyond `ROWS_MAX` different rows
only the total grows, and there is one event for each span at most.
"""

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

import structlog

from ledger.application.appender import Addition, Appender, Proposal
from ledger.application.commands import Caller
from ledger.application.periodic_task import PeriodicTask
from ledger.application.workers import Workers
from ledger.clock import Clock
from ledger.errors import LedgerError, Reason
from ledger.events.proving import RefusalPart, RequestsRefused
from ledger.events.values import SECOND, TIME_LIMIT, format_time
from ledger.limits import LABEL_CHARS_MAX
from ledger.storage.store import Store

ROWS_MAX: Final = 1_000
CALLER: Final = Caller("system/refusals")
_METHOD: Final = "RequestsRefused"
_log: Final = structlog.get_logger("ledger.refusals")


@dataclass(slots=True)
class _Count:
    """How often, and when: in microseconds that have passed, which no setting of a clock moves."""

    count: int
    first_at: int
    last_at: int


_Key = tuple[str, str, Reason]
"""Actor as given, method, reason."""


class _Tally:
    """The refusals of one ledger since they were last taken. Its owner keeps threads apart."""

    def __init__(self, since: int) -> None:
        self.since = since
        self.total = 0
        self.rows: dict[_Key, _Count] = {}

    def add(self, key: _Key, count: int, first_at: int, last_at: int) -> None:
        """Count so many refusals; beyond the rows that fit, in the total only."""
        self.total += count
        row = self.rows.get(key)
        if row is not None:
            row.count += count
            row.first_at = min(row.first_at, first_at)
            row.last_at = max(row.last_at, last_at)
        elif len(self.rows) < ROWS_MAX:
            self.rows[key] = _Count(count, first_at, last_at)

    def data(self, until: int, elapsed: int) -> RequestsRefused:
        """Return what is recorded of it when the clock says `until` and so much has passed."""
        until = min(max(until, 0), TIME_LIMIT - 1)

        def time_of(moment: int) -> str:
            return format_time(max(until - (elapsed - moment), 0))

        return RequestsRefused(
            since=time_of(self.since),
            until=format_time(until),
            total=self.total,
            refusals=[
                RefusalPart(
                    actor=actor,
                    method=method,
                    reason=reason.value,
                    count=row.count,
                    first_at=time_of(row.first_at),
                    last_at=time_of(row.last_at),
                )
                for (actor, method, reason), row in sorted(self.rows.items())
            ],
        )


class Refusals:
    """Counts refusals on every ledger that is served, and records them. Safe between threads.

    `served` returns the origins of the ledgers that take such events; it is called for each
    refusal, so it must be quick. Zero seconds: nothing is counted.
    """

    def __init__(
        self, store: Store, clock: Clock, seconds: float, served: Callable[[], Collection[str]]
    ) -> None:
        self._store = store
        self._clock = clock
        self._served = served
        self._lock = threading.Lock()
        self._tallies: dict[str, _Tally] = {}
        self._recorded: dict[str, int] = {}
        self._since = self._elapsed()
        self._elsewhere = 0
        self._round: PeriodicTask | None = None
        if seconds:
            self._round = PeriodicTask("record refusals", self.record, seconds, clock)

    def start(self, workers: Workers) -> None:
        """Begin to record."""
        if self._round is not None:
            self._round.start(workers)

    def stop(self) -> None:
        """Record what is left, and end."""
        if self._round is None:
            return
        self._round.stop()
        try:
            self.record()
        except LedgerError as error:
            _log.error("refusals.lost", why=error.message)
        self._round = None

    def count(self, origin: str, actor: str, method: str, reason: Reason) -> None:
        """Count one refusal on the ledger that the request is about.

        A ledger that is not served has no events: its refusals are counted in a log line.
        """
        if self._round is None:
            return
        served = self._served()
        now = self._elapsed()
        with self._lock:
            if origin not in served:
                self._elsewhere += 1
                return
            tally = self._tallies.get(origin)
            if tally is None:
                tally = self._tallies[origin] = _Tally(self._since)
            tally.add((actor[:LABEL_CHARS_MAX], method[:LABEL_CHARS_MAX], reason), 1, now, now)
        self._round.wake()

    def recorded(self, origin: str) -> int:
        """Return how many refusals it has recorded on a ledger."""
        return self._recorded.get(origin, 0)

    def record(self) -> None:
        """Append one event to each ledger with refusals; what cannot be appended is kept."""
        until, elapsed = self._clock.now_micros(), self._elapsed()
        with self._lock:
            taken, self._tallies = self._tallies, {}
            elsewhere, self._elsewhere = self._elsewhere, 0
            self._since = elapsed
        if elsewhere:
            _log.warning("refusals.without_ledger", count=elsewhere)
        failure: LedgerError | None = None
        for origin, tally in taken.items():
            try:
                self._append(origin, tally.data(until, elapsed))
                self._recorded[origin] = self.recorded(origin) + tally.total
            except LedgerError as error:
                failure = error
                self._put_back(origin, tally)
        if failure is not None:
            raise failure

    def _append(self, origin: str, data: RequestsRefused) -> None:
        Appender(self._store, origin).append(CALLER, _METHOD, lambda: Proposal([Addition.of(data)]))

    def _elapsed(self) -> int:
        return round(self._clock.elapsed_seconds() * SECOND)

    def _put_back(self, origin: str, tally: _Tally) -> None:
        """Add what could not be recorded to what has been counted meanwhile."""
        with self._lock:
            newer = self._tallies.get(origin)
            self._tallies[origin] = tally
            if newer is None:
                return
            counted = 0
            for key, row in newer.rows.items():
                tally.add(key, row.count, row.first_at, row.last_at)
                counted += row.count
            tally.total += newer.total - counted
