"""Budgets, as frozen dataclasses; amounts are millionths of the budget's unit."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ledger.client.enums import BudgetEnvelope


@dataclass(frozen=True, slots=True)
class EnvelopeFigures:
    """The flow into an envelope, what became of it, and when it runs out."""

    refill_micros: int
    cap_micros: int
    free_micros: int
    reserved_micros: int
    spent_micros: int
    granted_micros: int
    """The opening balance, refills and approved overspending."""
    lapsed_micros: int
    """Of that, what was above the cap, or approved and not needed."""
    rate_micros: int
    """Taken in a period at the present rate."""
    runs_out_at: datetime | None
    """None where it lasts for 52 periods."""


@dataclass(frozen=True, slots=True)
class PaidModels:
    """The models whose jobs a budget pays: by labels, by team, or all where both are empty."""

    labels: Mapping[str, str]
    team: str


@dataclass(frozen=True, slots=True)
class ReservedMoney:
    """Money that is set aside for a job."""

    job: str
    model: str
    envelope: BudgetEnvelope
    amount_micros: int
    approved_micros: int
    """Of that, what a person approved beyond the budget."""
    position: int


@dataclass(frozen=True, slots=True)
class RetrainingBudget:
    """A budget as it is at a position."""

    name: str
    unit: str
    scope: PaidModels
    period_seconds: int
    reserve_micros: int
    """Kept for jobs whose decision reached the top tier."""
    jobs: EnvelopeFigures
    tests: EnvelopeFigures
    reservations: tuple[ReservedMoney, ...]
    set_position: int
    reason: str
    is_erased: bool
    """True where nothing of its amounts is known, since the body of an event was erased."""


@dataclass(frozen=True, slots=True)
class ToldBudget:
    """A budget, and the moment to which its refills are counted."""

    budget: RetrainingBudget
    position: int
    recorded_at: datetime | None


@dataclass(frozen=True, slots=True)
class ToldBudgets:
    """All budgets, and the moment to which their refills are counted."""

    budgets: tuple[RetrainingBudget, ...]
    position: int
    recorded_at: datetime | None
