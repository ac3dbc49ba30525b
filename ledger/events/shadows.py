"""Events of a policy in shadow: it scores and decides beside the one in force, and acts on nothing.

Its scores and decisions have types and streams of their own, so that none is taken for one that
counts. A shadow is named by the position of the event that began it.
"""

from typing import ClassVar, Final, Literal

from pydantic import Field

from ledger.events.base import EventData, Hex32, Part, Position, Segment, Text, Time
from ledger.events.cases import GOVERNOR
from ledger.events.decisions import DecisionResult, ScoreResult, TimedEnvironment
from ledger.events.plans import SteppedFleet
from ledger.events.policies import ScopePart

ShadowEnd = Literal["asked", "time", "activated"]
_EVALUATOR: Final = "system/evaluator, right behind the score of the policy in force"


class PolicyShadowed(EventData):
    """A version began to run in shadow on a scope."""

    TYPE: ClassVar[str] = "shadow.begun.v1"
    STREAM: ClassVar[str] = "policies/{policy}"
    CAUSE: ClassVar[str] = "the caller of ShadowPolicy"
    METHOD: ClassVar[str] = "ShadowPolicy"
    ONCE_ERASED: ClassVar[str] = "their shadows do not run any more"

    policy: Segment
    version: int = Field(ge=1, le=1_000_000)
    digest: Hex32
    scope: ScopePart
    until: Time
    """When it ends by itself."""
    rationale: Text


class ShadowEnded(EventData):
    """A shadow ended; it scores no model from here on."""

    TYPE: ClassVar[str] = "shadow.ended.v1"
    STREAM: ClassVar[str] = "policies/{policy}"
    CAUSE: ClassVar[str] = f"the caller of EndShadow, or {GOVERNOR}"
    METHOD: ClassVar[str] = "EndShadow"
    ONCE_ERASED: ClassVar[str] = "no shadow of the policy that began before them runs"

    policy: Segment
    shadow: Position
    ground: ShadowEnd
    """It was asked for, its time was over, or its version came into force for its scope."""
    reason: Text


class ShadowScored(ScoreResult):
    """A shadow's result for one model, where and when the policy in force was scored too."""

    TYPE: ClassVar[str] = "shadow.scored.v1"
    STREAM: ClassVar[str] = "shadows/{model}"
    CAUSE: ClassVar[str] = _EVALUATOR
    ONCE_ERASED: ClassVar[str] = "the next score of the shadow is not bounded by them"

    shadow: Position


class ShadowDecided(DecisionResult):
    """The action that a shadow would have brought about, where that changed. Nothing acts on it."""

    TYPE: ClassVar[str] = "shadow.decided"
    STREAM: ClassVar[str] = "shadows/{model}"
    CAUSE: ClassVar[str] = "system/evaluator, with the score of the shadow"
    ONCE_ERASED: ClassVar[str] = (
        "where it is the newest, its shadow decides as if it never had before"
    )

    shadow: Position


class ShadowDecidedV1(ShadowDecided):
    """The action that a shadow would have brought about by procedure `rules/1`."""

    TYPE: ClassVar[str] = "shadow.decided.v1"

    procedure: Literal["rules/1"]


class ShadowDecidedV2(ShadowDecided):
    """The action that a shadow would have brought about by procedure `rules/2`."""

    TYPE: ClassVar[str] = "shadow.decided.v2"

    procedure: Literal["rules/2"]
    environment: TimedEnvironment


SHADOW_DECIDED: Final[dict[str, type[ShadowDecided]]] = {
    "rules/1": ShadowDecidedV1,
    "rules/2": ShadowDecidedV2,
}
"""The events that record a shadow's decision, by the procedure that made it."""
SHADOW_DECISION_TYPES: Final = tuple(cls.TYPE for cls in SHADOW_DECIDED.values())


class PlannedForPart(Part):
    """The policy version whose models a plan ranks."""

    policy: Segment
    version: int = Field(ge=1)
    digest: Hex32


class ShadowPlanned(SteppedFleet):
    """A plan as a shadow would have made it, of the same models under the same budget.

    Of a model in its scope the shadow's own last decision counts, of any other the one in force.
    Nothing acts on it.
    """

    TYPE: ClassVar[str] = "shadow.planned.v1"
    STREAM: ClassVar[str] = "shadow_plans/{plan}"
    CAUSE: ClassVar[str] = "the caller of MakePlan, right behind the plan"
    METHOD: ClassVar[str] = "MakePlan"
    ONCE_ERASED: ClassVar[str] = "the next plan of the shadow begins from an earlier price"

    shadow: Position
    planned_for: PlannedForPart
    """That of the plan beside it; `policy` is the version in shadow, by which it is ranked."""


SHADOW_TYPES: Final = (PolicyShadowed.TYPE, ShadowEnded.TYPE)
"""The types that begin or end a shadow."""
SHADOW_CLASSES: Final[tuple[type[EventData], ...]] = (
    PolicyShadowed,
    ShadowEnded,
    ShadowScored,
    ShadowDecidedV1,
    ShadowDecidedV2,
)
