"""Events by which an earlier version of a model is to serve again: proposed, or asked for."""

from typing import Annotated, ClassVar

from pydantic import Field

from ledger.events.base import (
    BigInt,
    EventData,
    Hex32,
    Part,
    Position,
    SafeInt,
    Segment,
    Text,
    Time,
)


class ComparedVersionPart(Part):
    """An earlier version held against the one in service: the sums of the planner's page."""

    model_version: Segment
    n: BigInt
    den: BigInt
    adv: BigInt
    advantage_ppm: BigInt | None
    """How much less it lost lately, for the evidence that there is; null where none is defined."""


class ReuseProposed(EventData):
    """An earlier version of a model did better lately than the one in service: put it back.

    The deployment that follows is of kind `reinstated`, and is recorded by who carries it out.
    """

    TYPE: ClassVar[str] = "reuse.proposed.v1"
    STREAM: ClassVar[str] = "reuse/{model}"
    CAUSE: ClassVar[str] = "the caller of ProposeReuse, or of MakePlan before the plan"
    METHOD: ClassVar[str] = "ProposeReuse"
    ONCE_ERASED: ClassVar[str] = (
        "plans take the version that was put back for that of the whole period"
    )

    model: Segment
    as_of: Position
    made_at: Time
    policy: Segment
    policy_version: int = Field(ge=1)
    policy_digest: Hex32
    inputs_digest: Hex32
    """SHA-256 of the canonical JSON of all that was compared, as the planner's page has it."""
    now_period: SafeInt
    in_service: Segment
    put_back: Segment
    compared: Annotated[list[ComparedVersionPart], Field(min_length=1, max_length=100)]
    """Every version that counts, in the order in which they left service; also what is put back."""
    reason: Text


class RollBackAsked(EventData):
    """A person asks that an earlier version of a model serves again, or takes that back.

    It is offered to executors like what the ledger proposed, until any version of the model is
    recorded as deployed.
    """

    TYPE: ClassVar[str] = "roll_back.asked.v1"
    STREAM: ClassVar[str] = "roll_backs/{model}"
    CAUSE: ClassVar[str] = "the caller of RollBackModel: a person"
    METHOD: ClassVar[str] = "RollBackModel"
    KEEPS_BODY: ClassVar[bool] = True

    model: Segment
    in_service: Segment | None
    """The version that serves, in whose place; null where nothing is to be put back."""
    put_back: Segment | None
    """The version that is to serve again; null: what was asked before is withdrawn."""
    reason: Text
