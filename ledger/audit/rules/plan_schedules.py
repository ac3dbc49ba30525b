"""Rules about plans that are made by the clock: each as its schedule says, and none is missing."""

from collections.abc import Iterator
from typing import Any

from ledger.audit.event import AuditedEvent
from ledger.audit.ledger_state import LedgerState
from ledger.audit.registry import Unchecked, Verdict, rule
from ledger.events.cases import GOVERNOR
from ledger.events.jobs import JOB_TYPES, JobProposed
from ledger.events.models import DESCRIBING
from ledger.events.plans import PLAN_TYPES, PlanScheduled
from ledger.events.policies import DRAFTED_TYPES
from ledger.events.recipes import RECIPE_TYPES
from ledger.events.values import SECOND, parse_time
from ledger.jobs.plan_schedules import (
    by_schedule_fault,
    is_made_again,
    is_within_turn,
    money_of,
    plan_fault,
    recipe_due,
    schedule_fault,
)


def _missing(fold: LedgerState) -> Iterator[tuple[int, str]]:
    yield from fold.obligations.terms.missed("plans.due")


@rule("plans.due", PlanScheduled.TYPE, finish=_missing)
def plans_due(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A schedule counts from its own time on, and each plan that is due by it is on record."""
    fault = schedule_fault(event.recorded_at, event.known, fold.recipes.shelf)
    if fault and fold.gone.lacks(RECIPE_TYPES):
        return Unchecked("the body of an event of a recipe is not there")
    return fault or None


@rule("plans.scheduled", *PLAN_TYPES, JobProposed.TYPE)
def plans_scheduled(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Plans and jobs of the service are of a schedule: its time, its money, its recipe, its ids."""
    if event.type == JobProposed.TYPE:
        return _job_verdict(event, fold)
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
    data, one = event.known, fold.planning.schedules.of_plan(event.known["plan"])
    named = data["policy_version"], data["policy_digest"]
    parameters = fold.parameters(data["policy"], *named)
    if one is None or parameters is None or parameters.planner is None:
        return "no version of the policy that it names plans"
    planner, made_at = parameters.planner, parse_time(data["made_at"])
    period, as_of = planner.period_seconds * SECOND, data["as_of"]
    before = fold.planning.before_of(one.position, as_of)
    if before is not None and is_made_again(before, named, made_at, period):
        if data["second_to"] == before.position:  # its money is another rule's business
            return _again_fault(data, fold, before.position, planner.probe_ppm)
        return f"its period has a plan of its schedule at position {before.position} already"
    if data.get("second_to") is not None or is_within_turn(data["plan"]):
        return "it is said to be made again, and its period has no plan of its schedule yet"
    taken = 0
    if before is not None:
        taken = fold.planning.taken_since(one.position, before.as_of, as_of, planner.probe_ppm)
    money = money_of(one, before, taken, made_at, period)
    if int(data["purse_micros"]) == money:
        return ""
    return f"its budget is {data['purse_micros']}, and its schedule has come to {money}"


def _again_fault(data: dict[str, Any], fold: LedgerState, first: int, probe_ppm: int) -> str:
    """Return why a plan may not be made again within its turn; empty where it may, or is due."""
    if not is_within_turn(data["plan"]):
        return ""
    series = fold.planning.series(first, data["as_of"])
    newest = fold.jobs.plans[series[-1]].as_of
    return fold.planning.tests.left_fault(series, newest, probe_ppm, data["as_of"])


def _job_verdict(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Return why a job may not be proposed by its actor, as a part of the service or another."""
    data, plan = event.known, fold.jobs.plans.get(event.known["plan"] or 0)
    facts = fold.models.get(f"models/{data['model']}")
    described = None if facts is None else facts.description(event.position - 1)
    if not event.actor.startswith("system/"):
        return by_schedule_fault(None, event.actor, data, ("", 0)) or None
    if plan is None or described is None:
        return None  # without a plan or a model it is another rule's finding
    schedule = fold.planning.schedules.of_plan(plan.plan)
    due = ("", 0)
    if schedule is not None:
        due = recipe_due(fold.recipes.shelf, schedule, described["recipe"])
    fault = by_schedule_fault(schedule, event.actor, data, due)
    is_gone = facts is not None and facts.gone_by_type.keys() & set(DESCRIBING)
    if fault and (is_gone or fold.gone.lacks((PlanScheduled.TYPE, *RECIPE_TYPES))):
        return Unchecked("a body is not there that may say by which recipe it is due")
    return fault or None
