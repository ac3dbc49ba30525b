"""The only place that reads time or mints identifiers from it.

Everything that needs either is given a Clock; tests and `data` ledgers give another one.
"""

import os
import threading
import time
from typing import Protocol


class Clock(Protocol):
    """A source of time and of fresh identifiers."""

    def now_micros(self) -> int:
        """Return microseconds since 1970-01-01T00:00:00Z."""
        ...

    def monotonic_seconds(self) -> float:
        """Return seconds that never run backwards, for waiting and for measuring."""
        ...

    def random_bytes(self, count: int) -> bytes:
        """Return unpredictable bytes, for salts, keys and identifiers."""
        ...


class SystemClock:
    """The machine's clock and its source of randomness."""

    def now_micros(self) -> int:
        """Return the machine's time in microseconds since the epoch."""
        return time.time_ns() // 1000

    def monotonic_seconds(self) -> float:
        """Return the machine's monotonic clock."""
        return time.monotonic()

    def random_bytes(self, count: int) -> bytes:
        """Return bytes of the operating system's random source."""
        return os.urandom(count)


class ManualClock:
    """A clock that moves only when told to, with reproducible identifiers; safe between threads."""

    def __init__(self, now_micros: int = 0) -> None:
        self._now = now_micros
        self._drawn = 0
        self._lock = threading.Lock()

    def now_micros(self) -> int:
        """Return the time last set."""
        return self._now

    def advance(self, micros: int) -> None:
        """Move forward; a clock never moves back."""
        assert micros >= 0
        self._now += micros

    def monotonic_seconds(self) -> float:
        """Return the machine's monotonic clock: waiting is real even where time is not."""
        return time.monotonic()

    def random_bytes(self, count: int) -> bytes:
        """Return bytes that repeat from run to run: a counter, so that none occurs twice."""
        with self._lock:
            self._drawn += 1
            return self._drawn.to_bytes(count, "big")


def uuid7(clock: Clock) -> str:
    """Return a UUID version 7 (RFC 9562): 48 bits of milliseconds, then randomness."""
    raw = bytearray((clock.now_micros() // 1000).to_bytes(6, "big") + clock.random_bytes(10))
    raw[6] = raw[6] & 0x0F | 0x70
    raw[8] = raw[8] & 0x3F | 0x80
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
