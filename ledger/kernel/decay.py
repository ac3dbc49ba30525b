"""Exponential decay as exact integers: the table of roots of two that scoring and planning share.

A half-life is cut into 1024 steps. `TABLE[k]` is `floor(2^(62 - k/1024))`, and an age of `e` steps
decays to `TABLE[e mod 1024] >> (e // 1024)`. Floating point gets most entries wrong, and the
definition (ten integer square roots of a number of 63,488 bits, for each entry) takes more than a
second, so the entries are enclosed between two fixed-point bounds whose floors must agree.
"""

from functools import lru_cache
from math import isqrt
from typing import Final

STEPS: Final = 1024
"""Steps into which one half-life is cut."""

ONE_BITS: Final = 62
"""Decay of age zero is `1 << ONE_BITS`."""

_FRACTION_BITS: Final = 128


def _make_table() -> tuple[int, ...]:
    """Return `floor(2^(62 - k/1024))` for k = 0..1023, in a few milliseconds.

    `low` and `high` are fixed-point numbers with `_FRACTION_BITS` bits after the point that enclose
    `2^(-k/1024)`. Every product rounds `low` down and `high` up, so the enclosure stays true; it
    widens by a few units in the last place per step, and the assertion proves for every
    entry that no integer fell inside it.
    """
    # The root to start from: 2^(-1/1024) scaled by 2^128, as ten integer square roots. A nested
    # floor of square roots is the floor of the root, so it errs by less than one unit.
    scaled = 1 << (_FRACTION_BITS * STEPS - 1)
    for _ in range(10):
        scaled = isqrt(scaled)
    step_low, step_high = scaled, scaled + 1
    low = high = 1 << _FRACTION_BITS
    table: list[int] = []
    shift = _FRACTION_BITS - ONE_BITS
    for _ in range(STEPS):
        entry = low >> shift
        assert entry == high >> shift, "the enclosure is too wide to decide an entry"
        table.append(entry)
        low = (low * step_low) >> _FRACTION_BITS
        high = -((-high * step_high) >> _FRACTION_BITS)
    return tuple(table)


TABLE: Final = _make_table()


def decay_of_steps(steps: int) -> int:
    """Return the decay of an age of `steps` 1024ths of a half-life; 0 from 63 half-lives on."""
    whole, part = divmod(steps, STEPS)
    return TABLE[part] >> whole


@lru_cache(maxsize=4096)
def decays_by_age(bucket_seconds: int, half_life_seconds: int, count: int) -> tuple[int, ...]:
    """Return the decays of ages 0..count-1, counted in buckets of `bucket_seconds`.

    The answer is cached: a policy has few rules, and scoring reads these numbers for every bucket.
    """
    return tuple(
        decay_of_steps(age * bucket_seconds * STEPS // half_life_seconds) for age in range(count)
    )
