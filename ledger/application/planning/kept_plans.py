"""Plans as they were read: the last few are kept, as each is decoded whole.

Many jobs are proposed by one plan in a row, and a plan of a large fleet takes long to decode.
"""

import threading
from collections import OrderedDict
from typing import Final

from ledger.application.erasure import Erasures
from ledger.events.envelope import RecordedEvent
from ledger.events.plans import PlanMade
from ledger.events.registry import typed

_KEPT: Final = 2  # the plan whose jobs are proposed, and the one that the next goes on from


class KeptPlans:
    """Reads the plans of one ledger from their events. Safe between threads.

    A plan is taken from here only for an event that was read again and has the same body, so none
    is that was erased or lost since.
    """

    def __init__(self, erasures: Erasures) -> None:
        self._erasures = erasures
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, tuple[bytes, PlanMade]] = OrderedDict()
        """Each with its body, by position; the one that was asked for last is the last."""

    def of(self, event: RecordedEvent) -> PlanMade:
        """Return the plan that an event records; EVENT_UNREADABLE and BODY_ERASED as `typed`."""
        with self._lock:
            kept = self._kept.get(event.position)
            if kept is not None and kept[0] == event.body_bytes:
                self._kept.move_to_end(event.position)
                return kept[1]
        made = typed(event, PlanMade)
        assert event.body_bytes is not None, "it was decoded"
        with self._lock:
            self._kept[event.position] = event.body_bytes, made
            self._kept.move_to_end(event.position)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        if self._erasures.erased_by(event.position) is not None:  # since the event was read
            self.forget()
        return made

    def forget(self) -> None:
        """Keep none any more: the body of one may be gone."""
        with self._lock:
            self._kept.clear()
