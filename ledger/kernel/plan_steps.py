"""The steps around a planner: what bounds a plan beside its budget, and whom it makes room for.

Their page is `docs/plans.md`. The planner ranks the fleet and says what is wanted; the
steps that a policy has follow in the order of `STEPS`. After each the wanted are walked again with
all that the steps so far hold back, so that money which one model may not have goes to the next;
a step has changed what comes out otherwise than without it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

from ledger.events.policy_document import PlanStepsPart
from ledger.kernel.excess import (
    Limit,
    PlanInputs,
    PlanModel,
    PlanOutcome,
    PlanResult,
    StepOutcome,
    walk,
)

StepName: TypeAlias = Literal["concurrency"]
STEPS: Final[tuple[StepName, ...]] = get_args(StepName)
"""The steps in their order, each named as the policy names it."""
STEP_OUTCOMES: Final[frozenset[str]] = frozenset(get_args(StepOutcome))


@dataclass(frozen=True, slots=True)
class StepInputs:
    """All that the steps read beside what the planner read."""

    terms: PlanStepsPart | None
    under_way: int
    """The jobs of models in scope that are not over."""


class OutcomeChange(NamedTuple):
    """The outcome of a model without a step, and with it."""

    model: str
    before: PlanOutcome
    after: PlanOutcome


@dataclass(frozen=True, slots=True)
class SteppedPlan:
    """A plan as its steps left it."""

    outcomes: Mapping[str, PlanOutcome]
    """Of each model."""
    purse_left_micros: int
    changes: tuple[tuple[StepName, tuple[OutcomeChange, ...]], ...]
    """Of each step that the policy has, by the order of the backlog."""


class _Concurrency:
    """So many jobs at once, those under way included."""

    def __init__(self, maximum: int, inputs: StepInputs) -> None:
        self._free = maximum - inputs.under_way

    def refuses(self, _model: PlanModel, _need: int) -> StepOutcome | None:
        return "at_concurrency" if self._free <= 0 else None

    def admits(self, _model: PlanModel, _need: int) -> None:
        self._free -= 1


_LIMITS: Final[dict[StepName, Callable[..., Limit]]] = {"concurrency": _Concurrency}
"""Each step by what it makes of its value in the policy and of the inputs, once for each walk."""


def stepped(inputs: PlanInputs, result: PlanResult, by: StepInputs) -> SteppedPlan:
    """Return a plan after the steps of a policy; without any, as the planner made it.

    Cost: a walk over the wanted for each step.
    """
    models = {model.id: model for model in inputs.models}
    wanted = [models[row.id] for row in result.backlog if row.seen and row.rank >= result.price]
    outcomes: dict[str, PlanOutcome] = {row.id: row.outcome for row in result.backlog}
    left, applied, changes = result.purse_left_micros, [], []
    for name in STEPS:
        value = None if by.terms is None else getattr(by.terms, name)
        if value is None:
            continue
        applied.append((_LIMITS[name], value))
        walked, left = walk(wanted, inputs, [make(one, by) for make, one in applied])
        after = outcomes | walked
        changed = (
            OutcomeChange(row.id, outcomes[row.id], after[row.id])
            for row in result.backlog
            if outcomes[row.id] != after[row.id]
        )
        changes.append((name, tuple(changed)))
        outcomes = after
    return SteppedPlan(outcomes, left, tuple(changes))
