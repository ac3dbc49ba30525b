"""The human form of a policy as one table: names, units, defaults and what each value means.

Reading, writing and the JSON Schema all follow this table, so they cannot disagree. Left: the name
people write; `stored`: the name in `ledger.events.policy_document`. Ranges are those of
`docs/spec/kernel_v1.md` and `docs/spec/planner_v1.md`.
"""

from dataclasses import dataclass
from typing import Final, get_args

from ledger.application.policies.units import (
    Choice,
    Count,
    Duration,
    Expression,
    Flag,
    Kind,
    Measure,
    Name,
    Prose,
    Share,
)
from ledger.events.base import PPM
from ledger.events.policy_document import Action, Procedure
from ledger.limits import LABEL_CHARS_MAX, RULES_MAX, SIGNALS_PER_POLICY_MAX, TEXT_CHARS_MAX

BUCKETS_MAX: Final = 512  # of one signal's window, by docs/spec/kernel_v1.md
EXPRESSION_CHARS_MAX: Final = 2_000
TIERS_MAX: Final = 32


@dataclass(frozen=True, slots=True)
class Value:
    """One value. `default`: the text that counts where it is left out; None: required."""

    name: str
    stored: str
    kind: Kind
    meaning: str
    default: str | None = None
    is_nullable: bool = False
    """True where leaving the value out means null."""


@dataclass(frozen=True, slots=True)
class Group:
    """A mapping. `prefix`: its values are stored in the parent, under names that begin so."""

    name: str
    entries: tuple["Entry", ...]
    meaning: str
    is_nullable: bool = False
    """True where leaving the group out means null; otherwise it means all its defaults."""
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Items:
    """A list of mappings, told apart by one of their values."""

    name: str
    entries: tuple["Entry", ...]
    meaning: str
    key: str
    minimum: int
    maximum: int


Entry = Value | Group | Items

_PROSE: Final = Prose(TEXT_CHARS_MAX)
_SHORT: Final = Prose(LABEL_CHARS_MAX)
_EXPRESSION: Final = Expression(EXPRESSION_CHARS_MAX, minimum=1)
_SPAN: Final = Duration(1, 1, 10**10)
_HOURS: Final = Duration(3_600, 0, 1_000_000)
_GAIN: Final = Share(0, 10 * PPM, is_factor=True)
_TIMES: Final = Share(0, 10 * PPM)
_ACTION: Final = Choice(get_args(Action))

_SIGNAL: Final = (
    Value("signal", "signal", Name(), "Name of the signal, as DefineSignal gave it."),
    Value(
        "weight",
        "weight_ppm",
        Share(1, PPM),
        "How much the signal counts beside the others; above 0%, at most 100%.",
        "100%",
    ),
    Value(
        "baseline",
        "baseline",
        Measure(),
        "The value of a healthy model, in the signal's unit: severity 0.",
    ),
    Value(
        "critical",
        "critical",
        Measure(),
        "The value at which it is as bad as can be: severity 1. Below the baseline where lower "
        "is worse.",
    ),
    Value("bucket", "bucket_seconds", _SPAN, "Observations within this span count together.", "1d"),
    Value(
        "window",
        "window_seconds",
        _SPAN,
        "How far back observations count: 1 to 512 whole buckets.",
        "28d",
    ),
    Value(
        "half_life",
        "half_life_seconds",
        _SPAN,
        "After this span an observation counts half.",
        "7d",
    ),
    Value(
        "breach",
        "breach_ppm",
        Share(),
        "A bucket whose mean severity reaches this is a breach.",
        "30%",
    ),
    Value(
        "sustain",
        "sustain_ppm",
        Share(),
        "The signal is sustained when at least this share of its buckets are breaches.",
        "50%",
    ),
    Value(
        "transient",
        "transient_ppm",
        Share(),
        "What a signal that is not sustained counts of its severity.",
        "20%",
    ),
    Value(
        "min_buckets",
        "min_buckets",
        Count(1, BUCKETS_MAX),
        "Buckets with observations that a sustained signal needs.",
        "3",
    ),
    Value(
        "sample_cap",
        "sample_cap",
        Count(1, 1_000_000),
        "One observation never counts for more samples than this.",
        "1000",
    ),
    Value(
        "prior_samples",
        "prior_samples",
        Count(1, 1_000_000),
        "Fresh samples that make the signal half believed; fewer count as healthier.",
        "50",
    ),
    Value(
        "sources_needed",
        "sources_needed",
        Count(0, 100),
        "Independent sources that must agree; 0 puts all sources together.",
        "0",
    ),
    Value(
        "reports_every",
        "reports_every_seconds",
        _SPAN,
        "How often the signal is reported, for rules that look for silence; one bucket if left "
        "out. Procedure rules/2 only.",
        is_nullable=True,
    ),
    Value("rationale", "rationale", _PROSE, "Why this weight and these limits.", ""),
)

_RULE: Final = (
    Value("id", "id", Name(), "Name of the rule, for explanations and for hysteresis."),
    Value(
        "when",
        "when",
        _EXPRESSION,
        "CEL expression over the scored model, shares as `20%`; the first true rule decides.",
    ),
    Value(
        "hold",
        "hold",
        _EXPRESSION,
        "CEL expression that takes the place of `when` while this rule is the one in force.",
        is_nullable=True,
    ),
    Value("action", "action", _ACTION, "What to do about the model."),
    Value("tier", "tier", _SHORT, "Escalation tier: one of `tiers`, or `none`.", "none"),
    Value("rationale", "rationale", _PROSE, "Why this rule.", ""),
)

_OTHERWISE: Final = (
    Value("action", "action", _ACTION, "Action where no rule is true.", "NO_ACTION"),
    Value("tier", "tier", _SHORT, "Tier where no rule is true.", "none"),
)

_DECISION: Final = (
    Value(
        "procedure",
        "procedure",
        Choice(get_args(Procedure)),
        "The decision procedure. Under rules/1 the version recorded last is in service, under "
        "rules/2 the one with the latest stated time.",
        "rules/2",
    ),
    Value(
        "cool_down",
        "cool_down_hours",
        _HOURS,
        "After a deployment, retraining waits this long; whole hours.",
        "24h",
    ),
    Value(
        "max_priority_step",
        "max_priority_step",
        Share(is_optional=True),
        "The most that priority may change from one score to the next; `none` for no bound.",
        "none",
    ),
    Items("rules", _RULE, "Tried in order; the first that is true decides.", "id", 0, RULES_MAX),
    Group("otherwise", _OTHERWISE, "Where no rule is true.", prefix="otherwise_"),
    Value(
        "error_tier",
        "error_tier",
        _SHORT,
        "Tier of the INVESTIGATE that a rule whose expression fails leads to.",
        "none",
    ),
)

_SCORING: Final = (
    Value("kernel", "kernel", Choice(("bucketed/1",)), "The scoring kernel.", "bucketed/1"),
    Value(
        "combine",
        "combine",
        Choice(("weighted_mean", "noisy_or", "max")),
        "How signals become one degradation.",
        "weighted_mean",
    ),
    Value(
        "impact_gain",
        "impact_gain_ppm",
        _GAIN,
        "How much a model's impact lifts its priority, 0 to 10.",
        "1",
    ),
    Value(
        "risk_gain",
        "risk_gain_ppm",
        _GAIN,
        "How much a model's risk lifts its priority, 0 to 10.",
        "0.5",
    ),
    Items("signals", _SIGNAL, "How each signal counts.", "signal", 1, SIGNALS_PER_POLICY_MAX),
)

_PLANNING: Final = (
    Value("planner", "planner", Choice(("excess/1",)), "The planner.", "excess/1"),
    Value(
        "loss_signal",
        "loss_signal",
        Name(),
        "The signal that is each model's loss; plans count its excess over the baseline loss.",
    ),
    Value(
        "candidates",
        "candidates",
        Choice(("decided", "all")),
        "`decided`: only models whose action in force is SCHEDULE_RETRAINING; `all`: every model.",
        "decided",
    ),
    Value("period", "period_seconds", _SPAN, "The span one plan is for.", "7d"),
    Value(
        "half_life", "half_life_seconds", _SPAN, "After this span excess loss counts half.", "42d"
    ),
    Value(
        "quantile",
        "quantile_ppm",
        Share(),
        "Quantile of the fleet's excess that is taken for what happens to everybody.",
        "25%",
    ),
    Value("common", "common_ppm", _TIMES, "How much of that common mode is subtracted.", "100%"),
    Value(
        "min_models",
        "min_models",
        Count(1, 1_000_000),
        "Models that a period needs for a common mode.",
        "3",
    ),
    Value(
        "dead_band",
        "dead_band_ppm",
        _TIMES,
        "Excess up to this share of the baseline is free.",
        "0%",
    ),
    Value("max_periods", "max_periods", Count(1, 10_000), "How many periods back count.", "26"),
    Value(
        "price_up",
        "price_up_ppm",
        Share(PPM, 10 * PPM, is_factor=True),
        "Factor on the price of admission after a period that wanted more than the purse.",
        "1.15",
    ),
    Value(
        "price_down",
        "price_down_ppm",
        Share(is_factor=True),
        "Factor after any other period.",
        "0.9",
    ),
    Value(
        "probe",
        "probe_ppm",
        _TIMES,
        "Share of a job's cost that its candidate test costs; 0% for no test.",
        "0%",
    ),
    Value(
        "reserve",
        "reserve",
        Flag(),
        "Save for the best job rather than buy the cheaper ones after it.",
        "true",
    ),
)

_EVALUATION: Final = (
    Value("interval", "interval_seconds", _SPAN, "A model is scored at most this often.", "1m"),
    Value(
        "silence",
        "silence_seconds",
        _SPAN,
        "A model without reports is scored this often, so that silence shows.",
        "1h",
    ),
)

_TIER: Final = (
    Value("name", "name", _SHORT, "Name of the tier, as rules use it."),
    Value("route", "route", _PROSE, "Whom it reaches and how.", ""),
    Value(
        "acknowledge",
        "acknowledge_hours",
        _HOURS,
        "How soon it wants an answer; whole hours, `0h` for none.",
        "0h",
    ),
)

POLICY: Final = Group(
    "policy",
    (
        Value("format", "format", Choice(("policy/1",)), "The form of this document: `policy/1`."),
        Value("title", "title", _SHORT, "What people call the policy."),
        Value("rationale", "rationale", _PROSE, "Why the policy is as it is.", ""),
        Group("scoring", _SCORING, "From observations to a priority."),
        Group("decision", _DECISION, "From a priority to an action."),
        Group("planning", _PLANNING, "Ranking the fleet; left out: no plans.", is_nullable=True),
        Group("evaluation", _EVALUATION, "When models are scored."),
        Items("tiers", _TIER, "Whom decisions reach.", "name", 0, TIERS_MAX),
    ),
    "A retraining policy.",
)
