"""Which model next, as the client hands it out: ranks, plans and projections.

Conventions are those of `records`; numbers that end in `_ppm` are parts per million.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ledger.client.enums import (
    Action,
    JobOutcome,
    JobState,
    PlanOutcome,
    ProjectionState,
    RebuildOutcome,
)
from ledger.client.hashes import hex_repr
from ledger.client.records import Appended


@dataclass(frozen=True, slots=True)
class PriorityChange:
    """How a model compares with an earlier position or time, and what moved it."""

    previous_rank: int
    previous_priority_ppm: int | None
    previous_action: Action | None
    why: str


@dataclass(frozen=True, slots=True)
class PriorityDeparture:
    """A model that was in the fleet at the earlier moment and no longer is."""

    model: str
    previous_rank: int
    why: str


@dataclass(frozen=True, slots=True)
class PriorityContribution:
    """One signal's part in a model's last score."""

    signal: str
    points_ppm: int
    share_ppm: int
    effective_ppm: int
    magnitude_ppm: int
    trend_ppm: int
    sustained: bool


@dataclass(frozen=True, slots=True)
class Priority:
    """The place of one model in the fleet."""

    name: str
    model: str
    rank: int
    priority_ppm: int | None
    """None if it was never scored."""
    raw_priority_ppm: int
    degradation_ppm: int
    coverage_ppm: int
    action: Action | None
    tier: str
    rule: str
    since: datetime | None
    top_signal: str
    evaluated_at: datetime | None
    score_position: int
    decision: str
    model_version: str
    owner: str
    labels: Mapping[str, str]
    plan: str
    plan_place: int
    plan_outcome: PlanOutcome | None
    plan_reason: str
    changed_position: int
    change: PriorityChange | None
    """How it moved, where the request states `since`."""
    contributions: tuple[PriorityContribution, ...]
    policy: str
    policy_version: int
    run_id: str


@dataclass(frozen=True, slots=True)
class Priorities:
    """The fleet by rank, and the position it shows."""

    priorities: tuple[Priority, ...]
    position: int
    recorded_at: datetime | None
    left: tuple[PriorityDeparture, ...] = ()
    """Models that left the fleet since the moment of `since`."""


@dataclass(frozen=True, slots=True)
class PriorityUpdate:
    """Rows that changed and models that left; resume after `position`."""

    changed: tuple[Priority, ...]
    removed: tuple[str, ...]
    position: int
    caught_up: bool


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One model's place in a plan's backlog."""

    model: str
    place: int
    outcome: PlanOutcome
    reason: str
    rank_ppm: int
    gain: int
    benefit_micros: int
    cost_micros: int
    unit_value_micros: int
    baseline_nano: int
    trained_period: int
    rest_until_period: int
    model_version: str
    action_in_force: Action | None
    seen: bool
    resting: bool
    team: str
    """The owner of the model; empty before planner `excess/2`, like all that follows."""
    is_top_tier: bool
    budget: str
    """The budget that pays for its jobs; empty for none in the unit of the plan."""
    recent_jobs: int | None
    """Its jobs within the span of the step `at_most`; None without that step."""
    idle_since: datetime | None
    """When its last job was over, or a retrained version began to serve."""
    losing_since: datetime | None
    """The time of the plan since which it is worth its cost and left out for others."""
    error_ppm: int | None
    """How far its newest loss is above its baseline; None if it was not observed."""
    priority_ppm: int | None
    """Its newest score; None without one, or where the plan is not ranked by priority."""
    forecast_benefit_micros: int | None
    """The forecast of its next job; None where the plan is not ranked by that."""
    forecast_cost_micros: int | None
    test_micros: int | None
    """The cost of its candidate's test, counted beside its cost; None before `excess/2`."""


@dataclass(frozen=True, slots=True)
class PlanBudget:
    """A budget that pays for models of a plan as of that: its envelopes for jobs and for tests."""

    budget: str
    free_micros: int
    kept_micros: int
    """Kept for the top tier, out of what is free."""
    cap_micros: int
    reserved_micros: int
    spent_micros: int
    tests_free_micros: int
    tests_cap_micros: int
    tests_reserved_micros: int
    tests_spent_micros: int


@dataclass(frozen=True, slots=True)
class PlanMode:
    """The fleet's common movement in one period."""

    period: int
    mode_ppm: int


@dataclass(frozen=True, slots=True)
class PlanStepChange:
    """A model whose outcome a step around the planner changed."""

    model: str
    before: PlanOutcome
    after: PlanOutcome


@dataclass(frozen=True, slots=True)
class PlanStep:
    """A step around the planner that the policy has, with all that it changed."""

    step: str
    changed: tuple[PlanStepChange, ...]


@dataclass(frozen=True, slots=True)
class PlanJob:
    """A job that was proposed by a plan, as it was when the plan was asked for."""

    name: str
    model: str
    job: str
    state: JobState | None
    """None where the body of an event of it is gone."""
    outcome: JobOutcome | None


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole ranked backlog for one period under one budget; lists leave the backlog out."""

    name: str
    plan: str
    backlog: tuple[PlanRow, ...]
    admitted: int
    as_of_position: int
    made_at: datetime
    policy: str
    policy_version: int
    policy_digest: str
    planner: str
    inputs_digest: str
    period: int
    budget_micros: int
    budget_cap_micros: int
    price_before_ppm: int | None
    price_ppm: int
    next_price_ppm: int
    demand_micros: int
    budget_left_micros: int
    modes: tuple[PlanMode, ...]
    position: int
    steps: tuple[PlanStep, ...]
    """The steps around the planner that the policy has; none before planner `excess/2`."""
    steps_digest: str
    jobs_under_way: int
    budgets: tuple[PlanBudget, ...]
    """The budgets that rows name."""
    ranking: str
    """By what models were taken in: `excess`, `priority` or `benefit_per_cost`."""
    jobs: tuple[PlanJob, ...] = ()
    """The jobs that were proposed by it so far, where one plan was asked for."""


@dataclass(frozen=True, slots=True)
class MadePlan:
    """A plan as recorded."""

    appended: Appended
    plan: Plan


@dataclass(frozen=True, slots=True)
class ToldPlanSchedule:
    """A schedule by which plans of a policy are made by the clock."""

    name: str
    policy: str
    every_seconds: int
    budget_micros: int
    """The budget of its first plan, which each period of the policy adds later."""
    budget_cap_micros: int
    next_at: datetime
    """From when on its next plan is due, by the ledger's time."""
    newest_plan: str
    """Empty before the first."""
    reason: str
    position: int
    recipe: str
    """By which the service proposes the jobs of its plans; empty where people do."""


@dataclass(frozen=True, slots=True)
class PlanOperation:
    """A plan in the making; `appended` and `plan` once it is done."""

    name: str
    done: bool
    models: int
    """0 until they are counted."""
    models_read: int
    models_ranked: int
    appended: Appended | None
    plan: Plan | None

    @property
    def made(self) -> MadePlan:
        """The plan as recorded, of one that is done."""
        assert self.appended is not None, "it is not done"
        assert self.plan is not None, "it is not done"
        return MadePlan(self.appended, self.plan)


@dataclass(frozen=True, slots=True)
class ComparedVersion:
    """An earlier version held against the one in service; sums are those of the planner."""

    model_version: str
    n: int
    den: int
    adv: int
    advantage_ppm: int | None


@hex_repr
@dataclass(frozen=True, slots=True)
class ReuseProposal:
    """An earlier version of a model that is to serve again, and why."""

    name: str
    model: str
    in_service: str
    put_back: str
    compared: tuple[ComparedVersion, ...]
    reason: str
    as_of_position: int
    made_at: datetime
    policy: str
    policy_version: int
    inputs_digest: str
    position: int


@dataclass(frozen=True, slots=True)
class ProposedReuse:
    """Proposals to put versions back, as recorded."""

    appended: Appended
    proposals: tuple[ReuseProposal, ...]


@hex_repr
@dataclass(frozen=True, slots=True)
class Projection:
    """How far a read model is; `state_digest` holds at `tracking_position`."""

    name: str
    projection: str
    state: ProjectionState
    tracking_position: int
    head_position: int
    state_digest: bytes
    rows: int
    quarantined: int
    problem: str
    stored_position: int
    rebuilt_position: int
    generation: int
    version: int
    applied: int


@hex_repr
@dataclass(frozen=True, slots=True)
class ProjectionRebuild:
    """How a rebuild ended, and how live and rebuilt state compare."""

    position: int
    live_digest: bytes
    rebuilt_digest: bytes
    outcome: RebuildOutcome
    problem: str
    events: int
    duration_seconds: float


@dataclass(frozen=True, slots=True)
class RebuiltProjection:
    """A projection after a rebuild."""

    projection: Projection
    rebuild: ProjectionRebuild
