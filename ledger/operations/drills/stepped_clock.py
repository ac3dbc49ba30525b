"""A clock that a drill sets: ahead, back, or still, while the time that passes goes on."""

from ledger.clock import Clock
from ledger.events.values import SECOND


class SteppedClock:
    """Another clock, moved; the seconds that pass are added to by `wait`."""

    def __init__(self, clock: Clock, ahead_micros: int = 0) -> None:
        self._clock = clock
        self.ahead_micros = ahead_micros
        self._stopped_at: int | None = None
        self._waited = 0.0

    def stop(self) -> None:
        """Let the time that it shows stand still."""
        self._stopped_at = self.now_micros()

    def wait(self, seconds: int) -> None:
        """Let so many seconds pass, which a running clock shows too."""
        self._waited += seconds

    def now_micros(self) -> int:
        """Return the time that it shows."""
        if self._stopped_at is not None:
            return self._stopped_at
        return self._clock.now_micros() + self.ahead_micros + round(self._waited) * SECOND

    def monotonic_seconds(self) -> float:
        """Return the other clock's."""
        return self._clock.monotonic_seconds()

    def elapsed_seconds(self) -> float:
        """Return the seconds that have passed."""
        return self._clock.elapsed_seconds() + self._waited

    def random_bytes(self, count: int) -> bytes:
        """Return the other clock's."""
        return self._clock.random_bytes(count)
