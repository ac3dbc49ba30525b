"""Planners `excess/1` and `excess/2`: which models deserve this period's budget.

Their pages are `docs/spec/planner_v1.md` and `planner_v2.md`. Both rank as this file does;
`excess/2` has other defaults, and judges candidates and puts versions back (`ledger.kernel.reuse`).
A pure function of integers over the whole fleet, so a plan that pins the digest of its inputs
replays bit for bit. Excess loss over the training baseline, less what happens to all models in the
same period, accumulates since the last training; the rank is benefit for money; a price that
follows demand decides which are wanted; and the purse is saved for the best job rather than spent
on cheap ones. Purses are for the caller; money and value are in micros.

Several results may exceed 2^53: events carry them as decimal strings.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, TypeAlias

from ledger.events.plans import PlanOutcome, StepOutcome
from ledger.events.values import PPM
from ledger.kernel.decay import ONE_BITS, decays_by_age

PLANNER_1: Final = "excess/1"
PLANNER_2: Final = "excess/2"
PLANNERS: Final = (PLANNER_1, PLANNER_2)

_BENEFIT_DIVISOR: Final = 10**15

Gate: TypeAlias = Literal["in_progress", "not_decided"]


@dataclass(frozen=True, slots=True)
class PlannerPolicy:
    """The planning part of a policy; `reserve` saves for the best job that the purse cannot pay."""

    period_seconds: int
    half_life_seconds: int
    max_periods: int
    quantile_ppm: int = 250_000
    common_ppm: int = PPM
    min_models: int = 3
    dead_band_ppm: int = 0
    price_up_ppm: int = 1_150_000
    price_down_ppm: int = 900_000
    probe_ppm: int = 0
    reserve: bool = True


@dataclass(frozen=True, slots=True)
class PlanModel:
    """One model in scope. `gate` says why it is not a candidate at present, or is empty."""

    id: str
    trained_period: int
    baseline_nano: int
    unit_value_micros: int
    cost_micros: int
    rest_until: int = -1
    gate: Gate | None = None


@dataclass(frozen=True, slots=True)
class PeriodCell:
    """One model's loss in one period, with the baseline that was in force then."""

    rows: int
    mean_nano: int
    baseline_nano: int


@dataclass(frozen=True, slots=True)
class PlanInputs:
    """Everything a plan reads. `periods` maps a period to the cells of the models that have one.

    `price` is the `next_price` of the last plan of an earlier period, None for the first.
    """

    policy: PlannerPolicy
    now_period: int
    purse_micros: int
    purse_cap_micros: int
    price: int | None
    models: tuple[PlanModel, ...]
    periods: Mapping[int, Mapping[str, PeriodCell]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BacklogRow:
    """One model's place in the plan, and why it was admitted or not."""

    id: str
    gain: int
    benefit_micros: int
    rank: int
    cost_micros: int
    seen: bool
    resting: bool
    outcome: PlanOutcome


@dataclass(frozen=True, slots=True)
class PlanResult:
    """The whole ranked backlog, and the price that the next period starts from."""

    price: int
    next_price: int
    demand_micros: int
    purse_left_micros: int
    modes: dict[int, int]
    backlog: tuple[BacklogRow, ...]


@dataclass(frozen=True, slots=True)
class _Ranked:
    """A model with what its evidence is worth."""

    model: PlanModel
    gain: int
    benefit_micros: int
    rank: int
    seen: bool


def plan(inputs: PlanInputs) -> PlanResult:
    """Return the plan for a period. The inputs must have no `input_problems`.

    Cost: one pass over the cells, and sorting each period's excesses and the fleet.
    """
    excesses = _excesses(inputs)
    modes = {
        period: _common_mode(sorted(cells.values()), inputs.policy)
        for period, cells in sorted(excesses.items())
    }
    ranked = [_rank(model, inputs, excesses, modes) for model in inputs.models]
    ranked.sort(key=lambda entry: (-entry.rank, entry.model.id))
    price = inputs.price if inputs.price is not None else _first_price(ranked)
    wanted = [entry for entry in ranked if entry.seen and entry.rank >= price]
    demand = sum(entry.model.cost_micros for entry in wanted if entry.model.gate is None)
    outcomes, left = walk((entry.model for entry in wanted), inputs)
    return PlanResult(
        price=price,
        next_price=_next_price(price, demand, inputs),
        demand_micros=demand,
        purse_left_micros=left,
        modes=modes,
        backlog=tuple(_row(entry, inputs.now_period, outcomes) for entry in ranked),
    )


def _excesses(inputs: PlanInputs) -> dict[int, dict[str, int]]:
    """Return x by period and model, for models in scope with rows; may be negative (step 1)."""
    scope = {model.id for model in inputs.models}
    return {
        period: {
            name: (cell.mean_nano - cell.baseline_nano) * PPM // cell.baseline_nano
            for name, cell in cells.items()
            if cell.rows > 0 and name in scope
        }
        for period, cells in inputs.periods.items()
    }


def _common_mode(ordered: list[int], policy: PlannerPolicy) -> int:
    """Return what happens to everybody: an interpolated quantile of sorted excesses (step 2)."""
    if not ordered or len(ordered) < policy.min_models:
        return 0
    lower, fraction = divmod((len(ordered) - 1) * policy.quantile_ppm, PPM)
    if lower == len(ordered) - 1:
        return ordered[lower]
    return ordered[lower] + (ordered[lower + 1] - ordered[lower]) * fraction // PPM


def _rank(
    model: PlanModel,
    inputs: PlanInputs,
    excesses: Mapping[int, Mapping[str, int]],
    modes: Mapping[int, int],
) -> _Ranked:
    """Return a model's gain, benefit and rank (steps 3 to 5)."""
    policy = inputs.policy
    decays = decays_by_age(policy.period_seconds, policy.half_life_seconds, policy.max_periods)
    weighted = 0
    is_seen = False
    for period, cells in inputs.periods.items():
        age = inputs.now_period - period
        if not (model.trained_period < period and 0 <= age < policy.max_periods):
            continue
        excess = excesses[period].get(model.id)
        if excess is None:
            continue
        is_seen = True
        net = excess - policy.common_ppm * modes[period] // PPM - policy.dead_band_ppm
        if net > 0:
            weighted += decays[age] * net * cells[model.id].rows
    gain = weighted >> ONE_BITS
    benefit = gain * model.baseline_nano * model.unit_value_micros // _BENEFIT_DIVISOR
    return _Ranked(model, gain, benefit, benefit * PPM // model.cost_micros, is_seen)


def _first_price(ranked: list[_Ranked]) -> int:
    """Return the lower median of the seen ranks, at least 1 (step 7)."""
    ranks = sorted(entry.rank for entry in ranked if entry.seen)
    return max(1, ranks[(len(ranks) - 1) // 2]) if ranks else 1


def _next_price(price: int, demand: int, inputs: PlanInputs) -> int:
    """Return the price that the next period starts from (step 9)."""
    if demand > inputs.purse_micros:
        return max(price + 1, price * inputs.policy.price_up_ppm // PPM)
    return max(1, price * inputs.policy.price_down_ppm // PPM)


class Limit(Protocol):
    """A bound of a walk beside the purse; of one walk alone, since it counts what was admitted."""

    def refuses(self, model: PlanModel, need: int) -> StepOutcome | None:
        """Return why a model has no place any more; None where it has one."""

    def admits(self, model: PlanModel, need: int) -> None:
        """Count a model that was admitted."""


def walk(
    wanted: Iterable[PlanModel], inputs: PlanInputs, limits: Sequence[Limit] = ()
) -> tuple[dict[str, PlanOutcome], int]:
    """Walk the wanted in order and return their outcomes and what the purse has left (step 10).

    A model that a limit refuses takes nothing, and the purse is not saved for it.
    """
    policy = inputs.policy
    outcomes: dict[str, PlanOutcome] = {}
    left = inputs.purse_micros
    is_saving = False
    for model in wanted:
        need = need_of(model, policy)
        refused = (one.refuses(model, need) for one in limits)
        outcome: PlanOutcome
        if model.gate is not None:
            outcome = model.gate
        elif model.rest_until > inputs.now_period:
            outcome = "resting"
        elif need > inputs.purse_cap_micros:
            outcome = "too_dear"
        elif (by_limit := next((one for one in refused if one is not None), None)) is not None:
            outcome = by_limit
        elif is_saving and policy.reserve:
            outcome = "saving"
        elif need > left:
            outcome = "over_purse"
            is_saving = True
        else:
            outcome = "admitted"
            left -= need
            for one in limits:
                one.admits(model, need)
        outcomes[model.id] = outcome
    return outcomes, left


def need_of(model: PlanModel, policy: PlannerPolicy) -> int:
    """Return what the job of a model takes from a purse: its cost, and that of its test."""
    return model.cost_micros * (PPM + policy.probe_ppm) // PPM


def _row(entry: _Ranked, now_period: int, outcomes: Mapping[str, PlanOutcome]) -> BacklogRow:
    """Return a model's row of the backlog."""
    model = entry.model
    unwanted: PlanOutcome = "below_price" if entry.seen else "no_evidence"
    return BacklogRow(
        id=model.id,
        gain=entry.gain,
        benefit_micros=entry.benefit_micros,
        rank=entry.rank,
        cost_micros=model.cost_micros,
        seen=entry.seen,
        resting=model.rest_until > now_period,
        outcome=outcomes.get(model.id, unwanted),
    )


def newest_errors(inputs: PlanInputs) -> dict[str, int]:
    """Return by how much each model's newest loss is above its baseline, in ppm of that.

    Of the newest period in which it was observed, whether or not that counts as evidence.
    """
    return {
        name: excess
        for _, cells in sorted(_excesses(inputs).items())
        for name, excess in cells.items()
    }


def input_problems(inputs: PlanInputs) -> list[tuple[str, str]]:
    """Return (field, what is wrong) for everything that the planner cannot count with.

    The ranges of its policy are those of `ledger.events.policy_document`.
    """
    problems: list[tuple[str, str]] = []
    ids: set[str] = set()
    for model in inputs.models:
        path = f'models["{model.id}"]'
        if model.id in ids:
            problems.append((path, "is there twice"))
        ids.add(model.id)
        problems += [
            (f"{path}.{name}", f"must be at least 1, not {value}")
            for name, value in (
                ("baseline_nano", model.baseline_nano),
                ("cost_micros", model.cost_micros),
            )
            if value < 1
        ]
    for period, cells in inputs.periods.items():
        if period > inputs.now_period:
            problems.append((f"periods[{period}]", "lies after the period of the plan"))
        problems += [
            (f'periods[{period}]["{name}"].baseline_nano', "must be at least 1")
            for name, cell in cells.items()
            if cell.baseline_nano < 1
        ]
    return problems
