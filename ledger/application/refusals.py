"""Refused requests, counted by caller, host, method and reason, and recorded now and then.

Of a refused request nothing is recorded but that it was refused. Counting costs a lookup and an
addition; memory and event are bounded for any number of requests: beyond `ROWS_MAX` different rows
only the total grows, and there is one event for each span at most. So that no caller fills the rows
from many hosts, those beyond `REFUSED_HOSTS_MAX` are counted together.

A count whose recording was not answered is kept apart as it was sent: it may be on record. It is
looked for there, and sent once more if it is missing; new refusals are counted beside it.
"""

import threading
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final, NamedTuple

import structlog

from ledger.application.appender import Appender
from ledger.application.commands import Caller
from ledger.application.periodic_task import PeriodicTask, try_each
from ledger.application.workers import Workers
from ledger.clock import Clock
from ledger.errors import LedgerError, Reason
from ledger.events.proving import OTHER_ADDRESSES, RefusalPartV2, RequestsRefusedV2
from ledger.events.values import SECOND, TIME_LIMIT, format_time
from ledger.limits import LABEL_CHARS_MAX, REFUSED_HOSTS_MAX
from ledger.storage.store import Store

ROWS_MAX: Final = 1_000
CALLER: Final = Caller("system/refusals")
_METHOD: Final = "RequestsRefused"
_TRIES: Final = 20  # each time another server recorded its count first
_log: Final = structlog.get_logger("ledger.refusals")


@dataclass(slots=True)
class _Count:
    """How often, and when: in microseconds that have passed, which no setting of a clock moves."""

    count: int
    first_at: int
    last_at: int


class RefusedCall(NamedTuple):
    """A call that was refused, as far as it is counted."""

    actor: str
    """As it was let in or else as given."""
    method: str
    reason: Reason
    address: str

    def bounded(self) -> "RefusedCall":
        """Return it with no text longer than an event takes."""
        actor, method, address = self.actor, self.method, self.address
        most = LABEL_CHARS_MAX
        return RefusedCall(actor[:most], method[:most], self.reason, address[:most])


class _Tally:
    """The refusals of one ledger since they were last taken. Its owner keeps threads apart."""

    def __init__(self, since: int) -> None:
        self.since = since
        self.total = 0
        self.rows: dict[RefusedCall, _Count] = {}
        self._addresses: Counter[tuple[str, str, Reason]] = Counter()

    def add(self, call: RefusedCall, now: int) -> None:
        """Count one refusal; beyond the rows that fit, in the total only."""
        self.total += 1
        if call not in self.rows and self._addresses[call[:3]] >= REFUSED_HOSTS_MAX:
            call = call._replace(address=OTHER_ADDRESSES)
        row = self.rows.get(call)
        if row is not None:
            row.count += 1
            row.last_at = now
        elif len(self.rows) < ROWS_MAX:
            self.rows[call] = _Count(1, now, now)
            self._addresses[call[:3]] += 1

    def data(self, until: int, elapsed: int) -> RequestsRefusedV2:
        """Return what is recorded of it when the clock says `until` and so much has passed."""
        until = min(max(until, 0), TIME_LIMIT - 1)

        def time_of(moment: int) -> str:
            return format_time(max(until - (elapsed - moment), 0))

        return RequestsRefusedV2(
            since=time_of(self.since),
            until=format_time(until),
            total=self.total,
            refusals=[
                RefusalPartV2(
                    actor=call.actor,
                    address=call.address,
                    method=call.method,
                    reason=call.reason.value,
                    count=row.count,
                    first_at=time_of(row.first_at),
                    last_at=time_of(row.last_at),
                )
                for call, row in sorted(self.rows.items(), key=_place)
            ],
        )


def _place(row: tuple[RefusedCall, _Count]) -> tuple[str, str, str, str]:
    """Return by what the rows of an event ascend."""
    call, _ = row
    return call.actor, call.method, call.reason.value, call.address


@dataclass(slots=True)
class _Sent:
    """A tally that was taken and is to be recorded behind a position.

    `data` holds what may be on record already; None if certainly nothing is.
    """

    tally: _Tally
    taken: int
    after: int
    data: RequestsRefusedV2 | None = None


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
        self._sent: dict[str, _Sent] = {}
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

    def count(self, origin: str, call: RefusedCall) -> None:
        """Count one refusal on the ledger that the request is about.

        A ledger that is not served has no events: its refusals are counted in a log line.
        """
        if self._round is None:
            return
        served = self._served()
        with self._lock:
            if origin not in served:
                self._elsewhere += 1
                return
            tally = self._tallies.get(origin)
            if tally is None:
                tally = self._tallies[origin] = _Tally(self._since)
            tally.add(call.bounded(), self._elapsed())
        self._round.wake()

    def recorded(self, origin: str) -> int:
        """Return how many refusals it has recorded on a ledger."""
        return self._recorded.get(origin, 0)

    def record(self) -> None:
        """Append one event to each ledger with refusals; what cannot be appended is kept."""
        with self._lock:
            origins = [*self._sent, *(one for one in self._tallies if one not in self._sent)]
            elsewhere, self._elsewhere = self._elsewhere, 0
        if elsewhere:
            _log.warning("refusals.without_ledger", count=elsewhere)
        try_each(origins, self._record)

    def _record(self, origin: str) -> None:
        """Record what was sent before and not answered, then what was counted since."""
        self._settle(origin)
        head = self._store.events.head(origin).position
        with self._lock:
            tally = self._tallies.pop(origin, None)
            if tally is None:
                return
            self._since = taken = self._elapsed()
        self._sent[origin] = _Sent(tally, taken, head)
        self._settle(origin)

    def _settle(self, origin: str) -> None:
        """See to it that what was sent is on record, once."""
        sent = self._sent.get(origin)
        if sent is None:
            return
        is_new = sent.data is None
        if sent.data is None:
            until = self._clock.now_micros() - (self._elapsed() - sent.taken)
            sent.data = sent.tally.data(until, sent.taken)
        try:
            appender = Appender(self._store, origin)
            appender.append_once(CALLER, _METHOD, [sent.data], sent.after, tries=_TRIES)
        except LedgerError as error:
            if is_new and error.reason is not Reason.STORE_UNAVAILABLE:
                sent.data = None
            raise
        del self._sent[origin]
        self._recorded[origin] = self.recorded(origin) + sent.data.total

    def _elapsed(self) -> int:
        return round(self._clock.elapsed_seconds() * SECOND)
