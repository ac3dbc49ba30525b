"""The review of a policy in force: when it is due, and whether what is recorded of it may be.

Judged the same before it is recorded and in an audit. A fault is a sentence without its full stop.
"""

from collections.abc import Mapping
from typing import Any, Final

from ledger.authority.state import AuthorityState
from ledger.events.cases import GOVERNOR
from ledger.events.notation import time
from ledger.events.reviews import PolicyReviewDue
from ledger.events.values import DAY, SECOND, format_time
from ledger.governance.lifecycle import LifecycleState, ReviewTurn, ScopeKey, scope_key
from ledger.governance.requirements import extent_of, holds, person_of
from ledger.governance.steps import Data, StepTimes, asked_of, scope_part, version_fault

PACK_MICROS: Final = 7 * DAY
"""How long after its end a pack can be signed."""
_PARTS: Final = 10
"""People are reminded after each further tenth of the time between two reviews, or each day."""


def due_at(state: LifecycleState, turn: ReviewTurn) -> int:
    """Return when the review of a version in force is due; 0 where it asks for none.

    Nor is it due where it came into force before a ledger of data had a time.
    """
    every = _every(state, turn)
    return turn.began_at + every * SECOND if every and turn.began_at else 0


def next_due(state: LifecycleState, turn: ReviewTurn, now: int) -> PolicyReviewDue | None:
    """Return the event that is due by now: that the review is, or the newest reminder of it."""
    due = due_at(state, turn)
    if not due or now < due:
        return None
    reminder = (now - due) // _pause(state, turn)
    return _event(turn, due, reminder) if reminder > turn.reminder else None


def due_fault(
    state: LifecycleState, _authority: AuthorityState, actor: str, data: Data, moment: StepTimes
) -> str:
    """Return why it cannot be recorded that a review is due; empty where it can."""
    if actor != GOVERNOR:
        return f"{actor} caused it, and not {GOVERNOR}"
    turn = state.turns.get(scope_key(data["scope"]))
    if turn is None or turn.activation.position != data["activation"]:
        return f"position {data['activation']} does not hold what is in force there"
    due = due_at(state, turn)
    if not due:
        return f"{turn.activation} asks for no review"
    expected = _event(turn, due, data["reminder"])
    if data != expected.to_data():
        return f"the review of {turn.activation} is due at {format_time(due)}, and it says other"
    if data["reminder"] <= turn.reminder:
        return f"reminder {turn.reminder} of it is on record"
    if moment.latest < due + data["reminder"] * _pause(state, turn):
        return "its time has not come"
    return ""


def reviewed_fault(
    state: LifecycleState, authority: AuthorityState, actor: str, data: Data, moment: StepTimes
) -> str:
    """Return why a person may not sign a review; that its pack is the right one is not judged."""
    if fault := version_fault(state, data):
        return fault
    if not actor.startswith("users/"):
        return f"{actor} is not a person, and persons sign"
    scope, named = scope_key(data["scope"]), (data["policy"], data["version"])
    turn = state.turns.get(scope)
    if turn is None or (turn.activation.position, *turn.activation.named) != (
        data["activation"], *named,
    ):  # fmt: skip
        return f"position {data['activation']} does not hold what is in force for {scope}"
    if data["review"] != (turn.review or None):
        return f"its last review there is at position {turn.review}, and it names another"
    if data["as_of"] < begun(turn):
        return f"its pack ends before the time that is reviewed, at position {data['as_of']}"
    person = person_of(authority, actor)
    if person == person_of(authority, state.drafts[named].author):
        return f"{person} is its author, by this or another account"
    return _role_fault(state, authority, actor, data, moment) or _follow_up_fault(state, data)


def pack_fault(until: int, at: int) -> str:
    """Return why a pack that ends at a time is too old to be signed; empty where it is not."""
    if at <= until + PACK_MICROS:
        return ""
    return f"its pack ends at {time(until)}, more than {PACK_MICROS // DAY} days before"


def begun(turn: ReviewTurn) -> int:
    """Return the position from which on a version in force is reviewed."""
    return turn.review or turn.activation.position


def _role_fault(
    state: LifecycleState, authority: AuthorityState, actor: str, data: Data, moment: StepTimes
) -> str:
    """Return why a role is not one in which approvals are asked for there, or is not held."""
    scope = scope_key(data["scope"])
    roles = roles_asked(state, (data["policy"], data["version"]), scope)
    role = data["role"]
    if not roles:
        return "" if role is None else f"no approvals are asked for there, in no role as in {role}"
    if role not in roles:
        return f"it is signed in a role that approves there: {', '.join(roles)}"
    if not holds(authority, actor, role, moment.grants_at, extent_of(state, scope)):
        return f"{actor} does not hold the role {role} for {scope}"
    return ""


def roles_asked(state: LifecycleState, named: tuple[str, int], scope: ScopeKey) -> list[str]:
    """Return the roles in which a review is signed: those that approve there."""
    asked = asked_of(state, named, scope)
    return sorted({role for requirement in asked for role, _ in requirement.approvals})


def _follow_up_fault(state: LifecycleState, data: Data) -> str:
    """Return why a draft cannot follow a version up."""
    draft = data["follow_up"]
    if (draft is None) != (data["outcome"] == "kept"):
        return (
            f"its outcome is {data['outcome']}, and it names {'no' if draft is None else 'a'} draft"
        )
    if draft is None:
        return ""
    if fault := version_fault(state, draft):
        return fault
    if (draft["policy"], draft["version"]) == (data["policy"], data["version"]):
        return "it cannot follow itself up"
    drafted = state.drafts[draft["policy"], draft["version"]].position
    if drafted < state.drafts[data["policy"], data["version"]].position:
        said = f"version {draft['version']} of {draft['policy']}"
        return f"{said} was drafted before it, at position {drafted}: what follows comes after"
    return ""


def _every(state: LifecycleState, turn: ReviewTurn) -> int:
    """Return the seconds between two reviews; 0 where the version asks for none, or is erased."""
    draft = state.drafts.get(turn.activation.named)
    governance: Mapping[str, Any] = (draft and draft.governance) or {}
    return int(governance.get("review_seconds", 0))


def _pause(state: LifecycleState, turn: ReviewTurn) -> int:
    """Return how long after one reminder the next one is due."""
    return max(_every(state, turn) * SECOND // _PARTS, DAY)


def _event(turn: ReviewTurn, due: int, reminder: int) -> PolicyReviewDue:
    one = turn.activation
    return PolicyReviewDue(
        policy=one.policy,
        version=one.version,
        scope=scope_part(one.scope),
        activation=one.position,
        review=turn.review or None,
        due_at=format_time(due),
        reminder=reminder,
    )
