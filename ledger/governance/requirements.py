"""The approvals that a scope takes: those of every version in force whose place could be taken.

A version in force counts if it is no more specific than the scope that is asked for, and both can
hold one model: then the new version would decide where that one does. Each is satisfied by itself.
A roll-back and an emergency that waits for ratification do not end what was asked for before them,
or they would be a way around it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from ledger.authority.state import AuthorityState, Extent, Scope, Subject
from ledger.authority.table import METHODS
from ledger.governance.lifecycle import ActivationFact, LifecycleState, ScopeKey

APPROVING: Final = METHODS["ApprovePolicy"]
"""The right by which a person approves policies, beside the role that is asked for."""
_APPROVING_JOBS: Final = METHODS["ApproveJob"]
_DRAFTING: Final = METHODS["DraftPolicy"]


class Requirement(NamedTuple):
    """The approvals that a version in force asks for."""

    policy: str
    version: int
    approvals: tuple[tuple[str, int], ...]
    """(role, count), in the order of the document."""
    approval_seconds: int
    ratify_seconds: int

    def __str__(self) -> str:
        """Return it as sentences say it."""
        said = ", ".join(f"{count} {role}" for role, count in self.approvals)
        return f"{self.policy} version {self.version} asks for {said}"


def requirements(state: LifecycleState, scope: ScopeKey) -> list[Requirement]:
    """Return what an activation for a scope takes; empty where no version asks for approvals."""
    found: dict[tuple[str, int], Requirement] = {}
    for one in state.in_force.values():
        if one.scope.rank <= scope.rank and state.may_share(one.scope, scope):
            for asking in _carried(state, one):
                requirement = requirement_of(state, asking.named)
                if requirement is not None:
                    found[asking.named] = requirement
    return list(found.values())


def requirement_of(state: LifecycleState, named: tuple[str, int]) -> Requirement | None:
    """Return what a version asks of what follows it; None where it asks for nothing."""
    draft = state.drafts.get(named)
    return None if draft is None else stated(named, draft.governance)


def stated(named: tuple[str, int], governance: Mapping[str, Any] | None) -> Requirement | None:
    """Return what a version's governance asks of what follows it; None where for nothing."""
    if governance is None or not governance["approvals"]:
        return None
    return Requirement(
        *named,
        tuple((one["role"], one["count"]) for one in governance["approvals"]),
        governance["approval_seconds"],
        governance["ratify_seconds"],
    )


def asks_ever(state: LifecycleState) -> bool:
    """Whether a version was ever drafted that asks for approvals, as far as documents are there."""
    return any(requirement_of(state, named) is not None for named in state.drafts)


def keeps_activations(state: LifecycleState) -> bool:
    """Whether no activation may be erased any more, as what it asks for would go with it.

    That begins with the first version that asks for approvals, or that may have.
    """
    return asks_ever(state) or any(one.is_lost for one in state.drafts.values())


def lost(state: LifecycleState, scope: ScopeKey) -> list[ActivationFact]:
    """Return the activations there whose documents are gone, and what they ask with them.

    Those are in force, or came before a roll-back or an emergency to what asks for nothing itself.
    """
    return [
        gone
        for one in state.in_force.values()
        if one.scope.rank <= scope.rank and state.may_share(one.scope, scope)
        for gone in _lost_along(state, one)
    ]


def lost_fault(state: LifecycleState, scope: ScopeKey) -> str:
    """Return why it is not known what a scope takes; empty where it is."""
    gone = lost(state, scope)
    if not gone:
        return ""
    return f"the document of {gone[0]} was erased, and what approvals it asks for with it"


def _lost_along(state: LifecycleState, activation: ActivationFact) -> list[ActivationFact]:
    if is_gone(state, activation):
        return [activation]
    carried = list(_carried(state, activation))
    if any(requirement_of(state, one.named) is not None for one in carried):
        return []  # what is known is asked for
    return [one for one in carried if is_gone(state, one)]


def is_gone(state: LifecycleState, activation: ActivationFact) -> bool:
    """Whether the document of an activation was erased that may have asked for approvals."""
    draft = state.drafts.get(activation.named)
    return draft is not None and draft.is_lost


def _carried(state: LifecycleState, activation: ActivationFact) -> Iterator[ActivationFact]:
    """Yield the activations whose versions ask for approvals where one is in force."""
    one: ActivationFact | None = activation
    while one is not None:
        is_waiting = state.is_unratified(one)
        if not is_waiting:
            yield one
        if one.basis == "reverted":  # it is as it was before the emergency
            one = state.activations.get(one.replaces or 0)
        elif not is_waiting and one.basis != "roll_back":
            return
        one = None if one is None else state.activations.get(one.replaces or 0)


# ---- persons -------------------------------------------------------------------------------------


def person_of(authority: AuthorityState, actor: str) -> str:
    """Return the person behind an actor; an actor that was never registered is its own."""
    return authority.persons.get(actor, actor)


def extent_of(state: LifecycleState, scope: ScopeKey) -> Extent:
    """Return what a role must be held for to approve there: a model goes by its labels then."""
    if scope.model is not None:
        return Subject(scope.model, None, state.labels.get(scope.model) or {})
    return Scope(scope.labels)


def holds(authority: AuthorityState, actor: str, role: str, at: int, extent: Extent | None) -> bool:
    """Whether an actor holds a role for all of an extent; for None, of any model at all."""
    return _reach((one.scope for one in authority.held(actor, at) if one.role == role), extent)


def holders(
    authority: AuthorityState, role: str, at: int, extent: Extent | None, action: str = APPROVING
) -> dict[str, str]:
    """Return the persons who may approve in a role for an extent, each with one of their accounts.

    That account holds the role there, and by any role the right to approve: `action`.
    """
    return {
        person_of(authority, actor): actor
        for actor in sorted(authority.grants_of, reverse=True)
        if actor.startswith("users/")
        and holds(authority, actor, role, at, extent)
        and _reach(authority.scopes(actor, action, at), extent)
    }


def _reach(scopes: Iterable[Scope], extent: Extent | None) -> bool:
    """Whether one of some scopes covers an extent; for None, any model at all."""
    if extent is None:
        return any(not scope.signals for scope in scopes)
    return any(scope.reaches(extent) for scope in scopes)


class AbleToApprove(NamedTuple):
    """The persons who can approve in each role, policies and jobs, of the ledger or some models."""

    policies: Mapping[str, frozenset[str]]
    jobs: Mapping[str, frozenset[str]]


def able_to_approve(authority: AuthorityState, at: int) -> AbleToApprove:
    """Return the persons who can approve in each role by the grants in force at a time."""
    policies, jobs = (
        {role: frozenset(holders(authority, role, at, None, action)) for role in authority.roles}
        for action in (APPROVING, _APPROVING_JOBS)
    )
    return AbleToApprove(policies, jobs)


def possible_authors(authority: AuthorityState, at: int) -> frozenset[str]:
    """Return the persons who may draft the next version of a policy."""
    return frozenset(
        person_of(authority, actor)
        for actor in authority.grants_of
        if authority.scopes(actor, _DRAFTING, at)
    )


def unreachable(
    authority: AuthorityState, requirement: Requirement, extent: Extent, at: int
) -> str:
    """Return why the approvals of a requirement could not be given; empty where they could.

    `extent`: for which its version is, as the next one is submitted for that.

    The author of the version that follows is none of those who give them: they could be given if
    that is so for one of the persons who may draft it.
    """
    if not authority.began_at:
        return "no administrator of the ledger is named, so no role is held"
    if fault := _short(authority, requirement, extent, at):
        return fault
    authors = sorted(possible_authors(authority, at))
    faults = [_short(authority, requirement, extent, at, author) for author in authors]
    if not faults or not all(faults):
        return ""
    return f"{faults[0]}, the author of what follows not counted"


def _short(
    authority: AuthorityState,
    requirement: Requirement,
    extent: Extent,
    at: int,
    author: str | None = None,
) -> str:
    """Return which persons are too few without an author; empty where they are enough."""
    everyone: set[str] = set()
    for role, count in requirement.approvals:
        if role not in authority.roles:
            return f"there is no role {role}"
        held = set(holders(authority, role, at, extent)) - {author}
        everyone |= held
        if len(held) < count:
            return f"{count} persons in the role {role} are asked for, and {len(held)} can approve"
    asked = sum(count for _, count in requirement.approvals)
    if len(everyone) < asked:
        return f"{asked} persons are asked for, and {len(everyone)} can approve"
    return ""
