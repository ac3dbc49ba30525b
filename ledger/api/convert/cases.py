"""Escalations and tasks."""

from typing import Final

from ledger.api.convert.basics import inverse, message_of, numbers
from ledger.events.cases import TaskOutcome
from ledger.governance.cases import OpenEscalation, OpenTask
from ledger.v1 import case_pb2

OUTCOMES: Final[dict[int, TaskOutcome]] = inverse(numbers(case_pb2.TaskOutcome, TaskOutcome))


def escalation(open_: OpenEscalation, now: int) -> case_pb2.Escalation:
    """Return an open escalation, as of a time."""
    return message_of(
        case_pb2.Escalation,
        open_,
        name=f"models/{open_.model}/escalations/{open_.escalation}",
        decision_position=open_.escalation,
        is_acknowledged=open_.acknowledged_by is not None,
        is_overdue=open_.is_overdue(now),
    )


def task(open_: OpenTask) -> case_pb2.Task:
    """Return an open task."""
    return message_of(
        case_pb2.Task,
        open_,
        name=f"models/{open_.model}/tasks/{open_.task}",
        decision_position=open_.task,
    )
