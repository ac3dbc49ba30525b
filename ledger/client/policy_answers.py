"""The persons who answer for a version in force, as the client hands them out."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class CountedApproval:
    """An approval that a version in force rests on."""

    position: int
    actor: str
    role: str
    meaning: str
    approved_at: datetime
    comment: str
    basis: str
    """`activation`, `returned_to` or `ratification`: by what it counts."""


@dataclass(frozen=True, slots=True)
class PolicyAct:
    """A step in the life of a version: an activation, or its ratification."""

    position: int
    policy: str
    version: int
    actor: str
    acted_at: datetime
    because: str
    """Empty of a ratification, as `basis` is."""
    basis: str


@dataclass(frozen=True, slots=True)
class PolicyAnswer:
    """The approvals on which a version in force rests, and by what they count."""

    basis: str
    """By what it came into force; `direct` where no policy asked for approvals."""
    approvals: tuple[CountedApproval, ...]
    returned_to: PolicyAct | None
    """The earlier activation of what a roll-back, or the end of an emergency, brought back."""
    ended_emergency: PolicyAct | None
    """The emergency that was never ratified and ended by this activation."""
    ratification: PolicyAct | None
    sentences: tuple[str, ...]
