"""When to try again, and for how long: pure arithmetic on a clock, shared by both clients.

UNAVAILABLE and LIMIT_REACHED are tried again. Everything else is an answer, and a deadline that
passed says nothing about what was written. All attempts and pauses together stay within one budget.
"""

from dataclasses import dataclass
from typing import Final

import grpc

from ledger.client.errors import BusyError, ClientError, UnreachableError
from ledger.clock import Clock
from ledger.errors import Reason

_FRACTION: Final = 1 << 32
_ENDLESS: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class RetryOptions:
    """How persistent a client is.

    The pause before attempt n+1 is drawn from the upper half of `first_pause_seconds` × 2^(n-1),
    at most `pause_seconds_max`; a longer one that the server asks for wins.
    """

    attempts_max: int = 5
    first_pause_seconds: float = 0.1
    pause_seconds_max: float = 5.0
    budget_seconds: float | None = None
    """For all attempts and pauses of a call; None for the call's deadline."""
    patience_seconds: float = 60.0
    """How long a watch or a stream that lost its server is taken up again, however many attempts
    that takes: long enough for a restart."""

    def __post_init__(self) -> None:
        """Refuse what could not mean anything."""
        if self.attempts_max < 1:
            raise ValueError("attempts_max counts the first attempt too: 1 or more")
        if not 0 <= self.first_pause_seconds <= self.pause_seconds_max:
            raise ValueError("0 <= first_pause_seconds <= pause_seconds_max must hold")


class Attempts:
    """The attempts of one call, or (without a deadline) to keep a watch or stream going."""

    def __init__(
        self, options: RetryOptions, clock: Clock, deadline_seconds: float | None = None
    ) -> None:
        self._options = options
        self._clock = clock
        self._made = 0
        if deadline_seconds is None:
            self._attempts_max = _ENDLESS
            seconds = options.patience_seconds
        else:
            self._attempts_max = options.attempts_max
            budget = options.budget_seconds
            seconds = deadline_seconds if budget is None else min(budget, deadline_seconds)
        self._end = clock.monotonic_seconds() + seconds

    def timeout_seconds(self) -> float:
        """Count an attempt, and return how long it may take."""
        self._made += 1
        return max(self._end - self._clock.monotonic_seconds(), 0.001)

    def pause_seconds(self, code: grpc.StatusCode, error: ClientError) -> float | None:
        """Return how long to wait before the next attempt; None to give up with this error."""
        options = self._options
        if not _passes(code, error) or self._made >= self._attempts_max:
            return None
        full = min(
            options.first_pause_seconds * 2.0 ** min(self._made - 1, 30), options.pause_seconds_max
        )
        pause = full * (0.5 + 0.5 * chance(self._clock))
        if isinstance(error, BusyError) and error.retry_after_seconds is not None:
            pause = max(pause, error.retry_after_seconds)
        left = self._end - self._clock.monotonic_seconds()
        return pause if pause < left else None

    def renewal_pause_seconds(self, code: grpc.StatusCode, error: ClientError) -> float:
        """Return how long to wait before a watch or stream is taken up again; raise at its end."""
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return 0.0  # nothing is wrong: its connection was due for renewal
        pause = self.pause_seconds(code, error)
        if pause is None:
            raise error
        return pause


def _passes(code: grpc.StatusCode, error: ClientError) -> bool:
    """Return whether a failure may be over soon; nothing was written where a limit was reached."""
    if isinstance(error, UnreachableError) and error.is_lasting:
        return False
    is_limit = isinstance(error, BusyError) and error.reason is Reason.LIMIT_REACHED
    return is_limit or code is grpc.StatusCode.UNAVAILABLE


def chance(clock: Clock) -> float:
    """Return a number drawn evenly from 0 to 1: callers that failed together come back apart."""
    return int.from_bytes(clock.random_bytes(16)[-4:], "big") / _FRACTION
