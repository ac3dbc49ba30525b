"""The money of scheduled plans is saved up: each period adds to what jobs left, up to the cap.

Method: models of equal cost that all lost, in a ledger whose time comes with its data; plans are
made by the governor, some of their jobs are tested, and the money of each plan is looked at.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.application.planning.schedules import PlanTimes
from ledger.events.plans import PLAN_TYPES, PlanMade, PlanMadeV2
from ledger.events.registry import typed
from ledger.events.values import DAY
from tests.application.test_second_plans import LOSSES, NEED, PLANNING, TEST
from tests.audit.paper import Paper
from tests.audit.test_forgeries import audit_of
from tests.support.audits import audited
from tests.support.governed import governed
from tests.support.job_worlds import Working
from tests.support.world import ANA, ORIGIN, START, World, policy_text

WEEK = 7 * DAY
SEEN = START // WEEK * WEEK + WEEK + DAY
FIRST = SEEN - DAY + WEEK
WEEKLY, DAILY = 7 * 86_400, 86_400


@pytest.fixture
def working(tmp_path: Path) -> Iterator[Working]:
    world = World(tmp_path / "ledger.db", clock="data")
    world.begin(*LOSSES, policy=governed(policy_text(planning=PLANNING)))
    for model, value in LOSSES.items():
        world.see(model, value, SEEN, size=100)
    yield Working.of(world)
    world.check_replay()
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()
    assert {one.rule: one.checked for one in report.rules}["plans.scheduled"] > 0


def schedule(working: Working, money: int, cap: int, every: int = WEEKLY) -> int:
    scheduled = working.world.ledger.scheduled_plans
    return scheduled.set(ANA, PlanTimes("main", every), (money, cap), "").last_position


def planned(working: Working, at: int) -> PlanMade:
    """Have time come to a moment, and return the plan that the governor makes then."""
    working.world.see("lower", "0.45", at, size=1)
    before = len(working.world.events(*PLAN_TYPES))
    working.world.ledger.governor.run_due()
    *_, newest = plans = working.world.events(*PLAN_TYPES)
    assert len(plans) == before + 1
    return typed(newest, PlanMade)


def admitted(plan: PlanMade) -> list[str]:
    return [row.model for row in plan.backlog if row.outcome == "admitted"]


def waiting_job(working: Working, plan: PlanMade, model: str) -> str:
    """Propose the job of a model, and have it wait for the report on its candidate."""
    working.propose(f"job-{model}", model, plan=plan.plan, reason="")
    token = working.lease(f"job-{model}")
    working.report("data_integrity", token, f"job-{model}")
    return f"job-{model}"


def test_candidate(working: Working, job: str, *, loss: int) -> None:
    found = working.job(job)  # its lease runs out while time passes
    token = working.lease(job) if found.state == "ready" else found.token
    working.report("candidate", token, job, loss=loss)


test_candidate.__test__ = False  # type: ignore[attr-defined]  # a step, not a test


def test_a_schedule_begins_with_its_money_and_saves_up_to_its_cap(working: Working) -> None:
    schedule(working, NEED, 5 * NEED // 2)
    moneys = [int(planned(working, FIRST + week * WEEK).purse_micros) for week in (0, 1, 2, 4)]
    assert moneys == [NEED, 2 * NEED, 5 * NEED // 2, 5 * NEED // 2]


def test_the_money_of_weeks_in_which_no_server_ran_is_there(working: Working) -> None:
    schedule(working, 1, 9)
    assert int(planned(working, FIRST).purse_micros) == 1
    assert int(planned(working, FIRST + 3 * WEEK).purse_micros) == 4


def test_what_a_job_took_is_not_there_and_what_a_refusal_leaves_comes_back(
    working: Working,
) -> None:
    schedule(working, 2 * NEED, 9 * NEED)
    first = planned(working, FIRST)
    assert admitted(first) == ["a", "b"]
    passes, waits = (waiting_job(working, first, model) for model in "ab")
    test_candidate(working, passes, loss=50)
    second = planned(working, FIRST + WEEK)
    assert int(second.purse_micros) == 2 * NEED  # both took all of the first
    test_candidate(working, waits, loss=200)
    third = planned(working, FIRST + 2 * WEEK)
    assert int(third.purse_micros) == 2 * NEED + (NEED - TEST) + 2 * NEED


def test_plans_within_a_period_have_what_is_left_and_add_nothing(working: Working) -> None:
    at = schedule(working, 2 * NEED, 9 * NEED, DAILY)
    first = planned(working, FIRST)
    assert int(first.purse_micros) == 2 * NEED
    again = planned(working, FIRST + DAY)
    [event] = working.world.events(*PLAN_TYPES)[:1]
    assert isinstance(again, PlanMadeV2)
    assert (again.second_to, again.purse_micros) == (event.position, first.purse_micros)
    assert again.purse_cap_micros == str(9 * NEED)
    job = waiting_job(working, again, "a")
    third = planned(working, FIRST + 2 * DAY)
    assert int(third.purse_micros) == NEED
    test_candidate(working, job, loss=200)
    fourth = planned(working, FIRST + 3 * DAY)
    assert int(fourth.purse_micros) == 2 * NEED - TEST
    assert fourth.price_before == first.price_before
    later = planned(working, FIRST + WEEK)
    assert int(later.purse_micros) == 4 * NEED - TEST
    assert later.price_before == first.next_price
    assert later.plan == f"scheduled-{at}-{(FIRST + WEEK) // DAY}"


def test_another_version_of_the_policy_goes_on_with_what_is_left(working: Working) -> None:
    schedule(working, 2 * NEED, 9 * NEED, DAILY)
    waiting_job(working, planned(working, FIRST), "a")
    working.world.activate(governed(policy_text(planning=PLANNING | {"min_models": 2})))
    made = planned(working, FIRST + DAY)
    assert isinstance(made, PlanMadeV2)
    assert (made.second_to, int(made.purse_micros)) == (None, NEED)
    working.world.activate(policy_text(planning={"min_models": 1}))
    for day in (2, 3):  # by excess/1, whose plans are not made again
        assert int(planned(working, FIRST + day * DAY).purse_micros) == NEED
    assert int(planned(working, FIRST + WEEK).purse_micros) == 3 * NEED


def test_another_schedule_begins_with_its_own_money(working: Working) -> None:
    schedule(working, 5 * NEED, 9 * NEED)
    planned(working, FIRST)
    schedule(working, NEED, 9 * NEED)
    assert int(planned(working, FIRST + WEEK).purse_micros) == NEED


def test_jobs_of_other_plans_take_nothing_of_a_schedule(working: Working) -> None:
    schedule(working, NEED, 9 * NEED)
    planned(working, FIRST)
    waiting_job(working, working.world.plan(9 * NEED), "a")
    assert int(planned(working, FIRST + WEEK).purse_micros) == 2 * NEED


def test_jobs_of_a_plan_that_a_person_made_again_take_of_the_schedule(working: Working) -> None:
    schedule(working, 2 * NEED, 9 * NEED)
    first = planned(working, FIRST)
    test_candidate(working, waiting_job(working, first, "a"), loss=200)
    make = working.world.ledger.plans.make
    again, _ = make(ANA, policy="main", second_to=first.plan)
    waiting_job(working, again, "b")
    assert int(planned(working, FIRST + WEEK).purse_micros) == 2 * NEED - TEST - NEED + 2 * NEED


@pytest.fixture
def paper(tmp_path: Path) -> Paper:
    """A ledger on paper with a plan by a schedule, the same a day later, and the next week's."""
    path = tmp_path / "forged" / "ledger.db"
    path.parent.mkdir()
    world = World(path, clock="data")
    world.begin(*LOSSES, policy=governed(policy_text(planning=PLANNING)))
    for model, value in LOSSES.items():
        world.see(model, value, SEEN, size=100)
    working = Working.of(world)
    schedule(working, NEED, 9 * NEED, DAILY)
    for at in (FIRST, FIRST + DAY, FIRST + WEEK):
        planned(working, at)
    world.close()
    return Paper.copied(path, ORIGIN)


@pytest.mark.parametrize(
    ("nth", "changes", "rule", "why"),
    [
        (0, {"purse_micros": str(2 * NEED)}, "plans.scheduled", "has come to 1100000"),
        (1, {"second_to": None}, "plans.scheduled", "already"),
        (1, {"purse_cap_micros": "1100001"}, "plans.second", "its cap is"),
        (2, {"purse_micros": str(NEED)}, "plans.scheduled", "has come to 2200000"),
    ],
)
def test_a_plan_under_other_money_is_refused(
    paper: Paper, tmp_path: Path, nth: int, changes: dict[str, object], rule: str, why: str
) -> None:
    paper.at(paper.find("plan.made.v2")[nth]).data.update(changes)
    found = [one.what for one in audit_of(paper, tmp_path).findings if one.rule == rule]
    assert why in found[0]
