"""The only place that reads time or mints identifiers from it.

Everything that needs either is given a Clock; tests and `data` ledgers give another one.
"""

import os
import time
from typing import Final, Protocol

_MILLIS_MAX: Final = 2**48 - 1


class Clock(Protocol):
    """A source of time and of fresh identifiers."""

    def now_micros(self) -> int:
        """Return microseconds since 1970-01-01T00:00:00Z."""
        ...

    def monotonic_seconds(self) -> float:
        """Return seconds that never run backwards, for waiting and for measuring."""
        ...

    def elapsed_seconds(self) -> float:
        """Return seconds that pass as time does: never set, and not stopped by a sleeping machine.

        What is due after a while is due by these; the other clock may be set at any moment.
        """
        ...

    def random_bytes(self, count: int) -> bytes:
        """Return unpredictable bytes, for salts, keys and identifiers."""
        ...


def _since_boot() -> float:
    """Return the machine's steady clock that also counts its sleep, as far as there is one."""
    for name in ("CLOCK_BOOTTIME", "CLOCK_MONOTONIC"):  # Linux; macOS, where this one counts sleep
        if hasattr(time, name):
            return time.clock_gettime(getattr(time, name))
    return time.monotonic()


class SystemClock:
    """The machine's clock and its source of randomness."""

    def now_micros(self) -> int:
        """Return the machine's time in microseconds since the epoch."""
        return time.time_ns() // 1000

    def monotonic_seconds(self) -> float:
        """Return the machine's monotonic clock."""
        return time.monotonic()

    def elapsed_seconds(self) -> float:
        """Return the time since the machine started, with the time that it slept."""
        return _since_boot()

    def random_bytes(self, count: int) -> bytes:
        """Return bytes of the operating system's random source."""
        return os.urandom(count)


def monotonic_nanos(clock: Clock) -> int:
    """Return the clock's monotonic time in nanoseconds, for arithmetic in whole numbers."""
    return int(clock.monotonic_seconds() * 1_000_000_000)


def uuid7(clock: Clock) -> str:
    """Return a UUID version 7 (RFC 9562): 48 bits of milliseconds, then randomness."""
    millis = min(
        max(clock.now_micros() // 1000, 0), _MILLIS_MAX
    )  # even if the machine's clock is wrong
    raw = bytearray(millis.to_bytes(6, "big") + clock.random_bytes(10))
    raw[6] = raw[6] & 0x0F | 0x70
    raw[8] = raw[8] & 0x3F | 0x80
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
