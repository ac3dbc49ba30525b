"""What people write and read has one form, and nothing is lost between it and the integer.

Method: tables of texts at the borders; every integer that can be written reads back.
"""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.cli import output
from ledger.events import notation
from ledger.events.values import TIME_LIMIT, format_time
from ledger.export import report
from ledger.rules import explanation as explain
from projections import ranking


@pytest.mark.parametrize(
    ("ppm", "exact", "rounded"),
    [
        (0, "0%", "0.0%"),
        (1, "0.0001%", "0.0%"),
        (25_000, "2.5%", "2.5%"),
        (334_276, "33.4276%", "33.4%"),
        (800_000, "80%", "80.0%"),
        (999_999, "99.9999%", "99.9%"),
        (1_000_000, "100%", "100.0%"),
        (-999, "-0.0999%", "0.0%"),
        (-50_000, "-5%", "-5.0%"),
    ],
)
def test_a_share_is_per_cent_without_a_space(ppm: int, exact: str, rounded: str) -> None:
    assert (notation.share(ppm), notation.percent(ppm)) == (exact, rounded)


def test_every_room_writes_a_share_by_the_same_function() -> None:
    assert {vars(room)["percent"] for room in (ranking, report, explain)} == {notation.percent}
    assert output.percent(334_276) == notation.percent(334_276)


@given(st.integers(-10_000_000, 10_000_000))
def test_every_share_reads_back(ppm: int) -> None:
    assert notation.parse_share(notation.share(ppm)) == ppm


@given(st.integers(0, 10**15))
def test_every_amount_and_span_reads_back(number: int) -> None:
    assert notation.parse_money(notation.money(number)) == number
    seconds = number % 10**11
    assert notation.parse_duration(notation.duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("micros", "exact", "rounded"),
    [
        (0, "0.00", "0.00"),
        (40_000_000, "40.00", "40.00"),
        (25_000, "0.025", "0.03"),
        (-5_786_266, "-5.786266", "-5.79"),
        (4_999, "0.004999", "0.00"),
        (-100, "-0.0001", "0.00"),
    ],
)
def test_money_has_two_places_and_its_unit(micros: int, exact: str, rounded: str) -> None:
    assert (notation.money(micros), notation.rounded_money(micros)) == (exact, rounded)
    assert notation.money(micros, "EUR") == f"{exact} EUR"
    assert notation.rounded_money(micros, "GPU hours") == f"{rounded} GPU hours"


@pytest.mark.parametrize(
    ("text", "seconds", "shown"),
    [
        ("28d", 2_419_200, "28d"),
        ("1h30m", 5_400, "1h30m"),
        ("90m", 5_400, "1h30m"),
        ("2w", 1_209_600, "14d"),
        ("0s", 0, "0s"),
    ],
)
def test_a_span_is_in_days_hours_minutes_and_seconds(text: str, seconds: int, shown: str) -> None:
    assert notation.parse_duration(text) == seconds
    assert notation.duration(seconds) == shown


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (notation.parse_share, "80 %"),
        (notation.parse_share, "%"),
        (notation.parse_share, "0.1234567"),
        (notation.parse_share, "80%%"),
        (notation.parse_share, "\u0668\u0660%"),
        (notation.parse_money, "40 EUR"),
        (notation.parse_money, "1,000"),
        (notation.parse_money, "-1"),
        (notation.parse_money, "0.0000001"),
        (notation.parse_money, ""),
        (notation.parse_duration, ""),
        (notation.parse_duration, "30"),
        (notation.parse_duration, "1m1h"),
        (notation.parse_duration, "1.5h"),
    ],
)
def test_what_means_nothing_certain_is_refused(parse: Callable[[str], int], text: str) -> None:
    with pytest.raises(ValueError, match=r"is not|decimal places"):
        parse(text)


@pytest.mark.parametrize(
    ("micros", "shown"),
    [
        (1_772_625_600_000_000, "2026-03-04T12:00:00Z"),
        (1_772_625_600_000_250, "2026-03-04T12:00:00Z"),
        (TIME_LIMIT - 1, "9999-12-31T23:59:59Z"),
        (0, "before any data"),
    ],
)
def test_a_time_is_told_to_the_second_that_it_is_in(micros: int, shown: str) -> None:
    assert notation.time(micros) == notation.shown_time(format_time(micros)) == shown
