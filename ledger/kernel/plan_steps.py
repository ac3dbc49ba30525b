"""The steps around a planner: the bounds of a plan beside its budget.

Their page is `docs/plans.md`. The planner ranks the fleet and says what is wanted; the steps that a
policy has follow in the order of `STEPS`. After each the wanted are walked again with all that the
steps so far hold back, so that money which one model may not have goes to the next; a step has
changed what comes out otherwise than without it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple, get_args

from ledger.events.plans import PlanOutcome, StepName, StepOutcome
from ledger.events.policy_document import AtMostPart, PlanStepsPart, TeamSharePart
from ledger.events.values import PPM, SECOND
from ledger.kernel.excess import (
    BacklogRow,
    Limit,
    PlanInputs,
    PlanModel,
    PlanResult,
    need_of,
    walk,
)
from ledger.kernel.ranking import Ranked

STEPS: Final[tuple[StepName, ...]] = get_args(StepName)
"""The steps in their order, each named as the policy names it."""
STEP_OUTCOMES: Final[frozenset[str]] = frozenset(get_args(StepOutcome))


@dataclass(frozen=True, slots=True)
class StepFacts:
    """One model as steps see it."""

    team: str
    is_top_tier: bool
    budget: str | None
    """The budget that pays for its jobs, where that is in the unit of the plan."""
    recent_jobs: int | None
    """Its jobs within the span of `at_most`; None without such a step."""
    idle_since: int | None
    """When its last job was over, or a retrained version began to serve; None if never."""
    losing_since: int | None
    """Since when it lost, up to the plan before, and had no job since; None if it did not lose."""


@dataclass(frozen=True, slots=True)
class BudgetLeft:
    """A budget at the time of a plan: its envelope for jobs, and that for tests of candidates."""

    name: str
    free_micros: int
    kept_micros: int
    """Kept for the top tier, out of what is free."""
    cap_micros: int
    tests_free_micros: int
    tests_cap_micros: int


@dataclass(frozen=True, slots=True)
class StepInputs:
    """All that the steps read beside what the planner read."""

    terms: PlanStepsPart | None
    ranked: Ranked
    made_at: int
    under_way: int
    """The jobs of models in scope that are not over."""
    models: Mapping[str, StepFacts]
    budgets: Mapping[str, BudgetLeft]
    """Those that models name."""


class OutcomeChange(NamedTuple):
    """The outcome of a model without a step, and with it."""

    model: str
    before: PlanOutcome
    after: PlanOutcome


@dataclass(frozen=True, slots=True)
class SteppedPlan:
    """A plan as its steps left it."""

    outcomes: Mapping[str, PlanOutcome]
    """Of each model, in the order of the backlog."""
    purse_left_micros: int
    changes: tuple[tuple[StepName, tuple[OutcomeChange, ...]], ...]
    """Of each step that the policy has, by the order of the backlog."""
    losing: Mapping[str, int]
    """Since when each model loses that lost in this plan."""
    guaranteed: str | None
    """The model whose turn was guaranteed, if any."""


class _CoolDown:
    """A model rests after its last job."""

    def __init__(self, seconds: int, by: StepInputs, _: PlanInputs) -> None:
        self._by = by
        self._span = seconds * SECOND

    def refuses(self, model: PlanModel, _need: int) -> StepOutcome | None:
        since = self._by.models[model.id].idle_since
        is_resting = since is not None and self._by.made_at - since < self._span
        return "cooling_down" if is_resting else None

    def admits(self, model: PlanModel, need: int) -> None:
        pass


class _AtMost:
    """So many jobs of a model within a span."""

    def __init__(self, part: AtMostPart, by: StepInputs, _: PlanInputs) -> None:
        self._by = by
        self._jobs = part.jobs

    def refuses(self, model: PlanModel, _need: int) -> StepOutcome | None:
        had = self._by.models[model.id].recent_jobs
        return "at_most" if had is not None and had >= self._jobs else None

    def admits(self, model: PlanModel, need: int) -> None:
        pass


class _Concurrency:
    """So many jobs at once, those under way included."""

    def __init__(self, maximum: int, by: StepInputs, _: PlanInputs) -> None:
        self._free = maximum - by.under_way

    def refuses(self, _model: PlanModel, _need: int) -> StepOutcome | None:
        return "at_concurrency" if self._free <= 0 else None

    def admits(self, _model: PlanModel, _need: int) -> None:
        self._free -= 1


class _TeamShares:
    """So much of the money for a team."""

    def __init__(self, parts: Sequence[TeamSharePart], by: StepInputs, inputs: PlanInputs) -> None:
        self._by = by
        self._left = {one.team: inputs.purse_micros * one.share_ppm // PPM for one in parts}

    def refuses(self, model: PlanModel, need: int) -> StepOutcome | None:
        left = self._left.get(self._by.models[model.id].team)
        return "over_team_share" if left is not None and need > left else None

    def admits(self, model: PlanModel, need: int) -> None:
        if (team := self._by.models[model.id].team) in self._left:
            self._left[team] -= need


class _TierReserve:
    """So much of the money is kept for the top tier."""

    def __init__(self, share_ppm: int, by: StepInputs, inputs: PlanInputs) -> None:
        self._by = by
        self._left = inputs.purse_micros - inputs.purse_micros * share_ppm // PPM

    def refuses(self, model: PlanModel, need: int) -> StepOutcome | None:
        is_kept = not self._by.models[model.id].is_top_tier and need > self._left
        return "tier_reserved" if is_kept else None

    def admits(self, model: PlanModel, need: int) -> None:
        if not self._by.models[model.id].is_top_tier:
            self._left -= need


class _Budgets:
    """No more than the budgets of the models have left, for their jobs and for the tests of these.

    Where the planner saves for the best job, a budget is saved too, for a job that it can ever pay.
    """

    def __init__(self, _: object, by: StepInputs, inputs: PlanInputs) -> None:
        self._by = by
        self._saves = inputs.policy.reserve
        self._left = {name: one.free_micros for name, one in by.budgets.items()}
        self._tests_left = {name: one.tests_free_micros for name, one in by.budgets.items()}
        self._saving: set[str] = set()

    def refuses(self, model: PlanModel, need: int) -> StepOutcome | None:
        facts = self._by.models[model.id]
        if (name := facts.budget) is None:
            return None
        if name in self._saving and not facts.is_top_tier:
            return "budget_saved"
        is_paid = model.cost_micros <= self._left[name] - _kept(self._by, model)
        if is_paid and need - model.cost_micros <= self._tests_left[name]:
            return None
        if self._saves and _can_ever_pay(self._by, model, need):
            self._saving.add(name)
        return "budget_short"

    def admits(self, model: PlanModel, need: int) -> None:
        if (name := self._by.models[model.id].budget) is not None:
            self._left[name] -= model.cost_micros
            self._tests_left[name] -= need - model.cost_micros


def _can_ever_pay(by: StepInputs, model: PlanModel, need: int) -> bool:
    """Whether the caps of a model's budget leave room for its job and for its test."""
    name = by.models[model.id].budget
    assert name is not None, "a budget pays for it"
    budget = by.budgets[name]
    is_paid = model.cost_micros <= budget.cap_micros - _kept(by, model)
    return is_paid and need - model.cost_micros <= budget.tests_cap_micros


def _kept(by: StepInputs, model: PlanModel) -> int:
    """Return what the budget of a model keeps from it."""
    facts = by.models[model.id]
    is_kept = facts.budget is not None and not facts.is_top_tier
    return by.budgets[facts.budget].kept_micros if is_kept and facts.budget else 0


_LOST: Final[frozenset[PlanOutcome]] = frozenset(
    {
        "saving",
        "over_purse",
        "at_concurrency",
        "over_team_share",
        "tier_reserved",
        "budget_short",
        "budget_saved",
    }
)
"""Outcomes of models that are wanted, and left out for others."""
_LIMITS: Final[dict[StepName, tuple[str, Callable[..., Limit]]]] = {
    "cool_down": ("cool_down_seconds", _CoolDown),
    "at_most": ("at_most", _AtMost),
    "concurrency": ("concurrency", _Concurrency),
    "team_shares": ("team_shares", _TeamShares),
    "tier_reserve": ("tier_reserve_ppm", _TierReserve),
    "budgets": ("budgets", _Budgets),
}
"""The value of each step in the policy, and what it makes of it, once for each walk."""


_LIMITED: Final = STEPS[1:]
"""Those after the ranking."""


def stepped(inputs: PlanInputs, result: PlanResult, by: StepInputs) -> SteppedPlan:
    """Return a plan after the steps of a policy; without any, as the planner made it.

    Cost: a walk over the wanted for each step.
    """
    models = {model.id: model for model in inputs.models}
    result = replace(result, backlog=tuple(by.ranked.backlog(result.backlog)))
    unwanted = {row.id: by.ranked.unwanted(row, result.price) for row in result.backlog}
    wanted = [models[row.id] for row in result.backlog if unwanted[row.id] is None]
    outcomes: dict[str, PlanOutcome] = {row.id: row.outcome for row in result.backlog}
    left = result.purse_left_micros
    applied: list[tuple[Callable[..., Limit], Any]] = []
    changes: list[tuple[StepName, tuple[OutcomeChange, ...]]] = []
    guaranteed = None
    if by.ranked.by != "excess":
        walked, left = walk(wanted, inputs)
        after = {row.id: unwanted[row.id] or walked[row.id] for row in result.backlog}
        changes.append(("ranking", tuple(_changed(result, outcomes, after))))
        outcomes = after
    for name in _LIMITED:
        member, make = _LIMITS.get(name, ("guaranteed_after_seconds", None))
        value = None if by.terms is None else getattr(by.terms, member)
        if value is None or value is False or value == []:
            continue
        if make is not None:
            applied.append((make, value))
        else:
            guaranteed = _guaranteed(inputs, result, by, outcomes, applied)
            if guaranteed is not None:
                others = (one for one in wanted if one.id != guaranteed)
                wanted = [models[guaranteed], *others]
        walked, left = walk(wanted, inputs, [make_(one, by, inputs) for make_, one in applied])
        after = outcomes | walked
        changes.append((name, tuple(_changed(result, outcomes, after))))
        outcomes = after
    losing = {
        row.id: by.models[row.id].losing_since or by.made_at
        for row in result.backlog
        if _is_losing(row, outcomes[row.id], by.ranked)
    }
    return SteppedPlan(outcomes, left, tuple(changes), losing, guaranteed)


def _changed(
    result: PlanResult, before: Mapping[str, PlanOutcome], after: Mapping[str, PlanOutcome]
) -> Iterator[OutcomeChange]:
    for row in result.backlog:
        if before[row.id] != after[row.id]:
            yield OutcomeChange(row.id, before[row.id], after[row.id])


def _is_losing(row: BacklogRow, outcome: PlanOutcome, ranked: Ranked) -> bool:
    """Whether a model is worth its cost, could have a job, and others have the money or place."""
    return outcome in _LOST or (outcome == "below_price" and ranked.is_worth_its_cost(row))


def _guaranteed(
    inputs: PlanInputs,
    result: PlanResult,
    by: StepInputs,
    outcomes: Mapping[str, PlanOutcome],
    applied: Sequence[tuple[Callable[..., Limit], Any]],
) -> str | None:
    """Return the model that has lost for longest, if its turn is guaranteed by then.

    One that could not have a job though it came first is passed over.
    """
    assert by.terms is not None, "the step is one of the policy"
    span = (by.terms.guaranteed_after_seconds or 0) * SECOND
    models = {model.id: model for model in inputs.models}
    due = [
        (since, place, row.id)
        for place, row in enumerate(result.backlog)
        if (since := by.models[row.id].losing_since) is not None
        and by.made_at - since >= span
        and _is_losing(row, outcomes[row.id], by.ranked)
    ]
    for _, _, name in sorted(due):
        model = models[name]
        limits = [make(value, by, inputs) for make, value in applied]
        if _could_be_first(model, inputs, by, limits):
            return name
    return None


def _could_be_first(
    model: PlanModel, inputs: PlanInputs, by: StepInputs, limits: Sequence[Limit]
) -> bool:
    """Whether a model would be admitted if it came first, now or once enough is saved for it."""
    need = need_of(model, inputs.policy)
    outcome = walk([model], replace(inputs, purse_micros=inputs.purse_cap_micros))[0][model.id]
    if outcome != "admitted":
        return False
    refused = next((why for one in limits if (why := one.refuses(model, need)) is not None), None)
    return refused is None or (refused == "budget_short" and _can_ever_pay(by, model, need))
