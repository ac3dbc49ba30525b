"""A clock that tests move."""

import hashlib
import threading
import time


class ManualClock:
    """A clock that moves only when told to, with reproducible identifiers; safe between threads."""

    def __init__(self, now_micros: int = 0) -> None:
        self._now = now_micros
        self._elapsed = 0
        self._drawn = 0
        self._lock = threading.Lock()

    def now_micros(self) -> int:
        """Return the time last set."""
        return self._now

    def advance(self, micros: int) -> None:
        """Let time pass."""
        assert micros >= 0
        self._now += micros
        self._elapsed += micros

    def step(self, micros: int) -> None:
        """Set the clock forward or back, while no time passes."""
        self._now += micros

    def monotonic_seconds(self) -> float:
        """Return the machine's monotonic clock: waiting is real even where time is not."""
        return time.monotonic()

    def elapsed_seconds(self) -> float:
        """Return how far it was moved forward; setting it does not count."""
        return self._elapsed / 1_000_000

    def random_bytes(self, count: int) -> bytes:
        """Return bytes that repeat from run to run, and look drawn; none occurs twice."""
        with self._lock:
            self._drawn += 1
            return hashlib.shake_256(b"%d" % self._drawn).digest(count)


class TurnedClock(ManualClock):
    """A clock of which the steady time, too, moves only when told to: for what is due by it."""

    def monotonic_seconds(self) -> float:
        """Return how far it was moved forward."""
        return self.elapsed_seconds()
