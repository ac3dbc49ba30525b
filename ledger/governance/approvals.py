"""Approvals of policy versions and ratifications of emergencies, as a fold of events has them.

Times are microseconds since the epoch.
"""

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Approval:
    """An approval of a version as it was submitted."""

    position: int
    actor: str
    role: str
    policy: str
    version: int
    digest: str
    submission: int
    expires_at: int
    recorded_at: int
    meaning: str
    comment: str
    withdrawn_at: int = 0
    cited_at: int = 0
    """The first activation that rests on it; 0 while none does."""


class Ratification(NamedTuple):
    """The ratification of an activation in an emergency."""

    position: int
    actor: str
    recorded_at: int
    approvals: tuple[int, ...]
