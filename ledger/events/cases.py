"""Events of what decisions ask of people: escalations to a tier, and tasks.

Both are named by the position of the decision that they follow from, in a stream of their model.
A decision is recorded together with what it begins and ends; the governor records what time brings.
"""

from typing import ClassVar, Final, Literal

from pydantic import Field

from ledger.events.base import EventData, Position, Segment, ShortText, Text, Time
from ledger.events.policy_document import Action

GOVERNOR: Final = "system/governor"

TaskOutcome = Literal["cause_found", "signal_fixed", "false_alarm", "retrain_after_all"]
_OF_DECISIONS: Final = "system/evaluator, or the caller of Evaluate, with the decision"


class EscalationData(EventData):
    """An event about an escalation."""

    STREAM: ClassVar[str] = "escalations/{model}"

    model: Segment
    escalation: Position
    """The position of the decision that it was raised for."""


class EscalationRaised(EscalationData):
    """A decision reached a tier: its people are to answer."""

    TYPE: ClassVar[str] = "escalation.raised.v1"
    CAUSE: ClassVar[str] = _OF_DECISIONS
    METHOD: ClassVar[str] = "Evaluate"
    ONCE_ERASED: ClassVar[str] = "no escalation of its model counts as open"

    action: Action
    tier: ShortText
    route: Text
    """The people, as the policy has it."""
    raised_at: Time
    """When it is recorded, by the ledger's clock: from then on its people have their time."""
    acknowledge_until: Time | None
    """When the next tier is reached without an answer; null where none is awaited."""


class EscalationEscalated(EscalationData):
    """No answer came in time: the escalation went on to the next tier."""

    TYPE: ClassVar[str] = "escalation.escalated.v1"
    CAUSE: ClassVar[str] = GOVERNOR
    ONCE_ERASED: ClassVar[str] = "the tier before it counts as the one that was reached"

    tier: ShortText
    route: Text
    reached_at: Time
    """When it is recorded, by the ledger's clock: the people of this tier have all of their time,
    also where it went on late."""
    acknowledge_until: Time | None


class EscalationAcknowledged(EscalationData):
    """A person has seen an escalation and takes it on."""

    TYPE: ClassVar[str] = "escalation.acknowledged.v1"
    CAUSE: ClassVar[str] = "the caller of AcknowledgeEscalation, a person"
    METHOD: ClassVar[str] = "AcknowledgeEscalation"
    ONCE_ERASED: ClassVar[str] = "it is not told by whom the escalation was acknowledged"

    note: Text


class EscalationResolved(EscalationData):
    """A person has dealt with an escalation."""

    TYPE: ClassVar[str] = "escalation.resolved.v1"
    CAUSE: ClassVar[str] = "the caller of ResolveEscalation, a person"
    METHOD: ClassVar[str] = "ResolveEscalation"

    resolution: Text = Field(min_length=1)


class EscalationEnded(EscalationData):
    """A decision took the place of the one that an escalation was raised for."""

    TYPE: ClassVar[str] = "escalation.ended.v1"
    CAUSE: ClassVar[str] = _OF_DECISIONS
    METHOD: ClassVar[str] = "Evaluate"

    decision: Position
    """The position of the newer decision."""


class TaskData(EventData):
    """An event about a task."""

    STREAM: ClassVar[str] = "tasks/{model}"

    model: Segment
    task: Position
    """The position of the decision that it was opened for."""


class TaskOpened(TaskData):
    """A decision asks for work: to find a cause, or to change how data are collected."""

    TYPE: ClassVar[str] = "task.opened.v1"
    CAUSE: ClassVar[str] = _OF_DECISIONS
    METHOD: ClassVar[str] = "Evaluate"
    ONCE_ERASED: ClassVar[str] = "their tasks are not open any more"

    action: Literal["INVESTIGATE", "ADJUST_DATA_COLLECTION"]
    owner: ShortText
    """The owner of the model."""
    opened_at: Time
    """When it is recorded, by the ledger's clock: from then on the time to do it is counted."""
    due_at: Time


class TaskTaken(TaskData):
    """A person works on a task."""

    TYPE: ClassVar[str] = "task.taken.v1"
    CAUSE: ClassVar[str] = "the caller of TakeTask, a person"
    METHOD: ClassVar[str] = "TakeTask"
    ONCE_ERASED: ClassVar[str] = "it is not told by whom the task was taken"


class TaskOverdue(TaskData):
    """A task was not closed in its time."""

    TYPE: ClassVar[str] = "task.overdue.v1"
    CAUSE: ClassVar[str] = GOVERNOR


class TaskClosed(TaskData):
    """A person closed a task, with its outcome."""

    TYPE: ClassVar[str] = "task.closed.v1"
    CAUSE: ClassVar[str] = "the caller of CloseTask, a person"
    METHOD: ClassVar[str] = "CloseTask"
    ONCE_ERASED: ClassVar[str] = "the tasks of its model that were open count as closed"

    outcome: TaskOutcome
    note: Text


class EscalationLapsed(EscalationData):
    """The model of an escalation was retired: no answer is awaited any more."""

    TYPE: ClassVar[str] = "escalation.lapsed.v1"
    CAUSE: ClassVar[str] = GOVERNOR

    retirement: Position
    """The position of the event that retired the model."""


class TaskLapsed(TaskData):
    """The model of a task was retired: the work is not to be done any more."""

    TYPE: ClassVar[str] = "task.lapsed.v1"
    CAUSE: ClassVar[str] = GOVERNOR
    ONCE_ERASED: ClassVar[str] = "the tasks of its model that were open count as closed"

    retirement: Position
    """The position of the event that retired the model."""


CASE_CLASSES: Final[tuple[type[EscalationData | TaskData], ...]] = (
    EscalationRaised,
    EscalationEscalated,
    EscalationAcknowledged,
    EscalationResolved,
    EscalationEnded,
    TaskOpened,
    TaskTaken,
    TaskOverdue,
    TaskClosed,
)
LAPSED_CLASSES: Final = (EscalationLapsed, TaskLapsed)
CASE_TYPES: Final = frozenset(cls.TYPE for cls in (*CASE_CLASSES, *LAPSED_CLASSES))
"""The types of events about escalations and tasks."""
