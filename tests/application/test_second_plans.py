"""Candidate tests free money, rest models that were refused, and the plan is made again.

Method: models of equal cost, three of them worth it, under one purse; jobs of the plan are tested
one by one, and each plan that follows is looked at, replayed and audited.
"""

from pathlib import Path

import pytest

from ledger.errors import LedgerError, Reason
from ledger.events.plans import PlanMade, PlanMadeV2
from tests.support.audits import audited
from tests.support.governed import governed
from tests.support.job_worlds import Working
from tests.support.world import ANA, DAY, START, World, policy_text, reason_of

WEEK = 7 * DAY
FIRST = START // WEEK * WEEK + WEEK
COST = 1_000_000
TEST, NEED = COST // 10, COST * 11 // 10
PLANNING = {
    "planner": "excess/2",
    "common": "0%",
    "min_models": 1,
    "price_up": 2,
    "price_down": 0.5,
}
LOSSES = {"a": "0.9", "b": "0.8", "c": "0.7", "low": "0.5", "lower": "0.45"}


@pytest.fixture
def working(tmp_path: Path) -> Working:
    """Return a fleet whose models all lost, and a recipe with a candidate test."""
    world = World(tmp_path / "ledger.db")
    world.begin(*LOSSES, policy=governed(policy_text(planning=PLANNING)))
    for model, value in LOSSES.items():
        world.see(model, value, FIRST + DAY, size=100)
    return Working.of(world)


def admitted(plan: PlanMade) -> list[str]:
    return [row.model for row in plan.backlog if row.outcome == "admitted"]


def outcomes(plan: PlanMade) -> dict[str, str]:
    return {row.model: row.outcome for row in plan.backlog if row.model in "abc"}


def test_model(working: Working, plan: PlanMade, model: str, *, loss: int) -> None:
    """Propose the job of a model, and report its candidate's loss against 100."""
    working.propose(f"job-{model}", model, plan=plan.plan, reason="")
    token = working.lease(f"job-{model}")
    working.report("data_integrity", token, f"job-{model}")
    working.report("candidate", token, f"job-{model}", loss=loss)


test_model.__test__ = False  # type: ignore[attr-defined]  # a step, not a test


def again(working: Working, first: PlanMade) -> PlanMadeV2:
    make = working.world.ledger.plans.make
    made, _ = make(ANA, policy="", budget_micros=0, budget_cap_micros=0, second_to=first.plan)
    assert isinstance(made, PlanMadeV2)
    return made


def finish(working: Working, tmp_path: Path) -> dict[str, int]:
    working.world.check_replay()
    working.world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()
    return {one.rule: one.checked for one in report.rules}


def test_a_refusal_frees_the_rest_of_its_money_and_rests_the_model(
    working: Working, tmp_path: Path
) -> None:
    first = working.world.plan(2 * NEED)
    assert admitted(first) == ["a", "b"]
    test_model(working, first, "a", loss=200)
    second = again(working, first)
    assert int(second.purse_micros) == 2 * NEED - TEST
    assert outcomes(second) == {"a": "resting", "b": "admitted", "c": "over_purse"}
    [row] = [one for one in second.backlog if one.model == "a"]
    assert row.rest_until == FIRST // WEEK + 2
    assert (second.price, second.price_before) == (first.price, first.price_before)
    assert finish(working, tmp_path)["plans.second"] == 2


def test_a_candidate_that_passed_has_its_money_and_its_model_is_in_progress(
    working: Working, tmp_path: Path
) -> None:
    first = working.world.plan(3 * NEED - 1)
    test_model(working, first, "a", loss=200)
    test_model(working, first, "b", loss=50)
    second = again(working, first)
    assert int(second.purse_micros) == 2 * NEED - 1 - TEST
    assert outcomes(second) == {"a": "resting", "b": "in_progress", "c": "admitted"}
    test_model(working, second, "c", loss=200)
    third = again(working, first)
    assert int(third.purse_micros) == 2 * NEED - 1 - 2 * TEST
    assert admitted(third) == []
    finish(working, tmp_path)


def test_the_price_of_a_second_plan_is_not_carried_on(working: Working, tmp_path: Path) -> None:
    first = working.world.plan(10 * NEED)
    test_model(working, first, "a", loss=200)
    second = again(working, first)
    assert second.next_price == first.next_price  # half of the same price
    low = working.world.plan(0)
    assert low.next_price != first.next_price  # twice the price, as the purse pays for nothing
    working.world.see("c", "0.9", FIRST + WEEK + DAY, size=100)
    assert working.world.plan(0).price_before == low.next_price
    finish(working, tmp_path)


def test_a_rest_is_over_in_its_period(working: Working, tmp_path: Path) -> None:
    first = working.world.plan(2 * NEED)
    test_model(working, first, "a", loss=200)
    for week, expected in ((1, "resting"), (2, "admitted")):
        working.world.see("a", "0.9", FIRST + week * WEEK + DAY, size=100)
        assert outcomes(working.world.plan(9 * NEED))["a"] == expected
    finish(working, tmp_path)


def test_a_plan_is_made_again_only_for_money_that_a_test_left(working: Working) -> None:
    first = working.world.plan(2 * NEED)

    def refused(named: PlanMade) -> None:
        with pytest.raises(LedgerError) as error:
            again(working, named)
        assert reason_of(error) is Reason.FIELD_INVALID
        assert error.value.metadata["field"] == "second_to"

    refused(first)
    test_model(working, first, "a", loss=200)
    refused(again(working, first))
    working.world.see("a", "0.9", FIRST + WEEK + DAY, size=100)
    refused(first)
    working.world.close()
