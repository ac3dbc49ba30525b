"""Whether a version may come into force: by approvals, or by what takes their place.

Judged the same before it is recorded and in an audit. A fault is a sentence without its full stop.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ledger.authority.state import AuthorityState
from ledger.governance.lifecycle import Approval, LifecycleState, ScopeKey, scope_key
from ledger.governance.requirements import Requirement, holds, lost, person_of, requirements
from ledger.governance.steps import StepTimes, scope_fault

Data = Mapping[str, Any]


def activation_fault(
    state: LifecycleState, authority: AuthorityState, actor: str, data: Data, moment: StepTimes
) -> str:
    """Return why an activation may not be; empty where it may.

    That its version was drafted with its digest is another judge's.
    """
    scope, named = scope_key(data["scope"]), (data["policy"], data["version"])
    if retired := state.retired.get(named):
        return f"version {named[1]} of {named[0]} was retired at position {retired}"
    basis = data.get("basis")
    if basis is None:
        return _direct_fault(state, scope)
    if fault := scope_fault(state, scope) or _form_fault(state, actor, scope, data):
        return fault
    if basis == "approved":
        return _approved_fault(state, authority, data, moment)
    if basis == "roll_back":
        return roll_back_fault(state, scope, data)
    return f"its basis is {basis}, which this release does not know"


def _form_fault(state: LifecycleState, actor: str, scope: ScopeKey, data: Data) -> str:
    """Return what is wrong with what an activation says besides the approvals."""
    current = state.in_force.get(scope)
    if data["replaces"] != (None if current is None else current.position):
        where = "no activation" if current is None else f"that at position {current.position}"
        return f"it is said to replace position {data['replaces']}, and {where} was in force there"
    if actor.startswith("system/"):
        return f"{actor} caused it, and a person or a service does"
    if data["scheduled"] is not None or data["ratify_until"] is not None:
        return f"it cites what an activation with the basis {data['basis']} does not rest on"
    return ""


def _direct_fault(state: LifecycleState, scope: ScopeKey) -> str:
    """Return what approvals an activation that cites none would have taken."""
    if gone := lost(state, scope):
        return f"the document of {gone[0]} was erased, and what approvals it asks for with it"
    asked = requirements(state, scope)
    return f"it takes approvals: {asked[0]}" if asked else ""


def _approved_fault(
    state: LifecycleState, authority: AuthorityState, data: Data, moment: StepTimes
) -> str:
    scope = scope_key(data["scope"])
    if gone := lost(state, scope):
        return f"the document of {gone[0]} was erased, and what approvals it asks for with it"
    named, cited = (data["policy"], data["version"]), data["approvals"]
    if cited != sorted(set(cited)):
        return "its approvals are not in order, or one of them is cited twice"
    found: list[Approval] = []
    for position in cited:
        approval = state.approvals.get(position)
        if approval is None or (approval.policy, approval.version) != named:
            return f"position {position} holds no approval of it"
        if fault := approval_fault(state, authority, approval, scope, data["digest"], moment):
            return f"the approval at position {position} does not count: {fault}"
        found.append(approval)
    persons = Counter(person_of(authority, one.actor) for one in found)
    if persons and persons.most_common(1)[0][1] > 1:
        return f"{persons.most_common(1)[0][0]} has approved it by more than one account"
    return missing(requirements(state, scope), found)


def approval_fault(
    state: LifecycleState,
    authority: AuthorityState,
    approval: Approval,
    scope: ScopeKey,
    digest: str,
    moment: StepTimes,
) -> str:
    """Return why an approval does not count for a digest and scope; empty where it does."""
    named = approval.policy, approval.version
    submission, draft = state.submissions.get(named), state.drafts[named]
    if approval.withdrawn_at:
        return f"it was withdrawn at position {approval.withdrawn_at}"
    if approval.digest != digest:
        return "it is of another digest"
    if submission is None or approval.submission != submission.position:
        return "the submission that it is of is not open any more"
    if submission.scope != scope:
        return f"it is for {submission.scope}"
    if approval.expires_at <= moment.at:
        return "it has expired"
    person = person_of(authority, approval.actor)
    if person in {person_of(authority, draft.author), person_of(authority, submission.actor)}:
        return f"{person} is the author of the version, or has submitted it"
    if not holds(authority, approval.actor, approval.role, moment.grants_at):
        return f"{approval.actor} does not hold the role {approval.role} any more"
    return ""


def standing(
    state: LifecycleState, authority: AuthorityState, named: tuple[str, int], moment: StepTimes
) -> list[Approval]:
    """Return the approvals of a version that count now, by position."""
    submission = state.submissions.get(named)
    if submission is None:
        return []
    scope, digest = submission.scope, submission.digest
    return [
        one
        for one in state.approvals_of(submission.position)
        if not approval_fault(state, authority, one, scope, digest, moment)
    ]


def missing(asked: Iterable[Requirement], approvals: Iterable[Approval]) -> str:
    """Return which approvals are missing; empty where each requirement is satisfied."""
    held = Counter(one.role for one in approvals)
    for requirement in asked:
        for role, count in requirement.approvals:
            if held[role] < count:
                return f"{requirement}, and it has {held[role]} in the role {role}"
    return ""


def roll_back_fault(state: LifecycleState, scope: ScopeKey, data: Data) -> str:
    """Return why a version cannot be put back for a scope; it takes no approvals."""
    if data["approvals"]:
        return "it cites approvals, and a roll-back rests on none"
    current, named = state.in_force.get(scope), (data["policy"], data["version"])
    if current is None:
        return f"no version is in force for {scope}"
    if current.named == named:
        return f"it is in force for {scope}"
    for one in state.activations.values():
        if one.scope == scope and one.named == named and one.digest == data["digest"]:
            return ""
    return f"{named[0]} version {named[1]} was never in force for {scope}"
