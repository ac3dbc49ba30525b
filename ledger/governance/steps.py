"""Whether a step of people in the life of a version may be: submitted, approved, taken back.

Judged the same before it is recorded and in an audit. A fault is a sentence without its full stop.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from ledger.authority.state import AuthorityState
from ledger.events.policies import (
    PolicyApprovalWithdrawn,
    PolicyApproved,
    PolicyRejected,
    PolicyRetired,
    PolicySubmitted,
    ScopePart,
)
from ledger.events.values import SECOND, parse_time
from ledger.governance.followers import restored
from ledger.governance.lifecycle import LifecycleState, ScopeKey, scope_key
from ledger.governance.requirements import (
    Requirement,
    extent_of,
    holds,
    person_of,
    requirement_of,
    requirements,
)

Data: TypeAlias = Mapping[str, Any]


class StepTimes(NamedTuple):
    """The times by which a step is judged, in microseconds; 0 where one is not judged.

    The service knows the one time at which it decides. An auditor knows that it lay between `at`
    and `latest`. `grants_at` is the machine's time, which a ledger of data does not tell.
    """

    at: int
    grants_at: int
    latest: int


Judge: TypeAlias = Callable[[LifecycleState, AuthorityState, str, Data, StepTimes], str]
"""Returns why something may not be, by the state, authority, actor, data and times."""


def step_fault(
    state: LifecycleState,
    authority: AuthorityState,
    type_: str,
    actor: str,
    data: Data,
    moment: StepTimes,
) -> str:
    """Return why a step may not be taken; empty where it may."""
    if type_ != PolicyApprovalWithdrawn.TYPE and (fault := version_fault(state, data)):
        return fault
    return _JUDGES[type_](state, authority, actor, data, moment)


def asked_of(state: LifecycleState, named: tuple[str, int], scope: ScopeKey) -> list[Requirement]:
    """Return in what roles a version is approved for a scope, and how long that counts.

    Where nothing in force asks for any, it takes none, but may be approved as it asks of the next.
    """
    own = requirement_of(state, named)
    return requirements(state, scope) or ([] if own is None else [own])


def barred(
    state: LifecycleState, authority: AuthorityState, named: tuple[str, int]
) -> frozenset[str]:
    """Return the persons whose approval of a version does not count.

    Those are its author, the one who submitted it, and one who activated it in an emergency.
    """
    actors = [state.drafts[named].author]
    actors += [one.actor for one in state.submissions.get(named, ())]
    actors += [one.actor for one in state.waiting() if one.named == named]
    return frozenset(person_of(authority, one) for one in actors)


def author_fault(state: LifecycleState, authority: AuthorityState, named: tuple[str, int]) -> str:
    """Return why it cannot be told whether an approver is the author; empty where it can.

    An actor who drafted before authority began may be no registered one, and so any person.
    """
    author = state.drafts[named].author
    if author in authority.persons:
        return ""
    return (
        f"its author {author} is no registered actor, so it is not known which person that is: "
        "have the actor registered, or the version drafted again"
    )


def approver_fault(
    state: LifecycleState, authority: AuthorityState, actor: str, named: tuple[str, int]
) -> str:
    """Return why an actor's approval of a version cannot count; empty where it can."""
    if fault := author_fault(state, authority, named):
        return fault
    person = person_of(authority, actor)
    if person not in barred(state, authority, named):
        return ""
    return f"{person} is its author, or has submitted or activated it, by this or another account"


def version_fault(state: LifecycleState, data: Data) -> str:
    """Return why a step of a version cannot be: it was not drafted so, or was retired."""
    policy, version = data["policy"], data["version"]
    draft = state.drafts.get((policy, version))
    if draft is None:
        return f"{policy} has no version {version}"
    if not draft.digest:
        return f"the document of version {version} of {policy} was erased"
    if data.get("digest", draft.digest) != draft.digest:
        return f"version {version} of {policy} has digest {draft.digest}, and not {data['digest']}"
    if retired := state.retired.get((policy, version)):
        return f"version {version} of {policy} was retired at position {retired}"
    return ""


def _submitted_fault(
    state: LifecycleState, authority: AuthorityState, _actor: str, data: Data, _moment: StepTimes
) -> str:
    scope = scope_key(data["scope"])
    if fault := scope_fault(state, scope):
        return fault
    known = state.submission_for((data["policy"], data["version"]), scope)
    if known is not None:
        return f"it waits for approvals there already, since position {known.position}"
    if not authority.began_at:
        return "no administrator of the ledger is named, so no role is held to approve it in"
    if fault := author_fault(state, authority, (data["policy"], data["version"])):
        return fault
    if not asked_of(state, (data["policy"], data["version"]), scope):
        return f"no approvals are asked for there: it can be activated for {scope} as it is"
    return ""


def reason_fault(data: Data) -> str:
    """Return that a step gives no reason where it is to give one; empty where it does."""
    said = data.get("reason", data.get("rationale"))
    return "it gives no reason" if said is not None and not said.strip() else ""


def scope_fault(state: LifecycleState, scope: ScopeKey) -> str:
    """Return what is wrong with a scope by itself, or with the model that it names."""
    if (scope.kind == "model") != (scope.model is not None) or (scope.kind == "labels") != bool(
        scope.labels
    ):
        return "its scope says one kind and names another"
    if scope.model is not None and scope.model not in state.labels:
        return f"no model is registered under {scope.model!r}"
    return ""


def scope_concerned(state: LifecycleState, data: Data) -> ScopeKey | None:
    """Return the scope that a step or an activation is about; None where that is not known.

    An approval or a rejection is about that of its submission, while that is open.
    """
    if data.get("scope") is not None:
        return scope_key(data["scope"])
    named = data["policy"], data["version"]
    if (activation := state.activations.get(data.get("activation", 0))) is not None:
        return activation.scope
    approval = state.approvals.get(data.get("approval", 0))
    at = data.get("submission", 0) if approval is None else approval.submission
    submission = state.submission_at(named, at) if at else None
    return None if submission is None else submission.scope


def scope_part(key: ScopeKey) -> ScopePart:
    """Return a scope as events have it."""
    return ScopePart.model_validate(
        {"kind": key.kind, "model": key.model, "labels": dict(key.labels)}
    )


def _approved_fault(
    state: LifecycleState, authority: AuthorityState, actor: str, data: Data, moment: StepTimes
) -> str:
    named = data["policy"], data["version"]
    if not actor.startswith("users/"):
        return f"{actor} is not a person, and persons approve"
    submission = state.submission_at(named, data["submission"])
    if submission is None:
        return f"position {data['submission']} holds no submission of it that waits for approvals"
    if fault := approver_fault(state, authority, actor, named):
        return fault
    person = person_of(authority, actor)
    for one in state.approvals_of(submission.position):
        if one.expires_at > moment.latest and person_of(authority, one.actor) == person:
            return f"{person} has approved it already, as {one.actor} at position {one.position}"
    asked = asked_of(state, named, submission.scope)
    roles = {role for requirement in asked for role, _ in requirement.approvals}
    if data["role"] not in roles:
        return f"no approval in the role {data['role']} is asked for, but: {', '.join(roles)}"
    extent = extent_of(state, submission.scope)
    if not holds(authority, actor, data["role"], moment.grants_at, extent):
        return f"{actor} does not hold the role {data['role']} for {submission.scope}"
    counted = min(requirement.approval_seconds for requirement in asked)
    if parse_time(data["expires_at"]) > moment.latest + counted * SECOND:
        return f"it would count for longer than the {counted} seconds that the policy says"
    return ""


def _withdrawn_fault(
    state: LifecycleState, authority: AuthorityState, actor: str, data: Data, _moment: StepTimes
) -> str:
    approval = state.approvals.get(data["approval"])
    if approval is None or (approval.policy, approval.version) != (data["policy"], data["version"]):
        return f"position {data['approval']} holds no approval of it"
    if approval.withdrawn_at:
        return f"it was withdrawn at position {approval.withdrawn_at}"
    if approval.cited_at:
        return f"the activation at position {approval.cited_at} rests on it"
    if person_of(authority, actor) != person_of(authority, approval.actor):
        return f"{approval.actor} gave it, and that person alone withdraws it"
    return ""


def _rejected_fault(
    state: LifecycleState, _authority: AuthorityState, actor: str, data: Data, _moment: StepTimes
) -> str:
    if not actor.startswith("users/"):
        return f"{actor} is not a person, and persons reject"
    submission = state.submission_at((data["policy"], data["version"]), data["submission"])
    if submission is None:
        return f"position {data['submission']} holds no submission of it that waits for approvals"
    return ""


def _retired_fault(
    state: LifecycleState, _authority: AuthorityState, _actor: str, data: Data, _moment: StepTimes
) -> str:
    named = data["policy"], data["version"]
    for one in state.in_force.values():
        if one.named == named:
            return f"it is in force for {one.scope}, since position {one.position}"
    for waiting in state.waiting():
        after = restored(state, waiting)
        if after is not None and after.named == named:
            return f"it follows if the emergency at position {waiting.position} is not ratified"
    for schedule in state.schedules.values():
        if schedule.named == named:
            return f"it is to come into force for {schedule.scope}: withdraw that first"
    return ""


_JUDGES: Final[dict[str, Judge]] = {
    PolicySubmitted.TYPE: _submitted_fault,
    PolicyApproved.TYPE: _approved_fault,
    PolicyApprovalWithdrawn.TYPE: _withdrawn_fault,
    PolicyRejected.TYPE: _rejected_fault,
    PolicyRetired.TYPE: _retired_fault,
}
