"""Results of the ledger, as the client hands them out: decisions, reasons, replays.

Conventions are those of `records`; numbers that end in `_ppm` are parts per million.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ledger.client.enums import (
    Action,
    DecisionReason,
    EvaluationTrigger,
    HeldBack,
    ReplayKind,
    ReplayOutcome,
    RuleOutcome,
)
from ledger.client.grounds import Grounds, PolicyStanding
from ledger.client.records import Appended


@dataclass(frozen=True, slots=True)
class Erased:
    """The result of an erasure."""

    appended: Appended
    erased: int
    """How many bodies were removed; those that were gone before are not among them."""


@dataclass(frozen=True, slots=True)
class Horizon:
    """The sources of a score or decision: nothing else went in."""

    as_of_position: int
    evaluated_at: datetime
    model_version: str
    policy: str
    policy_version: int
    policy_digest: str
    kernel: str
    trigger: EvaluationTrigger
    historical: bool


@dataclass(frozen=True, slots=True)
class SignalScore:
    """The kernel's result for one signal."""

    signal: str
    weight_ppm: int
    source: str
    observations: int
    buckets: int
    peak_ppm: int
    magnitude_ppm: int
    breaches: int
    streak: int
    persistence_ppm: int
    freshness_ppm: int
    trend_ppm: int
    sustained: bool
    effective_ppm: int
    share_ppm: int


@dataclass(frozen=True, slots=True)
class Score:
    """The kernel's result for one model at one horizon."""

    model: str
    horizon: Horizon
    priority_ppm: int
    raw_priority_ppm: int
    degradation_ppm: int
    coverage_ppm: int
    signals: tuple[SignalScore, ...]
    position: int


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """The part of the model itself that rules see."""

    owner: str
    tier: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class EnvironmentSignal:
    """A signal as rules see it."""

    score: SignalScore
    present: bool
    interval_hours: int = 0
    """How often the policy expects a report; 0 under procedure `rules/1`, which has no such."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Every value the rules could see; -1 means "never" where a count of hours may be so."""

    priority_ppm: int
    raw_priority_ppm: int
    degradation_ppm: int
    coverage_ppm: int
    impact_ppm: int
    risk_ppm: int
    signals: Mapping[str, EnvironmentSignal]
    model: ModelFacts
    hours_since_deployed: int
    retrainings_30d: int
    in_force: Action | None
    in_force_rule: str
    hours_in_force: int
    slo_hours_left: int
    report_interval_hours: int = 0
    """The shortest of the signals' intervals; 0 under procedure `rules/1`."""


@dataclass(frozen=True, slots=True)
class OverrideInEffect:
    """The override in effect, and what the rules gave without it."""

    position: int
    action: Action
    tier: str
    held_back: HeldBack | None


@dataclass(frozen=True, slots=True)
class OverrideRecord:
    """An override as a person set it; `role` is empty where none was held then."""

    position: int
    actor: str
    role: str
    action: Action
    tier: str
    reason: str
    effective_from: datetime
    effective_until: datetime
    in_effect: bool
    """Whether it holds still: it is not over, none came after it, and its model is not retired."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The action for a model, the rule that gave it, and everything that rule could see."""

    name: str
    model: str
    action: Action
    tier: str
    rule: str
    reason: DecisionReason
    held_back: HeldBack | None
    overridden: OverrideInEffect | None
    since: datetime
    horizon: Horizon
    environment: Environment
    procedure: str
    score_position: int
    position: int
    run_id: str
    recorded_at: datetime
    overruled_by: tuple[OverrideRecord, ...] = ()
    """The overrides that people set over it, in order."""
    set_by: OverrideRecord | None = None
    """The override that it is under; None where there is none, or it was erased."""


@dataclass(frozen=True, slots=True)
class EvaluatedDecision:
    """A decision and the score it rests on."""

    decision: Decision
    score: Score


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The decisions of one request, in the order asked, and where they are."""

    appended: Appended
    evaluated: tuple[EvaluatedDecision, ...]


@dataclass(frozen=True, slots=True)
class Contribution:
    """The contribution of one signal to a score, in numbers and in a sentence."""

    score: SignalScore
    sentence: str


@dataclass(frozen=True, slots=True)
class SeenValue:
    """One value that an expression named."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class RuleExplanation:
    """One rule of the policy, what it saw and what became of it."""

    rule: str
    outcome: RuleOutcome
    expression: str
    by_hold: bool
    saw: tuple[SeenValue, ...]
    action: Action
    rationale: str
    sentence: str
    condition: str
    """The expression as a person writes it, with shares as per cent."""


@dataclass(frozen=True, slots=True)
class Boundary:
    """A single change of one value that would have changed the outcome."""

    name: str
    value: int
    needed: int
    action: Action
    rule: str
    sentence: str
    tier: str
    held_back: HeldBack | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a decision came out as it did; boundaries are nearest first."""

    headline: str
    paragraph: str
    contributions: tuple[Contribution, ...]
    rules: tuple[RuleExplanation, ...]
    boundaries: tuple[Boundary, ...]


@dataclass(frozen=True, slots=True)
class ExplainedDecision:
    """A decision with its explanation."""

    decision: Decision
    explanation: Explanation
    override: str = ""
    """The author, end and reason of the override in effect; empty if there was none."""
    standing: PolicyStanding | None = None
    """By whose act the policy was in force; None where that was erased."""
    grounds: Grounds | None = None
    """How the numbers came about, if asked for and still known."""
    grounds_missing: str = ""
    """Why the grounds are not known any more."""
    asked: tuple[str, ...] = ()
    """Its escalation and its task, and what people answered: a sentence each, in order."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that differs; values as JSON, empty where the field is not there."""

    path: str
    recorded: str
    recomputed: str


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """The result of recomputing one recorded decision, score or plan."""

    position: int
    kind: ReplayKind
    name: str
    outcome: ReplayOutcome
    differences: tuple[Difference, ...]
    why: str
    evidence_positions: tuple[int, ...]
    as_of_position: int
    evaluated_at: datetime | None


@dataclass(frozen=True, slots=True)
class ReplayProgress:
    """Running counts of a range of replays."""

    position: int
    last_position: int
    identical: int
    divergent: int
    not_replayable: int
    done: bool


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """Results since the last report, and how far the replay has come."""

    results: tuple[ReplayResult, ...]
    progress: ReplayProgress
