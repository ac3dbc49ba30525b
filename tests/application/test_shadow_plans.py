"""A policy in shadow plans beside each plan, of the same fleet under the same budget.

Method: a ledger stepped by the test; afterwards all of it replays, and the audit finds nothing.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.application.planning.plans import PlanRequest
from ledger.application.planning.reuse import FleetReuse
from ledger.application.planning.shadow_plans import ShadowPlanning
from ledger.events.plans import PlanMade
from ledger.events.policies import ScopePart
from ledger.events.registry import typed
from ledger.events.shadows import ShadowPlanned
from tests.support.audits import audited
from tests.support.shadowed import shadow
from tests.support.world import DAY, HOUR, START, World, policy_text, rule

DECIDED = {"candidates": "decided"}
CALM = policy_text(rules=[rule("bad", "priority >= 900000")], planning=DECIDED)
KEEN = policy_text(rules=[rule("bad", "priority >= 100000")], planning=DECIDED)
BETA = ScopePart(kind="model", model="beta", labels={})
BUDGET = 1_500_000


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A ledger with a calm policy in force for two models."""
    made = World(tmp_path / "ledger.db", clock="data")
    made.begin("alpha", "beta", policy=CALM)
    yield made
    for result in made.replay():
        assert result.outcome == "IDENTICAL" or result.why.startswith("erased"), result
    report = audited(Path(made.path))
    assert report.passed, report.text()
    made.close()


def see(world: World, value: float, after: int) -> None:
    """Have both models observed and decided about at a time."""
    for at, model in enumerate(("alpha", "beta")):
        world.see(model, value, START + after + 2 * at * HOUR)
        world.settle()


def planned(world: World) -> list[ShadowPlanned]:
    return [typed(one, ShadowPlanned) for one in world.events(ShadowPlanned.TYPE)]


def admitted(plan: PlanMade | ShadowPlanned) -> list[str]:
    return [row.model for row in plan.backlog if row.outcome == "admitted"]


def test_a_shadow_plans_by_its_own_decisions_and_the_plan_is_as_without_it(world: World) -> None:
    position = shadow(world, KEEN)
    see(world, 0.7, 8 * DAY)
    made = world.plan(BUDGET)
    [beside] = planned(world)
    assert (beside.shadow, beside.plan, beside.as_of) == (position, made.plan, made.as_of)
    assert (beside.purse_micros, beside.price) == (made.purse_micros, made.price)
    assert (admitted(made), admitted(beside)) == ([], ["alpha"])
    assert {row.action_in_force for row in beside.backlog} == {"SCHEDULE_RETRAINING"}
    assert [one.plan for one, _ in world.ledger.plans.page(before=1_000, limit=10)] == [made.plan]


def test_of_a_model_outside_its_scope_the_decision_in_force_counts(world: World) -> None:
    shadow(world, KEEN, scope=BETA)
    see(world, 0.7, 7 * DAY)
    world.override("alpha", "SCHEDULE_RETRAINING", 30 * DAY)
    see(world, 0.7, 8 * DAY)
    made = world.plan(2 * BUDGET)
    [beside] = planned(world)
    assert [row.model for row in made.backlog] == sorted(row.model for row in beside.backlog)
    assert admitted(made) == ["alpha"]
    assert sorted(admitted(beside)) == ["alpha", "beta"]


def test_a_shadow_goes_on_from_its_own_price(world: World) -> None:
    shadow(world, KEEN)
    for week in (1, 2):
        see(world, 0.7, week * 8 * DAY)
        world.plan(BUDGET)
    first, second = planned(world)
    assert second.price_before == first.next_price
    plans = world.all_of(PlanMade)
    assert plans[1].next_price != second.next_price
    assert first.price_before == plans[0].price_before


def test_a_shadow_without_a_model_of_the_plan_or_without_a_planning_part_plans_nothing(
    world: World,
) -> None:
    world.register("omega")
    shadow(world, KEEN, scope=ScopePart(kind="model", model="omega", labels={}))
    without = json.loads(KEEN)
    del without["planning"]
    shadow(world, json.dumps(without), policy="other")
    see(world, 0.7, 8 * DAY)
    world.plan(BUDGET)
    assert not planned(world)


def test_a_shadow_that_ended_plans_no_more(world: World) -> None:
    shadow(world, KEEN, span=10 * DAY)
    see(world, 0.7, 8 * DAY)
    world.plan(BUDGET)
    see(world, 0.7, 11 * DAY)
    assert world.govern() == 1
    world.plan(BUDGET)
    assert len(planned(world)) == 1


def test_a_plan_is_made_when_the_shadow_or_its_own_plan_was_erased(world: World) -> None:
    position = shadow(world, KEEN)
    see(world, 0.7, 8 * DAY)
    world.plan(BUDGET)
    world.erase(*(one.position for one in world.events(ShadowPlanned.TYPE)))
    see(world, 0.7, 16 * DAY)
    world.plan(BUDGET)
    assert len(world.events(ShadowPlanned.TYPE)) == 2
    world.erase(position)
    world.plan(BUDGET)
    assert len(world.events(ShadowPlanned.TYPE)) == 2


def test_a_comparison_says_which_models_either_plan_admits_and_their_cost(world: World) -> None:
    position = shadow(world, KEEN)
    for week in (1, 2):
        see(world, 0.7, week * 8 * DAY)
        world.plan(BUDGET)
    world.erase(world.events(ShadowPlanned.TYPE)[-1].position)
    found = world.ledger.shadow_comparisons.compare(position).plans
    assert (found.plans, found.erased) == (1, 1)
    assert (found.before.jobs, found.after) == (0, (1, 1_000_000))
    assert found.models == (("alpha", 0, 0, 1),)


def test_a_shadow_that_begins_while_a_plan_is_made_has_its_plan_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    see(world, 0.7, 8 * DAY)
    beside, begun = ShadowPlanning.beside, list[int]()

    def interrupted(
        planning: ShadowPlanning, real: PlanRequest, reuse: FleetReuse
    ) -> list[ShadowPlanned]:
        found = list(beside(planning, real, reuse))
        if not begun:
            begun.append(shadow(world, KEEN))
        return found

    monkeypatch.setattr(ShadowPlanning, "beside", interrupted)
    world.plan(BUDGET)
    assert [one.shadow for one in planned(world)] == begun
