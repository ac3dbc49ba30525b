"""The tests of candidates: paid out of their own envelope where a recipe says what one costs.

Method: as in `test_job_money.py`; the budget has 10 EUR a day for jobs and 5 for tests, and the
recipe expects a job to cost 6, of which its test is 2. Afterwards the audit finds nothing.
"""

from collections.abc import Iterator

import pytest

from ledger.errors import LedgerError, Reason
from ledger.events.values import SECOND
from tests.support.budgeted import EURO, in_euros, set_budget
from tests.support.job_worlds import BOB, LEASE_SECONDS, ONE, WINDOW_SECONDS, Working
from tests.support.paid_jobs import allow, begun, euros, paid_jobs, types
from tests.support.world import ANA, DAY, reason_of

Both = tuple[tuple[int, int, int], tuple[int, int, int]]


@pytest.fixture
def working(database_url: str) -> Iterator[Working]:
    with paid_jobs(database_url) as made:
        yield Working.testing(made.world, "6", "2")


def flow(euros_a_day: int) -> dict[str, int]:
    return {"refill_micros": euros_a_day, "cap_micros": euros_a_day}


def both(working: Working) -> Both:
    """Return what is free, set aside and spent for jobs, and for tests."""
    return euros(working), euros(working, envelope="tests")


def test_a_proposal_reserves_in_both_envelopes_in_one_append(working: Working) -> None:
    before = working.world.head
    job = working.propose()
    assert job.proposed["reserved_micros"] == str(6 * EURO)
    assert types(working, before) == ["job.proposed", "budget.reserved", "budget.reserved"]
    assert both(working) == ((6, 4, 0), (3, 2, 0))


def test_what_a_test_has_cost_is_spent_with_its_verdict_and_the_rest_at_the_end(
    working: Working,
) -> None:
    world = working.world
    token = begun(working)
    working.report("data_integrity", token, cost=1 * EURO)
    before = world.head
    working.report("candidate", token, cost=2 * EURO)
    assert types(working, before) == ["gate.reported", "gate.judged", "budget.spent"]
    assert working.job().test_cost_micros == EURO
    assert both(working) == ((6, 4, 0), (4, 0, 1))
    working.report("holdout", token, cost=5 * EURO)
    assert both(working) == ((6, 4, 0), (4, 0, 1))
    working.deploy(token, "v2", at=world.clock.now_micros())
    working.report("observation", token, loss=9, cost=5 * EURO)
    world.clock.advance(WINDOW_SECONDS * SECOND)
    before = world.head
    assert world.govern() == 1
    assert types(working, before) == ["gate.judged", "job.closed", "budget.spent"]
    assert both(working)[0][1:] == (0, 4)
    assert both(working)[1][1:] == (0, 1)


def test_a_refused_candidate_spends_its_test_and_frees_all_that_was_for_the_job(
    working: Working,
) -> None:
    token = begun(working)
    working.report("data_integrity", token, cost=0)
    before = working.world.head
    working.report("candidate", token, loss=500, cost=1 * EURO)
    assert types(working, before) == [
        "gate.reported", "gate.judged", "job.closed", "budget.spent", "budget.released",
    ]  # fmt: skip
    assert both(working) == ((10, 0, 0), (4, 0, 1))


def test_a_test_at_no_cost_releases_what_was_for_it(working: Working) -> None:
    token = begun(working)
    working.report("data_integrity", token, cost=3 * EURO)
    before = working.world.head
    working.report("candidate", token, cost=3 * EURO)
    assert types(working, before) == ["gate.reported", "gate.judged", "budget.released"]
    assert both(working) == ((6, 4, 0), (5, 0, 0))


@pytest.mark.parametrize("how", ["denied", "cancelled", "lost", "data refused"])
def test_a_job_that_is_over_before_its_test_releases_both(working: Working, how: str) -> None:
    working.propose()
    jobs, spent = working.world.ledger.jobs, 0
    if how == "lost":
        working.approve()
        for _ in range(2):
            working.lease()
            working.world.govern()
            working.world.clock.advance(LEASE_SECONDS * SECOND)
            before = working.world.head
            assert working.world.govern() == 1
    elif how == "data refused":
        working.approve()
        token, before, spent = working.lease(), working.world.head + 1, 1
        working.report("data_integrity", token, loss=500, cost=1 * EURO)
    else:
        before = working.world.head
        (jobs.deny if how == "denied" else jobs.cancel)(BOB, "j1", "too dear")
    ends = [one for one in types(working, before) if one.startswith("budget")]
    assert ends == ["budget.released", "budget.spent" if spent else "budget.released"]
    assert both(working) == ((10 - spent, 0, spent), (5, 0, 0))


def test_an_empty_envelope_for_tests_refuses_a_proposal_and_says_what_to_do(
    working: Working,
) -> None:
    set_budget(working.world, **in_euros(tests=flow(1)))
    before = working.world.head
    with pytest.raises(LedgerError) as refused:
        working.propose()
    assert reason_of(refused) is Reason.BUDGET_EXHAUSTED
    assert refused.value.message == "Budget main lacks 1.00 EUR for the test of job j1."
    assert "budget overspend main j1 1.00 --tests" in refused.value.remedy
    assert working.world.head == before
    allow(working, "j1", 1, "tests")
    working.propose()
    assert both(working) == ((6, 4, 0), (0, 2, 0))


def test_a_test_beyond_its_reservation_takes_what_is_free_and_then_what_was_approved(
    working: Working,
) -> None:
    token = begun(working)
    working.report("data_integrity", token, cost=0)
    before = working.world.head
    with pytest.raises(LedgerError, match=r"lacks 2\.00 EUR for the test of job j1") as refused:
        working.report("candidate", token, cost=7 * EURO)
    assert "report it again; nothing was written" in refused.value.remedy
    assert working.world.head == before
    allow(working, "j1", 2, "tests")
    working.report("candidate", token, cost=7 * EURO)
    assert both(working) == ((6, 4, 0), (0, 0, 7))
    working.report("holdout", token, cost=13 * EURO)  # 6 of it are for the job
    assert both(working) == ((4, 6, 0), (0, 0, 7))


@pytest.mark.parametrize("end", ["cancelled", "lost", "tested"])
def test_a_test_that_is_given_up_is_paid_for_tests_however_its_job_goes_on(
    working: Working, end: str
) -> None:
    """What any attempt at a test has cost is the cost of the test, not of the job."""
    world, jobs = working.world, working.world.ledger.jobs
    token = begun(working)
    working.report("data_integrity", token, cost=1 * EURO)
    before = world.head
    jobs.give_up(ONE, "j1", token, "its disk is full", 2 * EURO)
    assert types(working, before) == ["job.given_up"]  # 1 of the 2 that are kept for the test
    assert both(working) == ((6, 4, 0), (3, 2, 0))
    token = working.lease()
    if end == "cancelled":
        before = world.head
        jobs.cancel(BOB, "j1", "too dear")
        assert types(working, before) == [
            "job.cancelled", "job.closed", "budget.spent", "budget.spent",
        ]  # fmt: skip
        assert both(working) == ((9, 0, 1), (4, 0, 1))
    elif end == "lost":
        jobs.give_up(ONE, "j1", token, "its disk is full", 5 * EURO)
        assert working.job().outcome == "failed"
        assert both(working) == ((9, 0, 1), (1, 0, 4))
    else:
        working.report("candidate", token, cost=3 * EURO)
        assert both(working) == ((6, 4, 0), (3, 0, 2))
        assert working.job().test_cost_micros == 2 * EURO


def test_a_given_up_test_takes_what_is_free_for_tests_and_then_what_was_approved(
    working: Working,
) -> None:
    jobs = working.world.ledger.jobs
    token = begun(working)
    working.report("data_integrity", token, cost=0)
    before = working.world.head
    with pytest.raises(LedgerError, match=r"lacks 1\.00 EUR for the test of job j1") as refused:
        jobs.give_up(ONE, "j1", token, "its disk is full", 6 * EURO)
    assert "budget overspend main j1 1.00 --tests" in refused.value.remedy
    assert working.world.head == before
    allow(working, "j1", 1, "tests")
    before = working.world.head
    jobs.give_up(ONE, "j1", token, "its disk is full", 6 * EURO)
    assert types(working, before) == ["job.given_up", "budget.reserved"]
    assert both(working) == ((6, 4, 0), (0, 6, 0))
    jobs.cancel(ANA, "j1", "enough")
    assert both(working) == ((10, 0, 0), (0, 0, 6))


def test_a_recipe_that_says_nothing_of_tests_is_paid_out_of_jobs_alone(working: Working) -> None:
    working.world.clock.advance(DAY)
    whole = Working(working.world)
    token = begun(whole)
    whole.report("data_integrity", token)
    whole.report("candidate", token, cost=2 * EURO)
    working.world.ledger.jobs.cancel(ANA, "j1", "enough")
    assert euros(whole)[1:] == (0, 2)
    assert euros(whole, envelope="tests")[1:] == (0, 0)


def test_money_for_tests_does_not_pay_jobs_and_the_other_way_round(working: Working) -> None:
    set_budget(working.world, **in_euros(reserve_micros=0, jobs=flow(3)))
    with pytest.raises(LedgerError, match=r"lacks 1\.00 EUR for job j1"):
        working.propose()
