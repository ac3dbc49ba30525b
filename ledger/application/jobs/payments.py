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
from ledger.events.policy_document import JobsPart
from ledger.events.recipe_document import ExpectedPart
from ledger.jobs.machine import Job
from ledger.jobs.money import Move, owed_moves
from ledger.jobs.policy_terms import budget_fault
from ledger.storage.records import Guard


class Payment(NamedTuple):
    """Events of a budget, and the guards of what they were reckoned from."""

    events: list[BudgetData]
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


def reservations(book: BudgetBook, proposed: Job, *, is_top_tier: bool) -> list[BudgetData]:
    """Return the reservations of a job that is proposed; none where no budget pays.

    BUDGET_EXHAUSTED where an envelope lacks the money.
    """
    return [
        book.reserve(
            proposed.model, proposed.name, move.micros, envelope=move.envelope,
            is_top_tier=is_top_tier,
        )
        for move in owed_moves(None, proposed)
    ]  # fmt: skip


def payment(budgets: Budgets, before: Job, after: Job) -> Payment:
    """Return what the events of a job that lead from one state to another move.

    BUDGET_EXHAUSTED where the job costs more than is there.
    """
    moves = owed_moves(before, after)
    if not moves:
        return Payment([], [])
    book = budgets.book()
    held = [one for one in moves if book.holding(one.budget, after.name, one.envelope) is not None]
    return Payment([_moved(book, after.name, one) for one in held], book.guards if held else [])


def _moved(book: BudgetBook, job: str, move: Move) -> BudgetData:
    if move.type == BudgetReserved.TYPE:
        return book.add(move.budget, job, move.micros, envelope=move.envelope)
    if move.type == BudgetSpent.TYPE:
        return book.spend(move.budget, job, move.micros, envelope=move.envelope)
    return book.release(move.budget, job, move.reason, envelope=move.envelope)
