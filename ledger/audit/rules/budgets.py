"""Rules about budgets: nothing is set aside or spent but what is there, once, and at its time."""

from collections.abc import Iterator
from typing import Final

from ledger.audit.budgets import reckoned
from ledger.audit.event import AuditedEvent
from ledger.audit.job_money import is_beside
from ledger.audit.ledger_state import LedgerState
from ledger.audit.registry import Unchecked, Verdict, rule
from ledger.events.budgets import (
    MOVING_TYPES,
    BudgetOverspendingApproved,
    BudgetReserved,
    BudgetSet,
    BudgetSpent,
)
from ledger.events.jobs import JobProposed
from ledger.events.models import DESCRIBING
from ledger.events.values import SECOND, parse_time
from ledger.jobs.budget_scopes import covers, rank, ties
from ledger.jobs.machine import Job
from ledger.jobs.money import is_top_tier
from ledger.limits import CLOCK_STEP_SECONDS_MIN, OPENED_WITHIN_SECONDS

_OF_JOBS: Final = tuple(sorted(MOVING_TYPES))
_ALL: Final = (BudgetSet.TYPE, *_OF_JOBS, BudgetOverspendingApproved.TYPE)


def _blind(event: AuditedEvent, fold: LedgerState) -> Unchecked | None:
    """Return why nothing is known of a budget."""
    blind_at = fold.budgets.blind_at(event.name)
    return Unchecked(fold.absences.reason(blind_at)) if blind_at else None


def _unless_blind(fault: str, fold: LedgerState) -> Verdict:
    """Return a fault; that it is not known where another budget may say otherwise."""
    blind_at = fold.budgets.any_blind()
    return Unchecked(fold.absences.reason(blind_at)) if fault and blind_at else fault or None


@rule("budgets.set", BudgetSet.TYPE)
def budgets_set(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A budget is opened once, keeps its unit, and no other has a scope as specific for a model."""
    data, known = event.known, fold.budgets.of(event.name)
    is_opened = data["opening"] is not None
    if known is None and not is_opened:
        return _blind(event, fold) or "it was not set before, and it has no opening balance"
    if known is not None and is_opened:
        return "it was set before, and it is opened again"
    if known is not None and known.unit != data["unit"]:
        return f"it was in {known.unit} before"
    for name, other in fold.budgets.others(event.name):
        if ties(other.scope, data["scope"]):
            return f"budget {name} has a scope that is as specific"
    return None


@rule("budgets.jobs", *_OF_JOBS)
def budgets_jobs(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A job is reserved for once, which may be added to, and all of that ends once."""
    if (unchecked := _blind(event, fold)) is not None:
        return unchecked
    data, known = event.known, fold.budgets.of(event.name)
    if known is None:
        return "the budget was not set"
    claim = data["job"], data["envelope"]
    held = known.held.get(claim)
    first = data.get("reservation") or data.get("adds_to")
    if first is not None:
        is_it = held is not None and held.position == first
        return None if is_it else f"nothing is reserved for job {data['job']} there"
    if claim in known.held or claim in known.over:
        return f"job {data['job']} was reserved for before"
    return None


@rule("budgets.named", JobProposed.TYPE)
def budgets_named(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A job is paid by the budget with the most specific scope for its model, in its own unit."""
    data, budget = event.known, event.known["budget"]
    facts = fold.models.get(f"models/{data['model']}")
    if facts is None:
        return None  # another rule's business
    if facts.newest_gone(DESCRIBING, event.position):
        return Unchecked("the description of its model is not there")
    described = facts.description(event.position)
    if described is None:
        return None  # another rule's business
    covering = [
        (rank(one.scope), name)
        for name, one in fold.budgets.others("")
        if covers(one.scope, described["owner"], described["labels"])
    ]
    expected = max(covering)[1] if covering else None
    if budget != expected:
        return _unless_blind(f"it is paid by {budget}, and {expected} covers its model", fold)
    if budget is None:
        return None  # nothing is reserved: its own rule says so
    cost, known = data["expected"], fold.budgets.of(budget)
    if known is not None and known.unit != cost["unit"]:
        return f"it costs {cost['unit']}, and budget {budget} has {known.unit}"
    if data["reserved_micros"] != cost["cost_micros"]:
        return (
            f"it reserves {data['reserved_micros']} and is expected to cost {cost['cost_micros']}"
        )
    return None


def _unmoved(fold: LedgerState) -> Iterator[tuple[int, str]]:
    yield from fold.money.missing()


@rule("budgets.moved", *_OF_JOBS, finish=_unmoved)
def budgets_moved(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Behind a job's proposal, cost and end its budget reserves, adds, and spends or releases."""
    owed, data = fold.money.owed, event.known
    if owed is None or not is_beside(event, owed):
        return "the event right before it is none of a job that asks for it"
    if event.cause != owed.event.position:
        return f"it cites position {event.cause}, and the job's event is at {owed.event.position}"
    job, move = owed.job, owed.move
    expected = {"job": job.name, "envelope": move.envelope}
    if event.type == BudgetReserved.TYPE:
        expected |= {"model": job.model, "amount_micros": str(move.micros)}
        if (data["adds_to"] is None) != move.is_first:
            return "it is said to be another reservation of the job than it is"
    elif event.type == BudgetSpent.TYPE:
        expected["spent_micros"] = str(move.micros)
    else:
        expected["reason"] = move.reason
    for name, value in expected.items():
        if data[name] != value:
            return f"its {name} is {data[name]}, and the job's is {value}"
    return _tier_fault(event, job, fold) if event.type == BudgetReserved.TYPE else None


def _tier_fault(event: AuditedEvent, job: Job, fold: LedgerState) -> Verdict:
    """Return why a reservation has another tier than the decision that its job names."""
    data, decision = event.known, job.proposed["decision"]
    if data["adds_to"] is not None:
        known = fold.budgets.of(event.name)
        held = None if known is None else known.held.get((job.name, data["envelope"]))
        if held is None or held.is_top_tier == data["is_top_tier"]:
            return None
        return "it is of another tier than the first reservation of its job"
    if decision is None:
        return "no decision gives its job a tier" if data["is_top_tier"] else None
    facts = fold.models.get(f"models/{job.model}")
    decisions = () if facts is None else facts.decisions
    decided = next((one for one in decisions if one.position == decision), None)
    if decided is None:
        return Unchecked("the decision of its job is not there")
    named = decided.data["policy"], decided.data["policy_version"]
    parameters = fold.parameters(*named, fold.drafts.get(named, ""))
    if parameters is None:
        return Unchecked("the policy of its decision is not there")
    if data["is_top_tier"] != is_top_tier(parameters.document, decided.data["tier"]):
        return f"its job was decided at tier {decided.data['tier']}"
    return None


@rule("budgets.overspending", BudgetOverspendingApproved.TYPE)
def budgets_overspending(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A person approves overspending, for a job whose money has not ended."""
    if not event.actor.startswith("users/"):
        return f"{event.actor} is not a person"
    if (unchecked := _blind(event, fold)) is not None:
        return unchecked
    data, known = event.known, fold.budgets.of(event.name)
    if known is None:
        return "the budget was not set"
    if data["amount_micros"] == "0":
        return "nothing is approved by it"
    is_over = (data["job"], data["envelope"]) in known.over
    return f"job {data['job']} has ended there" if is_over else None


@rule("budgets.envelope", *_ALL)
def budgets_envelope(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Nothing is reserved or spent beyond what is there, and each event says what is left."""
    data, known = event.known, fold.budgets.of(event.name)
    is_opened = event.type == BudgetSet.TYPE and data["opening"] is not None
    if not is_opened:
        if (unchecked := _blind(event, fold)) is not None:
            return unchecked
        if known is None:
            return None  # another rule's business
    free, short = reckoned(None if is_opened else known, event.type, data)
    if short:
        return f"{short} micros of it are covered by nothing"
    if free != data["balances"]:
        return f"it says that {data['balances']} is free, and {free} is"
    return None


@rule("budgets.time", *_ALL)
def budgets_time(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """An event is reckoned at a time that has come, and never before the event before it."""
    known, at = fold.budgets.of(event.name), parse_time(event.known["at"])
    earliest, latest = fold.work_times(event)
    is_opened = known is None and event.type == BudgetSet.TYPE and event.known["opening"]
    if is_opened and at < earliest - OPENED_WITHIN_SECONDS * SECOND:
        return "it is opened as of a time that was over, and would be refilled since"
    if known is not None and at < known.at:
        return "it is reckoned before the event before it"
    if known is not None and at == known.at:
        return None  # a clock that stepped back refills nothing
    is_wall = fold.clock == "wall"
    bound = max(fold.skew_micros, CLOCK_STEP_SECONDS_MIN * SECOND) if is_wall else 0
    return "its time had not come" if at > latest + bound else None
