"""Times as programs write them: goal: none is recorded as another moment than was meant.

Method: integers around every border, each unit by its suffix, and what is neither.
"""

from datetime import UTC, datetime

import pytest

from ledger.client.errors import InvalidRequestError
from ledger.client.inputs import NoTimeError, micros_of, micros_of_integer, micros_of_text

MICROS = 1_772_712_000_000_000  # 2026-03-05T12:00:00Z


@pytest.mark.parametrize(
    ("number", "unit", "suffix"),
    [
        (1_772_712_000, "seconds", "s"),
        (1_772_712_000_000, "milliseconds", "ms"),
        (1_772_712_000_000_000_000, "nanoseconds", "ns"),
    ],
)
def test_an_integer_in_another_unit_is_refused_with_the_time_it_looks_like(
    number: int, unit: str, suffix: str
) -> None:
    said = (
        f"{number} looks like {unit}: microseconds since 1970 are expected, or write it as "
        f"2026-03-05T12:00:00Z or {number}{suffix}"
    )
    with pytest.raises(NoTimeError) as caught:
        micros_of_integer(number)
    assert caught.value.fault == said
    with pytest.raises(NoTimeError) as caught:
        micros_of_text(str(number))
    assert caught.value.fault == said
    with pytest.raises(InvalidRequestError, match=f"{number} looks like {unit}"):
        micros_of(number, "observed_at")
    assert micros_of_text(f"{number}{suffix}") == MICROS, "and what it proposes is taken"


@pytest.mark.parametrize("number", [0, 1, -1, 20_000_000, 946_684_799_999_999, -(10**30)])
def test_any_integer_that_would_fall_before_2000_is_refused(number: int) -> None:
    with pytest.raises(NoTimeError, match=r"before 2000|looks like"):
        micros_of_integer(number)


def test_the_first_microsecond_of_2000_and_later_ones_are_taken() -> None:
    assert micros_of_integer(946_684_800_000_000) == 946_684_800_000_000
    assert micros_of(MICROS, "at") == MICROS
    assert micros_of(datetime(1999, 1, 1, tzinfo=UTC), "at") == 915_148_800_000_000, "as a date"


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("1772712000s", MICROS),
        ("1772712000.25s", MICROS + 250_000),
        ("1772712000000ms", MICROS),
        ("1772712000000000us", MICROS),
        ("1772712000000000999ns", MICROS),
        ("1772712000000001000ns", MICROS + 1),
        ("5s", 5_000_000),
        ("2026-03-05T12:00:00Z", MICROS),
        ("2026-03-05 12:00:00+00:00", MICROS),
        ("2026-03-05T12:00:00.000000999Z", MICROS),
        ("2026-03-05T12:00:00.123456789Z", MICROS + 123_456),
    ],
)
def test_units_and_fractions_are_taken_and_what_is_finer_than_a_microsecond_is_cut_off(
    text: str, micros: int
) -> None:
    assert micros_of_text(text) == micros


@pytest.mark.parametrize(
    "text", ["", "s", "5 s", "5S", "5m", "1e9s", "2026-03-05T12:00:00", "x", "9" * 50]
)
def test_what_names_no_moment_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(NoTimeError) as caught:
        micros_of_text(text)
    assert "2026-03-01T10:00:00Z" in caught.value.remedy
    assert len(str(caught.value)) < 200
