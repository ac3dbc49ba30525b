"""Answers about one version of a policy: its state, what it lacks, and who could give it."""

from collections.abc import Iterator
from dataclasses import dataclass

from ledger.authority.state import AuthorityState, Extent
from ledger.governance.activations import approval_fault, missing
from ledger.governance.approvals import Approval
from ledger.governance.lifecycle import LifecycleState, OpenSubmission, Schedule, ScopeKey
from ledger.governance.requirements import (
    Requirement,
    extent_of,
    holders,
    person_of,
    requirements,
)
from ledger.governance.reviews import due_at
from ledger.governance.steps import StepTimes, barred


@dataclass(frozen=True, slots=True)
class JudgedApproval:
    """An approval, and why it does not count; empty where it does."""

    approval: Approval
    fault: str


@dataclass(frozen=True, slots=True)
class RoleStatus:
    """The approvals in one role that a requirement asks for, and who could give another."""

    requirement: Requirement
    role: str
    count: int
    given: int
    could: tuple[str, ...]
    """Actors who can still approve in the role there, by name; one for each person."""


@dataclass(frozen=True, slots=True)
class ScopeOverlap:
    """A version in force for another scope that some model can be in too, by its labels now."""

    policy: str
    version: int
    scope: ScopeKey
    decides: bool
    """Whether it decides where both apply: the more specific scope, then the later activation."""


@dataclass(frozen=True, slots=True)
class ReviewStatus:
    """When the review of a version in force for a scope is due, and whether it is overdue."""

    scope: ScopeKey
    due_at: int
    review: int
    """The position of the last review there; 0 before the first."""
    overdue_since: int
    """The position of the event that says that it is due; 0 until then."""


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """The state of a version, what approvals it takes, and which it has."""

    policy: str
    version: int
    state: str
    author: str
    digest: str
    scope: ScopeKey
    submission: OpenSubmission | None
    roles: tuple[RoleStatus, ...]
    approvals: tuple[JudgedApproval, ...]
    in_force: tuple[ScopeKey, ...]
    overlaps: tuple[ScopeOverlap, ...]
    reviews: tuple[ReviewStatus, ...]
    schedules: tuple[Schedule, ...]
    """The times that are set for it to come into force."""

    @property
    def missing(self) -> tuple[RoleStatus, ...]:
        """The roles in which approvals are missing."""
        return tuple(one for one in self.roles if one.given < one.count)


def status_of(
    state: LifecycleState,
    authority: AuthorityState,
    named: tuple[str, int],
    scope: ScopeKey,
    moment: StepTimes,
) -> VersionStatus:
    """Return the status of a version that was drafted, for the scope that it is submitted for.

    `scope` is the one that is asked about where it is submitted for none.
    """
    draft = state.drafts[named]
    submission = state.submission_for(named, scope) or state.submission_at(named, 0)
    scope = scope if submission is None else submission.scope
    approvals = [] if submission is None else state.approvals_of(submission.position)
    judged = tuple(
        JudgedApproval(one, approval_fault(state, authority, one, scope, draft.digest, moment))
        for one in approvals
    )
    counting = [one.approval for one in judged if not one.fault]
    out = barred(state, authority, named)
    out |= {person_of(authority, one.actor) for one in counting}
    asked = _asked(state, named, scope)
    return VersionStatus(
        *named,
        _state(state, named, is_approved=bool(counting) and not missing(asked, counting)),
        draft.author,
        draft.digest,
        scope,
        submission,
        tuple(_roles(authority, asked, counting, out, extent_of(state, scope), moment.grants_at)),
        judged,
        tuple(one.scope for one in state.in_force.values() if one.named == named),
        tuple(_overlaps(state, named, scope)),
        tuple(_reviews(state, named)),
        tuple(one for one in state.schedules.values() if one.named == named),
    )


def _asked(state: LifecycleState, named: tuple[str, int], scope: ScopeKey) -> list[Requirement]:
    """Return what approvals a version takes for a scope: those that versions in force ask for.

    One that is in force there takes none any more, unless it was submitted again or an emergency.
    """
    own = state.in_force.get(scope)
    if state.submission_for(named, scope) is None and own is not None and own.named == named:
        return []
    return requirements(state, scope)


def _reviews(state: LifecycleState, named: tuple[str, int]) -> Iterator[ReviewStatus]:
    for scope, turn in state.turns.items():
        if turn.activation.named == named and (due := due_at(state, turn)):
            yield ReviewStatus(scope, due, turn.review, turn.due)


def _overlaps(
    state: LifecycleState, named: tuple[str, int], scope: ScopeKey
) -> Iterator[ScopeOverlap]:
    own = state.in_force.get(scope)
    # A version that is not in force yet would be the later one.
    at = own.position if own is not None and own.named == named else state.position
    for one in state.in_force.values():
        if one.scope != scope and state.shares_now(one.scope, scope):
            decides = (one.scope.rank, one.position) > (scope.rank, at)
            yield ScopeOverlap(*one.named, one.scope, decides)


def _roles(
    authority: AuthorityState,
    asked: list[Requirement],
    counting: list[Approval],
    out: frozenset[str],
    extent: Extent,
    at: int,
) -> Iterator[RoleStatus]:
    for requirement in asked:
        for role, count in requirement.approvals:
            given = sum(one.role == role for one in counting)
            held = holders(authority, role, at, extent)
            could = sorted(actor for person, actor in held.items() if person not in out)
            yield RoleStatus(requirement, role, count, given, tuple(could))


def _state(state: LifecycleState, named: tuple[str, int], *, is_approved: bool) -> str:
    """Return a version's state in one word or two; the latest event that changed it decides."""
    if named in state.retired:
        return "retired"
    if any(one.named == named for one in state.waiting()):
        return "in force by an emergency"
    if any(one.named == named for one in state.in_force.values()):
        return "active"
    if any(one.named == named for one in state.schedules.values()):
        return "scheduled"
    if named in state.submissions:
        return "approved" if is_approved else "submitted"
    if named in state.rejected:
        return "rejected"
    was = [one for one in state.activations.values() if one.named == named]
    if not was:
        return "draft"
    after = [one for one in state.activations.values() if one.replaces == was[-1].position]
    return "rolled back" if after and after[0].basis in {"roll_back", "reverted"} else "superseded"
