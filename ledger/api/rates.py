"""Rates of callers: how much each may send in a second, and which of them send more.

All of it is bounded: of so many callers the one heard of longest ago is forgotten, which is as if
its buckets had filled up.
"""

import threading
from collections import OrderedDict
from typing import Final, NamedTuple

import structlog

from ledger.clock import Clock, monotonic_nanos
from ledger.errors import LedgerError, Reason
from ledger.limits import (
    BATCH_OBSERVATIONS_MAX,
    BURST_SECONDS,
    LIMITED_CALLERS_MAX,
    LIMITED_QUIET_SECONDS,
    RATED_CALLERS_MAX,
    RECEIVED_BYTES_MAX,
)

NANOS: Final = 1_000_000_000
_MILLI: Final = 1_000_000
_MEGA: Final = 1_000_000
_log: Final = structlog.get_logger("ledger.limits")


class TokenBucket:
    """So many tokens a second, saved up to `size`; full at first. Times are in nanoseconds.

    In any span of s seconds at most `size` + `per_second` × s tokens are taken. No request may be
    for more than `size`. Its owner keeps threads apart.
    """

    __slots__ = ("_at", "_level", "_per_second", "_size")

    def __init__(self, per_second: int, size: int, now: int) -> None:
        self._per_second = per_second
        self._size = size * NANOS
        self._level = self._size  # in billionths of a token, so that nothing is rounded
        self._at = now

    def take(self, count: int, now: int) -> int:
        """Take tokens and return 0, or return in how many nanoseconds they will be there."""
        level = self._level
        if now > self._at:
            level = min(level + (now - self._at) * self._per_second, self._size)
            self._at = now
        left = level - count * NANOS
        self._level = level if left < 0 else left
        return -(left // self._per_second) if left < 0 else 0

    def give_back(self, count: int) -> None:
        """Put back tokens that were just taken."""
        self._level += count * NANOS

    def change(self, per_second: int, size: int, now: int) -> None:
        """Go on at another rate: what was taken stays taken, so a change gives no tokens."""
        self.take(0, now)
        self._per_second, self._size = per_second, size * NANOS
        self._level = min(self._level, self._size)


class Rates(NamedTuple):
    """Calls, bytes and observations: of a second, or of one request."""

    calls: int
    bytes: int
    observations: int

    def sizes(self) -> "Rates":
        """Return what may come at once at these rates: seconds' worth, and any one request."""
        return Rates(
            *(max(rate * BURST_SECONDS, most) for rate, most in zip(self, _MOST, strict=True))
        )


_MOST: Final = Rates(1, RECEIVED_BYTES_MAX, BATCH_OBSERVATIONS_MAX)


class Refused(NamedTuple):
    """A request that has to wait so many nanoseconds, for what it needs most."""

    nanos: int
    what: str


class _Caller:
    """The token buckets of one caller, taken from together or not at all."""

    __slots__ = ("_buckets", "rates")

    def __init__(self, rates: Rates, now: int) -> None:
        self.rates = rates
        each = zip(rates, rates.sizes(), strict=True)
        self._buckets = tuple(TokenBucket(rate, size, now) for rate, size in each)

    def change(self, rates: Rates, now: int) -> None:
        """Go on at other rates."""
        self.rates = rates
        for bucket, rate, size in zip(self._buckets, rates, rates.sizes(), strict=True):
            bucket.change(rate, size, now)

    def take(self, wanted: tuple[int, int, int], now: int) -> Refused | None:
        """Take what a request needs, or return how long it has to wait."""
        calls, size, observations = self._buckets
        waits = (
            calls.take(wanted[0], now),
            size.take(wanted[1], now),
            observations.take(wanted[2], now) if wanted[2] else 0,
        )
        if waits == _NONE:
            return None
        for bucket, count, wait in zip(self._buckets, wanted, waits, strict=True):
            if not wait:
                bucket.give_back(count)
        longest = max(waits)
        return Refused(longest, Rates._fields[waits.index(longest)])


_NONE: Final = (0, 0, 0)


class RatedCallers:
    """The buckets of each caller, by key. Its owner keeps threads apart."""

    def __init__(self) -> None:
        self._callers: OrderedDict[object, _Caller] = OrderedDict()

    def __len__(self) -> int:
        """Return how many callers are remembered."""
        return len(self._callers)

    def take(
        self, key: object, rates: Rates, wanted: tuple[int, int, int], now: int
    ) -> Refused | None:
        """Take what a caller's request needs at these rates, or return how long it has to wait.

        `wanted`: calls, bytes, observations; none of them more than one request can have.
        """
        caller = self._callers.get(key)
        if caller is None:
            caller = self._callers[key] = _Caller(rates, now)
            if len(self._callers) > RATED_CALLERS_MAX:
                self._callers.popitem(last=False)
        else:
            self._callers.move_to_end(key)
            if caller.rates is not rates and caller.rates != rates:
                caller.change(rates, now)
        return caller.take(wanted, now)


class _Limited:
    """When a caller was first and last refused, and how often."""

    __slots__ = ("count", "last_at", "since")

    def __init__(self, now: int) -> None:
        self.since = self.last_at = now
        self.count = 0


class LimitedCallers:
    """Logs a line when a caller begins to be limited, and one when that is over.

    It is over when nothing of the caller was refused for a minute. Safe between threads.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._limited: dict[tuple[tuple[str, str], ...], _Limited] = {}

    def refused(self, what: str, **caller: str) -> None:
        """Note that a request of a caller was refused."""
        key, now = tuple(caller.items()), monotonic_nanos(self._clock)
        with self._lock:
            known = self._limited.get(key)
            is_new = known is None and len(self._limited) < LIMITED_CALLERS_MAX
            if is_new:
                known = self._limited[key] = _Limited(now)
            if known is not None:
                known.count += 1
                known.last_at = now
        if is_new:
            _log.warning("limits.reached", what=what, **caller)

    def look(self, quiet_seconds: float = LIMITED_QUIET_SECONDS) -> None:
        """Say which callers are not limited any more; called now and then."""
        until = monotonic_nanos(self._clock) - round(quiet_seconds * NANOS)
        with self._lock:
            quiet = {key: one for key, one in self._limited.items() if one.last_at <= until}
            for key in quiet:
                del self._limited[key]
        for key, one in quiet.items():
            seconds = round((one.last_at - one.since) / NANOS, 3)
            _log.info("limits.over", refused=one.count, seconds=seconds, **dict(key))


class TooFastError(LedgerError):
    """A request whose caller has sent as much as it may: LIMIT_REACHED."""


def too_fast(subject: str, rates: Rates, refused: Refused, **caller: str) -> TooFastError:
    """Return the refusal of a request whose caller has sent as much as it may.

    `subject` begins the sentence, such as "users/ana"; the pause is rounded up, so that a caller
    that waits for it is let in.
    """
    limit: int = getattr(rates, refused.what)
    amount = f"{limit / _MEGA:g} MB" if refused.what == "bytes" else f"{limit:,} {refused.what}"
    seconds = -(-refused.nanos // _MILLI) / 1_000
    place = f" on {ledger}" if (ledger := caller.get("ledger")) else ""
    return TooFastError(
        Reason.LIMIT_REACHED,
        f"{subject} has used up its {amount} a second{place}.",
        remedy=f"Send the same request again in {seconds:g} s.",
        retry_after_seconds=seconds,
        metadata={"limit": str(limit), "what": refused.what, **caller},
    )
