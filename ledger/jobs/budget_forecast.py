"""The forecast of a budget: when an envelope runs out if jobs go on taking as they did.

The rate is what was taken in the latest whole periods, by the number of these; before one is over,
what was taken so far. Integers alone: the same events give the same forecast.
"""

from typing import NamedTuple

from ledger.events.values import SECOND
from ledger.jobs.budgets import Budget, refilled
from ledger.limits import BUDGET_FORECAST_PERIODS_MAX, BUDGET_RATE_PERIODS_MAX


class RunOut(NamedTuple):
    """How much a period takes at the present rate, and when nothing is free any more."""

    rate_micros: int
    runs_out_at: int | None
    """Microseconds since the epoch; None where it lasts for all of the periods that are told."""


def forecast(budget: Budget, envelope: str, at: int) -> RunOut:
    """Return the forecast of an envelope as of a time."""
    now = refilled(budget, at)
    one, length = now.envelopes[envelope], now.period_seconds * SECOND
    rate = _rate(now, envelope)
    if not rate:
        return RunOut(0, None)
    free, moment = one.free_micros, now.at
    for _ in range(BUDGET_FORECAST_PERIODS_MAX):
        boundary = (moment // length + 1) * length
        if free * length <= rate * (boundary - moment):
            return RunOut(rate, moment + free * length // rate)
        free -= -(-rate * (boundary - moment) // length)
        free, moment = min(one.cap_micros, free + one.refill_micros), boundary
    return RunOut(rate, None)


def _rate(now: Budget, envelope: str) -> int:
    """Return what a period takes; rounded up, so that no taking counts as none."""
    taken = now.envelopes[envelope].taken
    length = now.period_seconds * SECOND
    first = max(now.begun_at // length, now.period - BUDGET_RATE_PERIODS_MAX)
    if first == now.period:
        return taken.get(now.period, 0)
    whole = sum(taken.get(period, 0) for period in range(first, now.period))
    return -(-whole // (now.period - first))
