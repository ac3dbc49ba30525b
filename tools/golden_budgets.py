"""The golden instances of a budget: set, reserved, approved beyond it, spent and released.

A type has one instance, so the release is of a reservation that is not here.
"""

from ledger.events.budgets import (
    BudgetData,
    BudgetOverspendingApproved,
    BudgetReleased,
    BudgetReserved,
    BudgetSpent,
)
from ledger.events.values import HOUR, format_time, parse_time
from ledger.jobs.budgets import Budget, applied, made, set_event
from tools.golden_proving import Appender

_BEGIN = parse_time("2026-11-05T09:00:00.000000Z")


def run(ledger: Appender) -> None:
    """Set a budget, and have two jobs end: one above what was reserved, one without cost."""
    after: Budget | None = None
    times = iter(range(_BEGIN, _BEGIN + 24 * HOUR, HOUR))

    def note(data: BudgetData, actor: str) -> int:
        nonlocal after
        position = ledger.append(data, data.stream_name, data.at, actor=actor)
        after = applied(after, position, data.TYPE, data.to_data())
        return position

    def budget() -> Budget:
        assert after is not None, "it was set first"
        return after

    terms = {
        "budget": "team-travel",
        "unit": "EUR",
        "scope": {"kind": "labels", "labels": {"team": "travel"}, "team": ""},
        "period_seconds": 7 * 86_400,
        "jobs": {"refill_micros": "500000000", "cap_micros": "2000000000"},
        "tests": {"refill_micros": "50000000", "cap_micros": "100000000"},
        "reserve_micros": "200000000",
        "opening": {"jobs": "1000000000", "tests": "50000000"},
        "reason": "The team may spend so much on retraining in a week.",
    }
    note(set_event(None, next(times), terms)[0], "users/ada")
    reserved, _ = made(
        budget(), BudgetReserved, next(times), job="alpha-41", model="alpha", envelope="jobs",
        amount_micros="800000000", is_top_tier=False,
        adds_to=None,
    )  # fmt: skip
    place = note(reserved, "services/scheduler")
    approved, _ = made(
        budget(), BudgetOverspendingApproved, next(times), job="alpha-41", envelope="jobs",
        amount_micros="150000000", reason="The feed grew, and the model serves in May.",
    )  # fmt: skip
    note(approved, "users/ada")
    spent, _ = made(
        budget(), BudgetSpent, next(times), job="alpha-41", envelope="jobs",
        reservation=place, spent_micros="912500000",
    )  # fmt: skip
    note(spent, "services/worker-1")
    released = BudgetReleased.from_data(
        {
            "budget": "team-travel",
            "at": format_time(next(times)),
            "balances": spent.balances.model_dump(),
            "job": "beta-41",
            "envelope": "jobs",
            "reservation": place,
            "reason": "It was cancelled.",
        }
    )
    ledger.append(released, released.stream_name, released.at, actor="services/worker-1")
