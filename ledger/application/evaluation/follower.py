"""Reads the log of one ledger once and feeds all that follow it: evaluator, projections.

Events are read in batches behind the head, given to each consumer in order, and then the evaluator
is asked what is due. A failure is reported and tried again with the next batch. No part waits
for another's failure, and none loses an event: a part that has missed some reads them itself.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import structlog

from ledger.application.evaluation.evaluator import Evaluator
from ledger.application.fleet.fleet import FLEET_TYPES, Fleet
from ledger.application.workers import Task, TaskInterval, Workers
from ledger.errors import LedgerError, Reason, is_outage
from ledger.events.envelope import RecordedEvent
from ledger.limits import PROJECTION_BATCH_EVENTS
from ledger.storage.store import Store

_BEHIND_BATCHES_MAX: Final = 8  # under constant load the evaluator gets its turn all the same
_PAUSE_SECONDS: Final = 0.25  # after a small batch: folding 500 costs little more than ten
_IDLE_SECONDS: Final = 0.5  # how often silence is looked for, and how late a lost hint may be
_log: Final = structlog.get_logger("ledger.follower")

Consumer = Callable[[Sequence[RecordedEvent]], None]
"""Takes a batch; passes over what it has folded, and reads for itself what it has missed."""


class Follower:
    """Follows one ledger from a position on, in turns that the workers give it."""

    def __init__(
        self,
        store: Store,
        origin: str,
        fleet: Fleet,
        evaluator: Evaluator | None,
        consumers: Sequence[Consumer],
        *,
        after: int,
    ) -> None:
        self._store = store
        self._origin = origin
        self._fleet = fleet
        self._evaluator = evaluator
        self._consumers = list(consumers)
        self._position = after
        self.turns = 0
        """How many turns have ended: one that began and ended without news left nothing due."""
        self._behind = 0
        self._failures: dict[str, str] = {}
        self._task: Task | None = None
        self._unsubscribe: Callable[[], None] | None = None

    @property
    def position(self) -> int:
        """The last position that every consumer was given."""
        return self._position

    @property
    def failure(self) -> str | None:
        """Why something that follows the ledger makes no progress, or None."""
        return next(iter(self._failures.values()), None)

    def start(self, workers: Workers) -> None:
        """Begin to follow."""
        self._unsubscribe = self._store.commits.subscribe(self._hint)
        self._task = workers.recur(f"follow {self._origin}", self._turn)

    def stop(self) -> None:
        """Follow no more, and fold what came in the last pause."""
        if self._unsubscribe is not None:
            self._unsubscribe()
        if self._task is not None:
            self._task.stop()
            self._task = None
            self._run("reading", self._read)
        if self._evaluator is not None:
            try:
                self._evaluator.release()
            except LedgerError as error:  # the store is out of order; the lease runs out by itself
                _log.warning("evaluator.lease_kept", message=error.message)

    def hurry(self) -> None:
        """Read on without a pause, once: a caller waits for what is not folded yet."""
        if self._task is not None:
            self._task.hurry()

    def step(self) -> bool:
        """Feed one batch and run what is due; return whether there may be more to read."""
        count = self._read()
        self._behind = self._behind + 1 if count == PROJECTION_BATCH_EVENTS else 0
        if self._evaluator is not None and self._behind % _BEHIND_BATCHES_MAX == 0:
            self._run("evaluator", self._evaluator.run_due)
        return count > 0

    def _read(self) -> int:
        """Feed one batch and return how many events it held."""
        events = self._store.events.read(
            self._origin, after=self._position, limit=PROJECTION_BATCH_EVENTS
        )
        if events:
            self._feed(events)
        return len(events)

    def _feed(self, events: Sequence[RecordedEvent]) -> None:
        if "fleet" in self._failures or any(event.type in FLEET_TYPES for event in events):
            self._run("fleet", partial(self._fleet.refresh, events[-1].position))
        if self._evaluator is not None:
            self._evaluator.consume(events)
        for number, consume in enumerate(self._consumers):
            self._run(f"consumer {number}", partial(consume, events))
        self._position = events[-1].position

    def _run(self, what: str, function: Callable[[], object]) -> bool:
        """Call one of those who follow; note and report its failure. Return whether it is well."""
        try:
            function()
        except LedgerError as error:
            if is_outage(error) or error.reason is Reason.CLOCK_AHEAD:
                # The store, or the watch of the clock, has said so, once for all of us.
                self._failures[what] = error.message
            elif error.reason is not Reason.DRAINING:
                self._note(what, error.message, reason=error.reason.value)
            return False
        except Exception as error:  # noqa: BLE001 - one defect must not stop the others
            self._note(what, f"{type(error).__name__}: {error}", exc_info=error)
            return False
        self._failures.pop(what, None)
        return True

    def _note(self, what: str, message: str, **details: object) -> None:
        """Report a failure, once for as long as it stays the same."""
        if self._failures.get(what) != message:
            _log.error("follower.failed", ledger=self._origin, what=what, why=message, **details)
        self._failures[what] = message

    def _hint(self, origin: str, _position: int) -> None:
        if origin == self._origin and self._task is not None:
            self._task.wake()

    def _turn(self) -> TaskInterval:
        moved: list[bool] = []
        is_well = self._run("reading", lambda: moved.append(self.step()))
        self.turns += 1
        if not is_well or not moved[0] or self._failures:
            return TaskInterval(0.0, _IDLE_SECONDS)
        pause = 0.0 if self._behind else _PAUSE_SECONDS
        return TaskInterval(pause, pause)
