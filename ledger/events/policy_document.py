"""The policy as it is stored: integers and canonical values only, closed, versioned by its digest.

People write policies in YAML or JSON with human units; `ledger.application.policies.text` turns
those into this form. An auditor reads this form alone.
"""

from typing import Annotated, Final, Literal

from pydantic import Field

from ledger.events.base import Decimal, Part, Ppm, Segment, ShortText, Text
from ledger.events.gate_names import GateName
from ledger.events.values import PPM
from ledger.limits import (
    APPROVALS_MAX,
    APPROVERS_MAX,
    CRITERIA_MAX,
    EXPRESSION_CHARS_MAX,
    RULES_MAX,
    SIGNALS_PER_POLICY_MAX,
    TEAM_SHARES_MAX,
    TIERS_MAX,
    WINDOW_BUCKETS_MAX,
)

Action = Literal["NO_ACTION", "INVESTIGATE", "ADJUST_DATA_COLLECTION", "SCHEDULE_RETRAINING"]
Procedure = Literal["rules/1", "rules/2"]
Format = Literal["policy/1", "policy/2"]
Kernel = Literal["bucketed/1", "bucketed/2"]
Combination = Literal["weighted_mean", "noisy_or", "max"]
Planner = Literal["excess/1", "excess/2"]
Deployments = Literal["any", "gated"]
Candidates = Literal["decided", "all"]
Ranking = Literal["excess", "priority", "benefit_per_cost"]
"""By what a plan takes models in: the planner's own rank, or another order of the fleet."""
NO_TIER: Final = "none"  # the one tier that need not be declared: no person is told
Seconds = Annotated[int, Field(ge=1, le=10**10)]
ApprovalSeconds = Annotated[int, Field(ge=1, le=366 * 86_400)]
RatifySeconds = Annotated[int, Field(ge=1, le=90 * 86_400)]
TaskSeconds = Annotated[int, Field(ge=1, le=366 * 86_400)]
ReviewSeconds = Annotated[int, Field(ge=0, le=3 * 366 * 86_400)]
Hours = Annotated[int, Field(ge=0, le=1_000_000)]
WeightPpm = Annotated[int, Field(ge=1, le=PPM)]
GainPpm = Annotated[int, Field(ge=0, le=10 * PPM)]
RisePpm = Annotated[int, Field(ge=PPM, le=10 * PPM)]
Buckets = Annotated[int, Field(ge=1, le=WINDOW_BUCKETS_MAX)]
Periods = Annotated[int, Field(ge=1, le=10_000)]
PeriodsOrNone = Annotated[int, Field(ge=0, le=10_000)]
Versions = Annotated[int, Field(ge=0, le=100)]
Quantity = Annotated[int, Field(ge=1, le=1_000_000)]
Sources = Annotated[int, Field(ge=0, le=100)]
Approvers = Annotated[int, Field(ge=1, le=APPROVERS_MAX)]
Expression = Annotated[str, Field(min_length=1, max_length=EXPRESSION_CHARS_MAX)]


class SignalRulePart(Part):
    """How one signal counts; names and ranges are those of kernel `bucketed/1`."""

    signal: Segment
    weight_ppm: WeightPpm
    baseline: Decimal
    critical: Decimal
    bucket_seconds: Seconds
    window_seconds: Seconds
    half_life_seconds: Seconds
    breach_ppm: Ppm
    sustain_ppm: Ppm
    transient_ppm: Ppm
    min_buckets: Buckets
    sample_cap: Quantity
    prior_samples: Quantity
    sources_needed: Sources
    rationale: Text


class TimedSignalRulePart(SignalRulePart):
    """The same for procedure `rules/2`, where rules know when a report is due."""

    reports_every_seconds: Seconds
    """How often the signal is reported; a version is silent only when it has served longer."""


class SignalRationalePart(Part):
    """Under format `policy/2`: why a signal has its weight, and why its thresholds."""

    weight: Text
    thresholds: Text
    """Of baseline, critical, breach and sustain, which are one judgement of what is bad."""


class CappedSignalRulePart(TimedSignalRulePart):
    """The same under format `policy/2`, for kernel `bucketed/2`: with a quota for each source."""

    rationale: SignalRationalePart  # type: ignore[assignment]  # frozen: read only
    source_cap: Quantity | None
    """The samples for which one source counts in one bucket; none if it is not limited."""


class ScoringPart(Part):
    """The kernel, how signals combine, and how impact and risk lift the result."""

    kernel: Literal["bucketed/1"]
    combine: Combination
    impact_gain_ppm: GainPpm
    risk_gain_ppm: GainPpm
    signals: list[SignalRulePart] = Field(min_length=1, max_length=SIGNALS_PER_POLICY_MAX)


class TimedScoringPart(ScoringPart):
    """The same for procedure `rules/2`."""

    signals: list[TimedSignalRulePart] = Field(  # type: ignore[assignment]  # frozen: read only
        min_length=1, max_length=SIGNALS_PER_POLICY_MAX
    )


class CappedScoringPart(TimedScoringPart):
    """The same under format `policy/2`."""

    kernel: Kernel  # type: ignore[assignment]  # frozen: read only
    signals: list[CappedSignalRulePart] = Field(  # type: ignore[assignment]  # frozen: read only
        min_length=1, max_length=SIGNALS_PER_POLICY_MAX
    )


class RulePart(Part):
    """One rule: the first whose `when` (while it is in force: `hold`) is true gives the action."""

    id: Segment
    when: Expression
    hold: Expression | None
    action: Action
    tier: ShortText
    rationale: Text


class DecisionPart(Part):
    """From score to action, by the procedure that it names."""

    procedure: Procedure
    rules: list[RulePart] = Field(max_length=RULES_MAX)
    otherwise_action: Action
    otherwise_tier: ShortText
    error_tier: ShortText
    cool_down_hours: Hours
    max_priority_step: Ppm | None


class DecisionPartV1(DecisionPart):
    """From score to action, procedure `rules/1`."""

    procedure: Literal["rules/1"]


class DecisionPartV2(DecisionPart):
    """From score to action, procedure `rules/2`."""

    procedure: Literal["rules/2"]


class TierPart(Part):
    """The people an escalation tier reaches, and how soon it wants an answer."""

    name: ShortText
    route: Text
    acknowledge_hours: Hours


class EscalatingTierPart(TierPart):
    """The same under format `policy/2`: with the tier that follows where no answer comes."""

    next: ShortText


class ApprovalPart(Part):
    """How many persons must approve in one role."""

    role: Segment
    count: Approvers


class GovernancePart(Part):
    """Under format `policy/2`: the people whom changes of the policy and its decisions need."""

    approvals: list[ApprovalPart] = Field(max_length=APPROVALS_MAX)
    """The approvals that a version needs before it replaces this one."""
    approval_seconds: ApprovalSeconds
    """How long an approval counts; a year at most."""
    ratify_seconds: RatifySeconds
    """How soon an activation in an emergency is ratified, within 90 days; it ends otherwise."""
    investigate_seconds: TaskSeconds
    """How long the task of an INVESTIGATE may take; a year at most."""
    adjust_seconds: TaskSeconds
    """How long the task of an ADJUST_DATA_COLLECTION may take; a year at most."""
    review_seconds: ReviewSeconds
    """How often the policy is reviewed, every three years at least; 0 if it never is."""


class PolicyCriterionPart(Part):
    """A condition that every recipe's gate of that name must meet too, in `gates/1`."""

    gate: GateName
    name: Segment
    when: Expression
    rationale: Text


JobNeed = Literal["required", "optional"]


class JobsPart(Part):
    """The policy's terms for the jobs of its models, beside those of their recipes."""

    budget: JobNeed
    """`required`: no job without a budget that pays for its model, so that its cost is bounded."""
    candidate_test: JobNeed
    """`required`: a planned job is by a recipe with a gate `candidate`, where its planner has them
    tested."""
    approvals: list[ApprovalPart] = Field(max_length=APPROVALS_MAX)
    """The approvals that a job needs before it begins, also where a plan admitted it."""
    criteria: list[PolicyCriterionPart] = Field(max_length=CRITERIA_MAX)
    margin_ppm: GainPpm | None
    """How far a forecast benefit must exceed its forecast cost; null: no bound."""
    deployments: Deployments
    """`gated`: a version serves by a job that passed its gates, or `deployment.explained` says why
    not; `any`: also as who puts it into service states."""


class PlanningPart(Part):
    """The fleet's planner; names and ranges are those of planner `excess/1`."""

    planner: Literal["excess/1"]
    loss_signal: Segment
    candidates: Candidates
    period_seconds: Seconds
    half_life_seconds: Seconds
    quantile_ppm: Ppm
    common_ppm: GainPpm
    min_models: Quantity
    dead_band_ppm: GainPpm
    max_periods: Periods
    price_up_ppm: RisePpm
    price_down_ppm: Ppm
    probe_ppm: GainPpm
    reserve: bool


class AtMostPart(Part):
    """So many jobs of a model within a span."""

    jobs: Quantity
    per_seconds: Seconds


class TeamSharePart(Part):
    """The most that a team has of the money of a plan."""

    team: ShortText
    share_ppm: Ppm


class PlanStepsPart(Part):
    """The steps around the planner, in their order; null, empty or false: there is no such step."""

    cool_down_seconds: Seconds | None
    """How long a model rests after its last job, and after it was retrained otherwise."""
    at_most: AtMostPart | None
    """How often a model is retrained."""
    concurrency: Quantity | None
    """The most jobs of the fleet that are under way at once."""
    team_shares: list[TeamSharePart] = Field(max_length=TEAM_SHARES_MAX)
    tier_reserve_ppm: Ppm | None
    """The share of the money of a plan that is kept for decisions at the top tier."""
    budgets: bool
    """Whether no more is admitted than the budgets of the models have left."""
    guaranteed_after_seconds: Seconds | None
    """How long a model loses before its turn is guaranteed, one model a plan."""


class ReusingPlanningPart(PlanningPart):
    """Under format `policy/2`, for planner `excess/2`: with candidate tests and reuse."""

    planner: Literal["excess/2"]  # type: ignore[assignment]  # frozen: read only
    gate_ppm: GainPpm
    """How much more than the version in service a candidate may lose in its test."""
    rest_periods: Periods
    """How long a refused candidate rests its model."""
    reuse_versions: Versions
    """How many earlier versions are compared; 0: none is ever put back."""
    reuse_half_life_seconds: Seconds
    reuse_periods: Periods
    """How many recent periods are compared."""
    reuse_prior_ppm: GainPpm
    """How much evidence a change needs."""
    reuse_margin_ppm: Ppm
    """The advantage that a version must exceed."""
    season_periods: PeriodsOrNone
    """A year in periods, never 1; 0: there is no yearly round."""
    season_ppm: GainPpm
    """The weight of the season a year ago."""
    steps: PlanStepsPart | None
    """The steps around the planner; null: what it admits is the plan."""


class RankedPlanningPart(ReusingPlanningPart):
    """The same where plans take models in by something else than the planner's own rank."""

    ranking: Literal["priority", "benefit_per_cost"]


class EvaluationPart(Part):
    """When a model is scored: at most once an interval, at least once a silence."""

    interval_seconds: Seconds
    silence_seconds: Seconds


class PolicyDocument(Part):
    """One version of one policy, whole, of any format and procedure."""

    format: Format
    title: ShortText
    rationale: Text
    scoring: ScoringPart
    decision: DecisionPart
    planning: PlanningPart | None
    evaluation: EvaluationPart
    tiers: list[TierPart] = Field(max_length=TIERS_MAX)


class PolicyDocumentV1(PolicyDocument):
    """One version of one policy, whole."""

    format: Literal["policy/1"]
    decision: DecisionPartV1


class PolicyDocumentV2(PolicyDocument):
    """One version of one policy, whole, decided by procedure `rules/2`."""

    format: Literal["policy/1"]
    scoring: TimedScoringPart
    decision: DecisionPartV2


class PolicyDocumentV3(PolicyDocument):
    """One version of one policy, whole, with its governance: format `policy/2`."""

    format: Literal["policy/2"]
    scoring: CappedScoringPart
    decision: DecisionPartV2
    planning: PlanningPart | ReusingPlanningPart | RankedPlanningPart | None
    tiers: list[EscalatingTierPart] = Field(max_length=TIERS_MAX)  # type: ignore[assignment]  # frozen: read only
    governance: GovernancePart
    jobs: JobsPart | None


DOCUMENTS: Final[dict[tuple[Format, Procedure], type[PolicyDocument]]] = {
    ("policy/1", "rules/1"): PolicyDocumentV1,
    ("policy/1", "rules/2"): PolicyDocumentV2,
    ("policy/2", "rules/2"): PolicyDocumentV3,
}
"""The stored form by the format and the procedure that a policy names."""


def ranking_of(planning: PlanningPart) -> Ranking:
    """Return by what plans take models in."""
    return planning.ranking if isinstance(planning, RankedPlanningPart) else "excess"
