"""What planning promises for any fleet, and each outcome once on a fleet made for it."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ledger.events.plans import PlanOutcome
from ledger.events.values import PPM
from ledger.kernel.excess import (
    PeriodCell,
    PlanInputs,
    PlanModel,
    PlannerPolicy,
    input_problems,
    plan,
)

POLICY = PlannerPolicy(
    period_seconds=604_800, half_life_seconds=10**9, max_periods=26, common_ppm=0
)
NANO = 10**9


@st.composite
def fleets(draw: st.DrawFn) -> PlanInputs:
    ids = [f"m{number}" for number in range(draw(st.integers(0, 6)))]
    now = 100
    cells = st.builds(
        PeriodCell,
        rows=st.integers(0, 10_000),
        mean_nano=st.integers(-5 * NANO, 20 * NANO),
        baseline_nano=st.integers(1, 10 * NANO),
    )
    models = tuple(
        PlanModel(
            id=name,
            trained_period=draw(st.integers(80, 101)),
            baseline_nano=draw(st.integers(1, 10 * NANO)),
            unit_value_micros=draw(st.integers(0, 10**9)),
            cost_micros=draw(st.integers(1, 10**7)),
            rest_until=draw(st.sampled_from([-1, 100, 101])),
            gate=draw(st.sampled_from([None, None, "in_progress", "not_decided"])),
        )
        for name in ids
    )
    names = st.sampled_from([*ids, "elsewhere"])
    return PlanInputs(
        policy=replace(
            POLICY,
            common_ppm=draw(st.integers(0, 2 * PPM)),
            min_models=draw(st.integers(1, 4)),
            quantile_ppm=draw(st.integers(0, PPM)),
            probe_ppm=draw(st.integers(0, PPM)),
            reserve=draw(st.booleans()),
        ),
        now_period=now,
        purse_micros=draw(st.integers(0, 2 * 10**7)),
        purse_cap_micros=draw(st.integers(0, 2 * 10**7)),
        price=draw(st.one_of(st.none(), st.integers(1, 10**9))),
        models=models,
        periods=draw(
            st.dictionaries(
                st.integers(70, now), st.dictionaries(names, cells, max_size=6), max_size=6
            )
        ),
    )


@given(fleets())
def test_a_plan_never_admits_more_than_the_purse_holds(inputs: PlanInputs) -> None:
    assert input_problems(inputs) == []
    result = plan(inputs)
    share = PPM + inputs.policy.probe_ppm
    spent = sum(
        row.cost_micros * share // PPM for row in result.backlog if row.outcome == "admitted"
    )
    assert spent == inputs.purse_micros - result.purse_left_micros
    assert 0 <= result.purse_left_micros <= inputs.purse_micros


@given(fleets())
def test_the_backlog_holds_every_model_once_in_order_of_rank(inputs: PlanInputs) -> None:
    backlog = plan(inputs).backlog
    assert sorted(row.id for row in backlog) == sorted(model.id for model in inputs.models)
    assert [(-row.rank, row.id) for row in backlog] == sorted(
        (-row.rank, row.id) for row in backlog
    )


@given(fleets(), st.randoms(use_true_random=False))
def test_the_order_of_models_and_periods_changes_nothing(
    inputs: PlanInputs, random: object
) -> None:
    models, periods = list(inputs.models), list(inputs.periods.items())
    random.shuffle(models)  # type: ignore[attr-defined]
    random.shuffle(periods)  # type: ignore[attr-defined]
    shuffled = replace(inputs, models=tuple(models), periods=dict(periods))
    assert plan(shuffled) == plan(inputs)


@given(fleets())
def test_the_price_moves_with_demand_and_never_below_one(inputs: PlanInputs) -> None:
    result = plan(inputs)
    if result.demand_micros > inputs.purse_micros:
        assert result.next_price > result.price
    else:
        assert 1 <= result.next_price <= max(1, result.price)


@given(fleets())
def test_with_a_reserve_nothing_is_admitted_after_what_the_purse_cannot_pay(
    inputs: PlanInputs,
) -> None:
    outcomes = [row.outcome for row in plan(inputs).backlog]
    if inputs.policy.reserve and "over_purse" in outcomes:
        assert "admitted" not in outcomes[outcomes.index("over_purse") :]
        assert outcomes.count("over_purse") == 1
    assert inputs.policy.reserve or "saving" not in outcomes


@given(fleets())
def test_a_gate_is_the_outcome_of_the_wanted_only_and_asks_for_nothing(
    inputs: PlanInputs,
) -> None:
    result = plan(inputs)
    gates = {model.id: model.gate for model in inputs.models}
    demand = 0
    for row in result.backlog:
        is_wanted = row.outcome not in {"below_price", "no_evidence"}
        if is_wanted and gates[row.id] is not None:
            assert row.outcome == gates[row.id]
        else:
            assert row.outcome not in {"in_progress", "not_decided"}
            demand += row.cost_micros if is_wanted else 0
    assert result.demand_micros == demand


def _model(name: str, **changes: object) -> PlanModel:
    plain = PlanModel(
        id=name,
        trained_period=5,
        baseline_nano=NANO,
        unit_value_micros=10**6,
        cost_micros=100,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def _plan_outcomes(*models: PlanModel, excess: dict[str, int], **changes: object) -> dict[str, str]:
    cells = {
        name: PeriodCell(rows=100, mean_nano=NANO + nano, baseline_nano=NANO)
        for name, nano in excess.items()
    }
    inputs = PlanInputs(
        policy=POLICY,
        now_period=10,
        purse_micros=150,
        purse_cap_micros=300,
        price=1,
        models=models,
        periods={9: cells},
    )
    result = plan(replace(inputs, **changes))  # type: ignore[arg-type]
    return {row.id: row.outcome for row in result.backlog}


def test_each_model_gets_the_first_outcome_that_applies() -> None:
    outcomes = _plan_outcomes(
        _model("a-rests", rest_until=11),
        _model("b-dear", cost_micros=301),
        _model("c-admitted"),
        _model("d-over"),
        _model("e-saving", cost_micros=1),
        _model("f-healthy"),
        _model("g-unseen"),
        _model("h-works", gate="in_progress"),
        _model("i-undecided", gate="not_decided"),
        excess={
            "a-rests": 600_000_000,
            "b-dear": 900_000_000,
            "c-admitted": 400_000_000,
            "d-over": 300_000_000,
            "e-saving": 2_000_000,
            "f-healthy": -1,
            "h-works": 500_000_000,
            "i-undecided": 450_000_000,
        },
    )
    expected: dict[str, PlanOutcome] = {
        "a-rests": "resting",
        "b-dear": "too_dear",
        "c-admitted": "admitted",
        "d-over": "over_purse",
        "e-saving": "saving",
        "f-healthy": "below_price",
        "g-unseen": "no_evidence",
        "h-works": "in_progress",
        "i-undecided": "not_decided",
    }
    assert outcomes == expected


def test_what_happens_to_everybody_is_weather_and_earns_nothing() -> None:
    models = tuple(_model(name) for name in "abc")
    cells = {name: PeriodCell(100, 3 * NANO, NANO) for name in "abc"}
    inputs = PlanInputs(replace(POLICY, common_ppm=PPM), 10, 500, 500, None, models, {9: cells})
    result = plan(inputs)
    assert result.modes == {9: 2 * PPM}
    assert [row.gain for row in result.backlog] == [0, 0, 0]


def test_the_period_of_training_and_earlier_ones_count_for_the_mode_alone() -> None:
    cells = {"a": PeriodCell(100, 3 * NANO, NANO)}
    inputs = PlanInputs(
        replace(POLICY, min_models=1), 10, 500, 500, None, (_model("a"),), {5: cells, 4: cells}
    )
    result = plan(inputs)
    assert result.modes == {4: 2 * PPM, 5: 2 * PPM}
    assert result.backlog[0].outcome == "no_evidence"


def test_a_model_without_a_baseline_or_a_cost_is_refused_and_so_is_the_future() -> None:
    inputs = PlanInputs(
        POLICY,
        10,
        0,
        0,
        None,
        (_model("a", baseline_nano=0, cost_micros=0), _model("a")),
        {11: {"a": PeriodCell(1, 1, 0)}},
    )
    assert [path for path, _ in input_problems(inputs)] == [
        'models["a"].baseline_nano',
        'models["a"].cost_micros',
        'models["a"]',
        "periods[11]",
        'periods[11]["a"].baseline_nano',
    ]
