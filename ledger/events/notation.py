"""Shares, money, durations and times as people write and read them; everything for people uses it.

Stored and sent are integers: parts per million, millionths of the ledger's unit of cost, seconds,
microseconds since 1970. Nothing is rounded on the way in: a text that the integer cannot hold
exactly is refused. Every refusal is a ValueError whose text is a clause about what was written.
"""

import re
from collections.abc import Sequence
from typing import Final

from ledger.events.values import format_time

MICROS: Final = 1_000_000  # of one unit of cost

_DECIMAL: Final = re.compile(r"(-?)([0-9]{0,24})(?:\.([0-9]{0,40}))?(%?)", re.ASCII)
_MONEY: Final = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,6}))?", re.ASCII)
_UNITS: Final = (("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
_COUNTS: Final = "".join(rf"(?:([0-9]{{1,11}}){unit})?" for unit, _ in _UNITS)
_DURATION: Final = re.compile(_COUNTS, re.ASCII)
DURATION_PATTERN: Final = f"^(?=.){_COUNTS}$"
"""The grammar of a span of time as a regular expression of JSON Schema."""


def shown(text: str) -> str:
    """Return a text as errors quote it: bounded, with what cannot be seen made visible."""
    return repr(text if len(text) <= 40 else text[:40] + "…")


def listed(words: Sequence[str]) -> str:
    """Return words as a person lists them: `a`, `a and b`, `a, b and c`."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


# ---- shares --------------------------------------------------------------------------------------


def parse_share(text: str) -> int:
    """Return the parts per million of `80%`, `2.5%` or `0.8`."""
    return scaled(text, 6)


def share(ppm: int) -> str:
    """Return parts per million as per cent, exactly: `80%`, `2.5%`."""
    whole, rest = divmod(abs(ppm), 10_000)
    fraction = f".{rest:04d}".rstrip("0").rstrip(".")
    return f"{'-' if ppm < 0 else ''}{whole}{fraction}%"


def percent(ppm: int) -> str:
    """Return parts per million as per cent with one decimal: `33.4%`.

    Rounded towards zero: 99.96% of a whole is not all of it.
    """
    tenths = abs(ppm) // 1_000
    return f"{'-' if ppm < 0 and tenths else ''}{tenths // 10}.{tenths % 10}%"


def scaled(text: str, places: int) -> int:
    """Return a decimal or percentage times 10^places; ValueError unless that is exactly whole."""
    match = _DECIMAL.fullmatch(text)
    if match is None or not (match[2] or match[3]):
        raise ValueError(f"{shown(text)} is not a decimal such as 0.25")
    whole, fraction, is_percent = match[2], match[3] or "", match[4]
    digits = places - (2 if is_percent else 0)
    fraction = fraction.rstrip("0")
    if len(fraction) > digits:
        raise ValueError(f"{shown(text)} has {len(fraction)} decimal places; at most {digits} fit")
    number = int((whole or "0") + fraction.ljust(digits, "0"))
    return -number if match[1] else number


# ---- money ---------------------------------------------------------------------------------------


def parse_money(text: str) -> int:
    """Return the millionths of an amount such as `40`, `99.50` or `0.25`."""
    match = _MONEY.fullmatch(text)
    if match is None:
        raise ValueError(f"{shown(text)} is not an amount such as 250, 99.50 or 0.25")
    return int(match[1]) * MICROS + int((match[2] or "").ljust(6, "0"))


def money(micros: int, unit: str = "") -> str:
    """Return an amount exactly, with at least two places and its unit: `40.00 EUR`, `0.025 EUR`."""
    whole, fraction = divmod(abs(micros), MICROS)
    digits = f"{fraction:06d}".rstrip("0").ljust(2, "0")
    return f"{'-' if micros < 0 else ''}{whole}.{digits}{unit and ' ' + unit}"


def rounded_money(micros: int, unit: str = "") -> str:
    """Return an amount with two places and its unit, for a column of a table: `39.75 EUR`."""
    cents = (abs(micros) + MICROS // 200) // (MICROS // 100)
    return money((-cents if micros < 0 else cents) * (MICROS // 100), unit)


# ---- durations -----------------------------------------------------------------------------------


def parse_duration(text: str) -> int:
    """Return the seconds of a span such as `28d`, `1h30m` or `90s`."""
    match = _DURATION.fullmatch(text)
    if match is None or not text:
        raise ValueError(f"{shown(text)} is not a span of time such as 7d, 12h, 1h30m or 90s")
    counts = zip(match.groups(), _UNITS, strict=True)
    return sum(int(count) * size for count, (_, size) in counts if count is not None)


def duration(seconds: int) -> str:
    """Return a span in days, hours, minutes and seconds: `28d`, `1h30m`, `0s`."""
    parts, rest = [], seconds
    for unit, size in _UNITS[1:]:  # a week is written as 7d, which everybody reads alike
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def short_span(micros: int) -> str:
    """Return how long something took, for people: `under 1 ms`, `54 ms`, `1.25 s`."""
    if micros < 1_000:
        return "under 1 ms"
    if micros < MICROS:
        return f"{micros // 1_000} ms"
    hundredths = f"{micros % MICROS // 10_000:02d}".rstrip("0")
    return f"{micros // MICROS}{hundredths and '.' + hundredths} s"


# ---- plans ---------------------------------------------------------------------------------------


def budget_name(name: str) -> str:
    """Return a name as people know it: events and contract say *purse* where a budget is meant."""
    return name.replace("PURSE", "BUDGET").replace("purse", "budget")


# ---- times ---------------------------------------------------------------------------------------


_UNSET: Final = format_time(0)
_TO_SECONDS: Final = len("1970-01-01T00:00:00")
BEFORE_DATA: Final = "before any data"
"""How a `data` ledger dates what it recorded before anything stated a time."""


def counted(number: int, thing: str) -> str:
    """Return a number with what it counts: `1 ledger`, `2 ledgers`."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def cosigned_by(witnesses: Sequence[str], times: Sequence[str]) -> str:
    """Return the part of a sentence that names witnesses, each with its time."""
    pairs = zip(witnesses, times, strict=True)
    return listed([f"{witness} at {shown_time(text)}" for witness, text in pairs])


def time(micros: int) -> str:
    """Return a time as RFC 3339 in UTC, to the second: the beginning of the one that it is in."""
    return shown_time(format_time(micros))


def moment(micros: int) -> str:
    """Return when something happened, as a part of a sentence."""
    return f"at {time(micros)}" if micros else time(micros)


def shown_time(text: str) -> str:
    """Return a time in the ledger's own spelling, which always has six decimals, to the second."""
    return BEFORE_DATA if text == _UNSET else f"{text[:_TO_SECONDS]}Z"
