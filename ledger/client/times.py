"""Times as people and programs write them, for the SDK and the command line alike.

An integer is microseconds since 1970. One that would fall before 2000 is refused: it is nearly
always seconds or milliseconds. With a unit behind it (`1772712000s`) an integer is what it says.
What is finer than a microsecond is cut off.
"""

import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import Final

_MICROS: Final = {
    "s": Decimal(1_000_000),
    "ms": Decimal(1_000),
    "us": Decimal(1),
    "ns": Decimal("0.001"),
}
_NAMES: Final = {"s": "seconds", "ms": "milliseconds", "ns": "nanoseconds"}
_SUFFIXED: Final = re.compile(r"(-?[0-9]{1,20}(?:\.[0-9]{1,20})?)(s|ms|us|ns)", re.ASCII)
_INTEGER: Final = re.compile(r"-?[0-9]{1,20}", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_FIRST: Final = 946_684_800_000_000  # 2000-01-01
_LAST: Final = 4_102_444_800_000_000  # 2100-01-01
TIME_FORMS: Final = "Write it as 2026-03-01T10:00:00Z, or as microseconds since 1970."


class NoTimeError(ValueError):
    """What is written for a time and cannot be one: what is wrong with it, and what to write."""

    def __init__(self, fault: str, remedy: str = TIME_FORMS) -> None:
        super().__init__(fault)
        self.fault = fault
        self.remedy = remedy


def micros_of_integer(number: int) -> int:
    """Return the microseconds since 1970 that a bare integer is; NoTimeError for a likely slip."""
    if _FIRST <= number < _LAST:
        return number
    for suffix in ("s", "ms", "ns"):
        micros = int(number * _MICROS[suffix])
        if _FIRST <= micros < _LAST:
            iso = (_EPOCH + micros * _MICROSECOND).strftime("%Y-%m-%dT%H:%M:%SZ")
            raise NoTimeError(
                f"{number} looks like {_NAMES[suffix]}: microseconds since 1970 are expected, or "
                f"write it as {iso} or {number}{suffix}",
                "",
            )
    if number < _FIRST:
        shown = number if abs(number) < 10**20 else "it"
        raise NoTimeError(
            f"{shown} would be a time before 2000: microseconds since 1970 are expected, or write "
            f"such a time with its unit, as {shown}us",
            "",
        )
    return number


def micros_of_text(text: str) -> int:
    """Return the microseconds since 1970 that a text names; NoTimeError says what is wrong."""
    if match := _SUFFIXED.fullmatch(text):
        return int((Decimal(match[1]) * _MICROS[match[2]]).to_integral_value(ROUND_FLOOR))
    if _INTEGER.fullmatch(text):
        return micros_of_integer(int(text))
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise NoTimeError(f"{text[:40]!r} is no time") from None
    if time.tzinfo is None:
        raise NoTimeError(f"{text[:40]!r} has no time zone, so it names no moment")
    return micros_of_datetime(time)


def micros_of_datetime(time: datetime) -> int:
    """Return the microseconds since 1970 of an aware time."""
    return (time - _EPOCH) // _MICROSECOND
