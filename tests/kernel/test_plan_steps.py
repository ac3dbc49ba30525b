"""What the steps around a planner promise for any fleet, any budgets and any policy."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.events.policy_document import AtMostPart, PlanStepsPart, TeamSharePart
from ledger.events.values import DAY, PPM, SECOND
from ledger.kernel.excess import BacklogRow, PeriodCell, PlanInputs, PlanModel, need_of, plan
from ledger.kernel.plan_steps import (
    STEP_OUTCOMES,
    STEPS,
    BudgetLeft,
    StepFacts,
    StepInputs,
    SteppedPlan,
    stepped,
)
from ledger.kernel.ranking import Ranked, Worth
from tests.kernel.test_excess import POLICY, fleets

NOW = 20_000 * DAY
BY_EXCESS = Ranked("excess", {}, {})
TEAMS = ("risk", "fraud")
BUDGETS = ("gold", "main")
amounts = st.integers(0, 3 * 10**6)
tests = st.integers(0, 3 * 10**5)
spans = st.integers(1, 100 * 86_400)


@st.composite
def terms(draw: st.DrawFn) -> PlanStepsPart:
    chosen = draw(st.sets(st.sampled_from(STEPS), max_size=3))
    at_most = st.builds(AtMostPart, jobs=st.integers(1, 3), per_seconds=spans)
    shares = draw(st.lists(st.sampled_from(TEAMS), unique=True, min_size=1))
    parts = [TeamSharePart(team=one, share_ppm=draw(st.integers(0, PPM))) for one in shares]
    return PlanStepsPart(
        cool_down_seconds=draw(spans) if "cool_down" in chosen else None,
        at_most=draw(at_most) if "at_most" in chosen else None,
        concurrency=draw(st.integers(1, 8)) if "concurrency" in chosen else None,
        team_shares=parts if "team_shares" in chosen else [],
        tier_reserve_ppm=draw(st.integers(0, PPM)) if "tier_reserve" in chosen else None,
        budgets="budgets" in chosen,
        guaranteed_after_seconds=draw(spans) if "guaranteed_after" in chosen else None,
    )


@st.composite
def wanting_fleets(draw: st.DrawFn) -> PlanInputs:
    """Draw a fleet in which every model is wanted, with costs that are alike."""
    names = [f"m{number}" for number in range(draw(st.integers(1, 6)))]
    cells = {name: PeriodCell(1_000, 2 * 10**9, 10**9) for name in names}
    costs = st.integers(1, 10**6)
    return PlanInputs(
        policy=replace(
            POLICY,
            min_models=10,
            reserve=draw(st.booleans()),
            probe_ppm=draw(st.sampled_from([0, 100_000, 250_000])),
        ),
        now_period=100,
        purse_micros=draw(st.integers(0, 6 * 10**6)),
        purse_cap_micros=6 * 10**6,
        price=1,
        models=tuple(PlanModel(one, 80, 10**9, 10**9, draw(costs)) for one in names),
        periods={100: cells},
    )


@st.composite
def rankings(draw: st.DrawFn, models: list[str]) -> Ranked:
    """Draw a ranking, with what it reads of each model."""
    worths = st.builds(Worth, amounts, st.integers(0, 10**6))
    match draw(st.sampled_from(["excess", "priority", "benefit_per_cost"])):
        case "priority":
            shares = st.none() | st.integers(0, PPM)
            scores = {name: draw(shares) for name in models}
            return Ranked(
                "priority", {name: one for name, one in scores.items() if one is not None}, {}
            )
        case "benefit_per_cost":
            price = draw(st.integers(PPM, 3 * PPM))
            return Ranked("benefit_per_cost", {}, {name: draw(worths) for name in models}, price)
    return BY_EXCESS


@st.composite
def cases(draw: st.DrawFn) -> tuple[PlanInputs, StepInputs]:
    inputs = draw(wanting_fleets() | wanting_fleets() | fleets())
    part = draw(terms())
    facts = st.builds(
        StepFacts,
        team=st.sampled_from(TEAMS),
        is_top_tier=st.booleans(),
        budget=st.sampled_from([None, *BUDGETS]),
        recent_jobs=st.just(None) if part.at_most is None else st.integers(0, 3),
        idle_since=st.none() | st.integers(NOW - 100 * DAY, NOW),
        losing_since=st.none() | st.integers(NOW - 100 * DAY, NOW),
    )
    return inputs, StepInputs(
        terms=part,
        ranked=draw(rankings([model.id for model in inputs.models])),
        made_at=NOW,
        under_way=draw(st.integers(0, 4)),
        models={model.id: draw(facts) for model in inputs.models},
        budgets={
            name: BudgetLeft(
                name, draw(amounts), draw(amounts), draw(amounts), draw(tests), draw(tests)
            )
            for name in BUDGETS
        },
    )


def after(case: tuple[PlanInputs, StepInputs]) -> SteppedPlan:
    inputs, by = case
    return stepped(inputs, plan(inputs), by)


def needs(case: tuple[PlanInputs, StepInputs], made: SteppedPlan) -> dict[str, int]:
    """Return the money that each admitted model takes."""
    inputs, _ = case
    return {
        model.id: need_of(model, inputs.policy)
        for model in inputs.models
        if made.outcomes[model.id] == "admitted"
    }


@settings(max_examples=400)
@given(cases())
def test_a_plan_never_admits_more_than_its_purse_and_the_budgets_have_left(
    case: tuple[PlanInputs, StepInputs],
) -> None:
    inputs, by = case
    made = after(case)
    taken = needs(case, made)
    assert sum(taken.values()) == inputs.purse_micros - made.purse_left_micros
    assert made.purse_left_micros >= 0
    assert by.terms is not None
    for name, budget in by.budgets.items() if by.terms.budgets else ():
        of_it = [
            one for one in inputs.models if one.id in taken and by.models[one.id].budget == name
        ]
        assert sum(one.cost_micros for one in of_it) <= budget.free_micros
        below = sum(one.cost_micros for one in of_it if not by.models[one.id].is_top_tier)
        assert below <= max(0, budget.free_micros - budget.kept_micros)
        tests = sum(taken[one.id] - one.cost_micros for one in of_it)
        assert tests <= budget.tests_free_micros


@settings(max_examples=400)
@given(cases())
def test_every_bound_of_the_policy_holds_for_what_is_admitted(
    case: tuple[PlanInputs, StepInputs],
) -> None:
    inputs, by = case
    terms, taken = by.terms, needs(case, after(case))
    assert terms is not None
    for one in taken:
        facts = by.models[one]
        if terms.cool_down_seconds is not None and facts.idle_since is not None:
            assert NOW - facts.idle_since >= terms.cool_down_seconds * SECOND
        if terms.at_most is not None:
            assert facts.recent_jobs is not None
            assert facts.recent_jobs < terms.at_most.jobs
    if terms.concurrency is not None and taken:
        assert len(taken) + by.under_way <= terms.concurrency
    for part in terms.team_shares:
        share = inputs.purse_micros * part.share_ppm // PPM
        assert sum(need for one, need in taken.items() if by.models[one].team == part.team) <= share
    if terms.tier_reserve_ppm is not None:
        kept = inputs.purse_micros * terms.tier_reserve_ppm // PPM
        below = sum(need for one, need in taken.items() if not by.models[one].is_top_tier)
        assert below <= inputs.purse_micros - kept


@settings(max_examples=400)
@given(wanting_fleets(), st.integers(1, 10))
def test_the_models_of_a_team_have_its_share_together(inputs: PlanInputs, tenths: int) -> None:
    share_ppm = tenths * PPM // 10
    terms = PlanStepsPart(
        cool_down_seconds=None, at_most=None, concurrency=None,
        team_shares=[TeamSharePart(team=TEAMS[0], share_ppm=share_ppm)],
        tier_reserve_ppm=None, budgets=False, guaranteed_after_seconds=None,
    )  # fmt: skip
    facts = StepFacts(TEAMS[0], is_top_tier=False, budget=None, recent_jobs=None,
                      idle_since=None, losing_since=None)  # fmt: skip
    models = {model.id: facts for model in inputs.models}
    by = StepInputs(terms, BY_EXCESS, NOW, 0, models, {})
    taken = needs((inputs, by), after((inputs, by)))
    assert sum(taken.values()) <= inputs.purse_micros * share_ppm // PPM


@settings(max_examples=400)
@given(cases())
def test_the_changes_of_the_steps_lead_from_the_planner_s_outcomes_to_those_of_the_plan(
    case: tuple[PlanInputs, StepInputs],
) -> None:
    inputs, _ = case
    outcomes = {row.id: row.outcome for row in plan(inputs).backlog}
    made = after(case)
    for _step, changed in made.changes:
        for model, before, now in changed:
            assert outcomes[model] == before != now
            outcomes[model] = now
    assert outcomes == made.outcomes


@settings(max_examples=400)
@given(cases())
def test_without_steps_a_plan_is_its_planner_s(case: tuple[PlanInputs, StepInputs]) -> None:
    inputs, by = case
    planned = plan(inputs)
    for terms in (
        None,
        PlanStepsPart(
            cool_down_seconds=None, at_most=None, concurrency=None, team_shares=[],
            tier_reserve_ppm=None, budgets=False, guaranteed_after_seconds=None,
        ),
    ):  # fmt: skip
        made = stepped(inputs, planned, replace(by, terms=terms, ranked=BY_EXCESS))
        assert made.outcomes == {row.id: row.outcome for row in planned.backlog}
        assert made.purse_left_micros == planned.purse_left_micros
        assert made.changes == ()
        assert not STEP_OUTCOMES & set(made.outcomes.values())


@settings(max_examples=400)
@given(cases())
def test_a_guaranteed_turn_is_of_a_model_that_waited_and_lost(
    case: tuple[PlanInputs, StepInputs],
) -> None:
    _, by = case
    made = after(case)
    if (name := made.guaranteed) is None:
        return
    assert by.terms is not None
    since = by.models[name].losing_since
    assert since is not None
    assert by.terms.guaranteed_after_seconds is not None
    assert NOW - since >= by.terms.guaranteed_after_seconds * SECOND
    assert made.outcomes[name] in {"admitted", "over_purse", "budget_short"}


@settings(max_examples=400)
@given(cases())
def test_another_ranking_takes_in_the_best_that_the_purse_can_pay_and_no_unwanted_model(
    case: tuple[PlanInputs, StepInputs],
) -> None:
    inputs, by = case
    made = stepped(inputs, plan(inputs), replace(by, terms=None))
    rows = {row.id: row for row in plan(inputs).backlog}
    order, models = list(made.outcomes), {model.id: model for model in inputs.models}
    assert sorted(order) == sorted(rows)
    for one, other in pairwise(order):
        assert by.ranked.by == "excess" or place(by.ranked, one) <= place(by.ranked, other)
    left, is_saving = inputs.purse_micros, False
    for name in order:
        if made.outcomes[name] == "admitted":
            assert is_wanted(by.ranked, rows[name], plan(inputs).price)
            assert not (is_saving and inputs.policy.reserve)
            left -= need_of(models[name], inputs.policy)
        elif made.outcomes[name] == "over_purse":
            is_saving = True
            assert need_of(models[name], inputs.policy) > left
    assert left == made.purse_left_micros >= 0


def place(ranked: Ranked, name: str) -> tuple[Fraction, str]:
    """Return where a model comes: the greatest first, then by name."""
    if ranked.by == "priority":
        return Fraction(-ranked.priorities.get(name, -1)), name
    worth = ranked.worths[name]
    return Fraction(-worth.benefit_micros, max(1, worth.cost_micros)), name


def is_wanted(ranked: Ranked, row: BacklogRow, price: int) -> bool:
    if ranked.by == "priority":
        return ranked.priorities.get(row.id, 0) > 0
    if ranked.by == "excess":
        return row.seen and row.rank >= price
    worth = ranked.worths[row.id]
    is_worth = Fraction(worth.benefit_micros) >= Fraction(worth.cost_micros * ranked.price_ppm, PPM)
    return row.seen and is_worth and worth.benefit_micros > 0
