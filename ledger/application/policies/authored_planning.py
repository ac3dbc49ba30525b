"""The part of a policy that ranks the fleet, as people write it; what may be left out says so.

Defaults depend on the planner, so values left out are filled in when a document is stored.
"""

from typing import Annotated, Any, Final

from pydantic import Field

from ledger.application.documents.authored import Authored
from ledger.application.documents.units import (
    Choice,
    Count,
    Duration,
    Entries,
    Flag,
    FreeText,
    Name,
    Share,
    bounds,
)
from ledger.events.base import Ppm
from ledger.events.policy_document import (
    Candidates,
    Format,
    GainPpm,
    Periods,
    PeriodsOrNone,
    Planner,
    Quantity,
    Ranking,
    RisePpm,
    Seconds,
    Versions,
)
from ledger.events.values import PPM
from ledger.kernel.excess import PLANNER_1, PLANNER_2
from ledger.limits import LABEL_CHARS_MAX, TEAM_SHARES_MAX
from ledger.rules.span_soundness import DECADE

_DAY: Final = 86_400
_SPAN: Final = Duration(1, *bounds(Seconds))

_Span = Annotated[int, _SPAN]
_Times = Annotated[int, Share(*bounds(GainPpm))]


class AuthoredAtMost(Authored):
    """So many jobs of a model within a span."""

    jobs: Annotated[int, Count(*bounds(Quantity))]
    """How many jobs."""
    per: _Span = Field(serialization_alias="per_seconds")
    """Within how long a span, up to the plan."""


class AuthoredTeamShare(Authored):
    """The most that a team has of the money of a plan."""

    team: Annotated[str, FreeText(LABEL_CHARS_MAX, minimum=1)]
    """The team, as models name their owner."""
    share: Annotated[int, Share(*bounds(Ppm))] = Field(serialization_alias="share_ppm")
    """Its share."""


class AuthoredPlanSteps(Authored):
    """Steps around the planner, in their order; each is left out where it does not apply."""

    cool_down: Annotated[int | None, _SPAN] = Field(
        None,
        serialization_alias="cool_down_seconds",
        description="How long a model rests after its last job, and after it was retrained "
        "otherwise.",
    )
    at_most: AuthoredAtMost | None = None
    """How often a model is retrained: so many jobs within a span."""
    concurrency: Annotated[int | None, Count(*bounds(Quantity))] = None
    """The most jobs of the fleet that are under way at once."""
    team_shares: Annotated[list[AuthoredTeamShare], Entries("team", 0, TEAM_SHARES_MAX)] = Field(
        default_factory=list
    )
    """The most that teams have of the money of a plan; a team that is left out has no bound."""
    tier_reserve: Annotated[int | None, Share(*bounds(Ppm))] = Field(
        None,
        serialization_alias="tier_reserve_ppm",
        description="The share of the money of a plan that is kept for models whose decision is at "
        "the top tier, the last of the `tiers` of its policy.",
    )
    budgets: Annotated[bool, Flag()] = False
    """Admit no more than the budgets of the models have left, their own reserves kept."""
    guaranteed_after: Annotated[int | None, _SPAN] = Field(
        None,
        serialization_alias="guaranteed_after_seconds",
        description="After this span a model that is worth its cost and loses to others comes "
        "first, one model a plan.",
    )


class AuthoredPlanning(Authored):
    """Ranking the fleet."""

    planner: Annotated[Planner | None, Choice(Planner)] = None
    """The planner; left out: `excess/2`, under policy/1 `excess/1`."""
    loss_signal: Annotated[str, Name()]
    """The signal that is each model's loss; plans count its excess over the baseline loss."""
    candidates: Annotated[Candidates, Choice(Candidates)] = "decided"
    """`decided`: only models whose action in force is SCHEDULE_RETRAINING; `all`: every model."""
    period: _Span = Field(7 * _DAY, serialization_alias="period_seconds")
    """The span one plan is for."""
    half_life: Annotated[int | None, _SPAN] = Field(
        None,
        serialization_alias="half_life_seconds",
        description="After this span excess loss counts half; left out: nine periods, under "
        "excess/1 `42d`.",
    )
    quantile: Annotated[int | None, Share(*bounds(Ppm))] = Field(
        None,
        serialization_alias="quantile_ppm",
        description="Quantile of the fleet's excess that is taken for what happens to everybody; "
        "left out: `50%`, under excess/1 `25%`.",
    )
    common: _Times = Field(PPM, serialization_alias="common_ppm")
    """How much of that common mode is subtracted."""
    min_models: Annotated[int, Count(*bounds(Quantity))] = 3
    """Models that a period needs for a common mode."""
    dead_band: _Times = Field(0, serialization_alias="dead_band_ppm")
    """Excess up to this share of the baseline is free."""
    max_periods: Annotated[int | None, Count(*bounds(Periods))] = None
    """How many periods back count; left out: 512, under excess/1 26."""
    price_up: Annotated[int, Share(*bounds(RisePpm), is_factor=True)] = Field(
        1_150_000, serialization_alias="price_up_ppm"
    )
    """Factor on the price of admission after a period that wanted more than the budget."""
    price_down: Annotated[int, Share(*bounds(Ppm), is_factor=True)] = Field(
        900_000, serialization_alias="price_down_ppm"
    )
    """Factor after any other period."""
    probe: Annotated[int | None, Share(*bounds(GainPpm))] = Field(
        None,
        serialization_alias="probe_ppm",
        description="Share of a job's cost that its candidate test costs, `0%` for no test; left "
        "out: `10%`, under excess/1 `0%`.",
    )
    reserve: Annotated[bool, Flag()] = True
    """Save for the best job rather than buy the cheaper ones after it."""
    gate: Annotated[int | None, Share(*bounds(GainPpm))] = Field(
        None,
        serialization_alias="gate_ppm",
        description="How much more than the version in service a candidate may lose in its test; "
        "left out: `10%`. Planner excess/2 only, like all that follows.",
    )
    rest_periods: Annotated[int | None, Count(*bounds(Periods))] = None
    """Periods for which a refused candidate rests its model; left out: 2."""
    reuse_versions: Annotated[int | None, Count(*bounds(Versions))] = None
    """Earlier versions that may be put back, the latest ones; 0 for none, left out: 8."""
    reuse_half_life: Annotated[int | None, _SPAN] = Field(
        None,
        serialization_alias="reuse_half_life_seconds",
        description="After this span the loss of a version counts half against another's; left "
        "out: seven tenths of a period. Two periods where labels come two or more periods late.",
    )
    reuse_periods: Annotated[int | None, Count(*bounds(Periods))] = None
    """Recent periods in which versions are compared; left out: 8."""
    reuse_prior: Annotated[int | None, Share(*bounds(GainPpm), is_factor=True)] = Field(
        None,
        serialization_alias="reuse_prior_ppm",
        description="Evidence that a change needs: in as many whole periods an advantage counts "
        "half; left out: 1.",
    )
    reuse_margin: Annotated[int | None, Share(*bounds(Ppm))] = Field(
        None,
        serialization_alias="reuse_margin_ppm",
        description="How much less the version must have lost that is put back; left out: `2%`.",
    )
    season_periods: Annotated[int | None, Count(*bounds(PeriodsOrNone))] = None
    """A year in periods, where the fleet has a yearly round and data of more than one; left out: 0,
    for none."""
    season: Annotated[int | None, Share(*bounds(GainPpm))] = Field(
        None,
        serialization_alias="season_ppm",
        description="The weight of the same season a year ago beside the last period; left out: "
        "`30%`.",
    )
    ranking: Annotated[Ranking | None, Choice(Ranking)] = None
    """By what a plan takes models in: `excess`, the rank of the planner, against its price;
    `priority`, the newest score; `benefit_per_cost`, the forecast of the next job. Left out:
    `excess`."""
    steps: AuthoredPlanSteps | None = None
    """Bounds of a plan beside its budget, and models that it makes room for; left out: what the
    planner admits is the plan."""

    def stored(self, policy_format: Format) -> dict[str, Any]:
        """Return the stored form, with what was left out as the planner's page has it."""
        planner = self.planner_of(policy_format)
        defaults = _PLANNED_1
        if planner == PLANNER_2:
            defaults = _PLANNED_2 | {
                "half_life_seconds": min(9 * self.period, DECADE),
                "reuse_half_life_seconds": min(max(1, 7 * self.period // 10), DECADE),
            }
        given = self.model_dump(by_alias=True)
        said = {
            name: defaults.get(name) if value is None else value for name, value in given.items()
        }
        said["planner"] = planner
        if self.steps == AuthoredPlanSteps():
            said["steps"] = None
        if said["ranking"] in (None, "excess"):
            del said["ranking"]
        if planner == PLANNER_1:
            for name in REUSING:
                said.pop(AuthoredPlanning.model_fields[name].serialization_alias or name, None)
        return said

    def planner_of(self, policy_format: Format) -> Planner:
        """Return the planner that is meant under a format."""
        return self.planner or (PLANNER_1 if policy_format == "policy/1" else PLANNER_2)


REUSING: Final = tuple(AuthoredPlanning.model_fields)[
    tuple(AuthoredPlanning.model_fields).index("gate") :
]
"""The values that planner `excess/1` does not have."""
_PLANNED_1: Final[dict[str, Any]] = {
    "half_life_seconds": 42 * _DAY,
    "quantile_ppm": 250_000,
    "max_periods": 26,
    "probe_ppm": 0,
}
_PLANNED_2: Final[dict[str, Any]] = {
    "quantile_ppm": 500_000,
    "max_periods": 512,
    "probe_ppm": 100_000,
    "gate_ppm": 100_000,
    "rest_periods": 2,
    "reuse_versions": 8,
    "reuse_periods": 8,
    "reuse_prior_ppm": PPM,
    "reuse_margin_ppm": 20_000,
    "season_periods": 0,
    "season_ppm": 300_000,
}
