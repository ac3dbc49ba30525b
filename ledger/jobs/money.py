"""The money of jobs: which tier may use a reserve, and what must stand beside the events of a job.

A job is paid by the budget that its proposal names. Right behind the proposal that budget sets the
expected cost aside; right behind a report that the job has cost more, the difference; right behind
its end the reported cost is spent, or all is released where it has cost nothing. So what a job has
cost is set aside by the time that it is known, and its end is never short of money.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from ledger.events.budgets import BudgetReleased, BudgetReserved, BudgetSpent, Envelope
from ledger.jobs.machine import Job

ENVELOPE: Final[Envelope] = "jobs"
"""The envelope that jobs are paid out of."""


class Move(NamedTuple):
    """The event of a budget that belongs right behind the events of a job."""

    budget: str
    type: str
    micros: int
    """Reserved or spent; 0 for a release."""
    is_first: bool = False
    """Whether it is the reservation at the proposal."""
    reason: str = ""
    """Of a release."""


def owed_move(before: Job | None, after: Job) -> Move | None:
    """Return what the budget of a job does once its events of one append are there, if anything.

    `before`: the job without those events, None where they propose it.
    """
    budget = after.proposed["budget"]
    if budget is None or after.state == "unreadable":
        return None
    if before is None:
        return Move(budget, BudgetReserved.TYPE, after.set_aside_micros, is_first=True)
    if after.state == "closed":
        if before.state == "closed":
            return None
        if after.cost_micros:
            return Move(budget, BudgetSpent.TYPE, after.cost_micros)
        return Move(budget, BudgetReleased.TYPE, 0, reason=f"{after.outcome}, at no cost")
    more = after.set_aside_micros - before.set_aside_micros
    return Move(budget, BudgetReserved.TYPE, more) if more > 0 else None


def is_top_tier(document: Mapping[str, Any], tier: str) -> bool:
    """Whether a tier is the top one of a policy: the last of its `tiers`."""
    tiers = document["tiers"]
    return bool(tiers) and bool(tiers[-1]["name"] == tier)
