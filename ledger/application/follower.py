"""The thread that reads the log once and feeds everybody who follows it: evaluator, projections.

Events are read in batches behind the head, given to each consumer in order, and then the evaluator
is asked what is due. A consumer's failure stops that consumer and is reported; it never stops the
log, and never the other consumers.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from ledger.application.evaluator import Evaluator
from ledger.application.fleet import FLEET_TYPES, Fleet
from ledger.errors import LedgerError, Reason
from ledger.events.envelope import RecordedEvent
from ledger.limits import PROJECTION_BATCH_EVENTS
from ledger.storage.store import Store

_IDLE_SECONDS: Final = 0.5  # how often silence is looked for, and how late a lost hint may be
_log: Final = structlog.get_logger("ledger.follower")

Consumer = Callable[[Sequence[RecordedEvent]], None]


class Follower:
    """Follows one ledger on a thread of its own from a position on."""

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
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._failure: str | None = None
        self._thread = threading.Thread(target=self._run, name=f"follow {origin}", daemon=True)
        self._unsubscribe = store.subscribe(self._hint)

    @property
    def position(self) -> int:
        """The last position that every consumer was given."""
        return self._position

    @property
    def failure(self) -> str | None:
        """Why the evaluator stands still, or None."""
        return self._failure

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the batch at hand and end the thread."""
        self._stopping.set()
        self._wake.set()
        self._unsubscribe()
        if self._thread.is_alive():
            self._thread.join()
        if self._evaluator is not None:
            self._evaluator.release()

    def step(self) -> bool:
        """Feed one batch and run what is due; return whether there may be more to read."""
        events = self._store.read(self._origin, after=self._position, limit=PROJECTION_BATCH_EVENTS)
        if events:
            self._feed(events)
        is_behind = len(events) == PROJECTION_BATCH_EVENTS
        if self._evaluator is not None and not is_behind:
            self._evaluate()
        return bool(events)

    def _feed(self, events: Sequence[RecordedEvent]) -> None:
        if any(event.type in FLEET_TYPES for event in events):
            self._fleet.refresh(events[-1].position)
        if self._evaluator is not None:
            self._evaluator.consume(events)
        for consume in self._consumers:
            consume(events)
        self._position = events[-1].position

    def _evaluate(self) -> None:
        assert self._evaluator is not None
        try:
            self._evaluator.run_due()
            self._failure = None
        except LedgerError as error:
            if error.reason is Reason.DRAINING:
                return
            if self._failure != error.message:
                _log.error("evaluator.stalled", reason=error.reason.value, message=error.message)
            self._failure = error.message

    def _hint(self, origin: str, _position: int) -> None:
        if origin == self._origin:
            self._wake.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                is_moving = self.step()
            except LedgerError as error:
                if self._stopping.is_set():
                    return
                _log.error("follower.failed", reason=error.reason.value, message=error.message)
                self._failure = error.message
                is_moving = False
            if not is_moving:
                self._wake.wait(_IDLE_SECONDS)
