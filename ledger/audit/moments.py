"""The time of a ledger as of a position that lies a moment back."""

from bisect import bisect_right
from typing import Final, NamedTuple

REMEMBERED: Final = 65_536  # about 10 MB: an evaluator may lag behind what is appended


class LedgerMoment(NamedTuple):
    """The facts that were known from a position on, until the next moment."""

    position: int
    recorded_at: int
    newest: int
    """The newest `observed_at`; 0 before any."""
    second: int
    """The newest one earlier than that; 0 where there is none."""


class Moments:
    """The newest moments of a ledger."""

    def __init__(self) -> None:
        self._kept = [LedgerMoment(0, 0, 0, 0)]

    def take(self, position: int, recorded_at: int, observed_at: int) -> None:
        """Take in the next event; `observed_at` is 0 unless it is an observation with a body."""
        last = self._kept[-1]
        newest, second = last.newest, last.second
        if observed_at > newest:
            newest, second = observed_at, newest
        elif second < observed_at < newest:
            second = observed_at
        elif recorded_at == last.recorded_at:
            return
        self._kept.append(LedgerMoment(position, recorded_at, newest, second))
        if len(self._kept) > 2 * REMEMBERED:
            del self._kept[:-REMEMBERED]

    def rise_after(self, position: int) -> int:
        """Return the first time of record later than the one as of a position; 0 before there is.

        Where that moment is forgotten, the oldest one known, which is no earlier.
        """
        before = self.at(position)
        if before is None:
            return self._kept[0].recorded_at
        index = bisect_right(self._kept, before.recorded_at, key=lambda one: one.recorded_at)
        return self._kept[index].recorded_at if index < len(self._kept) else 0

    def at(self, position: int) -> LedgerMoment | None:
        """Return the moment as of a position; None where it is forgotten."""
        index = bisect_right(self._kept, position, key=lambda one: one.position) - 1
        return self._kept[index] if index >= 0 else None
