"""Events of the review of a policy in force: it is due, and people are reminded of it."""

from typing import ClassVar, Final

from pydantic import Field

from ledger.events.base import Position, Time
from ledger.events.cases import GOVERNOR
from ledger.events.policies import PolicyStep, ScopePart


class PolicyReviewDue(PolicyStep):
    """The review of a version in force is due for a scope, or was due and was not signed since."""

    TYPE: ClassVar[str] = "policy.review_due.v1"
    CAUSE: ClassVar[str] = GOVERNOR
    METHOD: ClassVar[str] = ""

    scope: ScopePart
    activation: Position
    """The activation by which the version is in force there."""
    review: Position | None
    """The last review of it there, which the time counts from; null: it counts from activation."""
    due_at: Time
    reminder: int = Field(ge=0, le=1_000_000)
    """0 when it became due; it grows by 1 with each tenth of the time between reviews, or each day,
    whichever is longer."""


REVIEW_CLASSES: Final[tuple[type[PolicyStep], ...]] = (PolicyReviewDue,)
