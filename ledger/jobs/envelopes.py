"""The envelopes of a budget as values: what is free in each, and what is set aside for jobs."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ledger.events.budgets import Envelope
from ledger.limits import BUDGET_RATE_PERIODS_MAX

Claim = tuple[str, str]
"""A job and an envelope."""


class Reservation(NamedTuple):
    """Money that is set aside for a job."""

    position: int
    """Of the event that set aside the first of it."""
    job: str
    model: str
    envelope: Envelope
    is_top_tier: bool
    own_micros: int
    """Out of the envelope."""
    approved_micros: int
    """Out of what was approved for the job beyond that."""
    period: int

    @property
    def micros(self) -> int:
        """All of it."""
        return self.own_micros + self.approved_micros


@dataclass(frozen=True, slots=True)
class Claims:
    """Claims that have ended; a value to which one is added in little time."""

    levels: tuple[frozenset[Claim], ...] = ()

    def __contains__(self, claim: Claim) -> bool:
        return any(claim in level for level in self.levels)

    def with_one(self, claim: Claim) -> "Claims":
        """Return these and one more."""
        levels, last = list(self.levels), frozenset({claim})
        while levels and len(levels[-1]) <= len(last):
            last |= levels.pop()
        return Claims((*levels, last))


@dataclass(frozen=True, slots=True)
class EnvelopeState:
    """One envelope: what flows in, what is free, and the sums of all that happened."""

    refill_micros: int
    cap_micros: int
    free_micros: int
    granted_micros: int
    """Opening balance, refills that were kept, and approved overspending."""
    lapsed_micros: int = 0
    """Granted, and lost since: beyond a cap, or approved and not needed."""
    spent_micros: int = 0
    taken: Mapping[int, int] = field(default_factory=dict)
    """Taken in each of the latest periods, less what was given back."""

    def freed(self, micros: int) -> "EnvelopeState":
        """Return it with more that is free, up to the cap; the rest lapses."""
        kept = min(self.cap_micros, self.free_micros + micros)
        lapsed = self.lapsed_micros + self.free_micros + micros - kept
        return replace(self, free_micros=kept, lapsed_micros=lapsed)

    def took(self, period: int, micros: int) -> "EnvelopeState":
        """Return it with more taken in a period, and older periods forgotten."""
        newest = max(period, *self.taken) if self.taken else period
        taken = {**self.taken, period: max(0, self.taken.get(period, 0) + micros)}
        kept = {at: one for at, one in taken.items() if at >= newest - BUDGET_RATE_PERIODS_MAX}
        return replace(self, taken=kept)
