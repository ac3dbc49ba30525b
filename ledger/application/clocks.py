"""The server's clock: confirming it for one ledger, and watching it for all of them.

Only an actor whom the operator has named may confirm it.
"""

import threading
from collections.abc import Callable, Collection
from typing import Final

import structlog

from ledger.application.appender import Addition, Appender, Proposal, encoded
from ledger.application.commands import Caller, fields_named
from ledger.application.periodic_task import PeriodicTask
from ledger.application.workers import Workers
from ledger.clock import Clock
from ledger.errors import LedgerError, Reason, invalid_field
from ledger.events.system import ClockStepped
from ledger.events.values import format_time
from ledger.storage.records import AppendResult, ClockStep, LedgerInfo, NewEvent
from ledger.storage.store import Store

_EPOCH: Final = format_time(0)
_SECONDS: Final = 0.5
_log: Final = structlog.get_logger("ledger.clock")


class Clocks:
    """The clock of one ledger."""

    def __init__(self, store: Store, info: LedgerInfo) -> None:
        self._store = store
        self._info = info
        self._appender = Appender(store, info.origin)

    def confirm(self, caller: Caller, reason: str) -> AppendResult:
        """Record that the clock is right; FIELD_INVALID where nothing speaks against it."""
        if self._info.clock == "data":
            raise invalid_field(
                "ledger",
                "takes its time from its data, so it has no clock to confirm",
                remedy="Nothing needs to be done.",
            )
        with fields_named():  # before anything is believed
            stated = ClockStepped(clock_at=_EPOCH, expected_at=None, head_at=_EPOCH, reason=reason)

        def event(step: ClockStep) -> NewEvent:
            expected = step.expected
            data = stated.model_copy(
                update={
                    "clock_at": format_time(step.at),
                    "expected_at": None if expected is None else format_time(expected),
                    "head_at": format_time(step.head),
                }
            )
            return encoded(caller, Addition.of(data))

        request = self._appender.request(caller, ClockStepped.METHOD, Proposal(()))
        return self._store.clocks.confirm(request, event)


class ClockWatch(PeriodicTask):
    """Looks again and again whether the machine's clock can be right, so that health checks say it.

    For all ledgers that are served. Appends are refused by storage itself, at the moment they would
    be given their time; this only tells those who ask nothing, and lets a server whose clock is
    right when it starts remember that. Safe between threads.
    """

    def __init__(self, store: Store, clock: Clock, served: Callable[[], Collection[str]]) -> None:
        self._store = store
        self._served = served
        self._lock = threading.Lock()
        self._faults: dict[str, LedgerError] = {}
        self._callbacks: list[Callable[[], None]] = []
        super().__init__("watch the clock", self.look, _SECONDS, clock)

    @property
    def failure(self) -> LedgerError | None:
        """Why nothing, or nothing that states the present, is appended to a ledger, or None."""
        with self._lock:
            return next(iter(self._faults.values()), None)

    def start(self, workers: Workers) -> None:
        """Look once, then again and again."""
        self.look()
        super().start(workers)

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back whenever `failure` comes or goes."""
        with self._lock:
            self._callbacks.append(callback)

    def look(self) -> None:
        """Compare the clock with what each ledger expects."""
        faults: dict[str, LedgerError] = {}
        for origin in self._served():
            try:
                self._store.clocks.now_micros(origin)
                fault = self._store.clocks.behind(origin)
            except LedgerError as error:
                if error.reason is not Reason.CLOCK_AHEAD:
                    raise
                fault = error
            if fault is not None:
                faults[origin] = fault
        with self._lock:
            before, self._faults = self._faults, faults
            callbacks = tuple(self._callbacks)
        for origin, fault in faults.items():
            if origin not in before:
                _log.error("clock.wrong", ledger=origin, why=fault.message, remedy=fault.remedy)
        for origin in before.keys() - faults.keys():
            _log.info("clock.right_again", ledger=origin)
        if bool(before) != bool(faults):
            for callback in callbacks:
                callback()
