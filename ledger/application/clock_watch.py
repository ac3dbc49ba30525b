"""Looks again and again whether the machine's clock can be right, so that health checks say it.

Appends are refused by storage itself, at the moment they would be given their time; this only tells
those who ask nothing, and lets a server whose clock is right when it starts remember that.
"""

import threading
from collections.abc import Callable, Collection
from typing import Final

import structlog

from ledger.application.periodic_task import PeriodicTask
from ledger.application.workers import Workers
from ledger.clock import Clock
from ledger.errors import LedgerError, Reason
from ledger.storage.store import Store

_SECONDS: Final = 0.5
_log: Final = structlog.get_logger("ledger.clock")


class ClockWatch:
    """Watches the clock for all ledgers that are served. Safe between threads."""

    def __init__(self, store: Store, clock: Clock, served: Callable[[], Collection[str]]) -> None:
        self._store = store
        self._served = served
        self._lock = threading.Lock()
        self._faults: dict[str, LedgerError] = {}
        self._callbacks: list[Callable[[], None]] = []
        self._round = PeriodicTask("watch the clock", self.look, _SECONDS, clock)

    @property
    def failure(self) -> LedgerError | None:
        """Why nothing, or nothing that states the present, is appended to a ledger, or None."""
        with self._lock:
            return next(iter(self._faults.values()), None)

    def start(self, workers: Workers) -> None:
        """Look once, then again and again."""
        self.look()
        self._round.start(workers)

    def stop(self) -> None:
        """End it."""
        self._round.stop()

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
