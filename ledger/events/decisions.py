"""Events that score a model and decide what to do about it."""

from typing import ClassVar, Final, Literal

from pydantic import Field

from ledger.events.base import (
    Actor,
    Count,
    EventData,
    Hex32,
    Labels,
    Part,
    Position,
    Ppm,
    SafeInt,
    Segment,
    Text,
    Time,
)
from ledger.events.policy_document import Action, Procedure

Trigger = Literal["ingest", "schedule", "request"]


class SignalOutputPart(Part):
    """Every output of the kernel for one signal: section 6 of its page."""

    signal: Segment
    weight: Ppm
    source: Actor | Literal[""]
    observations: Count
    buckets: Count
    peak: Ppm
    magnitude: Ppm
    breaches: Count
    streak: Count
    persistence: Ppm
    freshness: Ppm
    trend: SafeInt
    sustained: bool
    effective: Ppm
    share: Ppm


class HorizonData(EventData):
    """The sources of a score or a decision: nothing else went in."""

    model: Segment
    as_of: Position
    """The last position that was read."""
    evaluated_at: Time
    model_version: Segment | None
    """The version in service; null if none was ever deployed."""
    policy: Segment
    policy_version: int = Field(ge=1)
    policy_digest: Hex32
    kernel: str
    trigger: Trigger
    historical: bool
    """True for an evaluation at a stated earlier time, which changes nothing that is in force."""


class ScoreResult(HorizonData):
    """The kernel's result for one model at one horizon, in force or in shadow."""

    degradation: Ppm
    coverage: Ppm
    raw_priority: Ppm
    priority: Ppm
    """`raw_priority`, or as near to it as the policy's bounded change allows."""
    signals: list[SignalOutputPart]


class ScoreComputed(ScoreResult):
    """The kernel's result for one model at one horizon."""

    TYPE: ClassVar[str] = "score.computed.v1"
    STREAM: ClassVar[str] = "models/{model}"
    CAUSE: ClassVar[str] = "system/evaluator, or the caller of Evaluate"
    METHOD: ClassVar[str] = "Evaluate"


class ModelFactsPart(Part):
    """The part of the model itself that rules may see."""

    owner: str
    tier: str
    labels: Labels


class EnvironmentSignalPart(SignalOutputPart):
    """A signal as rules see it: every output of the kernel, and whether it is present at all."""

    present: bool


class TimedEnvironmentSignalPart(EnvironmentSignalPart):
    """The same under procedure `rules/2`."""

    interval_hours: Count
    """How often the policy expects a report, in hours, rounded up."""


class RecordedEnvironment(Part):
    """Every value the rules could see, by the names of procedure `rules/1`."""

    priority: Ppm
    raw_priority: Ppm
    degradation: Ppm
    coverage: Ppm
    impact: Ppm
    risk: Ppm
    signals: dict[Segment, EnvironmentSignalPart]
    model: ModelFactsPart
    hours_since_deployed: SafeInt
    retrainings_30d: Count
    in_force: Action
    in_force_rule: str
    hours_in_force: SafeInt
    slo_hours_left: SafeInt


class TimedEnvironment(RecordedEnvironment):
    """Every value the rules could see, by the names of procedure `rules/2`."""

    signals: dict[Segment, TimedEnvironmentSignalPart]  # type: ignore[assignment]  # frozen: read only
    report_interval_hours: Count
    """The shortest of the signals' intervals: a version's first report is due after it."""


class OverriddenPart(Part):
    """The override in effect, and what the rules and the cool-down gave without it."""

    position: Position
    action: Action
    tier: str
    held_back: Literal["COOL_DOWN"] | None


class DecisionResult(HorizonData):
    """The action for a model at one horizon, in force or in shadow."""

    procedure: Procedure
    score_position: Position
    environment: RecordedEnvironment
    action: Action
    tier: str
    rule: str
    """The rule that matched; empty if none did."""
    reason: Literal["RULE", "OTHERWISE", "RULE_ERROR"]
    held_back: Literal["COOL_DOWN"] | None
    overridden: OverriddenPart | None
    since: Time
    """When this action came into force: the evaluation that changed to it."""


class DecisionMade(DecisionResult):
    """The action for a model, the rule that gave it, and everything that rule could see."""

    TYPE: ClassVar[str] = "decision.made"
    STREAM: ClassVar[str] = "models/{model}"
    CAUSE: ClassVar[str] = "system/evaluator, or the caller of Evaluate"
    METHOD: ClassVar[str] = "Evaluate"
    ONCE_ERASED: ClassVar[str] = (
        "where it is the newest, nothing is in force until the next evaluation"
    )


class DecisionMadeV1(DecisionMade):
    """The action for a model, the rule that gave it, and everything that rule could see."""

    TYPE: ClassVar[str] = "decision.made.v1"

    procedure: Literal["rules/1"]


class DecisionMadeV2(DecisionMade):
    """The action for a model by procedure `rules/2`, and everything its rules could see."""

    TYPE: ClassVar[str] = "decision.made.v2"

    procedure: Literal["rules/2"]
    environment: TimedEnvironment


MADE: Final[dict[str, type[DecisionMade]]] = {
    "rules/1": DecisionMadeV1,
    "rules/2": DecisionMadeV2,
}
"""The events that record a decision, by the procedure that made it."""
DECISION_TYPES: Final = tuple(cls.TYPE for cls in MADE.values())


class DecisionOverridden(EventData):
    """A person set a model's action for a time; it overrides the rules."""

    TYPE: ClassVar[str] = "decision.overridden"
    STREAM: ClassVar[str] = "models/{model}"
    CAUSE: ClassVar[str] = "the caller of OverrideDecision, a person"
    METHOD: ClassVar[str] = "OverrideDecision"
    ONCE_ERASED: ClassVar[str] = "they have no effect any more"

    model: Segment
    action: Action
    tier: str
    effective_from: Time
    effective_until: Time
    rationale: Text


class DecisionOverriddenV1(DecisionOverridden):
    """A person set a model's action for a time; it overrides the rules."""

    TYPE: ClassVar[str] = "decision.overridden.v1"


class DecisionOverriddenV2(DecisionOverridden):
    """A person set a model's action for a time, in a role; it overrides the rules."""

    TYPE: ClassVar[str] = "decision.overridden.v2"

    rationale: Text = Field(min_length=1)
    role: Segment | None
    """The role in which the person overrules, one that may; null until an administrator is named,
    as no role is held before."""


OVERRIDDEN_TYPES: Final = (DecisionOverriddenV1.TYPE, DecisionOverriddenV2.TYPE)
"""The events of an override, in every version."""
