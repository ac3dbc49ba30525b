"""A job by a plan that is out of date is refused, and found where it was forced into the log.

Method: a plan admits a model, something happens that the plan does not know, and a job is proposed
by it. Then a person proposes the job, and the event is changed so that it names the plan.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from ledger.errors import LedgerError
from ledger.events.plans import PlanMadeV2
from ledger.events.policies import ScopePart
from tests.audit.paper import Paper
from tests.audit.test_forgeries import audit_of
from tests.support.audits import audited
from tests.support.budgeted import in_euros, set_budget
from tests.support.governed import governed
from tests.support.job_worlds import RECIPE, Working
from tests.support.world import ANA, DAY, ORIGIN, START, World, policy_text

WEEK = 7 * DAY
FIRST = START // WEEK * WEEK + WEEK
LOSSES = {"alpha": "0.9", "beta": "0.8", "low": "0.45"}


def policy(**steps: object) -> str:
    planning = {"planner": "excess/2", "common": "0%", "min_models": 1, "steps": steps}
    return governed(policy_text(planning=planning))


def see(world: World, at: int) -> None:
    for model, value in LOSSES.items():
        world.see(model, value, at)


def begun(path: Path, **steps: object) -> tuple[Working, PlanMadeV2]:
    """Begin a ledger of three models, and have a plan admit two of them."""
    world = World(path).begin(*LOSSES, policy=policy(**({"budgets": True} | steps)))
    working = Working.of(world)
    see(world, FIRST + DAY)
    plan = world.plan(5_000_000)
    assert isinstance(plan, PlanMadeV2)
    admitted = {one.model for one in plan.backlog if one.outcome == "admitted"}
    assert admitted >= {"alpha"}
    return working, plan


def another_plan(working: Working) -> None:
    working.world.plan(0)


def a_period(working: Working) -> None:
    see(working.world, FIRST + DAY + WEEK)


def an_activation(working: Working) -> None:
    working.world.activate(policy(budgets=True))


def a_version_trained_by_hand(working: Working) -> None:
    working.world.deploy("alpha", "v2", at=FIRST + DAY)


def a_description(working: Working) -> None:
    working.world.update("alpha", owner="another team")


def a_job_that_began_and_ended(working: Working) -> None:
    working.propose("before")
    working.world.ledger.jobs.cancel(ANA, "before", "no machine is free")


def a_job_of_another_model(working: Working) -> None:
    working.propose("of-beta", "beta")


HAPPENINGS: Final[dict[Callable[[Working], None], str]] = {
    another_plan: "was followed by one at position",
    a_period: "counted until",
    an_activation: "does not know the policy that came into force",
    a_version_trained_by_hand: "does not know the version trained since",
    a_description: "does not know the description of alpha",
    a_job_that_began_and_ended: "does not know job before of model alpha",
    a_job_of_another_model: "1 jobs are under way, and policy main allows 1",
}


@pytest.mark.parametrize("happens", HAPPENINGS, ids=lambda one: one.__name__)
def test_a_plan_that_does_not_know_what_happened_is_no_ground(
    tmp_path: Path, happens: Callable[[Working], None]
) -> None:
    working, plan = begun(tmp_path / "ledger.db", concurrency=1)
    happens(working)
    before = working.world.head
    with pytest.raises(LedgerError, match=HAPPENINGS[happens]) as refused:
        working.propose(plan=plan.plan, reason="")
    assert "make another: `decision-ledger plan make`" in str(refused.value)
    assert working.world.head == before
    working.world.close()

    paper = forced(working, plan)
    report = audit_of(paper, tmp_path)
    assert [(one.rule, one.position) for one in report.findings] == [
        ("jobs.proposed", len(paper.events))
    ], report.text()
    assert HAPPENINGS[happens] in report.text()


def test_a_plan_that_knows_everything_is_a_ground_on_paper_too(tmp_path: Path) -> None:
    working, plan = begun(tmp_path / "ledger.db", concurrency=1)
    working.world.close()
    report = audit_of(forced(working, plan), tmp_path)
    assert report.passed, report.text()


def test_a_job_that_reserves_more_than_its_plan_counted_on_is_found(tmp_path: Path) -> None:
    working, _ = begun(tmp_path / "ledger.db")
    set_budget(working.world, **in_euros())
    plan = working.world.plan(5_000_000)
    assert isinstance(plan, PlanMadeV2)
    working.world.close()
    paper = forced(working, plan)
    report = audit_of(paper, tmp_path)
    [position] = paper.find("job.proposed.v1", job="forced")
    assert [(one.rule, one.position) for one in report.findings] == [("jobs.proposed", position)]
    assert "counted on 1.00 EUR for it and 0.10 EUR for its test" in report.text()


def test_a_new_plan_is_a_ground_again(tmp_path: Path) -> None:
    working, _ = begun(tmp_path / "ledger.db")
    a_period(working)
    plan = working.world.plan(5_000_000)
    assert working.propose(plan=plan.plan, reason="").state == "ready"
    working.world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()


def forced(working: Working, plan: PlanMadeV2) -> Paper:
    """Return the ledger with a job that a person proposed, which is said to be by a plan."""
    world = World(working.world.path)
    Working(world).propose("forced")
    world.close()
    paper = Paper.copied(Path(working.world.path), ORIGIN)
    at = paper.find("plan.made.v2", plan=plan.plan)[0]
    body = paper.at(paper.find("job.proposed.v1", job="forced")[0]).body
    assert isinstance(body, dict)
    body["causation_position"] = at
    body["data"].update(plan=at, approvals=0)
    return paper


def propose_one(working: Working) -> None:
    working.propose("meanwhile", "beta")


def set_a_budget(working: Working) -> None:
    set_budget(working.world)


def deploy_by_hand(working: Working) -> None:
    working.world.deploy("beta", "v2", at=FIRST + DAY)


MEANWHILE = [propose_one, set_a_budget, deploy_by_hand]


@pytest.mark.parametrize("happens", MEANWHILE, ids=lambda one: one.__name__)
def test_a_plan_is_made_again_where_work_or_money_changed_while_it_was_made(
    tmp_path: Path, happens: Callable[[Working], None]
) -> None:
    working, _ = begun(tmp_path / "ledger.db")
    world, before = working.world, working.world.head
    world.before_append(lambda: happens(working))
    plan = world.plan(5_000_000)
    assert plan.as_of > before
    assert plan.as_of == world.head - 1
    world.close()


def test_a_plan_that_jobs_overtake_again_and_again_is_made_while_they_wait(
    tmp_path: Path,
) -> None:
    working, _ = begun(tmp_path / "ledger.db")
    world, overtaken = working.world, list[str]()

    def meanwhile() -> None:
        if not world.ledger.plans.work.locked():  # as another thread would have to wait for it
            overtaken.append(f"j{len(overtaken)}")
            working.propose(overtaken[-1], "beta")
            world.ledger.jobs.cancel(ANA, overtaken[-1], "no machine is free")

    world.before_append(meanwhile, each=True)
    plan = world.plan(5_000_000)
    assert len(overtaken) == 3
    assert plan.as_of == world.head - 1
    assert not world.ledger.plans.work.locked()
    world.close()


@pytest.mark.parametrize("happens", MEANWHILE, ids=lambda one: one.__name__)
def test_a_plan_that_does_not_know_of_work_or_money_is_found_on_paper(
    tmp_path: Path, happens: Callable[[Working], None]
) -> None:
    working, _ = begun(tmp_path / "ledger.db")
    world = working.world
    happens(working)
    stale = world.head - 1
    world.plan(5_000_000)
    world.close()
    paper = Paper.copied(Path(world.path), ORIGIN)
    paper.at(len(paper.events)).data["as_of"] = stale
    report = audit_of(paper, tmp_path)
    found = {(one.rule, one.position) for one in report.findings}
    assert ("horizons.unbroken", len(paper.events)) in found, report.text()


def test_a_model_whose_own_policy_bounds_it_takes_no_job_by_the_plan_of_another(
    tmp_path: Path,
) -> None:
    working, _ = begun(tmp_path / "ledger.db")
    world, scope = working.world, ScopePart(kind="model", model="alpha", labels={})
    world.activate(policy(concurrency=9), policy="own", scope=scope)
    plan = world.plan(5_000_000, policy="main")
    with pytest.raises(LedgerError, match="policy own bounds the jobs of alpha"):
        working.propose(plan=plan.plan, reason="")
    own = world.plan(5_000_000, policy="own")
    assert working.propose(plan=own.plan, reason="").state == "ready"
    assert isinstance(plan, PlanMadeV2)
    world.close()
    paper = Paper.copied(Path(world.path), ORIGIN)
    proposed = paper.find("job.proposed.v1")[0]
    at = paper.find("plan.made.v2", plan=plan.plan)[0]
    body = paper.at(proposed).body
    assert isinstance(body, dict)
    body["causation_position"] = body["data"]["plan"] = at
    report = audit_of(paper, tmp_path)
    assert [(one.rule, one.position) for one in report.findings] == [("jobs.proposed", proposed)]


def test_a_model_that_a_person_has_taken_out_of_force_has_no_job_of_what_was_decided(
    tmp_path: Path,
) -> None:
    planning = {"planner": "excess/2", "common": "0%", "min_models": 1, "candidates": "decided"}
    world = World(tmp_path / "ledger.db").begin(
        *LOSSES, policy=governed(policy_text(planning=planning))
    )
    working = Working.of(world)
    see(world, FIRST + DAY)
    world.settle()
    plan = world.plan(5_000_000)
    assert {one.model for one in plan.backlog if one.outcome == "admitted"} >= {"alpha"}
    world.override("alpha", "NO_ACTION", DAY)
    world.settle()
    with pytest.raises(LedgerError, match="no retraining of alpha is in force any more"):
        working.propose(plan=plan.plan, reason="")
    assert isinstance(plan, PlanMadeV2)
    world.close()
    report = audit_of(forced(working, plan), tmp_path)
    assert {one.rule for one in report.findings} == {"jobs.proposed"}
    assert "no retraining of alpha is in force any more" in report.text()


@pytest.mark.parametrize("cost", [5, "1.10", "0.60, test: 0.50"])
def test_a_job_by_a_plan_may_be_expected_to_cost_what_the_plan_counted_and_no_more(
    tmp_path: Path, cost: object
) -> None:
    world = World(tmp_path / "ledger.db", unit="EUR").begin(*LOSSES, policy=policy(concurrency=4))
    working = Working.of(world, RECIPE.replace("{cost: 5,", f"{{cost: {cost},"))
    see(world, FIRST + DAY)
    plan = world.plan(5_000_000)
    assert isinstance(plan, PlanMadeV2)
    if cost != 5:
        assert working.propose(plan=plan.plan, reason="").state == "ready"
        world.close()
        return
    with pytest.raises(LedgerError, match="and its recipe expects 5"):
        working.propose(plan=plan.plan, reason="")
    world.close()
    report = audit_of(forced(working, plan), tmp_path)
    assert "jobs.proposed" in {one.rule for one in report.findings}, report.text()
    assert "and its recipe expects 5.00 EUR" in report.text()


def test_a_plan_of_a_ledger_whose_record_runs_ahead_of_its_data_is_a_ground(tmp_path: Path) -> None:
    working, _ = begun(tmp_path / "ledger.db")
    world = working.world
    world.deploy("low", "v2", at=FIRST + 3 * WEEK)
    plan = world.plan(5_000_000)
    assert working.propose(plan=plan.plan, reason="").state == "ready"
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()
