"""Scheduled plans become work by themselves: the governor proposes their jobs, and plans again.

Method: models of equal cost that all lost, in a ledger whose time comes with its data; the governor
looks when the test says so, and what it proposed is looked at, replayed and audited.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from ledger.application.jobs.scheduled import ScheduledJobs
from ledger.application.planning.schedules import PlanTimes
from ledger.application.recipes.shelf import ChosenRecipe
from ledger.errors import LedgerError, Reason
from ledger.events.jobs import JobProposed
from ledger.events.plans import PLAN_TYPES, PlanMade, PlanMadeV2
from ledger.events.registry import typed
from ledger.jobs.plan_schedules import PlanSchedule, by_schedule_fault
from tests.application.test_plan_schedule_money import FIRST, SEEN, WEEK, WEEKLY
from tests.application.test_second_plans import LOSSES, NEED, PLANNING, TEST
from tests.audit.paper import Paper
from tests.audit.test_forgeries import audit_of
from tests.support.audits import audited
from tests.support.budgeted import in_euros, set_budget
from tests.support.governed import governed
from tests.support.job_worlds import BOB, RECIPE, Working
from tests.support.world import ANA, ORIGIN, World, policy_text


def world_of(path: Path, **more: Any) -> Working:  # noqa: ANN401 - members of the policy
    world = World(path, clock="data")
    text = json.dumps(json.loads(policy_text(planning=PLANNING)) | more)
    world.begin(*LOSSES, policy=governed(text))
    for model, value in LOSSES.items():
        world.see(model, value, SEEN, size=100)
    return Working.of(world)


@pytest.fixture
def working(tmp_path: Path) -> Iterator[Working]:
    made = world_of(tmp_path / "ledger.db")
    yield made
    made.world.check_replay()
    made.world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()


def schedule(working: Working, weeks: int = 2, recipe: str = "monthly", every: int = WEEKLY) -> int:
    money = weeks * NEED, 9 * NEED
    scheduled = working.world.ledger.scheduled_plans
    return scheduled.set(ANA, PlanTimes("main", every, recipe), money, "").last_position


def govern(working: Working, at: int = 0) -> int:
    """Have time come to a moment and the governor look; return how much it recorded."""
    if at:
        working.world.see("lower", "0.45", at, size=1)
    return working.world.ledger.governor.run_due()


def settle(working: Working, at: int = 0) -> None:
    """Have time come to a moment, and the governor look until there is nothing to record."""
    recorded = govern(working, at)
    while recorded:
        recorded = govern(working)


def jobs(working: Working) -> list[JobProposed]:
    return [typed(event, JobProposed) for event in working.world.events(JobProposed.TYPE)]


def plans(working: Working) -> list[PlanMade]:
    return [typed(event, PlanMade) for event in working.world.events(*PLAN_TYPES)]


def models(working: Working) -> list[str]:
    return [one.model for one in jobs(working)]


def test_job(working: Working, model: str, *, loss: int) -> None:
    """Have the job of a model report its data and its candidate's loss against 100."""
    [name] = [one.job for one in jobs(working) if one.model == model]
    token = working.lease(name)
    working.report("data_integrity", token, name)
    working.report("candidate", token, name, loss=loss)


test_job.__test__ = False  # type: ignore[attr-defined]  # a step, not a test


def test_the_jobs_of_a_scheduled_plan_are_proposed_best_first_and_once(working: Working) -> None:
    schedule(working)
    assert govern(working, FIRST) == 1 + 2
    assert govern(working) == 0
    [first, second] = working.world.events(JobProposed.TYPE)
    [plan] = working.world.events(*PLAN_TYPES)
    assert models(working) == ["a", "b"]
    for event in (first, second):
        data = typed(event, JobProposed)
        assert (event.body.actor, data.plan) == ("system/governor", plan.position)
        assert (data.recipe, data.recipe_version, data.approvals) == ("monthly", 1, 0)


def test_without_a_recipe_people_propose_them(working: Working) -> None:
    schedule(working, recipe="")
    assert govern(working, FIRST) == 1
    [plan] = plans(working)
    working.propose("by-hand", "a", plan=plan.plan, reason="")
    assert govern(working) == 0


def test_another_server_and_one_that_was_started_again_propose_none_twice(working: Working) -> None:
    ledger, store, info = working.world.ledger, working.world.store, working.world.ledger.info
    schedule(working)
    working.world.see("lower", "0.45", FIRST, size=1)
    ledger.scheduled_plans.run_due()
    [plan] = plans(working)
    working.propose("by-hand", "a", plan=plan.plan, reason="")

    def server() -> ScheduledJobs:
        return ScheduledJobs(
            store, info, ledger.scheduled_plans, ledger.plans, ledger.job_proposals,
            ledger.job_reader,
        )  # fmt: skip

    one, other = server(), server()
    assert one.run_due().recorded == 1
    assert other.run_due().recorded == 0
    assert models(working) == ["a", "b"]


def test_the_newest_approved_version_counts_and_a_model_s_own_recipe(working: Working) -> None:
    recipes = working.world.ledger.recipes
    for name in ("monthly", "own"):
        version = recipes.draft(ANA, name, RECIPE.replace("spring", name), "because").version
        recipes.approve(BOB, ChosenRecipe(name, version), "fine")
    recipes.draft(ANA, "monthly", RECIPE, "not approved")
    working.world.update("b", recipe="own")
    working.world.update("a", recipe="of another system")
    schedule(working)
    govern(working, FIRST)
    assert [(one.model, one.recipe, one.recipe_version) for one in jobs(working)] == [
        ("a", "monthly", 2), ("b", "own", 1),
    ]  # fmt: skip


def test_what_is_refused_is_told_once_and_holds_up_no_other(working: Working) -> None:
    schedule(working)
    working.world.see("lower", "0.45", FIRST, size=1)
    working.world.ledger.scheduled_plans.run_due()
    working.propose("by-hand", "a", reason="It is urgent.")  # the plan does not know it
    with capture_logs() as logs:
        assert govern(working) == 1
        assert govern(working) == 0
    [told] = [one for one in logs if one["event"] == "plan.job_skipped"]
    assert (told["model"], told["reason"]) == ("a", "JOB_REFUSED")
    assert "job by-hand of model a is not over" in told["why"]
    assert models(working) == ["a", "b"]


def test_jobs_that_lack_the_budget_that_their_policy_wants_wait_for_the_next_plan(
    tmp_path: Path,
) -> None:
    working = world_of(tmp_path / "ledger.db", jobs={"budget": "required"})
    schedule(working)
    with capture_logs() as logs:
        assert govern(working, FIRST) == 1
        assert govern(working) == 0
    assert [one["reason"] for one in logs if "reason" in one] == ["BUDGET_REQUIRED"] * 2
    set_budget(working.world, **in_euros())
    for model, value in LOSSES.items():
        working.world.see(model, value, SEEN + WEEK, size=100)
    settle(working, FIRST + WEEK)
    assert models(working)[:1] == ["a"]
    assert {one.budget for one in jobs(working)} == {"main"}
    working.world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()


def test_a_recipe_must_be_approved_and_one_that_is_retired_is_waited_for(working: Working) -> None:
    recipes = working.world.ledger.recipes
    for recipe, reason in (("nowhere", Reason.RECIPE_UNKNOWN), ("draft", Reason.RECIPE_REFUSED)):
        if recipe == "draft":
            recipes.draft(ANA, recipe, RECIPE, "because")
        with pytest.raises(LedgerError) as error:
            schedule(working, recipe=recipe)
        assert error.value.reason is reason
    schedule(working)
    recipes.retire(ANA, "monthly", 0, "Its image is too old.")
    with capture_logs() as logs:
        assert govern(working, FIRST) == 1
    assert [one["reason"] for one in logs if "reason" in one] == ["RECIPE_REFUSED"] * 2


def test_the_plan_is_made_again_once_all_jobs_are_tested_and_some_refused(
    working: Working,
) -> None:
    at = schedule(working)
    govern(working, FIRST)
    test_job(working, "a", loss=200)
    assert govern(working) == 0  # the other waits for its test
    test_job(working, "b", loss=50)
    assert govern(working) == 1
    again = plans(working)[-1]
    assert isinstance(again, PlanMadeV2)
    assert again.plan == f"scheduled-{at}-{FIRST // WEEK}-2"
    assert int(again.purse_micros) == NEED - TEST
    assert govern(working) == 0


def test_the_jobs_of_a_plan_that_was_made_again_follow(working: Working) -> None:
    at = schedule(working)
    govern(working, FIRST)
    test_job(working, "a", loss=200)
    test_job(working, "b", loss=200)
    settle(working)
    assert models(working) == ["a", "b", "c"]
    test_job(working, "c", loss=200)
    settle(working)
    assert [one.plan for one in plans(working)] == [
        f"scheduled-{at}-{FIRST // WEEK}{making}" for making in ("", "-2", "-3")
    ]
    settle(working, FIRST + WEEK)
    assert plans(working)[-1].plan == f"scheduled-{at}-{FIRST // WEEK + 1}"


def test_where_all_pass_the_plan_is_not_made_again(working: Working) -> None:
    schedule(working)
    govern(working, FIRST)
    for model in "ab":
        test_job(working, model, loss=50)
    assert govern(working) == 0
    assert len(plans(working)) == 1


def test_approvals_of_the_policy_hold_jobs_back(tmp_path: Path) -> None:
    asked = {"budget": "optional", "approvals": [{"role": "operator"}]}
    working = world_of(tmp_path / "ledger.db", jobs=asked)
    schedule(working)
    govern(working, FIRST)
    assert {working.job(one.job).state for one in jobs(working)} == {"proposed"}
    working.world.close()


def test_once_it_is_ended_nothing_is_proposed_by_its_plan(working: Working) -> None:
    schedule(working)
    working.world.see("lower", "0.45", FIRST, size=1)
    working.world.ledger.scheduled_plans.run_due()
    working.world.ledger.scheduled_plans.set(ANA, PlanTimes("main", None), (0, 0), "")
    assert govern(working) == 0
    assert models(working) == []


@pytest.fixture
def paper(tmp_path: Path) -> Paper:
    """A ledger on paper with jobs by a schedule, one refused, and the plan that followed."""
    path = tmp_path / "forged" / "ledger.db"
    path.parent.mkdir()
    working = world_of(path)
    schedule(working)
    govern(working, FIRST)
    for model in "ab":
        test_job(working, model, loss=200)
    settle(working)
    working.world.close()
    return Paper.copied(path, ORIGIN)


def findings(paper: Paper, tmp_path: Path) -> list[tuple[str, str]]:
    return [(one.rule, one.what) for one in audit_of(paper, tmp_path).findings]


def test_jobs_of_a_schedule_that_names_another_recipe_or_none_are_refused(
    paper: Paper, tmp_path: Path
) -> None:
    [at] = paper.find("plan.scheduled.v1")
    paper.at(at).data["recipe"] = None
    found = findings(paper, tmp_path)
    assert {rule for rule, _ in found} == {"plans.scheduled"}
    assert "names no recipe" in found[0][1]


@pytest.mark.parametrize(
    ("actor", "recipe", "stated", "why"),
    [
        ("system/governor", "weekly", ("weekly", 3), ""),
        ("users/ana", None, ("own", 1), ""),
        ("system/governor", "weekly", ("weekly", 2), "it is by version 2 of weekly"),
        ("system/governor", "weekly", ("own", 3), "it is by version 3 of own"),
        ("system/governor", None, ("weekly", 3), "names no recipe"),
        ("system/follower", "weekly", ("weekly", 3), "proposes no jobs"),
    ],
)
def test_the_governor_proposes_by_the_recipe_and_version_that_are_due(
    actor: str, recipe: str | None, stated: tuple[str, int], why: str
) -> None:
    one = PlanSchedule("main", 9, WEEK, "1", "1", recipe, "", 0)
    data = {"recipe": stated[0], "recipe_version": stated[1]}
    said = by_schedule_fault(one, actor, data, ("weekly", 3))
    assert (why in said) if why else (said == "")


def test_another_part_of_the_service_proposes_no_job(paper: Paper, tmp_path: Path) -> None:
    body = paper.at(paper.find("job.proposed.v1", model="c")[0]).body
    assert isinstance(body, dict)
    body["actor"] = "system/evaluator"
    [(rule, why)] = findings(paper, tmp_path)
    assert (rule, why) == ("plans.scheduled", "system/evaluator proposes no jobs")


def test_a_schedule_by_a_recipe_that_was_never_approved_is_refused(
    paper: Paper, tmp_path: Path
) -> None:
    paper.at(paper.find("plan.scheduled.v1")[0]).data["recipe"] = "another"
    assert ("plans.due", "no version of recipe another is approved") in findings(paper, tmp_path)


def test_a_plan_that_is_made_again_without_new_money_is_refused(
    paper: Paper, tmp_path: Path
) -> None:
    last = paper.find("plan.made.v2")[-1]
    data, body = paper.at(last).data, paper.at(last).body
    assert isinstance(body, dict)
    twice = data | {"plan": data["plan"][:-1] + "3", "as_of": len(paper.events)}
    paper.append(
        f"plans/{twice['plan']}", "plan.made.v2", twice, actor="system/governor",
        causation_position=body["causation_position"],
    )  # fmt: skip
    said = [what for rule, what in findings(paper, tmp_path) if rule == "plans.scheduled"]
    assert said == ["a job of its period waits for its test"]
