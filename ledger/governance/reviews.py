"""The review of a policy in force: when it is due, and whether what is recorded of it may be.

Judged the same before it is recorded and in an audit. A fault is a sentence without its full stop.
"""

from collections.abc import Mapping
from typing import Any, Final

from ledger.authority.state import AuthorityState
from ledger.events.cases import GOVERNOR
from ledger.events.reviews import PolicyReviewDue
from ledger.events.values import DAY, SECOND, format_time
from ledger.governance.lifecycle import LifecycleState, ReviewTurn, scope_key
from ledger.governance.steps import Data, StepTimes, scope_part

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
