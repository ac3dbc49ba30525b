"""Signing and sealing by the clock, on the threads that all ledgers share."""

from collections.abc import Callable
from typing import Final

import structlog

from ledger.application.commands import Caller
from ledger.application.periodic_task import PeriodicTask
from ledger.application.signing.checkpoints import Checkpoints
from ledger.application.signing.seals import Seals
from ledger.application.workers import Workers
from ledger.clock import Clock
from ledger.events.envelope import RecordedEvent
from ledger.events.values import SECOND
from ledger.storage.records import LedgerInfo
from ledger.storage.store import Store

SEALER: Final = Caller("system/sealer")

# Of the promised seconds, so that what is left is for checking, signing and storing.
_SIGNING_SHARE: Final = 0.5
_LOOK_SECONDS_MAX: Final = 60.0  # how often, at least, it is looked whether a seal is due
_log: Final = structlog.get_logger("ledger.schedule")


class Signer(PeriodicTask):
    """Signs the head of one ledger so often that an event is covered within so many seconds."""

    def __init__(
        self,
        store: Store,
        info: LedgerInfo,
        checkpoints: Checkpoints,
        clock: Clock,
        seconds: float,
    ) -> None:
        self._store = store
        self._origin = info.origin
        self._unsubscribe: Callable[[], None] | None = None
        pause = seconds * _SIGNING_SHARE
        super().__init__(f"sign {info.origin}", checkpoints.sign, pause, clock)

    def start(self, workers: Workers) -> None:
        """Begin; what is not covered yet is signed at once."""
        self._unsubscribe = self._store.commits.subscribe(self._hint)
        super().start(workers)

    def stop(self) -> None:
        """End it."""
        if self._unsubscribe is not None:
            self._unsubscribe()
        super().stop()

    def _hint(self, origin: str, _position: int) -> None:
        if origin == self._origin:
            self.wake()


class Sealer(PeriodicTask):
    """Seals all streams of one ledger every so many seconds, if anything but seals was recorded.

    Of several servers one seals: each waits until the newest seal, of any server, is old enough,
    and the append is guarded against another seal.
    """

    def __init__(self, info: LedgerInfo, seals: Seals, clock: Clock, seconds: float) -> None:
        self._info = info
        self._seals = seals
        self._interval = seconds
        self._position = -1  # of the newest seal seen
        self._since = 0.0  # when it was first seen, in monotonic seconds
        pause = min(seconds / 4, _LOOK_SECONDS_MAX)
        super().__init__(f"seal {info.origin}", self.look, pause, clock)

    def look(self) -> bool:
        """Seal if it is due; return whether that was done."""
        newest = self._seals.newest()
        position = newest.position if newest is not None else 0
        now = self._clock.monotonic_seconds()
        if position != self._position:
            is_first, self._position = self._position < 0, position
            age = self._age(newest) if is_first else 0.0
            self._since = now - age
        if now - self._since < self._interval:
            return False
        if not self._seals.seal_if_new(SEALER, newest):
            return False
        _log.info("streams.sealed", ledger=self._info.origin)
        made = self._seals.newest()
        assert made is not None, "it was sealed just now"
        self._position, self._since = made.position, now
        return True

    def _age(self, newest: RecordedEvent | None) -> float:
        """Return how old the newest seal is when this server starts, so that starts delay none.

        A ledger that was never sealed counts from its creation. The times of a `data` ledger say
        nothing about this: there a seal counts as old, and a ledger without one as new. A seal
        dated by a clock that was ahead is old as well: nothing waits for that time to come.
        """
        if self._info.clock == "data":
            return self._interval if newest is not None else 0.0
        begun = newest.recorded_at if newest is not None else self._seals.created_at()
        age = (self._clock.now_micros() - begun) / SECOND
        return age if age >= 0 else self._interval
