"""The steps around the planner: each bounds a plan, and says what it changed.

Method: the fleet of `test_second_plans`, models of equal cost, three of them worth it; each plan is
looked at, and afterwards the ledger replays and the audit finds nothing.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.events.plans import PlanMade, PlanMadeV2
from tests.support.audits import audited
from tests.support.governed import governed
from tests.support.job_worlds import Working
from tests.support.world import DAY, START, World, policy_text

WEEK = 7 * DAY
FIRST = START // WEEK * WEEK + WEEK
COST = 1_000_000
NEED = COST * 11 // 10
LOSSES = {"a": "0.9", "b": "0.8", "c": "0.7", "low": "0.5", "lower": "0.45"}


def policy(**steps: object) -> str:
    planning = {"planner": "excess/2", "common": "0%", "min_models": 1}
    return governed(policy_text(planning=planning | ({"steps": steps} if steps else {})))


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
