"""Budgets of one ledger: set by people, told with their forecasts, and asked for jobs' money.

A reservation and its end are recorded together with an event of the job that they are for: a
`BudgetBook` reckons them, and the use case of the job appends them under the book's guards.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ledger.application.appender import Addition, Appender, Proposal
from ledger.application.budgets.book import BudgetBook, book_guards, refused, unknown
from ledger.application.commands import (
    Caller,
    decided_before,
    fields_named,
    none_after,
    work_time,
)
from ledger.application.erasure import Erasures
from ledger.application.fleet.fleet import Fleet
from ledger.errors import LedgerError, Reason
from ledger.events.budgets import (
    BUDGET_TYPES,
    BudgetOverspendingApproved,
    BudgetSet,
    Envelope,
)
from ledger.events.models import ModelDeployed
from ledger.events.values import SECOND
from ledger.jobs.budget_scopes import scope_fault
from ledger.jobs.budgets import Budget, BudgetError, applied, erased, made, set_event
from ledger.limits import OPENED_WITHIN_SECONDS
from ledger.storage.records import AppendResult, Head, LedgerInfo
from ledger.storage.store import Store

_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Overspending:
    """A person's approval that a job may cost more than its budget has."""

    budget: str
    job: str
    envelope: Envelope
    amount_micros: int
    reason: str


class Budgets:
    """Budgets of one ledger. Safe between threads."""

    def __init__(self, store: Store, info: LedgerInfo, fleet: Fleet) -> None:
        self._store = store
        self._info = info
        self._fleet = fleet
        self._appender = Appender(store, info.origin)
        self._erasures = Erasures(store.events, info.origin)
        self._lock = threading.Lock()
        self._budgets: dict[str, Budget] = {}
        self._position = 0

    # ---- reading ---------------------------------------------------------------------------------

    def known(self) -> tuple[Head, Mapping[str, Budget]]:
        """Return the head, and every budget there by its name."""
        with self._lock:
            head = self._store.events.head(self._info.origin)
            if head.position > self._position:
                self._follow(head.position)
            return head, dict(self._budgets)

    def all(self) -> list[Budget]:
        """Return every budget at the head."""
        return list(self.known()[1].values())

    def as_of(self, position: int) -> Mapping[str, Budget]:
        """Return every budget as of a position; BODY_ERASED where a body was erased since.

        Costs what was recorded since the newest that was asked for; for an earlier one, all of it.
        """
        with self._lock:
            if position >= self._position:
                self._follow(position)
                return dict(self._budgets)
        return self._folded({}, 0, position)

    def budget(self, name: str) -> tuple[Head, Budget]:
        """Return the head, and a budget there; BUDGET_UNKNOWN, or BODY_ERASED where it is gone."""
        head, known = self.known()
        return head, self._present(known, name)

    def book(self) -> BudgetBook:
        """Return the budgets as of the head, for reservations of one request and their ends."""
        head, known = self.known()
        self._fleet.refresh(head.position)
        return BudgetBook(known, self._fleet, head, work_time(self._info, self._store, head))

    def forget(self) -> None:
        """Fold all of it again, since bodies were erased."""
        with self._lock:
            self._budgets.clear()
            self._position = 0

    def _follow(self, until: int) -> None:
        self._budgets = self._folded(self._budgets, self._position, until)
        self._position = until

    def _folded(self, known: Mapping[str, Budget], after: int, until: int) -> dict[str, Budget]:
        budgets = dict(known)
        for event in self._store.events.of_types(
            self._info.origin, BUDGET_TYPES, after=after, at_or_before=until
        ):
            name = event.stream.partition("/")[2]
            is_gone = self._erasures.passes_over(event, until)
            data = None if is_gone else event.data
            before = budgets.get(name)
            if before is None and is_gone:
                before = erased(name)
            try:
                budgets[name] = applied(before, event.position, event.type, data)
            except BudgetError as error:
                raise LedgerError(
                    Reason.EVENT_UNREADABLE,
                    f"The event at position {event.position} cannot be: {error.fault}.",
                    remedy="Run `decision-ledger audit run`, and ask who wrote to the database.",
                    metadata={"position": str(event.position), "budget": name},
                ) from error
        return budgets

    def _present(self, known: Mapping[str, Budget], name: str) -> Budget:
        found = known.get(name)
        if found is None:
            raise unknown(name, known)
        if found.is_gone:
            raise refused(found, "the body of one of its events was erased; set it again")
        return found

    # ---- commands --------------------------------------------------------------------------------

    def set(self, caller: Caller, terms: Mapping[str, Any]) -> AppendResult:
        """Set a budget, or set it again: its balance goes on within the new caps.

        `terms`: the members of the event but for time and balances. BUDGET_REFUSED where another
        budget has a scope that is as specific, or its unit would change.
        """

        def decide() -> Proposal:
            head, known = self.known()
            before = known.get(terms["budget"])
            now = work_time(self._info, self._store, head)
            try:
                with fields_named():
                    data, _ = set_event(before, now, terms)
            except BudgetError as error:
                raise refused(before, error.fault, terms["budget"]) from error
            scope = data.scope.model_dump()
            if fault := scope_fault(known.values(), data.budget, scope):
                raise refused(before, fault, data.budget)
            guards = [none_after(head.position, None, BudgetSet.TYPE)]
            if data.opening is not None:  # it is refilled since then, so that is to be now
                guards.append(decided_before(now + OPENED_WITHIN_SECONDS * SECOND))
                if head.newest_observed_at is None:
                    guards.append(none_after(head.position, None, ModelDeployed.TYPE))
            return Proposal([Addition.of(data)], [*guards, *book_guards([data], known, head)])

        return self._appender.append(caller, BudgetSet.METHOD, decide, tries=_TRIES)

    def approve_overspending(self, caller: Caller, wanted: Overspending) -> AppendResult:
        """Let a job cost more than its budget has; only a person may."""

        def decide() -> Proposal:
            if not caller.actor.startswith("users/"):
                raise LedgerError(
                    Reason.ACTOR_NOT_AUTHORISED,
                    f"{caller.actor} is not a person: only a person approves overspending.",
                    remedy="Call as the person who approves it, users/NAME.",
                    metadata={"actor": caller.actor},
                )
            head, known = self.known()
            budget = self._present(known, wanted.budget)
            try:
                with fields_named():
                    data, _ = made(
                        budget,
                        BudgetOverspendingApproved,
                        work_time(self._info, self._store, head),
                        job=wanted.job,
                        envelope=wanted.envelope,
                        amount_micros=str(wanted.amount_micros),
                        reason=wanted.reason,
                    )
            except BudgetError as error:
                raise refused(budget, error.fault) from error
            held = budget.reservations.get((wanted.job, wanted.envelope))
            addition = Addition.of(data, cause=held.position if held else None)
            return Proposal([addition], book_guards([data], known, head))

        method = BudgetOverspendingApproved.METHOD
        return self._appender.append(caller, method, decide, tries=_TRIES)
