"""Tasks that recur by the clock, on the threads that all ledgers share.

A failure is reported once for as long as it stays the same, and tried again the next time round.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Final, TypeVar

import structlog

from ledger.application.workers import Task, TaskInterval, Workers
from ledger.clock import Clock
from ledger.errors import LedgerError, Reason, is_outage

T = TypeVar("T")

_REST_SHARE: Final = 0.2  # what takes as long as its pause must not take a whole core
# A draining store is no failure; the others, like an outage of the database, are told of elsewhere,
# once: what is said of a wrong clock is new with every second.
_TOLD: Final = frozenset({Reason.CLOCK_AHEAD, Reason.DRAINING, Reason.SIGNING_STOPPED})
_log: Final = structlog.get_logger("ledger.schedule")


class PeriodicTask:
    """Does one thing again and again: when woken, when time is up, until stopped."""

    def __init__(self, name: str, do: Callable[[], object], seconds: float, clock: Clock) -> None:
        """`seconds`: from one beginning to the next at least, which waking does not shorten."""
        self._name = name
        self._do = do
        self._seconds = seconds
        self._clock = clock
        self._problem = ""
        self._task: Task | None = None

    def start(self, workers: Workers) -> None:
        """Begin."""
        self._task = workers.recur(self._name, self._turn)

    def wake(self) -> None:
        """Have it done once more, as soon as the pause is over."""
        if self._task is not None:
            self._task.wake()

    def stop(self) -> None:
        """End it; what it is doing is finished first."""
        if self._task is not None:
            self._task.stop()

    def _turn(self) -> TaskInterval:
        began = self._clock.monotonic_seconds()
        self._once()
        took = self._clock.monotonic_seconds() - began
        least = max(self._seconds - took, self._seconds * _REST_SHARE)
        # Without news nothing is due, but a hint may be lost: look again all the same.
        return TaskInterval(least, least + self._seconds)

    def _once(self) -> None:
        problem = ""
        try:
            self._do()
        except LedgerError as error:
            if not (error.reason in _TOLD or is_outage(error)):
                problem = error.message
        except Exception as error:  # noqa: BLE001 - no task's defect may end the thread
            problem = f"{type(error).__name__}: {error}"
        if problem and problem != self._problem:
            _log.error("schedule.failed", what=self._name, why=problem)
        self._problem = problem


@dataclass(frozen=True, slots=True)
class GovernorTurn:
    """How many events were recorded because they were due, and how many were not."""

    recorded: int = 0
    overtaken: int = 0
    """Another server was sooner, or something newer is to be looked at first."""

    def __add__(self, other: "GovernorTurn") -> "GovernorTurn":
        """Return both together."""
        return GovernorTurn(self.recorded + other.recorded, self.overtaken + other.overtaken)


RECORDED: Final = GovernorTurn(recorded=1)
OVERTAKEN: Final = GovernorTurn(overtaken=1)


def record_each(
    due: Iterable[T], record: Callable[[T], object], sooner: Collection[Reason]
) -> GovernorTurn:
    """Record each of what is due, even if it fails for others.

    `sooner`: the reasons of a refusal by which something newer is on record.
    """
    turn = GovernorTurn()

    def one(data: T) -> None:
        nonlocal turn
        try:
            record(data)
        except LedgerError as error:
            if error.reason not in sooner:
                raise
            turn += OVERTAKEN
        else:
            turn += RECORDED

    try_each(due, one)
    return turn


def try_each(items: Iterable[T], do: Callable[[T], object]) -> None:
    """Do something for each, even if it fails for others; raise the last failure."""
    failure: LedgerError | None = None
    for item in items:
        try:
            do(item)
        except LedgerError as error:
            failure = error
    if failure is not None:
        raise failure
