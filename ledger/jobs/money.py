"""The money of jobs: which tier may use a reserve, and what must stand beside the events of a job.

A job is paid by the budget that its proposal names, the test of its candidate out of the envelope
`tests` where its recipe says what that costs: all that the job comes to cost while that test is the
next of its gates, whether it is reported then or given up. Right behind the proposal the budget
sets the expected cost aside in both envelopes; right behind an event that says that either part has
cost more, the difference. Right behind the report on its test, or its end before, what that has
cost is spent out of `tests`, and right behind its end all else out of `jobs`, or released where it
has cost nothing. So what a job has cost is set aside by the time that it is known, and its end is
never short of money.
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
    test = job.test_cost_micros if test_part(job) else 0
    return test if envelope == TESTS else job.cost_micros - test


def set_aside(job: Job, envelope: Envelope) -> int:
    """Return what an envelope keeps for a job: as reserved, or its cost if that is more.

    For its test until the report on that, for all else until it is over.
    """
    if job.proposed["budget"] is None:
        return 0
    reserved = test_part(job)
    if envelope == TESTS and (job.is_tested or not reserved):
        return 0
    if envelope == JOBS:
        reserved = int(job.proposed["reserved_micros"]) - reserved
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
    return [*_moves(budget, TESTS, before, after), *_moves(budget, JOBS, before, after)]


def _moves(budget: str, envelope: Envelope, before: Job, after: Job) -> Iterator[Move]:
    kept = set_aside(before, envelope)
    if envelope == TESTS and not kept:
        return  # it keeps nothing, or was tested before
    if after.state == "closed" or (envelope == TESTS and after.is_tested):
        yield _end(budget, envelope, after)
    elif (more := set_aside(after, envelope) - kept) > 0:
        yield Move(budget, envelope, BudgetReserved.TYPE, more)


def _end(budget: str, envelope: Envelope, after: Job) -> Move:
    is_tested = envelope == TESTS and after.is_tested
    cost, why = cost_in(after, envelope), "it was tested" if is_tested else after.outcome
    if cost:
        return Move(budget, envelope, BudgetSpent.TYPE, cost)
    return Move(budget, envelope, BudgetReleased.TYPE, 0, reason=f"{why}, at no cost")


def is_top_tier(document: Mapping[str, Any], tier: str) -> bool:
    """Whether a tier is the top one of a policy: the last of its `tiers`."""
    tiers = document["tiers"]
    return bool(tiers) and bool(tiers[-1]["name"] == tier)
