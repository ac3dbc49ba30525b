"""Events of the review of a policy in force: it is due, people are reminded, and one signs."""

from typing import ClassVar, Final, Literal

from pydantic import Field

from ledger.events.base import Hex32, Part, Position, Segment, Text, Time
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


class SuccessorPart(Part):
    """The draft that follows a version up."""

    policy: Segment
    version: int = Field(ge=1, le=1_000_000)
    digest: Hex32


class PolicyReviewed(PolicyStep):
    """A person signed the review of a version in force: it stays, or a draft follows it up."""

    TYPE: ClassVar[str] = "policy.reviewed.v1"
    CAUSE: ClassVar[str] = "the caller of SignOffPolicy, a person"
    METHOD: ClassVar[str] = "SignOffPolicy"

    digest: Hex32
    scope: ScopePart
    activation: Position
    """The activation by which the version is in force there."""
    review: Position | None
    """The review before it; null for the first one."""
    as_of: Position
    """The last position that the pack was made of, since the review before or the activation."""
    pack: Hex32
    """SHA-256 of the pack that was looked at."""
    role: Segment | None
    """The role in which it was signed; null where no version asks for approvals there."""
    meaning: Literal["reviewed"]
    """The meaning of the signature: 21 CFR 11.50."""
    outcome: Literal["kept", "follow_up"]
    follow_up: SuccessorPart | None
    """The draft that follows it up; null where it is kept."""
    reason: Text


REVIEW_CLASSES: Final[tuple[type[PolicyStep], ...]] = (PolicyReviewDue, PolicyReviewed)
