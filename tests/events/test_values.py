"""Names, decimals and times have one spelling each, and exchange with numbers without loss.

Method: the decimal and the calendar of the standard library as the other opinion.
"""

import datetime as dt
import math
import re
import struct
from decimal import ROUND_HALF_EVEN, Context, Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledger.events import values
from ledger.events.values import (
    NANO,
    NANO_LIMIT,
    TIME_LIMIT,
    format_decimal,
    format_time,
    nearest_decimal,
    parse_decimal,
    parse_time,
)

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
GRAMMAR = re.compile(r"-?(0|[1-9][0-9]{0,11})(\.[0-9]{0,8}[1-9])?")


@given(st.integers(-NANO_LIMIT + 1, NANO_LIMIT - 1))
def test_decimal_round_trip(nano: int) -> None:
    text = format_decimal(nano)
    assert GRAMMAR.fullmatch(text)
    assert text != "-0"
    assert parse_decimal(text) == nano
    assert Decimal(text) * NANO == nano


@given(st.from_regex(r"-?[0-9]{0,14}(\.[0-9]{0,11})?", fullmatch=True) | st.text(max_size=20))
def test_exactly_the_grammar_is_a_decimal(text: str) -> None:
    if GRAMMAR.fullmatch(text) and text != "-0":
        assert format_decimal(parse_decimal(text)) == text
    else:
        with pytest.raises(ValueError, match=r"^['\"]"):
            parse_decimal(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not a decimal"),
        ("abc", "is not a decimal"),
        ("1e5", "is not a decimal"),
        ("1_000", "is not a decimal"),
        (" 1", "is not a decimal"),
        ("1\n", "is not a decimal"),
        ("\u0661", "is not a decimal"),
        ("NaN", "not a finite number"),
        ("-Infinity", "not a finite number"),
        ("+1", "plus sign"),
        (".5", "digit on both sides"),
        ("5.", "digit on both sides"),
        ("01", "leading zeros"),
        ("-00.5", "leading zeros"),
        ("1234567890123", "13 whole digits"),
        ("1.50", "trailing zeros"),
        ("1.0", "trailing zeros"),
        ("0.1234567891", "10 decimal places"),
        ("-0", "minus zero"),
        ("9" * 10_000, "10000 whole digits"),
    ],
)
def test_a_refused_decimal_is_told_why(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        parse_decimal(text)
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize("nano", [NANO_LIMIT, -NANO_LIMIT, 10**40])
def test_a_number_too_large_has_no_decimal(nano: int) -> None:
    with pytest.raises(ValueError, match="13 whole digits"):
        format_decimal(nano)


def rounded(text: str) -> Decimal:
    """Return what the standard library makes of a double's text at nine places."""
    context = Context(prec=400, rounding=ROUND_HALF_EVEN)
    return Decimal(text).quantize(Decimal("1e-9"), context=context)


@given(st.floats(allow_nan=False, allow_infinity=False) | st.floats(-1e12, 1e12))
@example(0.1)
@example(-0.0)
@example(5e-324)
@example(5e-10)  # halfway between 0 and 1 billionth: to even
@example(1.5e-9)
@example(2.5e-9)
@example(0.1234567885)
@example(999999999999.9999)
@example(1e12)
def test_a_double_becomes_the_nearest_decimal(value: float) -> None:
    expected = rounded(repr(value))
    if abs(expected) >= 10**12:
        with pytest.raises(ValueError, match="whole digits"):
            nearest_decimal(repr(value))[0]
        return
    text = nearest_decimal(repr(value))[0]
    assert parse_decimal(text) == expected * NANO
    assert text != "-0"


@given(st.binary(min_size=8, max_size=8))
def test_every_bit_pattern_is_a_decimal_or_refused(pattern: bytes) -> None:
    (value,) = struct.unpack("<d", pattern)
    if math.isfinite(value) and abs(value) < 999_999_999_999:
        assert abs(Decimal(nearest_decimal(repr(value))[0]) - Decimal(repr(value))) * 2 * NANO <= 1
    else:
        with pytest.raises(ValueError, match=r"finite|whole digits"):
            nearest_decimal(repr(value))[0]


@pytest.mark.parametrize(
    ("text", "decimal", "is_rounded"),
    [
        ("0.5", "0.5", False),
        ("0.500000000000000", "0.5", False),
        ("1.0", "1", False),
        ("-0", "0", False),
        ("-0.000", "0", False),
        ("1e3", "1000", False),
        ("25E-2", "0.25", False),
        ("0.47123456789123", "0.471234568", True),
        ("0.30000000000000004", "0.3", True),
        ("9.999999974e-07", "0.000001", True),
        ("0.0000000005", "0", True),  # halfway: to even
        ("0.0000000015", "0.000000002", True),
        ("-0.00000000050000001", "-0.000000001", True),
        ("6e-27", "0", True),
        ("1e-999", "0", True),
    ],
)
def test_a_number_of_any_length_is_rounded_half_to_even_and_said_to_be(
    text: str, decimal: str, *, is_rounded: bool
) -> None:
    assert nearest_decimal(text) == (decimal, is_rounded)


@given(st.decimals(-(10**12) + 1, 10**12 - 1, allow_nan=False))
def test_only_what_changes_a_number_counts_as_rounding(number: Decimal) -> None:
    if len(str(number)) > 1_000 or abs(number.adjusted()) > 300:
        return
    text, is_rounded = nearest_decimal(str(number))
    assert Decimal(text) == rounded(str(number))
    assert is_rounded == (Decimal(text) != number)


@pytest.mark.parametrize(
    "text",
    ["nan", "inf", "-inf", "", "1e9999", "0x10", "1_0.5", "+1", "01", ".5", "5.", "9" * 5_000],
)
def test_what_is_no_finite_number_is_refused(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"not a finite|not a decimal|plus|zeros|both sides|5000 characters"
    ):
        nearest_decimal(text)


# ---- times ---------------------------------------------------------------------------------------


@given(st.integers(0, TIME_LIMIT - 1))
@example(0)
@example(TIME_LIMIT - 1)
def test_time_round_trip(micros: int) -> None:
    text = format_time(micros)
    assert parse_time(text) == micros
    moment = EPOCH + dt.timedelta(microseconds=micros)
    assert text == moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def test_every_day_until_2500_is_that_of_the_calendar() -> None:
    day = dt.date(1970, 1, 1)
    for number in range(193_500):
        assert format_time(number * values.DAY)[:10] == str(day)
        day += dt.timedelta(days=1)


@given(
    st.integers(1969, 2101), st.integers(0, 13), st.integers(0, 32), st.integers(0, 24),
    st.integers(0, 60), st.integers(0, 60),
)  # fmt: skip
def test_only_times_of_the_calendar_are_read(
    year: int, month: int, day: int, hour: int, minute: int, second: int
) -> None:
    text = f"{year}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}.000001Z"
    try:
        moment = dt.datetime(year, month, day, hour, minute, second, 1, tzinfo=dt.UTC)
    except ValueError:
        moment = EPOCH - dt.timedelta(1)
    if moment < EPOCH:
        with pytest.raises(ValueError, match=r"not a time|before 1970|not a day"):
            parse_time(text)
    else:
        assert parse_time(text) == (moment - EPOCH) // dt.timedelta(microseconds=1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-03-01",
        "2026-03-01T10:00:00Z",
        "2026-03-01T10:00:00.123Z",
        "2026-03-01T10:00:00.1234567Z",
        "2026-03-01t10:00:00.123456z",
        "2026-03-01 10:00:00.123456Z",
        "2026-03-01T10:00:00.123456+00:00",
        "2026-03-01T10:00:00.123456Z\n",
        "2026-03-01T24:00:00.000000Z",
        "2016-12-31T23:59:60.000000Z",
        "\u0662026-03-01T10:00:00.123456Z",
        "12026-03-01T10:00:00.123456Z",
    ],
)
def test_other_spellings_of_time_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time"):
        parse_time(text)


@pytest.mark.parametrize("micros", [-1, TIME_LIMIT, 10**30, -(10**30)])
def test_times_outside_1970_to_9999_have_no_spelling(micros: int) -> None:
    with pytest.raises(ValueError, match="before 1970 or after 9999"):
        format_time(micros)


# ---- names ---------------------------------------------------------------------------------------

LONG = "a" * 128
NAMES: list[tuple[re.Pattern[str], list[str], list[str]]] = [
    (
        values.SEGMENT,
        ["a", "0", "fraud-eu", "a.b_c-d", LONG],
        ["", "A", "-a", ".a", "a/b", "a b", "é", "a\n", LONG + "a"],
    ),
    (
        values.ORIGIN,
        ["ledger.example.com/fraud", "a", "/".join(["a" * 63] * 3) + "/" + "a" * 63],
        ["", "/a", "a/", "a//b", "A", "a\n", "/".join(["a" * 127, "b" * 128])],
    ),
    (
        values.STREAM,
        ["ledger", "models/fraud-eu", "policy_drafts/a"],
        ["models", "models/", "Models/a", "_m/a", "models/a/b", "ledger/", "m0/a", "models/a\n"],
    ),
    (values.REQUEST_ID, ["a", "A:b._-9", LONG], ["", "a b", "a/b", LONG + "a", "a\n"]),
    (values.RUN_ID, ["runs/1"], ["runs/", "run/1", "runs/A", "1"]),
    (
        values.ACTOR,
        ["users/ana", "services/m-7", "system/evaluator"],
        ["ana", "users/", "Users/ana", "robots/a", "users/a/b"],
    ),
    (
        values.TYPE,
        ["signal.observed.v1", "a.b_c.d.v12"],
        ["signal.v1", "signal.observed", "signal.observed.v0", "signal.observed.v01", "S.o.v1"],
    ),
]
ORIGIN_LENGTHS = [("/".join(["a" * 127, "b" * 127]), True), ("/".join(["a" * 128] * 2), False)]


@pytest.mark.parametrize(
    ("grammar", "text", "is_good"),
    [(g, text, True) for g, good, _ in NAMES for text in good]
    + [(g, text, False) for g, _, bad in NAMES for text in bad]
    + [(values.ORIGIN, text, is_good) for text, is_good in ORIGIN_LENGTHS],
)
def test_names_keep_their_grammar(*, grammar: re.Pattern[str], text: str, is_good: bool) -> None:
    assert bool(grammar.fullmatch(text)) is is_good
