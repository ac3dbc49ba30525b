"""Results about policies in shadow, as the client hands them out."""

from dataclasses import dataclass
from datetime import datetime

from ledger.client.enums import Action
from ledger.client.policy_scopes import PolicyScope
from ledger.client.trials import TriedCounts, TriedModel


@dataclass(frozen=True, slots=True)
class PolicyShadow:
    """A policy version that runs, or ran, in shadow; its position names it."""

    position: int
    policy: str
    version: int
    digest: str
    scope: PolicyScope
    until: datetime
    rationale: str
    actor: str
    begun_at: datetime
    is_running: bool


@dataclass(frozen=True, slots=True)
class ActionPair:
    """An action on record and that of the shadow, and for how long both were so."""

    before: Action
    after: Action
    scores: int
    seconds: int


@dataclass(frozen=True, slots=True)
class PlannedJobs:
    """The jobs that plans admitted, and their cost."""

    jobs: int
    cost_micros: int


@dataclass(frozen=True, slots=True)
class AdmittedModel:
    """How many plans admitted a model: the one on record and the shadow's both, or only one."""

    model: str
    both: int
    only_before: int
    only_after: int


@dataclass(frozen=True, slots=True)
class ComparedPlans:
    """The plans on record beside those of a shadow, over all of them."""

    plans: int
    before: PlannedJobs
    """The plans on record."""
    after: PlannedJobs
    """The plans of the shadow."""
    models: tuple[AdmittedModel, ...]
    erased: int


@dataclass(frozen=True, slots=True)
class ShadowComparison:
    """A shadow beside the decisions on record, at each score that it was recorded with."""

    shadow: PolicyShadow
    before: TriedCounts
    """The decisions on record."""
    after: TriedCounts
    """The decisions of the shadow."""
    effects: tuple[TriedModel, ...]
    pairs: tuple[ActionPair, ...]
    differing: int
    """Scores after which the two decisions differ."""
    erased: int
    plans: ComparedPlans
