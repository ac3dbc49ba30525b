"""A decision's escalation and task in words: what was asked of people, and what they answered."""

from typing import Any

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
from ledger.events.envelope import RecordedEvent
from ledger.events.notation import shown_time
from ledger.events.registry import decode_data
from ledger.events.values import format_time


def told_case(event: RecordedEvent) -> str:
    """Return an event about an escalation or a task as a sentence."""
    data: Any = decode_data(event)
    actor, at = event.body.actor, shown_time(format_time(event.recorded_at))
    match data:
        case EscalationRaised():
            said = f"It reached tier {data.tier}{_people(data.route)}{_until(data)}"
        case EscalationEscalated():
            said = (
                f"Without an answer it went on to tier {data.tier}{_people(data.route)}"
                f"{_until(data)}, {at}"
            )
        case EscalationAcknowledged():
            said = f"{actor} acknowledged it {at}{_note(data.note)}"
        case EscalationResolved():
            said = f"{actor} resolved it {at}{_note(data.resolution)}"
        case EscalationEnded():
            said = f"The decision at position {data.decision} took its place {at}"
        case EscalationLapsed():
            said = f"It ended with the model, which was retired at position {data.retirement}"
        case TaskOpened():
            owner = f" for {data.owner}" if data.owner else ""
            said = f"It opened a task{owner}, due {shown_time(data.due_at)}"
        case TaskTaken():
            said = f"{actor} took the task {at}"
        case TaskOverdue():
            said = f"The task was overdue {at}"
        case TaskClosed():
            outcome = data.outcome.replace("_", " ")
            said = f"{actor} closed the task {at}, {outcome}{_note(data.note)}"
        case TaskLapsed():
            said = f"The task ended with the model, which was retired at position {data.retirement}"
        case _:
            raise AssertionError(event.type)
    return f"{said.rstrip('.')}."


def _people(route: str) -> str:
    return f" ({route.rstrip('.')})" if route else ""


def _until(data: EscalationRaised | EscalationEscalated) -> str:
    if data.acknowledge_until is None:
        return ""
    return f", to be acknowledged until {shown_time(data.acknowledge_until)}"


def _note(text: str) -> str:
    return f": {text}" if text else ""
