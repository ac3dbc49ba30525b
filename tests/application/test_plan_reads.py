"""A plan asks the database as little for a great fleet as for a small one, and reads the same."""

from tests.application.conftest import MakeWorld
from tests.support.questions import questions
from tests.support.world import ANA, DAY, START, World, rule

WEEK = 7 * DAY
FIRST = START // WEEK * WEEK + WEEK
MONEY = 1_000_000


def fleet(make_world: MakeWorld, count: int) -> World:
    names = [f"m{number}" for number in range(count)]
    world = make_world(f"of-{count}").begin(*names, rules=[rule("x", "priority > 1")])
    for name in names:
        world.see(name, "0.8", FIRST + DAY)
    world.ledger.decisions.evaluate(ANA, names, None)
    return world


def asked(world: World) -> list[str]:
    return questions(world, lambda: world.plan(9 * MONEY))


def test_a_great_fleet_costs_a_plan_as_many_questions_as_a_small_one(
    make_world: MakeWorld,
) -> None:
    small, great = (asked(fleet(make_world, count)) for count in (2, 40))
    assert len(small) == len(great)
    assert sum("observed_at BETWEEN" in each for each in great) == 1


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
