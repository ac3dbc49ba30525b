"""A budget's events one after another, folded as they come; no ledger, no clock."""

from typing import Any

from ledger.events.budgets import (
    BudgetData,
    BudgetOverspendingApproved,
    BudgetReleased,
    BudgetReserved,
    BudgetSpent,
)
from ledger.events.values import DAY
from ledger.jobs.budgets import Budget, applied, made, set_event

START = 20_000 * DAY
EVERYWHERE = {"kind": "ledger", "labels": {}, "team": ""}


def terms(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - members of an event
    return {
        "budget": "main",
        "unit": "EUR",
        "scope": EVERYWHERE,
        "period_seconds": 86_400,
        "jobs": {"refill_micros": "100", "cap_micros": "400"},
        "tests": {"refill_micros": "10", "cap_micros": "20"},
        "reserve_micros": "50",
        "opening": None,
        "reason": "",
    } | changes


class BudgetStory:
    """One budget's events, and what they leave."""

    def __init__(self, **changes: Any) -> None:  # noqa: ANN401 - members of an event
        self.events: list[BudgetData] = []
        self.budget: Budget
        self.set(START, **changes)

    def take(self, data: BudgetData) -> int:
        self.events.append(data)
        before = getattr(self, "budget", None)
        after = applied(before, len(self.events), data.TYPE, data.to_data())
        assert after is not None
        self.budget = after
        assert data.balances.model_dump() == after.balances
        return len(self.events)

    def set(self, at: int, **changes: Any) -> None:  # noqa: ANN401 - members of an event
        before = getattr(self, "budget", None)
        self.take(set_event(before, at, terms(**changes))[0])

    def reserve(
        self, job: str, micros: int, at: int = START, *, top: bool = False, envelope: str = "jobs"
    ) -> None:
        data, _ = made(
            self.budget, BudgetReserved, at, job=job, model="m", envelope=envelope,
            amount_micros=str(micros), is_top_tier=top, adds_to=None,
        )  # fmt: skip
        self.take(data)

    def add(self, job: str, micros: int, at: int = START, envelope: str = "jobs") -> None:
        """Set more aside for a job."""
        place = self.budget.reservations.get((job, envelope))
        data, _ = made(
            self.budget, BudgetReserved, at, job=job, model="m", envelope=envelope,
            amount_micros=str(micros), is_top_tier=place.is_top_tier if place else False,
            adds_to=place.position if place else 1,
        )  # fmt: skip
        self.take(data)

    def spend(self, job: str, micros: int, at: int = START, envelope: str = "jobs") -> None:
        place = self.budget.reservations.get((job, envelope))
        data, _ = made(
            self.budget, BudgetSpent, at, job=job, envelope=envelope,
            reservation=place.position if place else 1, spent_micros=str(micros),
        )  # fmt: skip
        self.take(data)

    def release(self, job: str, at: int = START, envelope: str = "jobs") -> None:
        place = self.budget.reservations.get((job, envelope))
        data, _ = made(
            self.budget, BudgetReleased, at, job=job, envelope=envelope,
            reservation=place.position if place else 1, reason="cancelled",
        )  # fmt: skip
        self.take(data)

    def approve(self, job: str, micros: int, at: int = START, envelope: str = "jobs") -> None:
        data, _ = made(
            self.budget, BudgetOverspendingApproved, at, job=job, envelope=envelope,
            amount_micros=str(micros), reason="needed",
        )  # fmt: skip
        self.take(data)

    def free(self, envelope: str = "jobs") -> int:
        return self.budget.envelopes[envelope].free_micros
