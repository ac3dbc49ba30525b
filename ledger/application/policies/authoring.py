"""A policy as people write it: each field with its unit, its default and, under it, its meaning.

Reading, writing and the JSON Schema all follow these fields, so they cannot disagree. A field whose
stored name differs says so as its alias; `ledger.events.policy_document` has the stored form and
its ranges.
"""

from typing import Annotated, Final

from pydantic import Field

from ledger.application.documents.authored import Authored
from ledger.application.documents.units import (
    Choice,
    Count,
    Duration,
    Entries,
    FreeText,
    Name,
    Share,
    bounds,
)
from ledger.application.policies.authored_planning import AuthoredPlanning
from ledger.application.policies.units import Expression, SignalRationale, SignalValue
from ledger.events.base import Ppm
from ledger.events.gate_names import GateName
from ledger.events.policy_document import (
    DOCUMENTS,
    NO_TIER,
    Action,
    ApprovalSeconds,
    Approvers,
    Buckets,
    Combination,
    Deployments,
    Format,
    GainPpm,
    Hours,
    JobNeed,
    Kernel,
    PolicyDocument,
    Procedure,
    Quantity,
    RatifySeconds,
    ReviewSeconds,
    Seconds,
    Sources,
    TaskSeconds,
    WeightPpm,
)
from ledger.events.values import PPM
from ledger.limits import (
    APPROVALS_MAX,
    CRITERIA_MAX,
    EXPRESSION_CHARS_MAX,
    LABEL_CHARS_MAX,
    RULES_MAX,
    SIGNALS_PER_POLICY_MAX,
    TEXT_CHARS_MAX,
    TIERS_MAX,
)
from ledger.rules.vocabulary import RULES_1

DAY: Final = 86_400
POLICY_1: Final = "policy/1"

_CONDITION: Final = Expression(EXPRESSION_CHARS_MAX, minimum=1)
_SPAN: Final = Duration(1, *bounds(Seconds))

_Text = Annotated[str, FreeText(TEXT_CHARS_MAX)]
_ShortText = Annotated[str, FreeText(LABEL_CHARS_MAX)]
_Segment = Annotated[str, Name()]
_Action = Annotated[Action, Choice(Action)]
_Span = Annotated[int, _SPAN]
_TaskSpan = Annotated[int, Duration(1, *bounds(TaskSeconds))]
_Hours = Annotated[int, Duration(3_600, *bounds(Hours))]
_Share = Annotated[int, Share(*bounds(Ppm))]
_Times = Annotated[int, Share(*bounds(GainPpm))]
_Gain = Annotated[int, Share(*bounds(GainPpm), is_factor=True)]
_Quantity = Annotated[int, Count(*bounds(Quantity))]


class AuthoredSignal(Authored):
    """How one signal counts."""

    signal: _Segment
    """Name of the signal, as DefineSignal gave it."""
    weight: Annotated[int, Share(*bounds(WeightPpm))] = Field(PPM, serialization_alias="weight_ppm")
    """How much the signal counts beside the others; above 0%, at most 100%."""
    baseline: Annotated[str, SignalValue()]
    """The value of a healthy model, in the signal's unit: severity 0."""
    critical: Annotated[str, SignalValue()] = Field(
        description="The value at which it is as bad as can be: severity 1. Below the baseline "
        "where lower is worse."
    )
    bucket: _Span = Field(DAY, serialization_alias="bucket_seconds")
    """Observations within this span count together."""
    window: _Span = Field(28 * DAY, serialization_alias="window_seconds")
    """How far back observations count: 1 to 512 whole buckets."""
    half_life: _Span = Field(7 * DAY, serialization_alias="half_life_seconds")
    """After this span an observation counts half."""
    breach: _Share = Field(300_000, serialization_alias="breach_ppm")
    """A bucket whose mean severity reaches this is a breach."""
    sustain: _Share = Field(500_000, serialization_alias="sustain_ppm")
    """The signal is sustained when at least this share of its buckets are breaches."""
    transient: _Share = Field(200_000, serialization_alias="transient_ppm")
    """The share of its severity that a signal counts while it is not sustained."""
    min_buckets: Annotated[int, Count(*bounds(Buckets))] = 3
    """Buckets with observations that a sustained signal needs."""
    sample_cap: _Quantity = 1_000
    """One observation never counts for more samples than this."""
    prior_samples: _Quantity = 50
    """Fresh samples that make the signal half believed; fewer count as healthier."""
    sources_needed: Annotated[int, Count(*bounds(Sources))] = 0
    """Independent sources that must agree; 0 puts all sources together. With `source_cap`: how many
    must fill a bucket before it counts."""
    source_cap: Annotated[int | None, Count(*bounds(Quantity))] = None
    """One source never counts for more samples than this in one bucket, so one alone makes up at
    most one part in `sources_needed` of it. Format policy/2 and kernel bucketed/2 only."""
    reports_every: Annotated[int | None, _SPAN] = Field(
        None,
        serialization_alias="reports_every_seconds",
        description="How often the signal is reported, for rules that look for silence; one "
        "bucket if left out. Procedure rules/2 only.",
    )
    rationale: Annotated[str | dict[str, str], SignalRationale(TEXT_CHARS_MAX)] = Field(
        "",
        description="Why this `weight`, and why these `thresholds`: baseline, critical, breach and "
        "sustain. A mapping of the two; in format policy/1 one text.",
    )


class AuthoredScoring(Authored):
    """From observations to a priority."""

    kernel: Annotated[Kernel, Choice(Kernel)] = "bucketed/1"
    """The scoring kernel; `bucketed/2` has quotas for sources, in format policy/2."""
    combine: Annotated[Combination, Choice(Combination)] = "weighted_mean"
    """How signals become one degradation."""
    impact_gain: _Gain = Field(PPM, serialization_alias="impact_gain_ppm")
    """How much a model's impact lifts its priority, 0 to 10."""
    risk_gain: _Gain = Field(500_000, serialization_alias="risk_gain_ppm")
    """How much a model's risk lifts its priority, 0 to 10."""
    signals: Annotated[list[AuthoredSignal], Entries("signal", 1, SIGNALS_PER_POLICY_MAX)]
    """How each signal counts."""


class AuthoredRule(Authored):
    """One rule."""

    id: _Segment
    """Name of the rule, for explanations and for hysteresis."""
    when: Annotated[str, _CONDITION]
    """CEL expression over the scored model, shares as `20%`; the first true rule decides."""
    hold: Annotated[str | None, _CONDITION] = None
    """CEL expression that takes the place of `when` while this rule is the one in force."""
    action: _Action
    """The action for the model."""
    tier: _ShortText = "none"
    """Escalation tier: one of `tiers`, or `none`."""
    rationale: _Text = ""
    """Why this rule."""


class AuthoredOtherwise(Authored):
    """Where no rule is true; the stored form has these beside the rules."""

    action: _Action = Field("NO_ACTION", serialization_alias="otherwise_action")
    """Action where no rule is true."""
    tier: _ShortText = Field("none", serialization_alias="otherwise_tier")
    """Tier where no rule is true."""


class AuthoredDecision(Authored):
    """From a priority to an action."""

    procedure: Annotated[Procedure, Choice(Procedure)] = Field(
        "rules/2",
        description="The decision procedure. Under rules/1 the version recorded last is in "
        "service, under rules/2 the one with the latest stated time.",
    )
    cool_down: _Hours = Field(24, serialization_alias="cool_down_hours")
    """After a deployment, retraining waits this long; whole hours."""
    max_priority_step: Annotated[int | None, Share(*bounds(Ppm), is_optional=True)] = None
    """The most that priority may change from one score to the next; `none` for no bound."""
    rules: Annotated[list[AuthoredRule], Entries("id", 0, RULES_MAX)] = Field(default_factory=list)
    """Tried in order; the first that is true decides."""
    otherwise: AuthoredOtherwise = Field(default_factory=AuthoredOtherwise)
    """Where no rule is true."""
    error_tier: _ShortText = "none"
    """Tier of the INVESTIGATE that a rule whose expression fails leads to."""


class AuthoredEvaluation(Authored):
    """When models are scored."""

    interval: _Span = Field(60, serialization_alias="interval_seconds")
    """A model is scored at most this often."""
    silence: _Span = Field(3_600, serialization_alias="silence_seconds")
    """A model without reports is scored this often, so that silence shows."""


class AuthoredTier(Authored):
    """One escalation tier."""

    name: _ShortText
    """Name of the tier, as rules use it."""
    route: _Text = ""
    """The people it reaches, and how."""
    acknowledge: _Hours = Field(0, serialization_alias="acknowledge_hours")
    """How soon it wants an answer; whole hours, `0h` for none."""
    next: Annotated[str | None, FreeText(LABEL_CHARS_MAX)] = None
    """The tier that follows where no answer comes; left out: none. Format policy/2 only."""


class AuthoredApproval(Authored):
    """Approvals in one role."""

    role: _Segment
    """The role in which they approve: a built-in one, or one of the team's own."""
    count: Annotated[int, Count(*bounds(Approvers))] = 1
    """How many persons; each person counts once, and the author never does."""


class AuthoredGovernance(Authored):
    """The people whom changes of the policy and its decisions need."""

    approvals: Annotated[list[AuthoredApproval], Entries("role", 0, APPROVALS_MAX)] = Field(
        default_factory=list
    )
    """The approvals that a version needs before it replaces this one; none if left out."""
    approval_valid: Annotated[int, Duration(1, *bounds(ApprovalSeconds))] = Field(
        30 * DAY, serialization_alias="approval_seconds"
    )
    """How long an approval counts; at most `366d`."""
    ratify_within: Annotated[int, Duration(1, *bounds(RatifySeconds))] = Field(
        3 * DAY, serialization_alias="ratify_seconds"
    )
    """How soon an activation in an emergency is ratified, at most `90d`; it ends otherwise."""
    investigate_within: _TaskSpan = Field(7 * DAY, serialization_alias="investigate_seconds")
    """How long the task of an INVESTIGATE may take; at most `366d`."""
    adjust_within: _TaskSpan = Field(14 * DAY, serialization_alias="adjust_seconds")
    """How long the task of an ADJUST_DATA_COLLECTION may take; at most `366d`."""
    review_every: Annotated[int, Duration(1, *bounds(ReviewSeconds))] = Field(
        0, serialization_alias="review_seconds"
    )
    """How often the policy is reviewed, at most `1098d` apart; `0h` for never."""


class AuthoredPolicyCriterion(Authored):
    """A condition that the jobs of the policy's models must meet at a gate."""

    gate: Annotated[GateName, Choice(GateName)]
    """The gate, which every recipe for these models then needs."""
    name: _Segment
    """The name of the criterion, for verdicts."""
    when: Annotated[str, FreeText(EXPRESSION_CHARS_MAX, minimum=1)]
    """CEL expression over whole numbers: metrics, samples, champion, candidate, cost_micros and
    attempt. The gate of each recipe must ask for the numbers that it reads."""
    rationale: _Text = ""
    """Why this limit."""


class AuthoredJobs(Authored):
    """Money, approvals, criteria and a margin for jobs, beside what their recipes ask for."""

    budget: Annotated[JobNeed, Choice(JobNeed)] = "required"
    """`required`: no job without a budget that pays for its model; `optional`: such a job is
    proposed all the same, and nothing bounds what it costs."""
    candidate_test: Annotated[JobNeed, Choice(JobNeed)] = "required"
    """`required`: a job of a plan by excess/2 has a gate `candidate`, unless `probe` is 0%;
    `optional`: it may be bought untested."""
    approvals: Annotated[list[AuthoredApproval], Entries("role", 0, APPROVALS_MAX)] = Field(
        default_factory=list
    )
    """The approvals that a job needs before it begins, also where a plan admitted it."""
    criteria: Annotated[list[AuthoredPolicyCriterion], Entries("name", 0, CRITERIA_MAX)] = Field(
        default_factory=list
    )
    """Conditions at gates; the ledger judges them beside those of the recipe."""
    margin: Annotated[int | None, Share(*bounds(GainPpm))] = Field(
        None,
        serialization_alias="margin_ppm",
        description="How far the forecast benefit of a job must exceed its forecast cost, where a "
        "plan admits it; left out: no bound.",
    )
    deployments: Annotated[Deployments, Choice(Deployments)] = "any"
    """`gated`: versions go live by jobs that passed their gates; otherwise only as the ledger
    proposed to put one back, or by a person's roll-back or emergency, with its reason. `any`: also
    as who puts them into service states."""


class AuthoredPolicy(Authored):
    """A retraining policy."""

    format: Annotated[Format, Choice(Format)]
    """The form of this document: `policy/1`, or `policy/2` with its governance."""
    title: _ShortText
    """The name of the policy for people."""
    rationale: _Text = ""
    """Why the policy is as it is."""
    scoring: AuthoredScoring
    """From observations to a priority."""
    decision: AuthoredDecision = Field(default_factory=AuthoredDecision)
    """From a priority to an action."""
    planning: AuthoredPlanning | None = None
    """Ranking the fleet; left out: no plans."""
    evaluation: AuthoredEvaluation = Field(default_factory=AuthoredEvaluation)
    """When models are scored."""
    tiers: Annotated[list[AuthoredTier], Entries("name", 0, TIERS_MAX)] = Field(
        default_factory=list
    )
    """The people that decisions reach."""
    governance: AuthoredGovernance | None = None
    """The people whom changes and decisions need. Format policy/2 only."""
    jobs: AuthoredJobs | None = None
    """Money, approvals and criteria for jobs; left out: what recipes ask for, and no budget. Format
    policy/2 only."""

    def document(self) -> PolicyDocument:
        """Return the stored form; pydantic's ValidationError where it cannot hold a value."""
        stored = self.model_dump(by_alias=True)
        decision = stored["decision"]
        decision |= decision.pop("otherwise")
        for signal in stored["scoring"]["signals"]:
            every = signal.pop("reports_every_seconds")
            if self.decision.procedure != RULES_1:
                signal["reports_every_seconds"] = every or signal["bucket_seconds"]
        if self.planning is not None:
            stored["planning"] = self.planning.stored(self.format)
        if self.format == POLICY_1:
            del stored["governance"], stored["jobs"]
            for tier in stored["tiers"]:
                del tier["next"]
            for signal in stored["scoring"]["signals"]:
                del signal["source_cap"]
        else:
            governance = self.governance or AuthoredGovernance()
            stored["governance"] = governance.model_dump(by_alias=True)
            for signal in stored["scoring"]["signals"]:
                if isinstance(signal["rationale"], str):
                    signal["rationale"] = {"weight": signal["rationale"], "thresholds": ""}
            for tier in stored["tiers"]:
                tier["next"] = NO_TIER if tier["next"] is None else tier["next"]
        return DOCUMENTS[self.format, self.decision.procedure].model_validate(stored)
