"""The money of jobs: read from budgets, moved in the append of the job, under guards of both.

`jobs/money.py` says what must stand beside which event. Nothing moves for a job whose reservation
is not known, as the body of an event of its budget was erased.
"""

from typing import NamedTuple

from ledger.application.budgets.book import BudgetBook
from ledger.application.budgets.budgets import Budgets
from ledger.errors import LedgerError, Reason
from ledger.events import notation
from ledger.events.budgets import BudgetData, BudgetReserved, BudgetSpent
from ledger.events.jobs import JobProposed
from ledger.events.policy_document import JobsPart
from ledger.events.recipe_document import ExpectedPart
from ledger.jobs.machine import Job
from ledger.jobs.money import ENVELOPE, owed_move
from ledger.jobs.policy_terms import budget_fault
from ledger.storage.records import Guard


class Payment(NamedTuple):
    """An event of a budget, and the guards of what it was reckoned from."""

    event: BudgetData
    guards: list[Guard]


def paying(book: BudgetBook, model: str, expected: ExpectedPart) -> str | None:
    """Return the budget that pays for a model's job; None where none covers the model.

    BUDGET_REFUSED where the cost that the recipe expects has another unit.
    """
    budget = book.budget_of(model)
    if budget is None:
        return None
    if budget.unit != expected.unit:
        cost = notation.money(int(expected.cost_micros), expected.unit)
        raise LedgerError(
            Reason.BUDGET_REFUSED,
            f"Budget {budget.name} pays for model {model} in {budget.unit}, and the recipe expects "
            f"a cost of {cost}.",
            remedy=f"State the cost of the recipe in {budget.unit} in its next version, or set a "
            f"budget in {expected.unit} for labels of the model: `decision-ledger budget set`.",
            metadata={"budget": budget.name, "why": f"{expected.unit} is not {budget.unit}"},
        )
    return budget.name


def paid_as_asked(asked: JobsPart | None, model: str, budget: str | None) -> None:
    """BUDGET_REQUIRED where a policy has no job without a budget, and none pays for a model's."""
    if fault := budget_fault(asked, model, budget):
        raise LedgerError(
            Reason.BUDGET_REQUIRED,
            f"{fault[0].upper()}{fault[1:]}.",
            remedy="Set a budget for its labels, its team or the ledger: `decision-ledger budget "
            "set NAME --every 28d --refill AMOUNT`.",
            metadata={"model": model, "why": fault},
        )


def reservation(book: BudgetBook, data: JobProposed, *, is_top_tier: bool) -> BudgetReserved | None:
    """Return the reservation of a job's expected cost; None where no budget pays.

    BUDGET_EXHAUSTED where the budget lacks the money.
    """
    if data.budget is None:
        return None
    return book.reserve(
        data.model, data.job, int(data.reserved_micros), envelope=ENVELOPE, is_top_tier=is_top_tier
    )


def payment(budgets: Budgets, before: Job, after: Job) -> Payment | None:
    """Return what the events of a job that lead from one state to another move; None for nothing.

    BUDGET_EXHAUSTED where the job costs more than is there.
    """
    move = owed_move(before, after)
    if move is None:
        return None
    book, job = budgets.book(), after.name
    if book.holding(move.budget, job, ENVELOPE) is None:
        return None
    event: BudgetData
    if move.type == BudgetReserved.TYPE:
        event = book.add(move.budget, job, move.micros, envelope=ENVELOPE)
    elif move.type == BudgetSpent.TYPE:
        event = book.spend(move.budget, job, move.micros, envelope=ENVELOPE)
    else:
        event = book.release(move.budget, job, move.reason, envelope=ENVELOPE)
    return Payment(event, book.guards)
