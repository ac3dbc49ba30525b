"""The events of budgets that stand right behind those of a job: what is due, and what is missing.

The events of a job that one request brings end with what its budget does for them: it sets the
expected cost aside, sets more aside, spends or releases. Where a body of the budget is absent, it
is not known whether anything was set aside: then such an event may be there, and is not missed.
"""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from ledger.audit.budgets import AuditedBudgets
from ledger.audit.event import AuditedEvent
from ledger.audit.jobs import AuditedJobs
from ledger.events.budgets import BudgetReserved
from ledger.events.jobs import JOB_TYPES
from ledger.jobs.conclusions import owed_types
from ledger.jobs.machine import Job
from ledger.jobs.money import Move, owed_moves


class OwedMove(NamedTuple):
    """The move that belongs right behind an event of a job."""

    event: AuditedEvent
    job: Job
    move: Move
    is_due: bool
    """Whether its absence is a fault."""


class OwedMoves:
    """The moves of budgets that jobs ask for, as of the events applied so far."""

    def __init__(self) -> None:
        self._owed: deque[OwedMove] = deque()
        self._settled: dict[str, Job] = {}
        """Each job as its budget knows it."""
        self._missing: list[tuple[int, str]] = []

    @property
    def owed(self) -> OwedMove | None:
        """The move that the next event has to be."""
        return self._owed[0] if self._owed else None

    def take(self, event: AuditedEvent, jobs: AuditedJobs, budgets: AuditedBudgets) -> None:
        """Take in the next event, which the jobs have taken in and the budgets have not."""
        if self.owed is not None and is_beside(event, self.owed):
            self._owed.popleft()
            return
        self._missing += self._missed()
        self._owed.clear()
        if event.type not in JOB_TYPES:
            return
        job = jobs.known.jobs.get(event.name)
        if job is None or owed_types(job):
            return
        moves = owed_moves(self._settled.get(job.name), job)
        self._settled[job.name] = job
        for move in moves:
            is_due = move.is_first or budgets.is_held(move.budget, job.name, move.envelope)
            is_blind = bool(budgets.blind_at(move.budget))
            if is_due or is_blind:
                self._owed.append(OwedMove(event, job, move, is_due))

    def missing(self) -> Iterator[tuple[int, str]]:
        """Yield each event of a job without its money; the events are at their end."""
        yield from self._missing
        yield from self._missed()

    def _missed(self) -> list[tuple[int, str]]:
        return [_fault_of(one) for one in self._owed if one.is_due]


def is_beside(event: AuditedEvent, owed: OwedMove) -> bool:
    """Whether an event is of the kind, budget and request that is owed; of erased ones unknown."""
    if (event.type, event.stream) != (owed.move.type, f"budgets/{owed.move.budget}"):
        return False
    before = owed.event
    return event.raw is None or (event.actor, event.request_id, event.run_id) == (
        before.actor, before.request_id, before.run_id,
    )  # fmt: skip


def _fault_of(owed: OwedMove) -> tuple[int, str]:
    move = owed.move
    what = "a reservation" if move.type == BudgetReserved.TYPE else "the end of its reservation"
    asked = f"it asks budget {move.budget} for {what} out of {move.envelope} right behind it"
    return owed.event.position, asked
