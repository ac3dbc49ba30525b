"""Intervals of 95 per cent in integers: of a share, of the difference of two, of two means.

Shares are in ppm of a sample of known size. Of a share: Wilson's score interval. Of the difference
of two shares: Newcombe's, which joins the score intervals of both. Of the difference of two means
with their standard errors: normal. Both versions count as measured on samples of their own; where
both were measured on the same rows, as in a fair comparison, the interval is rather too wide than
too narrow. Bounds are rounded outwards.
"""

from math import isqrt
from typing import Final, NamedTuple

from ledger.events.values import PPM

Z_SQUARED: Final = 3_841_459
"""The square of 1.959964, the quantile of the normal distribution for 95 per cent, in ppm."""


class Interval(NamedTuple):
    """Both bounds, in the unit of what they are of."""

    low: int
    high: int


def share_interval(share: int, size: int) -> Interval:
    """Return the score interval of a share in ppm, seen in a sample of so many."""
    middle = 2 * size * share * PPM + Z_SQUARED * PPM
    spread = Z_SQUARED * (Z_SQUARED * PPM * PPM + 4 * size * PPM * share * (PPM - share))
    half, whole = _root_up(spread), 2 * (size * PPM + Z_SQUARED)
    low, high = (middle - half) // whole, -(-(middle + half) // whole)
    return Interval(max(0, low), min(PPM, high))


def share_difference(first: tuple[int, int], second: tuple[int, int]) -> Interval:
    """Return the interval of the first share less the second; each in ppm, with its sample size."""
    one, two = share_interval(*first), share_interval(*second)
    (p, _), (q, _) = first, second
    below = _root_up((p - one.low) ** 2 + (two.high - q) ** 2)
    above = _root_up((one.high - p) ** 2 + (q - two.low) ** 2)
    return Interval(p - q - below, p - q + above)


def mean_difference(first: tuple[int, int], second: tuple[int, int]) -> Interval:
    """Return the interval of the first mean less the second; each with its standard error."""
    (one, error), (two, other) = first, second
    half = _root_up(-(-Z_SQUARED * (error * error + other * other) // PPM))
    return Interval(one - two - half, one - two + half)


def _root_up(number: int) -> int:
    root = isqrt(number)
    return root + (root * root < number)
