"""Budgets in a ledger that a test steps: set, and moved for jobs that are only names here."""

from collections.abc import Callable
from typing import Any

from ledger.application.appender import Addition, Appender, Proposal
from ledger.application.budgets.book import BudgetBook
from ledger.application.commands import Caller
from ledger.events.budgets import BudgetData, Envelope
from ledger.storage.records import AppendResult
from tests.support.budget_stories import terms
from tests.support.world import ANA, ORIGIN, World

SCHEDULER = Caller("services/scheduler")
EURO = 1_000_000


def in_euros(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - members of an event
    """Return terms: 10 EUR a day, banked up to 40, of which 3 are kept; changes are in euros."""
    euros = {"jobs": (10, 40), "tests": (5, 10)}
    flows = {
        name: {"refill_micros": str(refill * EURO), "cap_micros": str(cap * EURO)}
        for name, (refill, cap) in euros.items()
    }
    return flows | {"reserve_micros": str(3 * EURO)} | {
        name: str(more * EURO) if isinstance(more, int)
        else {key: str(one * EURO) for key, one in more.items()}
        for name, more in changes.items()
    }  # fmt: skip


def set_budget(world: World, budget: str = "main", **changes: Any) -> AppendResult:  # noqa: ANN401
    """Set a budget: 100 a day for jobs, banked up to 400, of which 50 are for the top tier."""
    return world.ledger.budgets.set(ANA, terms(budget=budget, **changes))


def moved(world: World, *moves: Callable[[BudgetBook], BudgetData]) -> AppendResult:
    """Append what moves on a book of budgets are, in one request, as a use case of jobs would."""

    def decide() -> Proposal:
        book = world.ledger.budgets.book()
        made = [Addition.of(move(book)) for move in moves]
        return Proposal(made, book.guards)

    return Appender(world.store, ORIGIN).append(SCHEDULER, "MoveMoney", decide, tries=3)


def reserve(
    job: str,
    micros: int,
    model: str = "alpha",
    *,
    envelope: Envelope = "jobs",
    top: bool = False,
) -> Callable[[BudgetBook], BudgetData]:
    return lambda book: book.reserve(model, job, micros, envelope=envelope, is_top_tier=top)


def add(job: str, micros: int, budget: str = "main") -> Callable[[BudgetBook], BudgetData]:
    return lambda book: book.add(budget, job, micros, envelope="jobs")


def spend(
    job: str,
    micros: int,
    budget: str = "main",
    *,
    envelope: Envelope = "jobs",
) -> Callable[[BudgetBook], BudgetData]:
    return lambda book: book.spend(budget, job, micros, envelope=envelope)


def release(job: str, budget: str = "main") -> Callable[[BudgetBook], BudgetData]:
    return lambda book: book.release(budget, job, "cancelled", envelope="jobs")
