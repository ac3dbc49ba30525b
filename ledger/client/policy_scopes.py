"""The scopes of policies, and the times that are set for versions to come into force for them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class PolicyScope:
    """Which models an activation is for: one model, those with all labels, or (neither) all."""

    model: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PolicySchedule:
    """The time that is set for a version to come into force, which has not come."""

    version: int
    scope: PolicyScope | None
    effective_time: datetime
    actor: str
    rationale: str
    position: int
