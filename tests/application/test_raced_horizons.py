"""What is derived is derived again where its policy or its purse changed before it was recorded."""

from pathlib import Path

from ledger.events.plans import PlanMade
from tests.support.audits import audited
from tests.support.world import HOUR, START, World, policy_text

PLANNED = policy_text(planning={"min_models": 1})


def raced(folder: Path) -> World:
    """Return a fleet of one that was observed."""
    world = World(folder / "ledger.db", evaluating=False).begin("m1", policy=PLANNED)
    world.see("m1", 0.6, START + HOUR)
    return world


def assert_it_holds(world: World, folder: Path) -> None:
    world.close()
    report = audited(folder / "ledger.db")
    assert report.passed, report.text()


def test_an_evaluation_that_an_activation_overtook_is_made_again_under_what_is_in_force(
    tmp_path: Path,
) -> None:
    world = raced(tmp_path)
    world.before_append(lambda: world.activate(policy_text(), policy="newer"))
    (decided,) = world.evaluate("m1")
    assert decided.score.policy == "newer"
    assert decided.score.as_of == decided.score_event.position - 1
    assert_it_holds(world, tmp_path)


def test_a_plan_that_another_plan_overtook_is_made_again_behind_it(tmp_path: Path) -> None:
    world = raced(tmp_path)
    world.before_append(lambda: world.plan(1_000_000))
    world.plan(1_000_000)
    first, second = world.all_of(PlanMade)
    assert second.as_of == first.as_of + 1
    assert_it_holds(world, tmp_path)
