"""The state of a policy's version in its life, and the approvals that it takes."""

from dataclasses import dataclass
from datetime import datetime

from ledger.client.policy_scopes import PolicySchedule, PolicyScope


@dataclass(frozen=True, slots=True)
class ApprovalNeed:
    """Approvals in one role that a version in force asks for."""

    policy: str
    version: int
    role: str
    count: int
    given: int
    could: tuple[str, ...]
    """Actors who could give another one, one for each person."""


@dataclass(frozen=True, slots=True)
class PolicyApproval:
    """An approval of a version; `fault` says why it does not count."""

    position: int
    actor: str
    role: str
    expires_at: datetime
    fault: str


@dataclass(frozen=True, slots=True)
class PolicyOverlap:
    """A version in force for another scope; whether it decides where both apply."""

    policy: str
    version: int
    scope: PolicyScope
    decides: bool


@dataclass(frozen=True, slots=True)
class PolicyReviewTurn:
    """When the review of a version in force for a scope is due."""

    scope: PolicyScope
    due_at: datetime
    review: int
    """Where the last review of it there was signed; 0 before the first."""
    overdue_since: int
    """Where it was recorded that the review is due; 0 unless it is overdue."""


@dataclass(frozen=True, slots=True)
class ReviewPack:
    """The review pack of a version in force, made of the events up to a position alone."""

    canonical_json: str
    digest: str
    """SHA-256 of `canonical_json`, which a signature names."""
    as_of: int


@dataclass(frozen=True, slots=True)
class PolicyStatus:
    """The state of a version in its life, and the approvals that it takes."""

    policy: str
    version: int
    state: str
    author: str
    digest: str
    scope: PolicyScope | None
    submission: int
    """Where it was submitted; 0 while it waits for no approvals."""
    needs: tuple[ApprovalNeed, ...]
    approvals: tuple[PolicyApproval, ...]
    in_force: tuple[PolicyScope, ...]
    overlaps: tuple[PolicyOverlap, ...]
    """Versions in force for other scopes that hold some of the same models."""
    reviews: tuple[PolicyReviewTurn, ...]
    """When its review is due, for each scope that it is in force for, if it asks for one."""
    schedules: tuple[PolicySchedule, ...]
    """The times that are set for it to come into force."""
