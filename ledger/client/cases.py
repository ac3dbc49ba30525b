"""Escalations and tasks, as frozen dataclasses."""

from dataclasses import dataclass
from datetime import datetime

from ledger.client.enums import Action


@dataclass(frozen=True, slots=True)
class Escalation:
    """A decision reached a tier, and its people are to answer."""

    name: str
    model: str
    decision_position: int
    action: Action
    raised_to: str
    tier: str
    """The tier that it has reached: another one where no answer came in time."""
    route: str
    """The people of that tier."""
    raised_at: datetime
    reached_at: datetime
    """When it reached that tier, from which its people's time is counted."""
    acknowledge_until: datetime | None
    is_acknowledged: bool
    acknowledged_by: str
    """Empty where no person has, or where that was erased."""
    is_overdue: bool


@dataclass(frozen=True, slots=True)
class Escalations:
    """The escalations that are open at a position."""

    escalations: tuple[Escalation, ...]
    position: int
    recorded_at: datetime | None


@dataclass(frozen=True, slots=True)
class ModelTask:
    """A decision asks for work."""

    name: str
    model: str
    decision_position: int
    action: Action
    owner: str
    """Of the model, as it was then."""
    opened_at: datetime
    due_at: datetime
    taken_by: str
    """Empty where no person works on it."""
    is_overdue: bool


@dataclass(frozen=True, slots=True)
class ModelTasks:
    """The tasks that are open at a position."""

    tasks: tuple[ModelTask, ...]
    position: int
    recorded_at: datetime | None
