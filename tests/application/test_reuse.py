"""Versions that served before are put back where they did better lately, and their losses show it.

Method: a fleet on disk whose weeks are told as losses, of the version in service and of those in
shadow on the same rows; what is proposed is carried out, planned, replayed and audited.
"""

from pathlib import Path

import pytest

from ledger.events.plans import PlanMadeV2
from ledger.events.reuse import ReuseProposed
from tests.support.audits import audited
from tests.support.governed import governed
from tests.support.world import ANA, DAY, START, World, policy_text, request

WEEK = 7 * DAY
FIRST = START // WEEK * WEEK + WEEK
PLANNING = {"planner": "excess/2", "common": "0%", "min_models": 1, "max_periods": 512}
POLICY = governed(policy_text(planning=PLANNING))


def see(world: World, week: int, **losses: str) -> None:
    """Report a week of model `m` on 100 rows: the losses of its versions."""
    at = FIRST + week * WEEK + DAY
    world.observe(*(("m", "loss", version, value, at, 100) for version, value in losses.items()))


def propose(world: World) -> list[ReuseProposed]:
    return [one for one, _ in world.ledger.plans.propose_reuse(ANA, "")[1]]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a model that was retrained at the end of its first week, and a second model."""
    world = World(tmp_path / "ledger.db").begin("m", "other", policy=POLICY)
    see(world, 0, v1="0.5")
    world.deploy("m", "v2", at=FIRST + WEEK, through=FIRST + WEEK - 1, baseline="0.3")
    return world


def finish(world: World, tmp_path: Path) -> dict[str, int]:
    """Replay and audit a ledger whole; return how often each rule was applied."""
    world.check_replay()
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()
    return {one.rule: one.checked for one in report.rules}


def test_a_version_that_did_better_on_the_same_rows_is_proposed_with_its_numbers(
    world: World, tmp_path: Path
) -> None:
    see(world, 1, v1="0.4", v2="0.6")
    [found] = propose(world)
    assert (found.model, found.in_service, found.put_back) == ("m", "v2", "v1")
    [compared] = found.compared
    one = 1 << 62  # the weight of the present period
    assert int(compared.n) == one
    assert int(compared.den) == one * 60 * 10**9
    assert int(compared.adv) == one * 20 * 10**9
    assert compared.advantage_ppm == str(20 * 1_000_000 // (60 * 2))
    assert finish(world, tmp_path)["reuse.replays"] == 1


@pytest.mark.parametrize(
    "losses",
    [
        {"v1": "0.6", "v2": "0.6"},
        {"v1": "0.597", "v2": "0.6"},  # better, but not by the margin
        {"v2": "0.6"},  # not observed
    ],
)
def test_a_version_that_did_not_is_not_proposed(world: World, losses: dict[str, str]) -> None:
    see(world, 1, **losses)
    assert propose(world) == []
    world.close()


def test_a_version_that_was_observed_on_other_rows_is_not_compared(world: World) -> None:
    see(world, 1, v2="0.6")
    world.see("m", "0.1", FIRST + WEEK + DAY, version="v1", size=99)
    assert propose(world) == []
    world.close()


def test_what_is_in_shadow_moves_no_priority(world: World) -> None:
    see(world, 1, v2="0.6")
    world.settle()
    before = world.scores("m")[-1]
    see(world, 1, v1="99.0")
    world.settle()
    world.evaluate("m")
    after = world.scores("m")[-1]
    assert after.as_of > before.as_of
    assert (after.priority, after.degradation) == (before.priority, before.degradation)
    world.close()


def test_it_is_proposed_once_in_a_period_and_by_a_plan_where_it_was_not_before(
    world: World, tmp_path: Path
) -> None:
    see(world, 1, v1="0.4", v2="0.6")
    plan, event = world.ledger.plans.make(
        request("p", "x"), policy="", budget_micros=0, budget_cap_micros=0
    )
    assert [one.as_of for one in world.all_of(ReuseProposed)] == [plan.as_of]
    assert world.events("reuse.proposed.v1")[0].position == event.position - 1
    assert propose(world) == []
    world.plan(0)
    again = request("p", "x")
    assert world.ledger.plans.make(again, policy="", budget_micros=0, budget_cap_micros=0) == (
        plan,
        event,
    )
    see(world, 2, v1="0.4", v2="0.6")
    assert [one.put_back for one in propose(world)] == ["v1"]
    assert finish(world, tmp_path)["reuse.due"] == 2


def test_the_period_of_a_change_is_that_of_the_version_that_was_replaced(
    world: World, tmp_path: Path
) -> None:
    see(world, 1, v1="0.4", v2="0.6")
    propose(world)
    world.deploy("m", "v1", at=FIRST + WEEK + DAY, through=START)
    first = world.plan(0)
    [row] = [one for one in first.backlog if one.model == "m"]
    assert (row.model_version, row.baseline_nano) == ("v1", "400000000")
    # v2 was trained through the first period: its excess of 100% in the second counts, v1's not
    assert int(row.gain) == 1_000_000 * 100
    assert row.trained_period == FIRST // WEEK
    see(world, 2, v1="0.4", v2="0.6")
    assert propose(world) == []
    later = world.plan(0)
    assert {one.period: int(one.mode) for one in later.modes}[FIRST // WEEK + 1] == 1_000_000
    [row] = [one for one in later.backlog if one.model == "m"]
    assert 0 < int(row.gain) < 1_000_000 * 100
    applied = finish(world, tmp_path)
    assert (applied["replay.plan"], applied["reuse.due"]) == (2, 2)


def test_a_version_that_people_put_back_is_that_of_its_whole_period(world: World) -> None:
    see(world, 1, v1="0.4", v2="0.6")
    world.deploy("m", "v1", at=FIRST + WEEK + DAY, through=START)
    [row] = [one for one in world.plan(0).backlog if one.model == "m"]
    assert (row.seen, int(row.gain)) == (True, 0)  # nothing proposed it: v1 lost as in training
    world.close()


def test_the_latest_versions_count_in_the_order_in_which_they_left(tmp_path: Path) -> None:
    text = governed(policy_text(planning=PLANNING | {"reuse_versions": 1}))
    world = World(tmp_path / "ledger.db").begin("m", policy=text)
    for week, version in enumerate(("v2", "v3"), 1):
        at = FIRST + week * WEEK
        world.deploy("m", version, at=at, through=at - 1)
    see(world, 3, v1="0.1", v2="0.4", v3="0.6")
    [found] = propose(world)
    assert [one.model_version for one in found.compared] == ["v2"]
    world.deploy("m", "v1", at=FIRST + 3 * WEEK + DAY, through=START)
    world.deploy("m", "v3", at=FIRST + 3 * WEEK + DAY, through=FIRST + 2 * WEEK - 1)
    [found] = propose(world)
    assert ([one.model_version for one in found.compared], found.put_back) == (["v1"], "v1")
    finish(world, tmp_path)


def test_a_policy_may_put_none_back(tmp_path: Path) -> None:
    text = governed(policy_text(planning=PLANNING | {"reuse_versions": 0}))
    world = World(tmp_path / "ledger.db").begin("m", policy=text)
    world.deploy("m", "v2", at=FIRST + WEEK, through=FIRST + WEEK - 1)
    see(world, 2, v1="0.1", v2="0.6")
    assert propose(world) == []
    assert isinstance(world.plan(0), PlanMadeV2)
    assert finish(world, tmp_path)["reuse.due"] == 1


def test_where_a_proposal_is_erased_the_period_is_that_of_the_version_that_was_put_back(
    world: World, tmp_path: Path
) -> None:
    see(world, 1, v1="0.4", v2="0.6")
    propose(world)
    [event] = world.events("reuse.proposed.v1")
    world.deploy("m", "v1", at=FIRST + WEEK + DAY, through=START)
    world.plan(0)
    world.erase(event.position)
    [row] = [one for one in world.plan(0).backlog if one.model == "m"]
    assert (row.seen, int(row.gain)) == (True, 0)
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()
    assert report.erased == 1
