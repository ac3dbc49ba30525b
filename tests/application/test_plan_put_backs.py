"""A plan counts the benefit of a model by the version that serves once it is put back.

Method: a version that did better is decided to be put back in the period of a plan. The plan that
comes with that decision is compared, row by row, with the one after it was carried out. All of it
replays, and the auditor derives it by itself.
"""

from pathlib import Path

import pytest

from ledger.application.fleet.deployments import DeploymentSpec
from ledger.events.plans import PlanMadeV2, PlannedFleet, SteppedRowPart
from ledger.events.reuse import ReuseProposed
from ledger.events.shadows import ShadowPlanned
from tests.audit.paper import Paper
from tests.audit.test_forgeries import audit_of
from tests.support.audits import audited
from tests.support.governed import governed
from tests.support.job_worlds import Working
from tests.support.shadowed import shadow
from tests.support.world import ANA, DAY, ORIGIN, START, World, policy_text

WEEK = 7 * DAY
FIRST = START // WEEK * WEEK + WEEK
PLANNING = {"planner": "excess/2", "common": "0%", "min_models": 1, "max_periods": 512}
POLICY = governed(policy_text(planning=PLANNING))
MODELS = ("m", "n", "other")
BUDGET = 1_500_000


def see(world: World, week: int, **losses: str) -> None:
    """Report a week of `m` and `n` on 100 rows: the losses of their versions."""
    at = FIRST + week * WEEK + DAY
    for model in MODELS[:2]:
        seen = ((model, "loss", name, loss, at, 100) for name, loss in losses.items())
        world.observe(*seen)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return two models that were retrained alike, a third, and what the first version does."""
    world = World(tmp_path / "ledger.db").begin(*MODELS, policy=POLICY)
    see(world, 0, v1="0.5")
    for model in MODELS[:2]:
        at = FIRST + WEEK
        world.deploy(model, "v2", at=at, through=at - 1, baseline="0.3")
    see(world, 1, v1="0.4", v2="0.6")
    return world


def carry_out(world: World, *models: str) -> None:
    """Put versions back as the ledger proposed it."""
    for one in world.events(ReuseProposed.TYPE):
        if (model := one.stream.partition("/")[2]) in models:
            at = FIRST + WEEK + DAY
            world.ledger.stated_deployments.put_back(ANA, model, one.position, at)


def rows(plan: PlannedFleet) -> dict[str, dict[str, object]]:
    """Return the backlog of a plan by model."""
    return {row.model: row.model_dump() for row in plan.backlog}


def check(world: World, tmp_path: Path) -> None:
    """Replay and audit a ledger whole."""
    world.check_replay()
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()


@pytest.mark.parametrize("is_proposed_before", [False, True])
def test_a_plan_is_the_same_before_and_after_what_is_decided_is_put_back(
    world: World, tmp_path: Path, *, is_proposed_before: bool
) -> None:
    if is_proposed_before:
        world.ledger.plans.propose_reuse(ANA, "")
    alone = world.plan(BUDGET)
    assert [one.put_back for one in world.all_of(ReuseProposed)] == ["v1", "v1"]
    counted = [(row.model_version, row.baseline_nano) for row in alone.backlog if row.model == "m"]
    assert counted == [("v1", "400000000")], "v2, with a baseline of 0.3, serves still"
    carry_out(world, "m", "n")
    after = world.plan(BUDGET)
    assert rows(after) == rows(alone)
    assert (after.inputs_digest, after.modes) == (alone.inputs_digest, alone.modes)
    assert len(world.all_of(ReuseProposed)) == 2
    check(world, tmp_path)


def test_once_a_version_was_put_back_in_a_period_no_other_one_counts_in_it(tmp_path: Path) -> None:
    world = World(tmp_path / "ledger.db").begin(*MODELS, policy=POLICY)
    see(world, 0, v1="0.5")
    for week, losses in ((1, {"v1": "0.9", "v2": "0.3"}), (2, {"v1": "0.4", "v2": "0.42"})):
        at, version = FIRST + week * WEEK, f"v{week + 1}"
        for model in MODELS[:2]:
            world.deploy(model, version, at=at, through=at - 1, baseline="0.3")
        see(world, week, **(losses | ({"v3": "0.8"} if week == 2 else {})))
    world.ledger.plans.propose_reuse(ANA, "")
    for one in world.events(ReuseProposed.TYPE):
        model, at = one.stream.partition("/")[2], FIRST + 2 * WEEK + DAY
        world.ledger.stated_deployments.put_back(ANA, model, one.position, at)
    found = world.plan(BUDGET).backlog
    # Over both weeks v2 did better than v1, which now serves; over the one of v3 v1 did best.
    assert [one.put_back for one in world.all_of(ReuseProposed)] == ["v1", "v1", "v2", "v2"]
    assert {row.model: row.model_version for row in found if row.model in MODELS[:2]} == {
        "m": "v1", "n": "v1",
    }  # fmt: skip
    check(world, tmp_path)


def test_the_excess_of_the_period_stays_that_of_the_version_that_serves(world: World) -> None:
    [row] = [one for one in world.plan(BUDGET).backlog if one.model == "m"]
    assert isinstance(row, SteppedRowPart)
    assert (int(row.gain), row.error) == (1_000_000 * 100, "1000000"), "0.6 where 0.3 is expected"
    assert int(row.benefit_micros) == int(row.gain) * 400_000_000 * int(row.unit_value_micros) // (
        10**9 * 10**6
    )
    world.close()


def test_a_model_whose_version_was_put_back_and_one_that_waits_for_it_count_alike(
    world: World, tmp_path: Path
) -> None:
    world.ledger.plans.propose_reuse(ANA, "")
    carry_out(world, "m")
    found = rows(world.plan(BUDGET))
    differ = {name for name in found["m"] if found["m"][name] != found["n"][name]}
    assert differ <= {"model", "outcome", "reason", "losing_since"}
    check(world, tmp_path)


def test_of_several_deployments_of_a_version_the_latest_counts(
    world: World, tmp_path: Path
) -> None:
    begun = FIRST + WEEK + 2
    stated = world.ledger.stated_deployments
    stated.record(ANA, DeploymentSpec("m", "v1", begun, START, "0.45", "v2"))
    stated.record(ANA, DeploymentSpec("m", "v2", begun + 2, FIRST + WEEK - 1, "0.35", "v1"))
    alone = rows(world.plan(BUDGET))
    assert alone["m"]["baseline_nano"] == "450000000"
    carry_out(world, "m", "n")
    assert rows(world.plan(BUDGET)) == alone
    check(world, tmp_path)


def test_a_policy_in_shadow_counts_what_the_policy_in_force_puts_back(
    world: World, tmp_path: Path
) -> None:
    never = PLANNING | {"reuse_versions": 0}
    shadow(world, governed(policy_text(planning=never)))
    alone = world.plan(BUDGET)
    carry_out(world, "m", "n")
    after = world.plan(BUDGET)
    first, second = world.all_of(ShadowPlanned)
    assert rows(first) == rows(second) == rows(alone) == rows(after)
    check(world, tmp_path)


def test_a_version_that_its_job_took_back_is_decided_on_and_not_counted(
    world: World, tmp_path: Path
) -> None:
    working = Working.of(world)
    now = world.store.events.head(ORIGIN).recorded_at
    token = working.observing("v3", model="m", at=now)
    working.report("observation", token, loss=100)
    at = now + WEEK
    losses = {"v1": "0.7", "v2": "0.6", "v3": "0.4"}
    world.observe(*(("m", "loss", name, loss, at, 100) for name, loss in losses.items()))
    world.govern()
    working.take_back(working.lease(), at=at)
    assert working.job().outcome == "rolled_back"
    made = world.plan(BUDGET)
    proposed = [one for one in world.all_of(ReuseProposed) if one.model == "m"]
    assert [(one.put_back, one.as_of) for one in proposed] == [("v3", made.as_of)]
    [row] = [one for one in made.backlog if one.model == "m"]
    assert (row.model_version, row.baseline_nano) == ("v2", "300000000")
    check(world, tmp_path)


def test_a_plan_that_counts_by_the_version_that_serves_is_found(
    world: World, tmp_path: Path
) -> None:
    world.plan(BUDGET)
    carry_out(world, "m")
    world.close()
    paper = Paper.copied(tmp_path / "ledger.db", ORIGIN)
    [found] = paper.find(PlanMadeV2.TYPE)
    for row in paper.at(found).data["backlog"]:
        if row["model"] == "m":
            benefit = int(row["benefit_micros"]) * 3 // 4
            row.update(model_version="v2", baseline_nano="300000000", benefit_micros=str(benefit))
    report = audit_of(paper, tmp_path)
    assert [(one.rule, one.position) for one in report.findings] == [("replay.plan", found)]
