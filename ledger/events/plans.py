"""The event that ranks the fleet under a budget."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from ledger.events.base import (
    BigInt,
    Count,
    EventData,
    Hex32,
    Part,
    Position,
    Ppm,
    SafeInt,
    Segment,
    ShortText,
    Text,
    Time,
)
from ledger.events.policy_document import Action, Planner, Ranking
from ledger.limits import BUDGET_PERIOD_SECONDS_MAX, BUDGET_PERIOD_SECONDS_MIN

PlannerOutcome = Literal[
    "admitted",
    "resting",
    "too_dear",
    "saving",
    "over_purse",
    "below_price",
    "no_evidence",
    "in_progress",
    "not_decided",
]
"""The outcome of a planner for a model."""
StepOutcome = Literal[
    "cooling_down",
    "at_most",
    "at_concurrency",
    "over_team_share",
    "tier_reserved",
    "budget_short",
    "budget_saved",
]
"""Why a step around the planner left out a model that the planner would have taken."""
PlanOutcome = Literal[PlannerOutcome, StepOutcome]
StepName = Literal[
    "ranking",
    "cool_down",
    "at_most",
    "concurrency",
    "team_shares",
    "tier_reserve",
    "budgets",
    "guaranteed_after",
]


class PlanRowPart(Part):
    """One model's place in the backlog, what it rests on, and why it was or was not admitted."""

    model: Segment
    rank: BigInt
    gain: BigInt
    benefit_micros: BigInt
    cost_micros: BigInt
    unit_value_micros: BigInt
    baseline_nano: BigInt
    trained_period: SafeInt
    rest_until: SafeInt
    model_version: Segment
    action_in_force: Action
    seen: bool
    resting: bool
    outcome: PlannerOutcome
    reason: Text
    """The outcome in a sentence, with the numbers that led to it."""


class SteppedRowPart(PlanRowPart):
    """The same, where steps around the planner may have changed the outcome."""

    outcome: PlanOutcome  # type: ignore[assignment]  # frozen: read only
    model_version: Segment
    """The version in service, or the one that is decided to be put back, with its baseline."""
    team: ShortText
    """The owner of the model."""
    is_top_tier: bool
    """Whether its decision in force is at the top tier of its policy."""
    budget: Segment | None
    """The budget that pays for its jobs, where that is in the unit of the plan."""
    test_micros: BigInt
    """The cost of the test of its candidate that was counted beside its cost."""
    recent_jobs: Count | None
    """Its jobs within the span of `at_most`; null where the policy has no such step."""
    idle_since: Time | None
    """The end of its last job, or the begin of service of a retrained version, if that is later."""
    error: BigInt | None
    """How far its newest loss is above its baseline, in ppm of that; null if it was not observed.

    The rank goes by what excess costs since the last training, so a worse error may rank lower.
    """
    priority: Ppm | None
    """Its newest score; null where it has none, or the plan is not ranked by priority."""
    forecast_benefit_micros: BigInt | None
    """The benefit and the cost of its next job by the jobs before; null where the plan is not
    ranked by them."""
    forecast_cost_micros: BigInt | None
    losing_since: Time | None
    """The plan since which it is worth its cost and left out for others; null if it is not."""


class PlanBudgetPart(Part):
    """A budget that pays for models of the plan, as of its horizon and time.

    Its envelope `jobs`, and in the members that begin with `tests` that for tests of candidates.
    """

    budget: Segment
    free_micros: BigInt
    kept_micros: BigInt
    """Kept for the top tier, out of what is free."""
    cap_micros: BigInt
    """The most that can ever be free."""
    reserved_micros: BigInt
    spent_micros: BigInt
    tests_free_micros: BigInt
    tests_cap_micros: BigInt
    tests_reserved_micros: BigInt
    tests_spent_micros: BigInt


class StepChangePart(Part):
    """A model whose outcome a step changed."""

    model: Segment
    before: PlanOutcome
    after: PlanOutcome


class PlanStepPart(Part):
    """A step around the planner that the policy has, and all that it changed."""

    step: StepName
    changed: Annotated[list[StepChangePart], Field(max_length=20_000)]


class PlanModePart(Part):
    """The fleet's common mode of one period."""

    period: SafeInt
    mode: BigInt


class PlannedFleet(EventData):
    """The whole ranked backlog of a period under a budget, and the digest of all that was read."""

    plan: Segment
    as_of: Position
    made_at: Time
    policy: Segment
    policy_version: int = Field(ge=1)
    policy_digest: Hex32
    planner: Planner
    inputs_digest: Hex32
    """SHA-256 of the canonical JSON of all that the planner read, as its page has it."""
    now_period: SafeInt
    purse_micros: BigInt
    purse_cap_micros: BigInt
    price_before: BigInt | None
    """`next_price` of the last plan of an earlier period; null if there is none."""
    price: BigInt
    next_price: BigInt
    demand_micros: BigInt
    purse_left_micros: BigInt
    modes: list[PlanModePart]
    backlog: Annotated[list[PlanRowPart], Field(max_length=20_000)]


class SteppedFleet(PlannedFleet):
    """The whole ranked backlog of a period, after the steps around its planner."""

    backlog: Annotated[list[SteppedRowPart], Field(max_length=20_000)]  # type: ignore[assignment]  # frozen: read only
    ranking: Ranking
    """By what models were taken in; the backlog is in that order."""
    under_way: Count
    """The jobs of models in scope, or proposed under the policy, that were not over."""
    budgets: list[PlanBudgetPart]
    """The budgets that rows name, by name."""
    steps: list[PlanStepPart]
    """The steps that the policy has, in their order."""
    steps_digest: Hex32
    """SHA-256 of the canonical JSON of all that the steps read, as their page has it."""


class PlanMade(PlannedFleet):
    """The whole ranked backlog of a period under a budget, and the digest of all that was read."""

    TYPE: ClassVar[str] = "plan.made"
    STREAM: ClassVar[str] = "plans/{plan}"
    CAUSE: ClassVar[str] = "the caller of MakePlan, or system/governor by a schedule"
    METHOD: ClassVar[str] = "MakePlan"
    ONCE_ERASED: ClassVar[str] = (
        "where it is the newest, no model has a place in a plan until the next one"
    )


class PlanMadeV1(PlanMade):
    """The whole ranked backlog of a period under a budget, and the digest of all that was read."""

    TYPE: ClassVar[str] = "plan.made.v1"

    planner: Literal["excess/1"]


class PlanMadeV2(SteppedFleet, PlanMade):
    """The same by planner `excess/2`, which tests candidates and puts versions back."""

    TYPE: ClassVar[str] = "plan.made.v2"

    planner: Literal["excess/2"]
    second_to: Position | None
    """The first plan of its period, where it is made again for the money that tests left."""


MADE_PLANS: Final[dict[Planner, type[PlanMade]]] = {
    "excess/1": PlanMadeV1,
    "excess/2": PlanMadeV2,
}
"""The events that record a plan, by the planner that made it."""
PLAN_TYPES: Final = tuple(cls.TYPE for cls in MADE_PLANS.values())


class PlanScheduled(EventData):
    """Plans by a policy are made by the clock from now on, under a stated budget, or no more."""

    TYPE: ClassVar[str] = "plan.scheduled.v1"
    STREAM: ClassVar[str] = "plan_schedules/{policy}"
    CAUSE: ClassVar[str] = "the caller of SchedulePlans"
    METHOD: ClassVar[str] = "SchedulePlans"
    ONCE_ERASED: ClassVar[str] = "no plan is made by it any more"

    policy: Segment
    since: Time
    """The ledger's time: a plan is due at each whole multiple of the span that comes after it."""
    every_seconds: Annotated[
        int | None, Field(ge=BUDGET_PERIOD_SECONDS_MIN, le=BUDGET_PERIOD_SECONDS_MAX)
    ]
    """null: no plan is made by the clock any more."""
    purse_micros: BigInt
    """The money of its first plan; later each period of the policy adds so much to what is left."""
    purse_cap_micros: BigInt
    """The most that is saved up."""
    recipe: Segment | None
    """By which the governor proposes the job of each model that its plans admit; null: people do.

    A model whose description names a recipe of the ledger has its job by that one.
    """
    reason: Text
