"""Rules about plans that are made by the clock: each as its schedule says, and none is missing."""

from collections.abc import Iterator

from ledger.audit.event import AuditedEvent
from ledger.audit.ledger_state import LedgerState
from ledger.audit.registry import Unchecked, Verdict, rule
from ledger.events.plans import PLAN_TYPES, PlanScheduled
from ledger.jobs.plan_schedules import plan_fault, schedule_fault


def _missing(fold: LedgerState) -> Iterator[tuple[int, str]]:
    yield from fold.obligations.terms.missed("plans.due")


@rule("plans.due", PlanScheduled.TYPE, finish=_missing)
def plans_due(event: AuditedEvent, _: LedgerState) -> Verdict:
    """A schedule counts from its own time on, and each plan that is due by it is on record."""
    return schedule_fault(event.recorded_at, event.known) or None


@rule("plans.scheduled", *PLAN_TYPES)
def plans_scheduled(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """The governor makes the plans of schedules alone, as they say, and no other actor does."""
    fault = plan_fault(fold.planning.schedules, event.actor, event.known, event.cause)
    if fault and fold.gone.lacks((PlanScheduled.TYPE,)):
        return Unchecked("the body of a schedule is not there")
    return fault or None
