"""The proposals of one ledger to put a version back that are open and count, now."""

import threading
from typing import NamedTuple

from ledger.application.commands import ledger_time
from ledger.application.fleet.history import HistoryReader
from ledger.application.policies.history import is_in_scope
from ledger.errors import LedgerError, Reason
from ledger.events.policies import ACTIVATED_TYPES
from ledger.events.registry import known_data
from ledger.events.values import SECOND
from ledger.jobs.put_backs import (
    PUT_BACK_TYPES,
    OpenPutBack,
    PutBacks,
    PutBackTerms,
    ends_at,
    put_back_fault,
)
from ledger.storage.records import Head, LedgerInfo
from ledger.storage.store import Store


class JudgedPutBack(NamedTuple):
    """A proposal that is open, and whether it counts."""

    proposed: OpenPutBack
    fault: str
    """Why it counts no more; empty where it does."""
    ends_at: int | None
    """The time from which on it counts no more; None for no such time."""


class PutBackReader:
    """Follows the proposals of one ledger. Safe between threads."""

    def __init__(self, store: Store, info: LedgerInfo, histories: HistoryReader) -> None:
        self._store = store
        self._info = info
        self._origin = info.origin
        self._histories = histories
        self._lock = threading.Lock()
        self._known = PutBacks()
        self._position = 0

    def forget(self) -> None:
        """Read all of them again: the body of one may be gone."""
        with self._lock:
            self._known, self._position = PutBacks(), 0

    def open(self, after: int = 0) -> list[OpenPutBack]:
        """Return those that count, of what was proposed after a position, the oldest first."""
        with self._lock:
            head = self._follow()
            found = self._known.listed(after)
        activated = self._activated(head)
        return [one for one in found if not self._judged(one, head, activated).fault]

    def of_model(self, model: str) -> tuple[int, JudgedPutBack | None]:
        """Return the head, and the proposal that is open there for a model, if any."""
        with self._lock:
            head = self._follow()
            found = self._known.of(model)
        if found is None:
            return head.position, None
        return head.position, self._judged(found, head, self._activated(head))

    def _follow(self) -> Head:
        """Take in what was recorded since, and return the head."""
        head = self._store.events.head(self._origin)
        if head.position > self._position:
            found = self._store.events.of_types(
                self._origin, PUT_BACK_TYPES, after=self._position, at_or_before=head.position
            )
            for one in found:
                data = known_data(one)
                actor = "" if data is None else one.body.actor
                asked_at = one.recorded_at if self._info.clock == "wall" else 0
                self._known.apply(one.position, one.stream, one.type, actor, data, asked_at)
            self._position = head.position
        return head

    def _activated(self, head: Head) -> int:
        """Return the position at which a policy came into force last; 0 for never."""
        found = self._store.events.of_types(
            self._origin, ACTIVATED_TYPES, at_or_before=head.position, limit=1, descending=True
        )
        return found[0].position if found else 0

    def _judged(self, one: OpenPutBack, head: Head, activated: int) -> JudgedPutBack:
        """Return a proposal, judged; none counts whose policy is not known any more."""
        if one.policy is None:
            return JudgedPutBack(one, "", None)
        try:
            part = self._histories.compiled(*one.policy).document.planning
            is_in_force = activated <= one.as_of or self._is_in_force(one, head.position)
        except LedgerError as error:
            if error.reason is not Reason.BODY_ERASED:
                raise
            return JudgedPutBack(one, f"what policy is for {one.model} was erased", None)
        assert part is not None, "a version is to be put back by it"
        terms = PutBackTerms(part.period_seconds * SECOND, is_in_force)
        now = ledger_time(self._info, self._store, head)
        return JudgedPutBack(one, put_back_fault(one, terms, now), ends_at(one, terms))

    def _is_in_force(self, one: OpenPutBack, at: int) -> bool:
        """Whether its policy is for its model, and no other one that it does not know decides."""
        described = self._histories.described(one.model, at)
        found = None if described is None else self._histories.activation_for(described, at)
        if described is None or found is None:
            return False
        event, chosen = found
        if event.position > one.as_of and not one.is_by(chosen.policy, chosen.digest):
            return False
        return any(
            one.is_by(activated.policy, activated.digest) and is_in_scope(activated, described)
            for activated in self._histories.activations_in_force(at)
        )
