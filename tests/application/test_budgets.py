"""Budgets in a ledger: set by people, asked by jobs; races and erasures neither lose nor double.

Method: a ledger stepped by the test, whose clock it moves. Money moves without a job, so that is
all that the audit finds afterwards; jobs move it in `test_job_money.py`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.application.budgets.budgets import Overspending
from ledger.errors import LedgerError, Reason
from ledger.events.budgets import BUDGET_TYPES
from ledger.events.values import parse_time
from ledger.jobs.budgets import Budget
from tests.support.audits import holds_but_for
from tests.support.budget_stories import EVERYWHERE
from tests.support.budgeted import SCHEDULER, moved, release, reserve, set_budget, spend
from tests.support.world import ANA, DAY, START, World, policy_text, reason_of, request

NORTH = {"kind": "labels", "labels": {"region": "north"}, "team": ""}


@pytest.fixture(params=["data", "wall"])
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    """A ledger with two models and a budget."""
    made = World(tmp_path / "ledger.db", clock=request.param)
    made.begin("alpha", "beta", policy=policy_text())
    pass_to(made, START)
    set_budget(made)
    yield made
    holds_but_for(Path(made.path), "budgets.moved")
    made.close()


def pass_to(world: World, time: int) -> None:
    """Move the clock, and have an observation that moves a `data` ledger's time."""
    world.clock.advance(time - world.clock.now_micros())
    world.see("beta", 0.4, time)


def budget(world: World, name: str = "main") -> Budget:
    return world.ledger.budgets.budget(name)[1]


def free(world: World, envelope: str = "jobs") -> int:
    return budget(world).envelopes[envelope].free_micros


def approve(world: World, job: str, micros: int) -> None:
    wanted = Overspending("main", job, "jobs", micros, "needed")
    world.ledger.budgets.approve_overspending(ANA, wanted)


def test_a_job_is_reserved_for_at_admission_and_spent_at_its_actual_cost(world: World) -> None:
    moved(world, reserve("a", 40))
    assert (free(world), budget(world).reserved_micros("jobs")) == (60, 40)
    moved(world, spend("a", 25))
    assert (free(world), budget(world).reserved_micros("jobs")) == (75, 0)
    moved(world, reserve("b", 10))
    moved(world, release("b"))
    assert free(world) == 75


def test_refills_come_by_the_time_of_the_ledger(world: World) -> None:
    pass_to(world, START + 2 * DAY)
    moved(world, reserve("a", 0))
    assert free(world) == 300
    assert parse_time(world.events(*BUDGET_TYPES)[-1].data["at"]) >= START + 2 * DAY


def test_several_reservations_of_one_request_see_each_other(world: World) -> None:
    with pytest.raises(LedgerError) as refused:
        moved(world, reserve("a", 30), reserve("b", 30))
    assert reason_of(refused) == Reason.BUDGET_EXHAUSTED
    assert refused.value.metadata["missing_micros"] == "10"
    assert free(world) == 100
    moved(world, reserve("a", 30), reserve("b", 20))
    assert free(world) == 50


def test_the_refusal_says_how_much_is_missing_and_what_to_do(world: World) -> None:
    with pytest.raises(LedgerError) as refused:
        moved(world, reserve("a", 1_500_050))
    assert refused.value.message == "Budget main lacks 1.50 EUR for job a."
    assert "budget overspend main a" in refused.value.remedy


def test_overspending_needs_an_approval_of_a_person(world: World) -> None:
    moved(world, reserve("a", 50))
    with pytest.raises(LedgerError) as refused:
        moved(world, spend("a", 80))
    assert reason_of(refused) == Reason.BUDGET_EXHAUSTED
    wanted = Overspending("main", "a", "jobs", 30, "needed")
    with pytest.raises(LedgerError) as refused:
        world.ledger.budgets.approve_overspending(SCHEDULER, wanted)
    assert reason_of(refused) == Reason.ACTOR_NOT_AUTHORISED
    approve(world, "a", 30)
    moved(world, spend("a", 80))
    assert (free(world), budget(world).envelopes["jobs"].spent_micros) == (50, 80)
    with pytest.raises(LedgerError) as refused:
        approve(world, "a", 1)
    assert reason_of(refused) == Reason.BUDGET_REFUSED


def test_the_most_specific_budget_pays_and_a_tie_is_refused_when_it_is_set(world: World) -> None:
    set_budget(world, "north", scope=NORTH)
    world.update("alpha", labels={"region": "north"})
    moved(world, reserve("a", 10))
    moved(world, reserve("b", 10, "beta"))
    paid = [(one.data["budget"], one.data["job"]) for one in world.events("budget.reserved.v1")]
    assert paid == [("north", "a"), ("main", "b")]
    for name, scope in (("all", EVERYWHERE), ("gold", NORTH | {"labels": {"tier": "gold"}})):
        with pytest.raises(LedgerError) as refused:
            set_budget(world, name, scope=scope)
        assert reason_of(refused) == Reason.BUDGET_REFUSED


def test_without_a_budget_for_its_model_nothing_is_reserved(world: World) -> None:
    set_budget(world, scope=NORTH)
    with pytest.raises(LedgerError) as refused:
        moved(world, reserve("a", 1))
    assert reason_of(refused) == Reason.BUDGET_UNKNOWN
    with pytest.raises(LedgerError) as refused:
        world.ledger.budgets.budget("mian")
    assert "'main'" in refused.value.remedy


def test_two_requests_at_once_do_not_spend_the_same_money_twice(world: World) -> None:
    world.before_append(lambda: moved(world, reserve("first", 50)))
    with pytest.raises(LedgerError) as refused:
        moved(world, reserve("second", 50))
    assert reason_of(refused) == Reason.BUDGET_EXHAUSTED
    assert [one.data["job"] for one in world.events("budget.reserved.v1")] == ["first"]


def test_a_model_that_changes_its_team_meanwhile_is_paid_by_the_budget_of_the_new_one(
    world: World,
) -> None:
    set_budget(world, "team", scope={"kind": "team", "labels": {}, "team": "team-b"})
    world.before_append(lambda: world.update("alpha", owner="team-b"))
    moved(world, reserve("a", 10))
    assert [one.data["budget"] for one in world.events("budget.reserved.v1")] == ["team"]


def test_a_budget_that_is_set_meanwhile_pays_if_it_is_more_specific(world: World) -> None:
    world.update("alpha", labels={"region": "north"})
    world.before_append(lambda: set_budget(world, "north", scope=NORTH))
    moved(world, reserve("a", 10))
    assert [one.data["budget"] for one in world.events("budget.reserved.v1")] == ["north"]


def test_two_budgets_that_are_set_at_once_do_not_tie(world: World) -> None:
    world.before_append(lambda: set_budget(world, "one", scope=NORTH))
    with pytest.raises(LedgerError) as refused:
        set_budget(world, "two", scope=NORTH)
    assert reason_of(refused) == Reason.BUDGET_REFUSED


def test_a_repeated_request_gets_its_first_answer(world: World) -> None:
    wanted = Overspending("main", "a", "jobs", 30, "needed")
    caller = request("once", "a")
    first = world.ledger.budgets.approve_overspending(caller, wanted)
    again = world.ledger.budgets.approve_overspending(caller, wanted)
    assert (again.repeated, again.last_position) == (True, first.last_position)
    assert budget(world).approved == {("a", "jobs"): 30}


def test_after_a_restart_the_budgets_are_what_they_were(world: World) -> None:
    moved(world, reserve("a", 40))
    before = budget(world)
    world.restart()
    assert budget(world) == before


def test_an_erased_body_stops_its_budget_until_that_is_set_again(world: World) -> None:
    moved(world, reserve("a", 40))
    place = moved(world, spend("a", 40)).last_position
    moved(world, reserve("b", 10))
    world.erase(place)
    for act in (lambda: moved(world, reserve("c", 1)), lambda: budget(world)):
        with pytest.raises(LedgerError) as refused:
            act()
        assert reason_of(refused) in {Reason.BUDGET_UNKNOWN, Reason.BUDGET_REFUSED}
    set_budget(world)
    assert free(world) == 100
    for job in ("a", "b"):
        with pytest.raises(LedgerError) as refused:
            moved(world, reserve(job, 1))
        assert reason_of(refused) == Reason.BUDGET_REFUSED
    moved(world, reserve("c", 1))


def test_an_event_that_cannot_be_is_named_when_budgets_are_read(world: World) -> None:
    data = world.events("budget.set.v1")[0].data
    moved(world, reserve("a", 40))
    forged = world.forge("budgets/other", data | {"budget": "other", "opening": None},
                         "budget.set.v1")  # fmt: skip
    with pytest.raises(LedgerError) as refused:
        world.ledger.budgets.known()
    assert refused.value.metadata["position"] == str(forged.last_position)
    world.erase(forged.last_position)
