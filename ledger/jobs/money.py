"""The money of jobs: which tier may use a reserve, and what must stand beside the events of a job.

A job is paid by the budget that its proposal names, the test of its candidate out of the envelope
`tests` where its recipe says what that costs. Right behind the proposal that budget sets the
expected cost aside in both envelopes; right behind a report that the job has cost more, the
difference; right behind the report on its test what that has cost is spent out of `tests`, and
right behind its end all else out of `jobs`, or released where it has cost nothing. So what a job
has cost is set aside by the time that it is known, and its end is never short of money.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from ledger.events.budgets import BudgetReleased, BudgetReserved, BudgetSpent, Envelope
from ledger.jobs.machine import Job

JOBS: Final[Envelope] = "jobs"
"""The envelope that jobs are paid out of."""
TESTS: Final[Envelope] = "tests"
"""The envelope that the tests of their candidates are paid out of."""


class Move(NamedTuple):
    """The event of a budget that belongs right behind the events of a job."""

    budget: str
    envelope: Envelope
    type: str
    micros: int
    """Reserved or spent; 0 for a release."""
    is_first: bool = False
    """Whether it is the reservation at the proposal."""
    reason: str = ""
    """Of a release."""


def test_part(job: Job) -> int:
    """Return how much of a job's reservation is for the test of its candidate."""
    return 0 if job.proposed["budget"] is None else int(job.proposed["expected"]["test_micros"])


def cost_in(job: Job, envelope: Envelope) -> int:
    """Return what a job has cost so far that an envelope of its budget pays."""
    test = (job.test_cost_micros or 0) if test_part(job) else 0
    return test if envelope == TESTS else job.cost_micros - test


def set_aside(job: Job, envelope: Envelope) -> int:
    """Return what an envelope keeps for a job: as reserved, or its cost if that is more.

    For its test until the report on that, for all else until it is over.
    """
    if job.proposed["budget"] is None:
        return 0
    if envelope == TESTS:
        return test_part(job) if job.test_cost_micros is None else 0
    reserved = int(job.proposed["reserved_micros"]) - test_part(job)
    return max(reserved, cost_in(job, envelope))


def owed_moves(before: Job | None, after: Job) -> list[Move]:
    """Return what the budget of a job does once its events of one append are there, in order.

    `before`: the job without those events, None where they propose it.
    """
    budget = after.proposed["budget"]
    if budget is None or after.state == "unreadable":
        return []
    if before is None:
        return [
            Move(budget, envelope, BudgetReserved.TYPE, set_aside(after, envelope), is_first=True)
            for envelope in (JOBS, TESTS)
            if envelope == JOBS or test_part(after)
        ]
    if before.state == "closed":
        return []
    return [*_of_the_test(budget, before, after), *_of_the_job(budget, before, after)]


def _of_the_test(budget: str, before: Job, after: Job) -> Iterator[Move]:
    is_tested = after.test_cost_micros is not None
    if set_aside(before, TESTS) and (is_tested or after.state == "closed"):
        why = "it was tested" if is_tested else after.outcome
        yield _end(budget, TESTS, cost_in(after, TESTS), why)


def _of_the_job(budget: str, before: Job, after: Job) -> Iterator[Move]:
    if after.state == "closed":
        yield _end(budget, JOBS, cost_in(after, JOBS), after.outcome)
    elif (more := set_aside(after, JOBS) - set_aside(before, JOBS)) > 0:
        yield Move(budget, JOBS, BudgetReserved.TYPE, more)


def _end(budget: str, envelope: Envelope, cost: int, why: str) -> Move:
    if cost:
        return Move(budget, envelope, BudgetSpent.TYPE, cost)
    return Move(budget, envelope, BudgetReleased.TYPE, 0, reason=f"{why}, at no cost")


def is_top_tier(document: Mapping[str, Any], tier: str) -> bool:
    """Whether a tier is the top one of a policy: the last of its `tiers`."""
    tiers = document["tiers"]
    return bool(tiers) and bool(tiers[-1]["name"] == tier)
