"""Whether a step about the time of an activation may be: ratified, scheduled, withdrawn.

Judged the same before it is recorded and in an audit. A fault is a sentence without its full stop.
"""

from typing import Final

from ledger.authority.state import AuthorityState
from ledger.events.cases import GOVERNOR
from ledger.events.policies import (
    PolicyRatified,
    PolicyScheduled,
    PolicyScheduleWithdrawn,
)
from ledger.events.values import DAY, parse_time
from ledger.governance.activations import quorum_fault
from ledger.governance.lifecycle import LifecycleState, scope_key
from ledger.governance.steps import (
    Data,
    Judge,
    StepTimes,
    reason_fault,
    scope_fault,
    step_fault,
    version_fault,
)
from ledger.limits import SCHEDULE_DAYS_MAX


def taken_fault(
    state: LifecycleState,
    authority: AuthorityState,
    type_: str,
    actor: str,
    data: Data,
    moment: StepTimes,
) -> str:
    """Return why a step of any type may not be taken; empty where it may."""
    if fault := reason_fault(data):
        return fault
    judge = _JUDGES.get(type_)
    if judge is None:
        return step_fault(state, authority, type_, actor, data, moment)
    if type_ != PolicyScheduleWithdrawn.TYPE and (fault := version_fault(state, data)):
        return fault
    return judge(state, authority, actor, data, moment)


def lapses_at(state: LifecycleState, type_: str, data: Data) -> int | None:
    """Return from which time on what may be now may not be any more; None where it stays so.

    Of an activation, or of a step of any type, that no judge finds a fault with.
    """
    if type_ == PolicyScheduled.TYPE:  # the approvals that it cites hold for longer
        return parse_time(data["effective_time"])
    until = [state.approvals[position].expires_at for position in data.get("approvals", ())]
    if type_ == PolicyRatified.TYPE:
        until.append(state.activations[data["activation"]].ratify_until + 1)
    return min(until, default=None)


def _ratified_fault(
    state: LifecycleState, authority: AuthorityState, _actor: str, data: Data, moment: StepTimes
) -> str:
    waiting = {one.position: one for one in state.waiting()}.get(data["activation"])
    if waiting is None or waiting.named != (data["policy"], data["version"]):
        return f"position {data['activation']} holds no emergency of it that is to be ratified"
    if moment.at > waiting.ratify_until:
        return "the time to ratify it is over"
    return quorum_fault(state, authority, data, waiting.scope, moment)


def _scheduled_fault(
    state: LifecycleState, authority: AuthorityState, actor: str, data: Data, moment: StepTimes
) -> str:
    scope, at = scope_key(data["scope"]), parse_time(data["effective_time"])
    if actor.startswith("system/"):
        return f"{actor} caused it, and a person or a service does"
    if fault := scope_fault(state, scope):
        return fault
    if at <= moment.at:
        return "its time has come already: activate it without one"
    if at > moment.latest + SCHEDULE_DAYS_MAX * DAY:
        return f"its time is more than {SCHEDULE_DAYS_MAX} days away: set it when it is nearer"
    for one in state.schedules.values():
        if one.scope == scope:
            return f"an activation is set for {scope} at position {one.position}: withdraw it first"
    return scheduled_quorum_fault(state, authority, data, moment)


def scheduled_quorum_fault(
    state: LifecycleState, authority: AuthorityState, data: Data, moment: StepTimes
) -> str:
    """Return why the approvals that are cited do not hold until the time that is set."""
    scope, at = scope_key(data["scope"]), parse_time(data["effective_time"])
    return quorum_fault(state, authority, data, scope, moment._replace(at=at))


def _withdrawn_fault(
    state: LifecycleState, _authority: AuthorityState, actor: str, data: Data, moment: StepTimes
) -> str:
    schedule = state.schedules.get(data["schedule"])
    if schedule is None or schedule.named != (data["policy"], data["version"]):
        return f"position {data['schedule']} holds no time of it that was set and is to come"
    if actor == GOVERNOR and moment.latest < schedule.effective_at:
        return "its time has not come"
    if actor != GOVERNOR and actor.startswith("system/"):
        return f"{actor} caused it"
    return ""


_JUDGES: Final[dict[str, Judge]] = {
    PolicyRatified.TYPE: _ratified_fault,
    PolicyScheduled.TYPE: _scheduled_fault,
    PolicyScheduleWithdrawn.TYPE: _withdrawn_fault,
}
