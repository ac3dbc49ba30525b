"""Intervals in integers are those of the textbooks, rounded outwards."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.events.values import PPM
from ledger.jobs.intervals import mean_difference, share_difference, share_interval

Z = 1.959964
shares, sizes = st.integers(0, PPM), st.integers(1, 10**9)
means, errors = st.integers(-(10**9), 10**9), st.integers(0, 10**9)


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [  # Newcombe (1998), method 10: 56/70 and 48/80, 9/10 and 3/10, 10/10 and 0/10
        ((800_000, 70), (600_000, 80), 0.0524, 0.3339),
        ((900_000, 10), (300_000, 10), 0.1705, 0.8090),
        ((PPM, 10), (0, 10), 0.6075, 1.0000),
    ],
)
def test_differences_of_shares_are_those_that_were_published(
    first: tuple[int, int], second: tuple[int, int], low: float, high: float
) -> None:
    found = share_difference(first, second)
    assert (found.low / PPM, found.high / PPM) == pytest.approx((low, high), abs=1e-4)
    mirrored = share_difference(second, first)
    assert (mirrored.low, mirrored.high) == (-found.high, -found.low)


@given(shares, sizes)
def test_the_interval_of_a_share_is_wilson_s_and_holds_the_share(share: int, size: int) -> None:
    p, n = share / PPM, size
    middle = (p + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z * math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n)) / (1 + Z * Z / n)
    found = share_interval(share, size)
    assert 0 <= found.low <= share <= found.high <= PPM
    assert found.low == pytest.approx(max(0.0, middle - half) * PPM, abs=2)
    assert found.high == pytest.approx(min(1.0, middle + half) * PPM, abs=2)


@given(shares, sizes)
def test_more_rows_make_no_wider_interval(share: int, size: int) -> None:
    few, many = share_interval(share, size), share_interval(share, 4 * size)
    assert many.high - many.low <= few.high - few.low + 2


@given(means, errors, means, errors)
def test_the_interval_of_two_means_is_normal(one: int, error: int, two: int, other: int) -> None:
    found = mean_difference((one, error), (two, other))
    half = Z * math.hypot(error, other)
    assert found.low + found.high == 2 * (one - two)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=1e-5, abs=2)
    assert (found.high - found.low) / 2 >= half * (1 - 1e-6), "bounds are rounded outwards"
