"""Rules about where events come from: their run, their cause, and a job's version in service.

The service alone writes that, from the events before; no caller states it.
"""

from typing import Any, Final

from ledger.audit.audited_model import AuditedModel
from ledger.audit.event import AuditedEvent
from ledger.audit.ledger_state import LedgerState
from ledger.audit.registry import Unchecked, Verdict, rule
from ledger.events.authority import AUTHORITY_TYPES
from ledger.events.budgets import BudgetOverspendingApproved, BudgetSet
from ledger.events.cases import GOVERNOR
from ledger.events.jobs import (
    FOLLOWING_TYPES,
    GateJudged,
    JobDeployed,
    JobProposed,
    JobRolledBack,
)
from ledger.events.models import DESCRIBING, DeploymentExplained, ModelDeployed, ModelRetired
from ledger.events.plans import PLAN_TYPES, PlanScheduled
from ledger.events.recipes import BENCHMARK_TYPES, RECIPE_TYPES
from ledger.events.reuse import ReuseProposed, RollBackAsked
from ledger.events.signals import DEFINED_TYPES
from ledger.events.values import parse_decimal, parse_time

_BESIDE: Final = frozenset({*FOLLOWING_TYPES, JobRolledBack.TYPE})
"""Types of events of jobs that follow from the event right before them."""
_OF_BUDGETS: Final = (BudgetSet.TYPE, BudgetOverspendingApproved.TYPE)
_OF_PLANS: Final = frozenset(
    {*PLAN_TYPES, PlanScheduled.TYPE, ReuseProposed.TYPE, RollBackAsked.TYPE}
)
_OF_RECIPES: Final = RECIPE_TYPES | BENCHMARK_TYPES
_OF_THE_FLEET: Final = frozenset({*DESCRIBING, ModelRetired.TYPE, *DEFINED_TYPES})
_UNKNOWN: Final = Unchecked("the body of a deployment of the model is not there")


@rule("origins", *_OF_THE_FLEET, *AUTHORITY_TYPES)
def origins(event: AuditedEvent, _fold: LedgerState) -> Verdict:
    """A description of a signal or model, and a change of authority, follow from no event."""
    return _runless_fault(event) or _cause_fault(event, None)


@rule(
    "jobs.origins",
    *(JobProposed.TYPE, DeploymentExplained.TYPE, *_BESIDE, *_OF_BUDGETS, *_OF_PLANS, *_OF_RECIPES),
)
def jobs_origins(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A job follows from its plan or decision, in its run; nothing else says that it follows so."""
    if event.type == DeploymentExplained.TYPE:
        return _cause_fault(event, event.position - 1) or _run_of_deployment_fault(event, fold)
    if event.type == JobProposed.TYPE:
        cause = event.known["plan"] or event.known["decision"]
        return _cause_fault(event, cause) or _run_fault(event, fold)
    if event.type in _BESIDE:
        job = fold.jobs.known.jobs.get(event.name)
        if event.type == GateJudged.TYPE and job is not None and job.state == "observing":
            return None  # it follows from the newest event of its job, as another rule says
        return _cause_fault(event, event.position - 1)
    if fault := _runless_fault(event):
        return fault
    if event.type in PLAN_TYPES and event.actor == GOVERNOR:
        return None  # it follows from its schedule, as another rule says
    if event.type in _OF_BUDGETS:
        return _budget_fault(event, fold)
    return _cause_fault(event, None)


def _runless_fault(event: AuditedEvent) -> str | None:
    return None if event.run_id is None else f"it carries {event.run_id}, and is of no run"


def _run_of_deployment_fault(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Return why the ground of a deployment is in another run than that."""
    before = fold.deployments.newest
    if before is None:
        return None  # another rule's business
    if before.raw is None:
        return Unchecked(fold.absences.reason(before.position))
    if event.run_id == before.run_id:
        return None
    return f"it is in {event.run_id or 'no run'}, and the deployment in {before.run_id or 'none'}"


def _cause_fault(event: AuditedEvent, expected: int | None) -> str | None:
    if event.cause == expected:
        return None
    cited = "no event" if event.cause is None else f"position {event.cause}"
    return f"it cites {cited}, and follows from {expected or 'none'}"


def _run_fault(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Return why a job is in another run than that of its decision, or in one of others."""
    data, run = event.known, event.run_id
    if run is None:
        return "it is in no run"
    if data["decision"] is not None:
        facts = fold.models.get(f"models/{data['model']}")
        known = () if facts is None else facts.decisions
        decided = next((one for one in known if one.position == data["decision"]), None)
        if decided is None:
            return Unchecked("the decision of its job is not there")
        if decided.run_id is not None:
            is_same = run == decided.run_id
            return None if is_same else f"it is in {run}, and its decision in {decided.run_id}"
    return f"it is in {run}, which was there before" if run in fold.runs else None


def _budget_fault(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Return why an event of a budget follows from another than what it approves more for."""
    if event.type == BudgetSet.TYPE:
        return _cause_fault(event, None)
    if blind_at := fold.budgets.blind_at(event.name):
        return Unchecked(fold.absences.reason(blind_at))
    known, data = fold.budgets.of(event.name), event.known
    held = None if known is None else known.held.get((data["job"], data["envelope"]))
    return _cause_fault(event, None if held is None else held.position)


@rule("jobs.serving", JobProposed.TYPE)
def jobs_serving(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A job names the version that is stated to serve last, by the deployments before it."""
    facts, named = fold.models.get(f"models/{event.known['model']}"), event.known["serving"]
    if facts is None:
        return None  # another rule's business
    if ModelDeployed.TYPE in facts.gone_by_type:
        return _UNKNOWN
    latest = facts.latest(event.position - 1)
    serving = None if latest is None else latest.version
    return None if named == serving else f"it says that {named} is in service, and {serving} is"


@rule("jobs.replaced", JobDeployed.TYPE, JobRolledBack.TYPE)
def jobs_replaced(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A job's version replaces the one in service, another one; what was trained stays as it is."""
    before = fold.jobs.deployed
    if before is None or before.data is None:
        return None  # another rule's business
    facts, data = fold.models.get(before.stream), before.data
    if facts is None:
        return None  # another rule's business
    if ModelDeployed.TYPE in facts.gone_by_type:
        return _UNKNOWN
    serving = _serving(facts, parse_time(data["in_service_at"]), before.position)
    if data["replaces"] != serving:
        return f"it replaces {data['replaces']}, and {serving} was in service"
    if data["model_version"] == serving:
        return f"{serving} would be in its own place"
    trained = parse_time(data["trained_through"])
    for one in facts.deployments:
        if one.version == data["model_version"] and one.trained_through != trained:
            return f"{one.version} was trained through another time, by position {one.position}"
    return _loss_fault(facts, data, before.position) if event.type == JobRolledBack.TYPE else None


def _loss_fault(facts: AuditedModel, data: dict[str, Any], before: int) -> str | None:
    """Return which loss was stated last of a version that serves again, where another one is now.

    Its executor states none: it is copied.
    """
    same = [
        one
        for one in facts.deployments
        if one.version == data["model_version"] and one.position < before
    ]
    last = max(same, key=lambda one: (one.in_service_at, one.position), default=None)
    if last is None or last.baseline_nano == parse_decimal(data["baseline_loss"]):
        return None
    return f"its loss is not the one stated last, by position {last.position}"


def _serving(facts: AuditedModel, at: int, before: int) -> str | None:
    """Return the version that is stated to be in service at a time, so far as was known then."""
    begun = [one for one in facts.deployments if one.in_service_at <= at and one.position < before]
    newest = max(begun, key=lambda one: (one.in_service_at, one.position), default=None)
    return None if newest is None else newest.version
