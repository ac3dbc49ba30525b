"""Results about policies that are compared or tried, as the client hands them out.

Conventions are those of `records`; numbers that end in `_ppm` are parts per million.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ledger.client.enums import Action, PolicyChangeKind


@dataclass(frozen=True, slots=True)
class PolicySource:
    """The policy that is meant: a version, the one in force under a name (version 0), or a text."""

    policy: str = ""
    version: int = 0
    document: str = ""


@dataclass(frozen=True, slots=True)
class PolicyDifference:
    """One difference of two policies, with both values as people write them."""

    path: str
    kind: PolicyChangeKind
    before: str
    after: str
    sentence: str
    is_text: bool
    """True if only a title or rationale differs, which decides nothing."""


@dataclass(frozen=True, slots=True)
class PolicyDiff:
    """Every difference of two policies, and the digests of both documents."""

    before_digest: str
    after_digest: str
    changes: tuple[PolicyDifference, ...]


@dataclass(frozen=True, slots=True)
class TriedDecision:
    """The decision in force after one score of a trial."""

    model: str
    position: int
    evaluated_at: datetime
    priority_ppm: int
    action: Action
    tier: str
    rule: str
    is_begun: bool
    """True if this score made it another decision than the one in force before."""


@dataclass(frozen=True, slots=True)
class TriedCounts:
    """The decisions of one policy in a trial, counted."""

    scores: int
    decisions: int
    retrainings: int
    cost_micros: int
    actions: Mapping[str, int]
    """Scores after which each action was in force."""
    escalations: Mapping[str, int]
    """Decisions that reached each tier."""


@dataclass(frozen=True, slots=True)
class TriedModel:
    """The effect for one model."""

    model: str
    scores: int
    differing: int
    before: TriedCounts
    after: TriedCounts


@dataclass(frozen=True, slots=True)
class TriedDifference:
    """One score after which the decisions differ."""

    before: TriedDecision
    after: TriedDecision


@dataclass(frozen=True, slots=True)
class PolicyTrial:
    """The effect that a policy would have had on the ledger's own history."""

    before: TriedCounts
    """The decisions that it is compared with."""
    after: TriedCounts
    """The decisions of the policy on trial."""
    effects: tuple[TriedModel, ...]
    """The effect for each model that was scored, by id."""
    differences: tuple[TriedDifference, ...]
    """The first 1000, by model and position."""
    differing: int
    erased: int
