"""The time of each ledger, from the machine's clock as far as that can be believed."""

from collections.abc import Callable
from dataclasses import replace

from ledger.clock import Clock
from ledger.errors import LedgerError
from ledger.storage.checks import check_request, request_key
from ledger.storage.events import Events
from ledger.storage.read_connections import ReadConnections
from ledger.storage.records import AppendRequest, AppendResult, ClockStep, NewEvent
from ledger.storage.wall_clock import WallClock
from ledger.storage.write_queue import WriteTransaction
from ledger.storage.writer import Writer


class LedgerClocks:
    """Says what time it is for a ledger. Safe between threads."""

    def __init__(
        self, view: ReadConnections, writer: Callable[[], Writer], clock: Clock, times: WallClock
    ) -> None:
        self._view = view
        self._events = Events(view)
        self._writer = writer
        self._clock = clock
        self._times = times

    def now_micros(self, ledger: str) -> int:
        """Return the machine's time; CLOCK_AHEAD where a `wall` ledger cannot believe it."""
        info = self._view.ledger(ledger)
        if info.clock == "data":
            return self._clock.now_micros()
        return self._times.now(info, lambda: self._events.head(ledger).recorded_at)

    def behind(self, ledger: str) -> LedgerError | None:
        """Return what to answer whom this clock contradicts, where it is behind the newest event.

        None where it is not, or is believed all the same. Within the bounds of the ledger, that is:
        the skew of a `wall` ledger, and the years that a `data` ledger's times may lie ahead.
        """
        info = self._view.ledger(ledger)
        return self._times.behind(info, lambda: self._events.head(ledger).recorded_at)

    def confirm(
        self, request: AppendRequest, event: Callable[[ClockStep], NewEvent]
    ) -> AppendResult:
        """Believe the machine's clock from now on, and append the event that says so.

        FIELD_INVALID where the clock is as expected. A repeat finds its own event, and the clock is
        believed from when that was recorded.
        """
        check_request(request)
        info = self._view.ledger(request.ledger)
        before = self._times.believed(info)

        def _confirm(transaction: WriteTransaction) -> AppendResult:
            key = request_key(info, request)
            transaction.group.begin([info], [key] if key else [])
            if key is not None and transaction.group.knows(key):
                answered = transaction.group.admit(info, request)
                self._times.found(info, key)
                return answered
            step = self._times.confirm(info, transaction.group.newest_time(info))
            return transaction.group.admit(info, replace(request, events=[event(step)]))

        try:
            return self._writer().call(_confirm)
        except BaseException:
            self._times.restore(info, before, request_key(info, request))
            raise
