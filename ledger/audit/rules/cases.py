"""Rules about escalations and tasks: what decisions ask of people, and what came of it."""

from collections.abc import Iterator
from typing import Final

from ledger.audit.event import AuditedEvent
from ledger.audit.ledger_state import LedgerState
from ledger.audit.registry import Unchecked, Verdict, rule
from ledger.events.cases import (
    EscalationAcknowledged,
    EscalationEnded,
    EscalationEscalated,
    EscalationLapsed,
    EscalationRaised,
    EscalationResolved,
    TaskClosed,
    TaskLapsed,
    TaskOpened,
    TaskOverdue,
    TaskTaken,
)
from ledger.events.decisions import DECISION_TYPES
from ledger.events.values import format_time, parse_time
from ledger.governance.cases import case_fault, passed_on

_BEGUN: Final = (EscalationRaised.TYPE, EscalationEnded.TYPE, TaskOpened.TYPE)
_ANSWERED: Final = (
    EscalationAcknowledged.TYPE, EscalationResolved.TYPE, TaskTaken.TYPE, TaskClosed.TYPE,
)  # fmt: skip

_TIMED: Final = {
    EscalationRaised.TYPE: "raised_at",
    EscalationEscalated.TYPE: "reached_at",
    TaskOpened.TYPE: "opened_at",
}
"""The types from whose time on people have theirs, and the member that says it."""
_BY_TIME: Final = (EscalationEscalated.TYPE, TaskOverdue.TYPE)
_LAPSED: Final = (EscalationLapsed.TYPE, TaskLapsed.TYPE)


def _unasked(fold: LedgerState) -> Iterator[tuple[int, str]]:
    yield from fold.cases.missing()


def _untimely(fold: LedgerState) -> Iterator[tuple[int, str]]:
    yield from fold.obligations.terms.missed("cases.time")


def _blind(event: AuditedEvent, fold: LedgerState) -> Unchecked | None:
    """Return why nothing is known of what is open for a model."""
    blind_at = fold.cases.blind_at(event.name)
    return Unchecked(fold.absences.reason(blind_at)) if blind_at else None


@rule("cases.due", *DECISION_TYPES, needs_data=False, finish=_unasked)
def cases_due(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Right behind a decision is all that its policy asks of people: escalations and tasks."""
    return _blind(event, fold)


@rule("cases.begun", *_BEGUN)
def cases_begun(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """No escalation is raised or ended, and no task opened, but by the decision right before it."""
    if (unchecked := _blind(event, fold)) is not None:
        return unchecked
    asking = fold.cases.asking(event)
    if asking is None or event.type != asking.owed[0].TYPE:
        return "no decision right before it asks for it"
    decided = asking.event
    if event.data != asking.next_at(_stated(event)).to_data():
        return f"the decision at position {decided.position} asks for something else"
    if (event.actor, event.cause, event.request_id, event.run_id) != (
        decided.actor, decided.position, decided.request_id, decided.run_id,
    ):  # fmt: skip
        return f"it was not recorded with the decision at position {decided.position}"
    return None


def _stated(event: AuditedEvent) -> int:
    """Return when an event says that it was recorded; for one that says nothing, when it was."""
    member = _TIMED.get(event.type)
    return event.recorded_at if member is None else parse_time(event.known[member])


def _fault(event: AuditedEvent, fold: LedgerState) -> str:
    """Return why an event about what is open cannot be, or what it should cite."""
    known, data = fold.cases.of(event.name), event.known
    if fault := case_fault(known, event.type, event.actor, data):
        return fault
    open_ = known.about(data)
    if open_ is not None and event.cause != open_.position:
        return f"it cites position {event.cause}, and position {open_.position} opened it"
    return ""


@rule("cases.begun_at", *_TIMED)
def cases_begun_at(event: AuditedEvent, _fold: LedgerState) -> Verdict:
    """People's time to answer or to work begins when they are asked: no sooner, and no later."""
    if _stated(event) == event.recorded_at:
        return None
    said = event.known[_TIMED[event.type]]
    return f"it says {said}, and was recorded at {format_time(event.recorded_at)}"


@rule("cases.answered", *_ANSWERED)
def cases_answered(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A person answers what is open: an escalation is acknowledged once, a task closed once."""
    return _blind(event, fold) or _fault(event, fold) or None


@rule("cases.time", *_BY_TIME, *_LAPSED, finish=_untimely)
def cases_time(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """An escalation goes on to the next tier, and a task is overdue, once its time has come.

    Both end with their model.
    """
    if (unchecked := _blind(event, fold)) is not None:
        return unchecked
    if fault := _fault(event, fold):
        return fault
    known = fold.cases.of(event.name)
    if event.type in _LAPSED:
        return None
    if event.type == TaskOverdue.TYPE:
        task = known.task(event.known["task"])
        is_over = task is not None and task.due_at <= event.recorded_at
        return None if is_over else "its time had not come"
    open_, document = known.escalation, fold.cases.document(event.name)
    assert open_ is not None, "it is open, or it had a fault"
    if not open_.is_due(event.recorded_at):
        return "its time had not come"
    following = None if document is None else passed_on(open_, document, _stated(event))
    if following is None:
        return f"no tier follows {open_.tier}"
    return None if event.known == following.to_data() else "another tier follows, or another time"
