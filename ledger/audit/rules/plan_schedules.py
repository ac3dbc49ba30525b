"""Rules about plans that are made by the clock: each as its schedule says, and none is missing."""

from collections.abc import Iterator

from ledger.audit.event import AuditedEvent
from ledger.audit.ledger_state import LedgerState
from ledger.audit.registry import Unchecked, Verdict, rule
from ledger.events.cases import GOVERNOR
from ledger.events.jobs import JOB_TYPES
from ledger.events.plans import PLAN_TYPES, PlanScheduled
from ledger.events.policies import DRAFTED_TYPES
from ledger.events.values import SECOND, parse_time
from ledger.jobs.plan_schedules import is_made_again, money_of, plan_fault, schedule_fault


def _missing(fold: LedgerState) -> Iterator[tuple[int, str]]:
    yield from fold.obligations.terms.missed("plans.due")


@rule("plans.due", PlanScheduled.TYPE, finish=_missing)
def plans_due(event: AuditedEvent, _: LedgerState) -> Verdict:
    """A schedule counts from its own time on, and each plan that is due by it is on record."""
    return schedule_fault(event.recorded_at, event.known) or None


@rule("plans.scheduled", *PLAN_TYPES)
def plans_scheduled(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """The governor alone makes the plans of schedules, when and under what money they say."""
    fault = plan_fault(fold.planning.schedules, event.actor, event.known, event.cause)
    if fault and fold.gone.lacks((PlanScheduled.TYPE,)):
        return Unchecked("the body of a schedule is not there")
    if not fault and event.actor == GOVERNOR:
        fault = _money_fault(event, fold)
    if fault and fold.gone.lacks((*PLAN_TYPES, *JOB_TYPES, *DRAFTED_TYPES)):
        return Unchecked("a body is not there on which the money of a plan may rest")
    return fault or None


def _money_fault(event: AuditedEvent, fold: LedgerState) -> str:
    """Return why a plan of a schedule has not the money that its plans so far left."""
    data, found = event.known, fold.planning.schedules.of_plan(event.known["plan"])
    named = data["policy_version"], data["policy_digest"]
    parameters = fold.parameters(data["policy"], *named)
    if found is None or parameters is None or parameters.planner is None:
        return "no version of the policy that it names plans"
    one, planner, made_at = found[0], parameters.planner, parse_time(data["made_at"])
    period, as_of = planner.period_seconds * SECOND, data["as_of"]
    before = fold.planning.before_of(one.position, as_of)
    if before is not None and is_made_again(before, named, made_at, period):
        if data["second_to"] == before.position:
            return ""  # its money is another rule's business
        return f"its period has a plan of its schedule at position {before.position} already"
    if data.get("second_to") is not None:
        return "it is said to be made again, and its period has no plan of its schedule yet"
    taken = 0
    if before is not None:
        taken = fold.planning.taken_since(one.position, before.as_of, as_of, planner.probe_ppm)
    money = money_of(one, before, taken, made_at, period)
    if int(data["purse_micros"]) == money:
        return ""
    return f"its budget is {data['purse_micros']}, and its schedule has come to {money}"
