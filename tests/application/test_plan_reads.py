"""A plan asks the database as little for a great fleet as for a small one, and reads the same."""

import pytest

from ledger.events.shadows import ShadowPlanned
from tests.application.conftest import MakeWorld
from tests.support.governed import governed
from tests.support.job_worlds import Working
from tests.support.questions import questions
from tests.support.shadowed import shadow
from tests.support.world import ANA, DAY, START, World, policy_text, rule

WEEK = 7 * DAY
FIRST = START // WEEK * WEEK + WEEK
MONEY = 1_000_000


def fleet(make_world: MakeWorld, count: int) -> World:
    """Return a fleet that was decided, under a shadow, with a version before for each model."""
    names = [f"m{number}" for number in range(count)]
    rules, planning = [rule("x", "priority > 1")], {"planner": "excess/2", "max_periods": 512}
    text = governed(policy_text(planning=planning, rules=rules))
    world = make_world(f"of-{count}").begin(*names, policy=text)
    shadow(world, policy_text(rules=rules, planning={"candidates": "decided"}))
    world.observe(*((name, "loss", "v1", "0.8", FIRST + DAY, 100) for name in names))
    world.settle()
    working = Working.of(world)
    working.propose("j1", names[0])
    return world


def asked(world: World) -> list[str]:
    found = questions(world, lambda: world.plan(9 * MONEY))
    assert len(world.events(ShadowPlanned.TYPE)) == 1
    return found


def test_a_great_fleet_costs_a_plan_as_many_questions_as_a_small_one(
    make_world: MakeWorld,
) -> None:
    small, great = (asked(fleet(make_world, count)) for count in (2, 40))
    assert len(small) == len(great)
    read = [each for each in great if "observed_at BETWEEN" in each]
    assert len(read) == 2  # the plan's losses, and the shadow's by another planner


@pytest.mark.slow
def test_a_thousand_models_cost_a_plan_as_many_questions_as_a_hundred(
    make_world: MakeWorld,
) -> None:
    hundred, thousand = (asked(fleet(make_world, count)) for count in (100, 1_000))
    assert len(hundred) == len(thousand) < 60


def test_a_decision_is_in_force_where_the_newest_one_of_its_model_was_historical(
    world: World,
) -> None:
    world.begin("m1", "m2", planning={"candidates": "decided"}, rules=[rule("x", "priority > 1")])
    for model in ("m1", "m2"):
        world.see(model, "0.8", FIRST + DAY)
    world.ledger.decisions.evaluate(ANA, ["m1"], None)
    world.ledger.decisions.evaluate(ANA, ["m1", "m2"], START)
    plan = world.plan(9 * MONEY)
    found = {one.model: one.action_in_force for one in plan.backlog}
    assert found == {"m1": "SCHEDULE_RETRAINING", "m2": "NO_ACTION"}
    assert world.check_replay() > 0
