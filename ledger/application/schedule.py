"""What happens by the clock: signing and sealing, on the threads that all ledgers share.

What fails is reported once for as long as it stays the same, and tried again the next time round.
"""

from collections.abc import Callable
from typing import Final, Self

import structlog

from ledger.application.checkpoints import Checkpoints
from ledger.application.commands import Caller
from ledger.application.seals import Seals
from ledger.application.workers import Pause, Task, Workers
from ledger.clock import Clock
from ledger.errors import LedgerError, Reason, is_outage
from ledger.events.envelope import RecordedEvent
from ledger.events.values import SECOND
from ledger.storage.store import LedgerInfo, Store

SIGNER: Final = Caller("system/signer")
SEALER: Final = Caller("system/sealer")

# Of the promised seconds, so that what is left is for checking, signing and storing.
_SIGNING_SHARE: Final = 0.5
_REST_SHARE: Final = 0.2  # what takes as long as its pause must not take a whole core
_LOOK_SECONDS_MAX: Final = 60.0  # how often, at least, it is looked whether a seal is due
_log: Final = structlog.get_logger("ledger.schedule")


class Round:
    """Does one thing again and again: when woken, when time is up, until stopped."""

    def __init__(self, name: str, do: Callable[[], object], seconds: float, clock: Clock) -> None:
        """`seconds`: from one beginning to the next at least, which waking does not shorten."""
        self._name = name
        self._do = do
        self._seconds = seconds
        self._clock = clock
        self._problem = ""
        self._task: Task | None = None

    def start(self, workers: Workers) -> Self:
        """Begin."""
        self._task = workers.recur(self._name, self._turn)
        return self

    def wake(self) -> None:
        """Have it done once more, as soon as the pause is over."""
        if self._task is not None:
            self._task.wake()

    def stop(self) -> None:
        """End it; what it is doing is finished first."""
        if self._task is not None:
            self._task.stop()

    def _turn(self) -> Pause:
        began = self._clock.monotonic_seconds()
        self._once()
        took = self._clock.monotonic_seconds() - began
        least = max(self._seconds - took, self._seconds * _REST_SHARE)
        # Without news nothing is due, but a hint may be lost: look again all the same.
        return Pause(least, least + self._seconds)

    def _once(self) -> None:
        problem = ""
        try:
            self._do()
        except LedgerError as error:
            # Signing that has stopped and an outage of the database are told of elsewhere, once; a
            # draining store is no failure.
            is_told = error.reason in {Reason.DRAINING, Reason.SIGNING_STOPPED} or is_outage(error)
            if not is_told:
                problem = error.message
        except Exception as error:  # noqa: BLE001 - no task's defect may end the thread
            problem = f"{type(error).__name__}: {error}"
        if problem and problem != self._problem:
            _log.error("schedule.failed", what=self._name, why=problem)
        self._problem = problem


class Signer:
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
        self._round = Round(
            f"sign {info.origin}", checkpoints.sign, seconds * _SIGNING_SHARE, clock
        )

    def start(self, workers: Workers) -> None:
        """Begin; what is not covered yet is signed at once."""
        self._unsubscribe = self._store.subscribe(self._hint)
        self._round.start(workers)

    def stop(self) -> None:
        """End it."""
        if self._unsubscribe is not None:
            self._unsubscribe()
        self._round.stop()

    def _hint(self, origin: str, _position: int) -> None:
        if origin == self._origin:
            self._round.wake()


class Sealer:
    """Seals all streams of one ledger every so many seconds, if anything but seals was recorded.

    Of several servers one seals: each waits until the newest seal, of any server, is old enough,
    and the append is guarded against another seal.
    """

    def __init__(self, info: LedgerInfo, seals: Seals, clock: Clock, seconds: float) -> None:
        self._info = info
        self._seals = seals
        self._clock = clock
        self._seconds = seconds
        self._position = -1  # of the newest seal seen
        self._since = 0.0  # when it was first seen, in monotonic seconds
        pause = min(seconds / 4, _LOOK_SECONDS_MAX)
        self._round = Round(f"seal {info.origin}", self.look, pause, clock)

    def start(self, workers: Workers) -> None:
        """Begin."""
        self._round.start(workers)

    def stop(self) -> None:
        """End it."""
        self._round.stop()

    def look(self) -> bool:
        """Seal if it is due; return whether that was done."""
        newest = self._seals.newest()
        position = newest.position if newest is not None else 0
        now = self._clock.monotonic_seconds()
        if position != self._position:
            is_first, self._position = self._position < 0, position
            age = self._age(newest) if is_first else 0.0
            self._since = now - age
        if now - self._since < self._seconds:
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
        nothing about this: there a seal counts as old, and a ledger without one as new. What a
        clock dated that was ahead is old as well: nothing waits for that time to come.
        """
        if self._info.clock == "data":
            return self._seconds if newest is not None else 0.0
        begun = newest.recorded_at if newest is not None else self._seals.created_at()
        age = (self._clock.now_micros() - begun) / SECOND
        return age if age >= 0 else self._seconds
