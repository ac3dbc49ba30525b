"""When a model is due: by the time that has really passed, or by the times of its own observations.

Times on record never run back, so one that lies in the future stays the newest for as long as it
takes to get there. It orders what is recorded; what is due must not wait for it. In a `wall` ledger
a pause is counted in seconds that pass. In a `data` ledger news is due once the model's own times,
or the ledger's, or the seconds that pass have moved by the interval, whichever comes first.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ledger.events.policy_document import EvaluationPart
from ledger.events.values import SECOND

UNKNOWN: Final = -math.inf
"""When something happened of which only is known that it is long past."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment by every measure that counts for what is due."""

    elapsed: float
    """Seconds that pass, by no clock that can be set."""
    ledger: int
    """The ledger's time in microseconds."""
    own: int | None = None
    """The newest time that counts of the model in question."""


def is_due(
    timing: EvaluationPart, clock: str, since: Moment, now: Moment, *, is_news: bool
) -> bool:
    """Whether a model that was last scored at `since` is to be scored `now`.

    A silence shorter than the interval makes nothing due more often than the interval allows.
    """
    rest, silence = timing.interval_seconds, max(timing.interval_seconds, timing.silence_seconds)
    passed = now.elapsed - since.elapsed
    if clock == "wall":
        return passed >= (rest if is_news else silence)
    moved = now.ledger - since.ledger
    if not is_news:
        return moved >= silence * SECOND
    return passed >= rest or max(moved, _moved_itself(since, now)) >= rest * SECOND


def _moved_itself(since: Moment, now: Moment) -> int:
    """Return how far the model's own newest time has moved since it was last scored."""
    if now.own is None:
        return 0
    if since.own is None:  # it was scored without any: history may begin long before that time
        return abs(now.own - since.ledger)
    return now.own - since.own


class DataTime:
    """The time of a `data` ledger for what is due: its newest `observed_at`, unless that is alone.

    Where the newest lies more than the ledger's bound beyond the next one, the next one counts: one
    slip of the pen must not make every other model look silent.
    """

    def __init__(self, leap_seconds: int) -> None:
        self._leap = leap_seconds * SECOND
        self._newest: int | None = None
        self._next: int | None = None

    def observe(self, times: Iterable[int]) -> None:
        """Take in what was observed, in any order."""
        for time in times:
            if self._newest is None or time > self._newest:
                self._newest, self._next = time, self._newest
            elif time != self._newest and (self._next is None or time > self._next):
                self._next = time

    @property
    def newest(self) -> int | None:
        """The newest time of all, alone or not."""
        return self._newest

    @property
    def now(self) -> int | None:
        """The ledger's time; None before anything was observed."""
        if self._newest is None or self._next is None:
            return self._newest
        is_alone = self._newest - self._next > self._leap
        return self._next if is_alone else self._newest
