"""The steps around the planner: each bounds a plan, and says what it changed.

Method: the fleet of `test_second_plans`, models of equal cost, three of them worth it; each plan is
looked at, and afterwards the ledger replays and the audit finds nothing.
"""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from ledger.errors import LedgerError, Reason
from ledger.events.notation import shown_time, time
from ledger.events.plans import PlanMade, PlanMadeV2
from ledger.events.values import format_time
from tests.support.audits import audited
from tests.support.budgeted import EURO, in_euros, set_budget
from tests.support.governed import governed
from tests.support.job_worlds import BOB, Working
from tests.support.world import ANA, DAY, START, World, policy_text, reason_of

WEEK = 7 * DAY
FIRST = START // WEEK * WEEK + WEEK
COST = 1_000_000
NEED = COST * 11 // 10
LOSSES = {"a": "0.9", "b": "0.8", "c": "0.7", "low": "0.5", "lower": "0.45"}


def policy(**steps: object) -> str:
    planning = {"planner": "excess/2", "common": "0%", "min_models": 1, "reserve": True}
    planned = planning | ({"steps": steps} if steps else {})
    return governed(policy_text(planning=planned))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "ledger.db")
    yield made
    made.check_replay()
    made.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()


def begin(world: World, **steps: object) -> Working:
    """Begin a ledger whose policy has some steps, and whose models all lost."""
    world.begin(*LOSSES, policy=policy(**steps))
    see(world, 0)
    return Working.of(world)


def see(world: World, week: int) -> None:
    for model, value in LOSSES.items():
        world.see(model, value, FIRST + week * WEEK + DAY, size=100)


def planned(world: World, purse: int = 9 * NEED) -> PlanMadeV2:
    made = world.plan(purse)
    assert isinstance(made, PlanMadeV2)
    return made


def outcomes(plan: PlanMade) -> dict[str, str]:
    return {row.model: row.outcome for row in plan.backlog if row.model in "abc"}


def changes(plan: PlanMadeV2) -> dict[str, list[tuple[str, str, str]]]:
    return {
        one.step: [(each.model, each.before, each.after) for each in one.changed]
        for one in plan.steps
    }


def reasons(plan: PlanMade) -> dict[str, str]:
    return {row.model: row.reason for row in plan.backlog}


def test_a_policy_without_steps_has_what_the_planner_admits(world: World) -> None:
    begin(world)
    plan = planned(world)
    assert outcomes(plan) == dict.fromkeys("abc", "admitted")
    assert plan.steps == []


def test_no_more_jobs_are_admitted_than_may_be_under_way_at_once(world: World) -> None:
    working = begin(world, concurrency=2)
    first = planned(world)
    assert outcomes(first) == {"a": "admitted", "b": "admitted", "c": "at_concurrency"}
    assert changes(first) == {"concurrency": [("c", "admitted", "at_concurrency")]}
    assert reasons(first)["c"].endswith("but at most 2 jobs may be under way at once.")
    assert int(first.purse_left_micros) == 7 * NEED
    working.propose("job-a", "a", plan=first.plan, reason="")
    second = planned(world)
    assert second.under_way == 1
    assert outcomes(second) == {"a": "in_progress", "b": "admitted", "c": "at_concurrency"}


def test_the_job_of_a_retired_model_holds_its_place_until_it_has_lapsed(world: World) -> None:
    working = begin(world, concurrency=2)
    working.propose("job-a", "a", plan=planned(world).plan, reason="")
    world.ledger.commands.retire_model(ANA, "a", "nobody uses it")
    retired = planned(world)
    assert (retired.under_way, outcomes(retired)) == (1, {"b": "admitted", "c": "at_concurrency"})
    assert world.govern() == 1
    lapsed = planned(world)
    assert (lapsed.under_way, outcomes(lapsed)) == (0, {"b": "admitted", "c": "admitted"})


def test_a_model_rests_after_its_last_job_whatever_became_of_it(world: World) -> None:
    working = begin(world, cool_down="1d")
    first = planned(world)
    assert outcomes(first) == dict.fromkeys("abc", "admitted")
    assert {row.idle_since for row in first.backlog} == {format_time(START)}
    working.propose("job-a", "a", plan=first.plan, reason="")
    world.ledger.jobs.cancel(ANA, "job-a", "its feed is gone")
    second = planned(world)
    assert outcomes(second) == {"a": "cooling_down", "b": "admitted", "c": "admitted"}
    ended = world.events("job.closed.v1")[0].recorded_at
    assert reasons(second)["a"].endswith(f"but it rests for 1d from {time(ended)} on.")
    see(world, 1)
    assert outcomes(planned(world))["a"] == "admitted"


def test_a_model_has_at_most_so_many_jobs_within_a_span(world: World) -> None:
    working = begin(world, at_most={"jobs": 1, "per": "8d"})
    first = planned(world)
    for model in ("a", "b"):
        working.propose(f"job-{model}", model, plan=first.plan, reason="")
    world.ledger.jobs.cancel(ANA, "job-a", "its feed is gone")
    working.propose("job-c", "c")
    world.ledger.jobs.deny(BOB, "job-c", "not now")
    world.ledger.jobs.cancel(ANA, "job-b", "its feed is gone")
    second = planned(world)
    assert {row.model: row.recent_jobs for row in second.backlog if row.model in "abc"} == {
        "a": 1, "b": 1, "c": 0,
    }  # fmt: skip
    assert outcomes(second) == {"a": "at_most", "b": "at_most", "c": "admitted"}
    assert reasons(second)["a"].endswith(
        "but it had 1 job in the last 8d, and at most 1 are allowed."
    )
    see(world, 2)
    assert outcomes(planned(world))["a"] == "admitted"


def test_a_team_has_at_most_its_share_of_the_money(world: World) -> None:
    share = {"team": "risk", "share": "40%"}
    world.begin(*LOSSES, policy=policy(team_shares=[share]))
    for model in ("a", "b"):
        world.update(model, owner="risk")
    see(world, 0)
    plan = planned(world, 3 * NEED)
    assert outcomes(plan) == {"a": "admitted", "b": "over_team_share", "c": "admitted"}
    assert reasons(plan)["b"].endswith("but risk has at most 40% of the money.")


def test_a_share_of_the_money_is_kept_for_the_top_tier(world: World) -> None:
    world.begin(*LOSSES, policy=policy(tier_reserve="50%"))
    see(world, 0)
    world.settle()
    world.override("c", "SCHEDULE_RETRAINING", 30 * DAY, tier="on-call")
    see(world, 1)
    world.settle()
    plan = planned(world, 2 * NEED)
    assert {row.model for row in plan.backlog if row.is_top_tier} == {"c"}
    assert outcomes(plan) == {"a": "admitted", "b": "tier_reserved", "c": "admitted"}
    assert reasons(plan)["b"].endswith("but 50% of the money is kept for the top tier.")


def test_no_more_is_admitted_than_the_budgets_of_the_models_have(world: World) -> None:
    begin(world, budgets=True)
    set_budget(world, **in_euros(opening={"jobs": 5, "tests": 5}))
    first = planned(world)
    [main] = first.budgets
    assert (main.free_micros, main.kept_micros) == (str(5 * EURO), str(3 * EURO))
    assert (main.tests_free_micros, main.tests_cap_micros) == (str(5 * EURO), str(10 * EURO))
    assert outcomes(first) == {"a": "admitted", "b": "admitted", "c": "budget_short"}
    assert changes(first)["budgets"] == [("c", "admitted", "budget_short")]
    assert reasons(first)["c"].endswith("but budget main lacks 1.00 for it or 0.10 for its test.")
    assert {(row.budget, row.test_micros) for row in first.backlog} == {("main", str(EURO // 10))}
    tested = Working.testing(world, "1.10", "0.10")
    for model in "ab":  # what a plan admits, its budgets can pay
        tested.propose(f"job-{model}", model, plan=first.plan, reason="")
    [main] = planned(world).budgets
    assert (main.free_micros, main.reserved_micros) == (str(3 * EURO), str(2 * EURO))
    assert (main.tests_reserved_micros, main.tests_spent_micros) == (str(EURO // 5), "0")


def test_tests_are_counted_in_their_own_envelope(world: World) -> None:
    begin(world, budgets=True)
    opening = {"jobs": str(30 * EURO), "tests": str(EURO // 5)}
    set_budget(world, **in_euros() | {"opening": opening})
    plan = planned(world)
    assert outcomes(plan) == {"a": "admitted", "b": "admitted", "c": "budget_short"}


@pytest.mark.parametrize(
    ("cost", "test"), [("5.00", "0.00"), ("1.10", "0.00"), ("1.20", "0.20"), ("1.11", "0.10")]
)
def test_a_job_reserves_no_more_than_its_plan_counted_on(
    world: World, cost: str, test: str
) -> None:
    begin(world, budgets=True)
    set_budget(world, **in_euros())
    plan = planned(world)
    dear = Working.testing(world, cost, test)
    head = world.head
    said = (
        r"counted on 1\.00 EUR for it and 0\.10 EUR for its test, and its recipe expects "
        rf"{Decimal(cost) - Decimal(test)} EUR and {test} EUR"
    )
    with pytest.raises(LedgerError, match=said) as refused:
        dear.propose("job-a", "a", plan=plan.plan, reason="")
    assert reason_of(refused) is Reason.JOB_REFUSED
    assert "decision-ledger model update" in refused.value.remedy
    assert world.head == head
    dear.propose("job-a", "a")  # a person has a reason, and another one approves it


def test_a_plan_that_counted_on_another_budget_is_no_ground(world: World) -> None:
    begin(world, budgets=True)
    set_budget(world, **in_euros())
    plan = planned(world)
    tested = Working.testing(world, "1.10", "0.10")
    set_budget(
        world,
        "risk",
        **in_euros(),
        scope={"kind": "team", "labels": {}, "team": plan.backlog[0].team},
    )
    with pytest.raises(LedgerError, match="counted on budget main, and risk pays now"):
        tested.propose("job-a", "a", plan=plan.plan, reason="")


def test_without_the_step_a_plan_counts_on_no_budget(world: World) -> None:
    working = begin(world)
    set_budget(world, **in_euros())
    plan = planned(world)
    working.propose("job-a", "a", plan=plan.plan, reason="")


def test_a_budget_is_saved_for_the_best_job_that_it_cannot_pay_yet(world: World) -> None:
    world.begin(*LOSSES, policy=policy(budgets=True))
    world.update("a", cost_micros=str(4 * EURO), unit_value_micros=str(8 * EURO))
    see(world, 0)
    set_budget(world, **in_euros(opening={"jobs": 6, "tests": 0}))
    plan = planned(world, 20 * EURO)
    assert outcomes(plan) == {"a": "budget_short", "b": "budget_saved", "c": "budget_saved"}
    assert reasons(plan)["b"].endswith("but budget main is being saved for a better job.")


def test_steps_follow_in_their_order_and_money_goes_to_the_next(world: World) -> None:
    share = {"team": "risk", "share": "0%"}
    world.begin(*LOSSES, policy=policy(concurrency=1, team_shares=[share]))
    world.update("a", owner="risk")
    see(world, 0)
    plan = planned(world)
    assert changes(plan) == {
        "concurrency": [("b", "admitted", "at_concurrency"), ("c", "admitted", "at_concurrency")],
        "team_shares": [("a", "admitted", "over_team_share"), ("b", "at_concurrency", "admitted")],
    }


def losing(plan: PlanMadeV2) -> dict[str, str | None]:
    return {row.model: row.losing_since for row in plan.backlog if row.model in "abc"}


def test_a_model_that_keeps_losing_comes_first_after_its_wait(world: World) -> None:
    begin(world, concurrency=1, guaranteed_after="10d")
    first = planned(world)
    assert outcomes(first) == {"a": "admitted", "b": "at_concurrency", "c": "at_concurrency"}
    assert losing(first) == {"a": None, "b": first.made_at, "c": first.made_at}
    see(world, 1)
    assert losing(planned(world)) == losing(first)
    see(world, 2)
    third = planned(world)
    assert changes(third)["guaranteed_after"] == [
        ("a", "admitted", "at_concurrency"),
        ("b", "at_concurrency", "admitted"),
    ]
    assert losing(third) == {"a": third.made_at, "b": None, "c": first.made_at}
    assert reasons(third)["b"].endswith(
        f" It comes first: it has lost since {shown_time(first.made_at)}, longer than 10d."
    )
    see(world, 3)
    assert outcomes(planned(world))["c"] == "admitted"


def test_a_model_that_had_a_job_since_has_not_lost_since(world: World) -> None:
    working = begin(world, concurrency=1, guaranteed_after="10d")
    planned(world)
    working.propose("job-b", "b")
    world.ledger.jobs.cancel(ANA, "job-b", "its feed is gone")
    see(world, 2)
    second = planned(world)
    assert losing(second)["b"] == second.made_at
    assert outcomes(second) == {"a": "at_concurrency", "b": "at_concurrency", "c": "admitted"}


def test_the_money_is_saved_for_the_model_whose_turn_it_is(world: World) -> None:
    world.begin(*LOSSES, policy=policy(guaranteed_after="6d"))
    world.update("c", cost_micros=str(3 * EURO))
    see(world, 0)
    first = world.plan(3 * EURO, cap=4 * EURO)
    assert outcomes(first) == {"a": "admitted", "b": "admitted", "c": "over_purse"}
    see(world, 1)
    second = world.plan(3 * EURO, cap=4 * EURO)
    assert outcomes(second) == {"a": "saving", "b": "saving", "c": "over_purse"}
    assert "It comes first" in reasons(second)["c"]


def test_a_row_tells_its_newest_error_which_decides_nothing(world: World) -> None:
    world.begin(*LOSSES, policy=policy())
    world.update("a", unit_value_micros="1")
    see(world, 0)
    plan = planned(world)
    errors = {row.model: row.error for row in plan.backlog}
    assert errors["a"] == str((9 - 4) * 1_000_000 // 4)
    assert outcomes(plan) == {"a": "below_price", "b": "admitted", "c": "admitted"}
