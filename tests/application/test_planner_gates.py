"""The gate of a policy's planner is a criterion of its jobs, which the ledger judges.

Method: a recipe whose gate `candidate` compares versions by the loss signal, and says nothing of
it otherwise; candidates at the border of what the policy allows.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.jobs.policy_terms import PlannerGate
from tests.support.audits import audited
from tests.support.governed import governed
from tests.support.job_worlds import RECIPE, Working
from tests.support.world import World, policy_text

LENIENT = RECIPE.replace(
    'candidate["loss"] < champion["loss"]', 'candidate["loss"] < champion["loss"] * 9'
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "ledger.db")
    yield made
    made.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()


def judged(world: World, loss: int, **planning: object) -> tuple[list[str], bool]:
    """Return the criteria of a candidate test, and whether it is passed by a loss against 100."""
    chosen = {"planner": "excess/2"} | planning
    world.begin("alpha", policy=governed(policy_text(planning=chosen)))
    working = Working.of(world, LENIENT)
    working.propose()
    working.approve()
    token = working.lease()
    working.report("data_integrity", token)
    working.report("candidate", token, loss=loss)
    [gate] = [one for one in working.job().proposed["gates"] if one["gate"] == "candidate"]
    return [one["name"] for one in gate["criteria"]], working.job().state != "closed"


@pytest.mark.parametrize(("loss", "is_passed"), [(109, True), (110, False)])
def test_a_candidate_may_lose_a_tenth_more_and_equality_is_refused(
    world: World, loss: int, *, is_passed: bool
) -> None:
    assert judged(world, loss) == (["better", "planner-gate"], is_passed)


def test_a_policy_says_how_much_more(world: World) -> None:
    assert judged(world, 149, gate="50%") == (["better", "planner-gate"], True)


def test_a_planner_without_tests_has_no_gate(world: World) -> None:
    assert judged(world, 500, probe="0%") == (["better"], True)


def test_a_recipe_that_compares_by_other_metrics_has_no_gate_of_the_planner() -> None:
    assert PlannerGate("log-loss", 100_000).criterion([]) == []
