"""Whether a version may come into force: by approvals, or by what takes their place.

Judged the same before it is recorded and in an audit. A fault is a sentence without its full stop.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from ledger.authority.state import AuthorityState
from ledger.authority.table import EMERGENCY
from ledger.events.cases import GOVERNOR
from ledger.events.values import SECOND, parse_time
from ledger.governance.approvals import Approval
from ledger.governance.followers import restored
from ledger.governance.lifecycle import LifecycleState, ScopeKey, scope_key
from ledger.governance.requirements import (
    Requirement,
    extent_of,
    holds,
    lost_fault,
    person_of,
    requirement_of,
    requirements,
    unreachable,
)
from ledger.governance.steps import (
    Data,
    Judge,
    StepTimes,
    approver_fault,
    reason_fault,
    scope_fault,
)


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
    own = None if basis in _BACK else requirement_of(state, named)
    extent = extent_of(state, scope)
    if own is not None and (why := unreachable(authority, own, extent, moment.grants_at)):
        return f"nothing could follow it, as its own approvals could not be given: {why}"
    if basis is None:
        return _direct_fault(state, scope)
    form = scope_fault(state, scope) or reason_fault(data)
    if fault := form or _form_fault(state, actor, scope, data):
        return fault
    if basis == "approved":
        return _approved_fault(state, authority, data, moment)
    judge = _INSTEAD.get(basis)
    if judge is not None:
        return judge(state, authority, actor, data, moment)
    return f"its basis is {basis}, which this release does not know"


def _form_fault(state: LifecycleState, actor: str, scope: ScopeKey, data: Data) -> str:
    """Return what is wrong with what an activation says besides the approvals."""
    current = state.in_force.get(scope)
    if data["replaces"] != (None if current is None else current.position):
        where = "no activation" if current is None else f"that at position {current.position}"
        return f"it is said to replace position {data['replaces']}, and {where} was in force there"
    basis = data["basis"]
    if (actor == GOVERNOR) != (basis in {"reverted", "scheduled"}) or (
        actor != GOVERNOR and actor.startswith("system/")
    ):
        return f"{actor} caused it, with the basis {basis}"
    if (data["scheduled"] is not None) != (basis == "scheduled"):
        return "it cites a time that was set, or none, against its basis"
    if (data["ratify_until"] is not None) != (basis == "emergency"):
        return "it says until when it must be ratified, or does not, against its basis"
    if data["approvals"] and basis not in {"approved", "scheduled"}:
        return f"it cites approvals, and the basis {basis} rests on none"
    return ""


def _direct_fault(state: LifecycleState, scope: ScopeKey) -> str:
    """Return what approvals an activation that cites none would have taken."""
    if fault := lost_fault(state, scope):
        return fault
    asked = requirements(state, scope)
    return f"it takes approvals: {asked[0]}" if asked else ""


def _approved_fault(
    state: LifecycleState, authority: AuthorityState, data: Data, moment: StepTimes
) -> str:
    return quorum_fault(state, authority, data, scope_key(data["scope"]), moment)


def quorum_fault(
    state: LifecycleState,
    authority: AuthorityState,
    data: Data,
    scope: ScopeKey,
    moment: StepTimes,
) -> str:
    """Return why the approvals that are cited are not those that a scope takes."""
    if fault := lost_fault(state, scope):
        return fault
    named, cited = (data["policy"], data["version"]), data["approvals"]
    digest = data.get("digest", state.drafts[named].digest)
    if cited != sorted(set(cited)):
        return "its approvals are not in order, or one of them is cited twice"
    found: list[Approval] = []
    for position in cited:
        approval = state.approvals.get(position)
        if approval is None or (approval.policy, approval.version) != named:
            return f"position {position} holds no approval of it"
        if fault := approval_fault(state, authority, approval, scope, digest, moment):
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
    submission = state.submission_at(named, approval.submission)
    if approval.withdrawn_at:
        return f"it was withdrawn at position {approval.withdrawn_at}"
    if approval.digest != digest:
        return "it is of another digest"
    if submission is None:
        return "the submission that it is of is not open any more"
    if submission.scope != scope:
        return f"it is for {submission.scope}"
    if approval.expires_at <= moment.at:
        return "it has expired"
    if fault := approver_fault(state, authority, approval.actor, named):
        return fault
    extent = extent_of(state, scope)
    if not holds(authority, approval.actor, approval.role, moment.grants_at, extent):
        return f"{approval.actor} does not hold the role {approval.role} any more"
    return ""


def standing(
    state: LifecycleState,
    authority: AuthorityState,
    named: tuple[str, int],
    scope: ScopeKey,
    moment: StepTimes,
) -> list[Approval]:
    """Return the approvals of a version for a scope that count now, by position."""
    submission = state.submission_for(named, scope)
    if submission is None:
        return []
    digest = submission.digest
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


# ---- what takes the place of approvals -----------------------------------------------------------


def _rolled_back_fault(
    state: LifecycleState, _authority: AuthorityState, _actor: str, data: Data, _: StepTimes
) -> str:
    scope, named = scope_key(data["scope"]), (data["policy"], data["version"])
    current = state.in_force.get(scope)
    if current is None:
        return f"no version is in force for {scope}"
    if current.named == named:
        return f"it is in force for {scope}"
    for one in state.activations.values():
        is_it = one.scope == scope and one.named == named and one.digest == data["digest"]
        if is_it and not state.is_unratified(one):
            return ""
    return f"{named[0]} version {named[1]} was never in force for {scope}, but in an emergency"


def _emergency_fault(
    state: LifecycleState, authority: AuthorityState, actor: str, data: Data, moment: StepTimes
) -> str:
    scope = scope_key(data["scope"])
    asked = requirements(state, scope)
    if not asked and (fault := lost_fault(state, scope)):
        return fault
    if not asked:
        return f"no approvals are asked for there: it can be activated for {scope} as it is"
    if not authority.may(actor, EMERGENCY, moment.grants_at):
        return f"{actor} lacks the action {EMERGENCY}"
    current = state.in_force.get(scope)
    if current is not None and state.is_unratified(current):
        return f"the emergency at position {current.position} waits for ratification there"
    if fault := _again_fault(state, authority, actor, data):
        return fault
    if current is None and state.around(scope) is None:
        return f"no version in force holds all of {scope}, so none could follow the emergency"
    counted = min(one.ratify_seconds for one in asked)
    if parse_time(data["ratify_until"]) > moment.latest + counted * SECOND:
        return f"it could be ratified for longer than the {counted} seconds that the policy says"
    return ""


def _again_fault(state: LifecycleState, authority: AuthorityState, actor: str, data: Data) -> str:
    """Return which emergency there ended without ratification that an emergency would repeat.

    No version follows itself. One person calls no two, until approvals bring a version into force.
    """
    scope, person = scope_key(data["scope"]), person_of(authority, actor)
    is_open = True
    for one in reversed(state.activations.values()):
        if not state.is_unratified(one):
            is_open = is_open and not (one.scope == scope and one.basis in _APPROVED)
            continue
        if state.in_force.get(one.scope) is one or not state.may_share(one.scope, scope):
            continue
        if one.scope == scope and one.digest == data["digest"]:
            return f"its emergency at position {one.position} ended without ratification"
        if is_open and person_of(authority, one.actor) == person:
            return (
                f"{person} called the emergency at position {one.position}, which ended without "
                "ratification: another person calls the next one"
            )
    return ""


def _reverted_fault(
    state: LifecycleState, _authority: AuthorityState, _actor: str, data: Data, moment: StepTimes
) -> str:
    current = state.in_force.get(scope_key(data["scope"]))
    if current is None or not state.is_unratified(current):
        return "no emergency waits for ratification there"
    if moment.latest < current.ratify_until:
        return f"the emergency at position {current.position} can still be ratified"
    after = restored(state, current)
    if after is None or (*after.named, after.digest) != (
        data["policy"], data["version"], data["digest"],
    ):  # fmt: skip
        return f"{after or 'nothing'} was in force before the emergency"
    return ""


def _scheduled_fault(
    state: LifecycleState, authority: AuthorityState, _actor: str, data: Data, moment: StepTimes
) -> str:
    schedule = state.schedules.get(data["scheduled"])
    if schedule is None:
        return f"position {data['scheduled']} holds no time that was set and is still to come"
    said = schedule.policy, schedule.version, schedule.digest, schedule.scope, schedule.rationale
    found = data["policy"], data["version"], data["digest"], scope_key(data["scope"])
    if said != (*found, data["rationale"]) or list(schedule.approvals) != data["approvals"]:
        return f"the time that was set at position {schedule.position} is of another activation"
    if moment.latest < schedule.effective_at:
        return "its time has not come"
    current = state.in_force.get(schedule.scope)
    if current is not None and state.is_unratified(current):
        return f"the emergency at position {current.position} waits for ratification there"
    return _approved_fault(state, authority, data, moment)


_BACK: Final = frozenset({"roll_back", "reverted"})
"""The bases of what was in force before: whether it could be followed was looked at then."""
_APPROVED: Final = frozenset({"approved", "scheduled"})
"""The bases of the activations that rest on approvals."""
_INSTEAD: Final[dict[str, Judge]] = {
    "roll_back": _rolled_back_fault,
    "emergency": _emergency_fault,
    "reverted": _reverted_fault,
    "scheduled": _scheduled_fault,
}
