"""Events of budgets: set by people, reserved for jobs, spent at what they cost, or released.

A budget has two envelopes, one for jobs and one for tests of candidates. Amounts are millionths of
its unit, as decimal strings. Every event says what is free in both envelopes behind it.
"""

from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from ledger.events.base import (
    EventData,
    Labels,
    Part,
    Position,
    Segment,
    ShortText,
    Text,
    Time,
    UnitOfCost,
)
from ledger.limits import BUDGET_PERIOD_SECONDS_MAX, BUDGET_PERIOD_SECONDS_MIN

Envelope = Literal["jobs", "tests"]
Micros = Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,14})\z")]
"""Millionths of a unit: less than a billion units."""
MICROS_MAX: Final = 10**15 - 1

_OF_JOBS: Final = "the caller or the part of the service that records what becomes of the job"


class BudgetScopePart(Part):
    """The models whose jobs a budget pays: all, those with all these labels, or those of a team."""

    kind: Literal["ledger", "labels", "team"]
    labels: Labels
    team: ShortText
    """The owner of the models."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.kind == "labels") != bool(self.labels):
            raise ValueError("labels: a scope of kind labels has some, and no other has any")
        if (self.kind == "team") != bool(self.team):
            raise ValueError("team: a scope of kind team has one, and no other has one")
        return self


class EnvelopePart(Part):
    """The flow of money into an envelope."""

    refill_micros: Micros
    """Added in every period."""
    cap_micros: Micros
    """Banked up to this."""


class BalancesPart(Part):
    """An amount in each envelope."""

    jobs: Micros
    tests: Micros


class BudgetData(EventData):
    """An event about a budget."""

    STREAM: ClassVar[str] = "budgets/{budget}"

    budget: Segment
    at: Time
    """The ledger's time by which refills were counted; never before that of the event before."""
    balances: BalancesPart
    """Free behind this event."""


class BudgetSet(BudgetData):
    """A budget was set, or set again with other terms."""

    TYPE: ClassVar[str] = "budget.set.v1"
    CAUSE: ClassVar[str] = "the caller of SetBudget"
    METHOD: ClassVar[str] = "SetBudget"
    ONCE_ERASED: ClassVar[str] = (
        "until it is set again it takes no reservation; then it begins with an opening balance"
    )

    unit: UnitOfCost
    scope: BudgetScopePart
    period_seconds: Annotated[
        int, Field(ge=BUDGET_PERIOD_SECONDS_MIN, le=BUDGET_PERIOD_SECONDS_MAX)
    ]
    """Periods are counted from 1970-01-01."""
    jobs: EnvelopePart
    tests: EnvelopePart
    reserve_micros: Micros
    """Kept in the envelope of jobs for those whose decision reached the top tier."""
    opening: BalancesPart | None
    """Its balance at the start; null where it was set before, as its balance goes on."""
    reason: Text

    @model_validator(mode="after")
    def _is_within_caps(self) -> Self:
        if int(self.reserve_micros) > int(self.jobs.cap_micros):
            raise ValueError("reserve_micros: is more than can be banked")
        if self.opening is not None:
            for name in ("jobs", "tests"):
                if int(getattr(self.opening, name)) > int(getattr(self, name).cap_micros):
                    raise ValueError(f"opening: more for {name} than can be banked")
        return self


class BudgetReserved(BudgetData):
    """Money was set aside for a job: when it was proposed, or as it costs more than that."""

    TYPE: ClassVar[str] = "budget.reserved.v1"
    CAUSE: ClassVar[str] = _OF_JOBS
    ONCE_ERASED: ClassVar[str] = BudgetSet.ONCE_ERASED

    job: Segment
    model: Segment
    envelope: Envelope
    amount_micros: Micros
    is_top_tier: bool
    """Whether it may use what is kept for the top tier."""
    adds_to: Position | None
    """The position of the job's first reservation, which this makes larger; null in that one."""


class BudgetSpent(BudgetData):
    """A job ended with its actual cost: that was spent, and the rest of its reservation is free."""

    TYPE: ClassVar[str] = "budget.spent.v1"
    CAUSE: ClassVar[str] = _OF_JOBS
    ONCE_ERASED: ClassVar[str] = BudgetSet.ONCE_ERASED

    job: Segment
    envelope: Envelope
    reservation: Position
    """The position of the job's first reservation; all that is set aside for it ends."""
    spent_micros: Micros


class BudgetReleased(BudgetData):
    """A job ended without cost: the whole of its reservation is free."""

    TYPE: ClassVar[str] = "budget.released.v1"
    CAUSE: ClassVar[str] = _OF_JOBS
    ONCE_ERASED: ClassVar[str] = BudgetSet.ONCE_ERASED

    job: Segment
    envelope: Envelope
    reservation: Position
    reason: Text


class BudgetOverspendingApproved(BudgetData):
    """A person lets one job cost more than its budget has; what it does not need lapses."""

    TYPE: ClassVar[str] = "budget.overspend_approved.v1"
    CAUSE: ClassVar[str] = "the caller of ApproveOverspending, a person"
    METHOD: ClassVar[str] = "ApproveOverspending"
    ONCE_ERASED: ClassVar[str] = BudgetSet.ONCE_ERASED

    job: Segment
    envelope: Envelope
    amount_micros: Micros
    """Added to what the job was allowed before."""
    reason: Text = Field(min_length=1)


BUDGET_CLASSES: Final[tuple[type[BudgetData], ...]] = (
    BudgetSet,
    BudgetReserved,
    BudgetSpent,
    BudgetReleased,
    BudgetOverspendingApproved,
)
BUDGET_TYPES: Final = frozenset(cls.TYPE for cls in BUDGET_CLASSES)
"""The types of events about budgets."""
MOVING_TYPES: Final = frozenset({BudgetReserved.TYPE, BudgetSpent.TYPE, BudgetReleased.TYPE})
"""Types that are recorded with the event of the job that they are for, and by its right."""
