"""The money of jobs: reserved with the proposal, spent or released with the end, in one append.

Method: a ledger in one process on a manual clock, on each database; a budget of 10 EUR a day, of
which 3 are kept for the top tier, and a recipe that expects a job to cost 5. Afterwards the audit
finds nothing.
"""

from collections.abc import Iterator

import pytest

from ledger.application.fleet.deployments import DeploymentSpec
from ledger.errors import LedgerError, Reason
from ledger.events.values import SECOND
from ledger.jobs.money import set_aside
from tests.support.budget_stories import EVERYWHERE
from tests.support.budgeted import EURO, in_euros, set_budget
from tests.support.job_worlds import BOB, LEASE_SECONDS, ONE, WINDOW_SECONDS, Working
from tests.support.paid_jobs import NORTH, allow, begun, euros, paid_jobs, types
from tests.support.world import ANA, DAY, reason_of


@pytest.fixture
def working(database_url: str) -> Iterator[Working]:
    with paid_jobs(database_url) as made:
        yield made


# ---- from the proposal to the end ----------------------------------------------------------------


def test_a_proposal_reserves_the_expected_cost_in_its_own_append(working: Working) -> None:
    before = working.world.head
    job = working.propose()
    assert (job.proposed["budget"], job.proposed["reserved_micros"]) == ("main", str(5 * EURO))
    assert types(working, before) == ["job.proposed", "budget.reserved"]
    assert working.world.head == before + 2
    assert euros(working) == (5, 5, 0)


@pytest.mark.parametrize("how", ["denied", "cancelled", "lost", "given up"])
def test_a_job_that_ends_at_no_cost_releases_its_reservation(working: Working, how: str) -> None:
    working.propose()
    jobs = working.world.ledger.jobs
    if how == "lost":
        working.approve()
        for _ in range(2):
            working.lease()
            working.world.govern()
            working.world.clock.advance(LEASE_SECONDS * SECOND)
            before = working.world.head
            assert working.world.govern() == 1
        assert types(working, before) == ["job.lease_expired", "job.closed", "budget.released"]
    elif how == "given up":
        working.approve()
        for _ in range(2):
            before = working.world.head + 1
            jobs.give_up(ONE, "j1", working.lease(), "its disk is full")
        assert types(working, before) == ["job.given_up", "job.closed", "budget.released"]
    else:
        before = working.world.head
        end = jobs.deny if how == "denied" else jobs.cancel
        end(BOB, "j1", "too dear")
        assert types(working, before) == [f"job.{how}", "job.closed", "budget.released"]
    free, reserved, spent = euros(working)
    assert (free, reserved, spent) == (10, 0, 0)


def test_a_failed_step_is_paid_and_more_is_set_aside_for_what_goes_beyond(
    working: Working,
) -> None:
    working.propose()
    working.approve()
    jobs = working.world.ledger.jobs
    before = working.world.head + 1
    jobs.give_up(ONE, "j1", working.lease(), "its disk is full", 2 * EURO)
    assert types(working, before) == ["job.given_up"]
    assert euros(working) == (5, 5, 0)
    before = working.world.head + 1
    jobs.give_up(ONE, "j1", working.lease(), "its disk is full", 7 * EURO)
    assert types(working, before) == ["job.given_up", "job.closed", "budget.spent"]
    assert euros(working) == (3, 0, 7)


def test_a_failed_step_that_cost_more_than_there_is_takes_an_approval(working: Working) -> None:
    working.propose()
    working.approve()
    token = working.lease()
    with pytest.raises(LedgerError) as refused:
        working.world.ledger.jobs.give_up(ONE, "j1", token, "its disk is full", 70 * EURO)
    assert refused.value.reason is Reason.BUDGET_EXHAUSTED


def test_a_failed_gate_spends_what_was_reported_and_frees_the_rest(working: Working) -> None:
    token = begun(working)
    working.report("data_integrity", token)
    assert euros(working) == (5, 5, 0)
    before = working.world.head
    working.report("candidate", token, loss=500, cost=2 * EURO)
    assert types(working, before) == [
        "gate.reported", "gate.judged", "job.closed", "budget.spent",
    ]  # fmt: skip
    assert euros(working) == (8, 0, 2)


def test_a_job_that_is_observed_spends_when_the_governor_closes_it(working: Working) -> None:
    world = working.world
    token = begun(working)
    working.pass_gates(token)
    working.deploy(token, "v2", at=world.clock.now_micros())
    working.report("observation", token, loss=9, cost=4 * EURO)
    world.clock.advance(WINDOW_SECONDS * SECOND)
    before = world.head
    assert world.govern() == 1
    assert types(working, before) == ["gate.judged", "job.closed", "budget.spent"]
    assert working.job().outcome == "succeeded"
    assert euros(working)[1:] == (0, 4)


def test_a_version_that_is_taken_back_has_cost_what_was_reported(working: Working) -> None:
    world = working.world
    token = begun(working)
    working.pass_gates(token)
    working.deploy(token, "v2", at=world.clock.now_micros())
    world.ledger.jobs.cancel(ANA, "j1", "it is not wanted")
    token = working.lease()
    before = world.head
    working.take_back(token, at=world.clock.now_micros())
    assert types(working, before) == ["job.rolled_back", "job.closed", "budget.spent"]
    assert euros(working) == (9, 0, 1)


# ---- more than was reserved ----------------------------------------------------------------------


def test_a_job_that_costs_more_has_the_difference_set_aside_at_once(working: Working) -> None:
    token = begun(working)
    before = working.world.head
    written = working.report("data_integrity", token, cost=7 * EURO)
    assert types(working, before) == ["gate.reported", "gate.judged", "budget.reserved"]
    judged = working.world.ledger.jobs.verdict(written)
    assert judged is not None
    assert judged.is_passed
    assert euros(working) == (3, 7, 0)
    assert set_aside(working.job(), "jobs") == 7 * EURO
    working.world.ledger.jobs.cancel(ANA, "j1", "enough")
    assert euros(working) == (3, 0, 7)


def test_an_observation_that_costs_more_has_no_verdict_yet(working: Working) -> None:
    world = working.world
    token = begun(working)
    working.pass_gates(token)
    before = world.head
    deployed = working.reported("deployment", token, cost=6 * EURO)
    at = world.clock.now_micros()
    world.ledger.job_deployments.deploy(ONE, deployed, DeploymentSpec("", "v2", at, at, "0.4"))
    assert types(working, before) == [
        "gate.reported", "gate.judged", "job.deployed", "budget.reserved",
    ]  # fmt: skip
    written = working.report("observation", token, cost=7 * EURO)
    assert world.ledger.jobs.verdict(written) is None
    assert euros(working) == (3, 7, 0)


@pytest.mark.parametrize("loss", [1, 500])
def test_a_cost_that_is_not_there_is_refused_until_a_person_approves_it(
    working: Working, loss: int
) -> None:
    token = begun(working)
    before = working.world.head

    def report() -> None:
        working.report("data_integrity", token, loss=loss, cost=14 * EURO)

    with pytest.raises(LedgerError) as refused:
        report()
    assert reason_of(refused) is Reason.BUDGET_EXHAUSTED
    assert refused.value.message == "Budget main lacks 7.00 EUR for job j1."
    assert "budget overspend main j1 7.00" in refused.value.remedy
    assert "report it again; nothing was written" in refused.value.remedy
    assert working.world.head == before
    assert working.job().cost_micros == 0
    allow(working, "j1", 6)
    with pytest.raises(LedgerError, match=r"lacks 1\.00 EUR"):
        report()
    allow(working, "j1", 1)
    report()
    assert euros(working) == ((3, 14, 0) if loss == 1 else (3, 0, 14))


def test_money_that_a_job_has_cost_cannot_be_taken_by_another(working: Working) -> None:
    """The governor could not close a job whose cost had been taken meanwhile."""
    set_budget(working.world, **in_euros(reserve_micros=0))
    token = begun(working)
    working.report("data_integrity", token, cost=8 * EURO)
    with pytest.raises(LedgerError, match=r"lacks 3\.00 EUR for job j2"):
        working.propose("j2", "beta")
    for _ in range(2):
        working.world.govern()
        working.world.clock.advance(LEASE_SECONDS * SECOND)
        assert working.world.govern() == 1
        if not working.job().is_over:
            working.lease()
    assert euros(working) == (2, 0, 8)


# ---- which budget, how much, and whether there is one --------------------------------------------


def test_an_exhausted_budget_refuses_a_proposal_and_says_what_is_missing_and_what_to_do(
    working: Working,
) -> None:
    working.propose()
    before = working.world.head
    with pytest.raises(LedgerError) as refused:
        working.propose("j2", "beta")
    assert reason_of(refused) is Reason.BUDGET_EXHAUSTED
    assert refused.value.message == "Budget main lacks 3.00 EUR for job j2."
    for part in (
        "Wait for the next refill", "choose a recipe that costs less",
        "budget overspend main j2 3.00", "`--id j2`",
    ):  # fmt: skip
        assert part in refused.value.remedy
    assert working.world.head == before
    allow(working, "j2", 3)
    working.propose("j2", "beta")
    assert euros(working) == (3, 10, 0)
    working.world.clock.advance(DAY)
    working.world.ledger.jobs.cancel(ANA, "j2", "no machine is free")
    assert euros(working) == (3 + 10 + 2, 5, 0)


def test_a_model_that_no_budget_covers_has_its_job_without_money(working: Working) -> None:
    world = working.world
    set_budget(world, **in_euros(), scope=NORTH)
    before = world.head
    job = working.propose()
    assert (job.proposed["budget"], job.proposed["reserved_micros"]) == (None, "0")
    working.approve()
    working.report("data_integrity", working.lease(), loss=500, cost=700 * EURO)
    assert not {one for one in types(working, before) if one.startswith("budget")}


def test_a_running_job_is_paid_by_its_budget_whatever_becomes_of_scopes(working: Working) -> None:
    token = begun(working)
    set_budget(working.world, **in_euros(), scope=NORTH)
    set_budget(working.world, "rest", **in_euros(), scope=EVERYWHERE)
    working.report("data_integrity", token, loss=500, cost=2 * EURO)
    assert euros(working) == (8, 0, 2)
    assert euros(working, "rest") == (10, 0, 0)


def test_a_recipe_in_another_unit_is_refused_with_what_to_do(working: Working) -> None:
    set_budget(working.world, "north", **in_euros(), unit="GPU hours", scope=NORTH)
    working.world.update("alpha", labels={"region": "north"})
    before = working.world.head
    with pytest.raises(LedgerError) as refused:
        working.propose()
    assert reason_of(refused) is Reason.BUDGET_REFUSED
    assert refused.value.message == (
        "Budget north pays for model alpha in GPU hours, and the recipe expects a cost of 5.00 EUR."
    )
    assert "in its next version" in refused.value.remedy
    assert working.world.head == before


def test_the_reserve_is_for_a_job_whose_decision_is_at_the_top_tier_of_its_policy(
    working: Working,
) -> None:
    world = working.world
    world.see("alpha", 1.4, world.clock.now_micros())
    world.settle()
    assert [one.tier for one in world.decisions("alpha")] == ["ds"]
    working.propose("other", "beta")
    working.propose()
    reserved = world.events("budget.reserved.v1")
    assert [one.data["is_top_tier"] for one in reserved] == [False, True]
    assert euros(working) == (0, 10, 0)
