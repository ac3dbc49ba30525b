"""Rules about budgets: nothing is set aside or spent but what is there, once, and at its time."""

from typing import Final

from ledger.audit.budgets import reckoned
from ledger.audit.event import AuditedEvent
from ledger.audit.ledger_state import LedgerState
from ledger.audit.registry import Unchecked, Verdict, rule
from ledger.events.budgets import (
    BudgetOverspendingApproved,
    BudgetReleased,
    BudgetReserved,
    BudgetSet,
    BudgetSpent,
)
from ledger.events.models import DESCRIBING
from ledger.events.values import SECOND, parse_time
from ledger.jobs.budget_scopes import covers, rank, ties
from ledger.limits import CLOCK_STEP_SECONDS_MIN

_OF_JOBS: Final = (BudgetReserved.TYPE, BudgetSpent.TYPE, BudgetReleased.TYPE)
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
    """A job is reserved for once, by the budget that pays for its model, and that ends once."""
    if (unchecked := _blind(event, fold)) is not None:
        return unchecked
    data, known = event.known, fold.budgets.of(event.name)
    if known is None:
        return "the budget was not set"
    claim = data["job"], data["envelope"]
    if event.type != BudgetReserved.TYPE:
        held = known.held.get(claim)
        is_it = held is not None and held.position == data["reservation"]
        return None if is_it else f"nothing is reserved for job {data['job']} there"
    if claim in known.held or claim in known.over:
        return f"job {data['job']} was reserved for before"
    return _paying(event, fold)


def _paying(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Return why another budget pays for the model of a reservation."""
    model = event.known["model"]
    facts = fold.models.get(f"models/{model}")
    if facts is None:
        return f"no model {model} was registered"
    if facts.newest_gone(DESCRIBING, event.position):
        return Unchecked("the description of its model is not there")
    described = facts.description(event.position)
    assert described is not None, "it was registered"
    owner, labels = described["owner"], described["labels"]
    known = fold.budgets.of(event.name)
    assert known is not None, "the rule has looked"
    if not covers(known.scope, owner, labels):
        return _unless_blind(f"it does not pay for model {model}", fold)
    for name, other in fold.budgets.others(event.name):
        if covers(other.scope, owner, labels) and rank(other.scope) > rank(known.scope):
            return f"budget {name} pays for model {model}"
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
    if known is not None and at < known.at:
        return "it is reckoned before the event before it"
    if known is not None and at == known.at:
        return None  # a clock that stepped back refills nothing
    is_wall = fold.clock == "wall"
    bound = max(fold.skew_micros, CLOCK_STEP_SECONDS_MIN * SECOND) if is_wall else 0
    return "its time had not come" if at > event.recorded_at + bound else None
