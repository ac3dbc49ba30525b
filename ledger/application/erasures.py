"""Which bodies were erased, and by which event: folded from the ledger's `body.erased` events.

An erasure is for good, so what was decided after it is computed without the erased body for ever;
what was decided before it cannot be computed again. `passes_over` is where the two part.
"""

import threading
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from ledger.errors import LedgerError, Reason, body_erased, event_unreadable
from ledger.events.envelope import RecordedEvent
from ledger.events.proving import BodyErased
from ledger.events.registry import typed
from ledger.storage.events import Events
from ledger.storage.records import Head

T = TypeVar("T")

PositionRange = tuple[int, int]
"""First and last position, both included."""


class _Erasure(NamedTuple):
    position: int
    firsts: list[int]
    lasts: list[int]

    def covers(self, position: int) -> bool:
        at = bisect_right(self.firsts, position) - 1
        return at >= 0 and position <= self.lasts[at]


class Erasures:
    """The erasures of one ledger. Safe between threads; reads only what is new."""

    def __init__(self, events: Events, ledger: str) -> None:
        self._events = events
        self._ledger = ledger
        self._lock = threading.Lock()
        self._known: tuple[_Erasure, ...] = ()

    def erased_by(self, position: int) -> int | None:
        """Return where the erasure of a position's body is, None if it was not erased."""
        found = _covering(self._known, position)
        return _covering(self._read(), position) if found is None else found

    def refusal(self, position: int) -> LedgerError:
        """Return why nothing can be had of a body that is gone.

        BODY_ERASED with its erasure; EVENT_UNREADABLE where no erasure names it: it was lost.
        """
        erased_by = self.erased_by(position)
        if erased_by is None:
            return event_unreadable(position, "its body is missing, and no erasure names it")
        return body_erased(position, erased_by)

    def passes_over(self, event: RecordedEvent, as_of: int) -> bool:
        """Whether a fold as of a position goes on without this event's body.

        False where the body is there. True where it was erased by then: a reader there has only
        the header. BODY_ERASED where it was erased later: what was made of it then cannot
        be made again.
        """
        if event.body_bytes is not None:
            return False
        erased_by = self.erased_by(event.position)
        if erased_by is None or erased_by > as_of:
            raise self.refusal(event.position)
        return True

    def _read(self) -> Sequence[_Erasure]:
        """Return all erasures, with those that are new."""
        with self._lock:
            after = self._known[-1].position if self._known else 0
            new = [
                _erasure(event)
                for event in self._events.of_types(self._ledger, (BodyErased.TYPE,), after=after)
            ]
            self._known = (*self._known, *new)
            return self._known


def at_newest_head(events: Events, ledger: str, make: Callable[[Head], T]) -> T:
    """Return what is made as of the head; again where a body that it reads was erased after it."""
    while True:
        head = events.head(ledger)
        try:
            return make(head)
        except LedgerError as error:
            erased_by = error.metadata.get("erased_by", "")
            is_later = bool(erased_by) and int(erased_by) > head.position
            if error.reason is not Reason.BODY_ERASED or not is_later:
                raise


def _erasure(event: RecordedEvent) -> _Erasure:
    ranges = typed(event, BodyErased).positions
    return _Erasure(event.position, [one[0] for one in ranges], [one[1] for one in ranges])


def _covering(erasures: Sequence[_Erasure], position: int) -> int | None:
    return next((one.position for one in erasures if one.covers(position)), None)
