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

from ledger.application.commands import Caller
from ledger.application.jobs.scheduled import ScheduledJobs
from ledger.application.planning.schedules import PlanTimes
from ledger.application.recipes.shelf import ChosenRecipe
from ledger.errors import LedgerError, Reason
from ledger.events.jobs import JobProposed
from ledger.events.plans import PLAN_TYPES, PlanMade, PlanMadeV2
from ledger.events.registry import typed
from ledger.events.values import SECOND
from ledger.jobs.plan_schedules import PlanSchedule
from ledger.storage.records import AppendResult
from tests.application.test_plan_schedule_money import FIRST, SEEN, WEEK, WEEKLY
from tests.application.test_second_plans import LOSSES, NEED, PLANNING, TEST
from tests.support.audits import audited
from tests.support.budgeted import in_euros, set_budget
from tests.support.governed import governed
from tests.support.job_worlds import BOB, RECIPE, Working
from tests.support.world import ANA, DAY, World, policy_text


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


def test_a_job_that_another_server_has_just_proposed_is_no_refusal(
    working: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposals = working.world.ledger.job_proposals
    usual = proposals.propose_by

    def propose_by(caller: Caller, one: PlanSchedule, model: str) -> AppendResult:
        usual(caller, one, model)
        return usual(caller, one, model)

    monkeypatch.setattr(proposals, "propose_by", propose_by)
    schedule(working)
    with capture_logs() as logs:
        govern(working, FIRST)
        settle(working)
    assert [one["event"] for one in logs if one["event"] == "plan.job_skipped"] == []
    assert models(working) == ["a", "b"]


def test_what_is_refused_for_ever_for_one_model_holds_up_no_other(
    working: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposals = working.world.ledger.job_proposals
    usual, failing = proposals.propose_by, {"a": Reason.EVENT_UNREADABLE}

    def propose_by(caller: Caller, one: PlanSchedule, model: str) -> AppendResult:
        if model in failing:
            raise LedgerError(failing[model], "It is so.", remedy="None.")
        return usual(caller, one, model)

    monkeypatch.setattr(proposals, "propose_by", propose_by)
    schedule(working)
    with capture_logs() as logs:
        assert govern(working, FIRST) == 1 + 1
        assert govern(working) == 0
    [told] = [one for one in logs if one["event"] == "plan.job_skipped"]
    assert (told["model"], told["reason"]) == ("a", "EVENT_UNREADABLE")
    assert models(working) == ["b"]

    failing.clear()
    failing["b"] = Reason.STORE_UNAVAILABLE  # no fault of b: it is tried again
    working.world.ledger.jobs.cancel(ANA, jobs(working)[0].job, "Not now.")
    working.world.see("b", "0.9", FIRST + WEEK - 1, size=100)
    with pytest.raises(LedgerError):
        settle(working, FIRST + WEEK)
    failing.clear()
    settle(working)
    assert "b" in models(working)[1:]


def test_jobs_are_proposed_where_the_record_runs_ahead_of_the_data(working: Working) -> None:
    schedule(working)
    working.world.deploy("low", "v2", at=FIRST + 10 * DAY)
    settle(working, FIRST)
    assert models(working) == ["a", "b"]


@pytest.mark.parametrize("refuse", ["deny", "cancel"])
def test_what_a_person_refused_is_not_proposed_again_in_the_same_period(
    tmp_path: Path, refuse: str
) -> None:
    asked = {"budget": "optional", "approvals": [{"role": "operator"}]}
    working = world_of(tmp_path / "ledger.db", jobs=asked)
    schedule(working, every=DAY // SECOND)
    settle(working, FIRST)
    [denied, _] = [one.job for one in jobs(working)]
    getattr(working.world.ledger.jobs, refuse)(ANA, denied, "Not this week.")
    with capture_logs() as logs:
        for day in range(1, 7):
            settle(working, FIRST + day * DAY)
    told = [one for one in logs if one["event"] == "plan.job_withheld"]
    assert {one["model"] for one in told} == {"a"}
    assert models(working).count("a") == 1
    admitting = [one for plan in plans(working)[1:] for one in plan.backlog if one.model == "a"]
    assert "admitted" in {one.outcome for one in admitting}
    for model, value in LOSSES.items():
        working.world.see(model, value, FIRST + 6 * DAY + 1, size=100)
    settle(working, FIRST + WEEK)
    assert models(working).count("a") == 2
    working.world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()


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


@pytest.mark.parametrize(
    ("cost", "test", "is_bounded", "why"),
    [
        ("1.10", "0.10", True, ""),
        ("1.10", "0.20", False, ""),
        ("1.10", "0.20", True, "it expects 0.90 EUR for a job and 0.20 EUR for its test"),
        ("1.12", "0.10", False, "it expects 1.02 EUR for a job and 0.10 EUR for its test"),
    ],
)
def test_a_recipe_that_no_plan_could_pay_is_refused_until_a_model_costs_more(
    tmp_path: Path, cost: str, test: str, why: str, *, is_bounded: bool
) -> None:
    planning = PLANNING | {"steps": {"budgets": True}} if is_bounded else PLANNING
    text = json.dumps(json.loads(policy_text(planning=planning)) | {"jobs": {"budget": "required"}})
    world = World(tmp_path / "ledger.db", clock="data", unit="EUR")
    world.begin(*LOSSES, policy=governed(text))
    working = Working.testing(world, cost, test)
    if why:
        with pytest.raises(LedgerError, match=why) as error:
            schedule(working, recipe="tested")
        Working.of(world, RECIPE.replace("spring", "own"), "own")
        assert error.value.reason is Reason.RECIPE_REFUSED
        assert "count at most 1.00 EUR for a job and 0.10 EUR for its test" in str(error.value)
        world.update("a", cost_micros="2000000", recipe="own")  # no job of it is by that recipe
        with pytest.raises(LedgerError, match=why):
            schedule(working, recipe="tested")
        world.update("a", cost_micros="2000000")
    schedule(working, recipe="tested")
    world.close()


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
