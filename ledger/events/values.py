"""The small values that events are made of: names, decimals and times.

Each is text with one spelling. The grammars are those of the ledger format; parsing accepts exactly
them and formatting produces exactly them, so text and number can be exchanged without loss. Inside,
decimals are integers of billionths ("nano"), times microseconds since 1970 ("micros"): no floats.
Every refusal is a ValueError that says what is wrong; naming the field is left to the caller.
"""

import re
from functools import lru_cache
from typing import Final

SEGMENT_FORM: Final = r"[a-z0-9][a-z0-9._-]{0,127}"
ORIGIN_FORM: Final = rf"{SEGMENT_FORM}(?:/{SEGMENT_FORM})*"  # of at most 255 bytes
ACTOR_FORM: Final = rf"(?:users|services|system)/{SEGMENT_FORM}"

SEGMENT: Final = re.compile(SEGMENT_FORM, re.ASCII)
ORIGIN: Final = re.compile(rf"(?=.{{1,255}}\Z){ORIGIN_FORM}", re.ASCII)
STREAM: Final = re.compile(rf"ledger|[a-z][a-z_]*/{SEGMENT_FORM}", re.ASCII)
REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)
RUN_ID: Final = re.compile(rf"runs/{SEGMENT_FORM}", re.ASCII)
ACTOR: Final = re.compile(ACTOR_FORM, re.ASCII)
TYPE: Final = re.compile(r"[a-z][a-z_]*(?:\.[a-z][a-z_]*)+\.v[1-9][0-9]*", re.ASCII)
_UNIT_OF_COST: Final = re.compile(r"[A-Za-z]([A-Za-z0-9 ./-]{0,14}[A-Za-z0-9])?", re.ASCII)
UNIT_OF_COST_FORM: Final = (
    "must be 1 to 16 letters, digits, spaces, '.', '/' and '-', such as EUR or GPU hours: "
    "the first a letter, the last a letter or digit"
)
HASH_HEX: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


def is_unit_of_cost(text: str) -> bool:
    """Return whether a text can name what a ledger counts cost in."""
    return _UNIT_OF_COST.fullmatch(text) is not None


PPM: Final = 1_000_000  # one, in parts per million
INTEGER_MAX: Final = (1 << 53) - 1  # what every JSON reader carries exactly

# ---- decimals ------------------------------------------------------------------------------------

NANO: Final = 1_000_000_000  # one, in billionths
DECIMAL_PLACES: Final = 9
WHOLE_DIGITS: Final = 12
NANO_LIMIT: Final = 10 ** (WHOLE_DIGITS + DECIMAL_PLACES)  # the first magnitude that does not fit

DECIMAL: Final = re.compile(r"-?(0|[1-9][0-9]{0,11})(?:\.([0-9]{0,8}[1-9]))?", re.ASCII)
_NUMBER: Final = re.compile(
    r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,3}))?", re.ASCII
)
_NUMBER_CHARS_MAX: Final = 1_200  # a double needs at most 1,080 digits
_PADDING: Final = tuple("0" * n for n in range(DECIMAL_PLACES + 1))


def parse_decimal(text: str) -> int:
    """Return the billionths that a decimal names; ValueError unless it is spelled canonically."""
    match = DECIMAL.fullmatch(text)
    if match is None or text == "-0":
        raise ValueError(_decimal_fault(text))
    whole, fraction = match.group(1, 2)
    if fraction is None:
        nano = int(whole) * NANO
    else:
        nano = int(whole + fraction + _PADDING[DECIMAL_PLACES - len(fraction)])
    return -nano if text[0] == "-" else nano


def _decimal_fault(text: str) -> str:
    """Say what is wrong with a decimal, in the words of the person who has to correct it."""
    shown = repr(text if len(text) <= 40 else text[:40] + "…")  # never echo an unbounded input
    match = re.fullmatch(r"([+-]?)([0-9]*)(\.?)([0-9]*)", text, re.ASCII)
    if text.lower().strip("+-") in {"nan", "inf", "infinity"}:
        fault = "is not a finite number"
    elif match is None or not (match[2] or match[4]):
        fault = "is not a decimal: expected digits with at most one point, such as 12 or -0.25"
    elif match[1] == "+":
        fault = "has a plus sign; write it without"
    elif not match[2] or (match[3] and not match[4]):
        fault = "needs a digit on both sides of the point"
    elif len(match[2]) > 1 and match[2][0] == "0":
        fault = "has leading zeros; write it without"
    elif len(match[2]) > WHOLE_DIGITS:
        fault = f"has {len(match[2])} whole digits; at most {WHOLE_DIGITS} fit"
    elif match[4].endswith("0"):
        fault = "has trailing zeros after the point; write it without"
    elif len(match[4]) > DECIMAL_PLACES:
        fault = f"has {len(match[4])} decimal places; at most {DECIMAL_PLACES} fit"
    else:
        fault = "is minus zero; write 0"
    return f"{shown} {fault}"


def format_decimal(nano: int) -> str:
    """Return the one spelling of a number of billionths; ValueError at 13 whole digits or more."""
    if not -NANO_LIMIT < nano < NANO_LIMIT:
        raise ValueError(f"a number of {WHOLE_DIGITS + 1} whole digits or more does not fit")
    whole, fraction = divmod(abs(nano), NANO)
    sign = "-" if nano < 0 else ""
    if fraction == 0:
        return f"{sign}{whole}"
    return f"{sign}{whole}.{fraction:09d}".rstrip("0")


def nearest_decimal(text: str) -> tuple[str, bool]:
    """Return the nearest decimal of 9 places to a number's text, and whether it differs from it.

    Takes what `repr` prints of a double and decimals of any length, with an exponent or without.
    Rounds half to even at 9 places, so a tiny number becomes 0, and minus zero becomes 0. Raises
    ValueError for NaN, infinities, magnitudes of 13 whole digits or more and other text.
    """
    # Most measurements are short: then the text of the double is the decimal already.
    plain = text.removesuffix(".0")
    if DECIMAL.fullmatch(plain):
        return ("0" if plain == "-0" else plain), False
    if len(text) > _NUMBER_CHARS_MAX:
        raise ValueError(f"is {len(text)} characters long; at most {_NUMBER_CHARS_MAX} fit")
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ValueError(_decimal_fault(text))
    sign, whole, fraction, exponent = match.group(1, 2, 3, 4)
    digits = int(whole + (fraction or ""))
    shift = int(exponent or 0) - len(fraction or "") + DECIMAL_PLACES
    if digits and len(str(digits)) + shift > WHOLE_DIGITS + DECIMAL_PLACES:
        raise ValueError(f"{text[:40]} has more than {WHOLE_DIGITS} whole digits")
    if shift >= 0:
        nano, rest = digits * 10**shift, 0
    else:
        nano, rest = _half_even(digits, 10**-shift), digits % 10**-shift
    return format_decimal(-nano if sign else nano), rest != 0


def _half_even(numerator: int, denominator: int) -> int:
    """Return the integer nearest to the quotient of non-negative numbers; a tie goes to even."""
    quotient, remainder = divmod(numerator, denominator)
    twice = remainder * 2
    return quotient + (twice > denominator or (twice == denominator and quotient & 1))


# ---- times ---------------------------------------------------------------------------------------

SECOND: Final = 1_000_000  # in micros
HOUR: Final = 3_600 * SECOND
DAY: Final = 24 * HOUR
TIME_LIMIT: Final = 2_932_897 * DAY  # the first microsecond of the year 10000

_TIME: Final = re.compile(
    r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z",
    re.ASCII,
)
_MONTH_DAYS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_EPOCH_YEAR: Final = 1970


def parse_time(text: str) -> int:
    """Return the micros of `YYYY-MM-DDTHH:MM:SS.ffffffZ`; ValueError for anything else.

    Only real dates from 1970 to 9999 count; a leap second does not.
    """
    if _TIME.fullmatch(text) is None:
        raise ValueError(
            f"{text[:40]!r} is not a time: expected UTC with six decimals, "
            "such as 2026-03-01T10:00:00.123456Z"
        )
    return _seconds_of(text[:19]) * SECOND + int(text[20:26])


def format_time(micros: int) -> str:
    """Return the one spelling of a time; ValueError before 1970 or after 9999."""
    seconds, fraction = divmod(micros, SECOND)
    return f"{_text_of(seconds)}{fraction:06d}Z"


@lru_cache(maxsize=8192)  # neighbouring events share their second
def _text_of(seconds: int) -> str:
    """Return the text of a time up to and with the point before the microseconds."""
    day, rest = divmod(seconds, 86_400)
    minutes, second = divmod(rest, 60)
    hour, minute = divmod(minutes, 60)
    return f"{_date_of(day)}T{hour:02d}:{minute:02d}:{second:02d}."


@lru_cache(maxsize=4096)
def _date_of(day: int) -> str:
    """Return the date of a day counted from 1970-01-01."""
    if not 0 <= day * DAY < TIME_LIMIT:
        raise ValueError("a time before 1970 or after 9999 has no spelling")
    # One pass of estimate and correct: a year is never longer than 366 days.
    year = _EPOCH_YEAR + day // 366
    while _days_before(year + 1) <= day:
        year += 1
    rest = day - _days_before(year)
    month = 1
    while rest >= _days_in(year, month):
        rest -= _days_in(year, month)
        month += 1
    return f"{year:04d}-{month:02d}-{rest + 1:02d}"


@lru_cache(maxsize=8192)
def _seconds_of(text: str) -> int:
    """Return the seconds since 1970 of `YYYY-MM-DDTHH:MM:SS`, whose shape the caller checked."""
    year, month, day = int(text[:4]), int(text[5:7]), int(text[8:10])
    if year < _EPOCH_YEAR:
        raise ValueError(f"{text[:10]} is before 1970")
    if day > _days_in(year, month):
        raise ValueError(f"{text[:10]} is not a day of the calendar")
    days = _days_before(year) + sum(_days_in(year, m) for m in range(1, month)) + day - 1
    return ((days * 24 + int(text[11:13])) * 60 + int(text[14:16])) * 60 + int(text[17:19])


def _days_before(year: int) -> int:
    """Return how many days lie between 1970-01-01 and the first day of a year."""
    past = year - 1
    leap_days = past // 4 - past // 100 + past // 400 - 477  # 477 leap days before 1970
    return (year - _EPOCH_YEAR) * 365 + leap_days


def _days_in(year: int, month: int) -> int:
    """Return the length of a month in the Gregorian calendar."""
    leap = month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return _MONTH_DAYS[month - 1] + leap
