"""The scoring part of a policy, as integers, and the ranges that the kernel accepts.

Values are nano (decimal × 10^9), ratios parts per million (ppm), durations seconds.
"""

import itertools
from dataclasses import dataclass
from typing import Final

from ledger.events.values import PPM

KERNEL: Final = "bucketed/1"
COMBINATIONS: Final = ("weighted_mean", "noisy_or", "max")

_WINDOW_BUCKETS_MAX: Final = 512
_GAIN_MAX: Final = 10 * PPM
_SAMPLES_MAX: Final = 1_000_000
_SOURCES_MAX: Final = 100
_NANO_LIMIT: Final = 10**21


@dataclass(frozen=True, slots=True)
class SignalRule:
    """How one signal is read. `baseline` and `critical` are nano; critical is the worse end."""

    signal: str
    weight_ppm: int
    baseline: int
    critical: int
    bucket_seconds: int
    window_seconds: int
    half_life_seconds: int
    breach_ppm: int
    sustain_ppm: int
    transient_ppm: int
    min_buckets: int
    sample_cap: int
    prior_samples: int
    sources_needed: int = 0


@dataclass(frozen=True, slots=True)
class Scoring:
    """The scoring part of a policy. Its signals are kept in ascending order of name."""

    combine: str
    impact_gain_ppm: int
    risk_gain_ppm: int
    signals: tuple[SignalRule, ...]
    kernel: str = KERNEL

    def __post_init__(self) -> None:
        """Order the rules by name (code points), as the kernel takes them."""
        ordered = tuple(sorted(self.signals, key=lambda rule: rule.signal))
        object.__setattr__(self, "signals", ordered)


def scoring_problems(scoring: Scoring) -> list[tuple[str, str]]:
    """Return (field, what is wrong) for every field outside the kernel's ranges."""
    problems: list[tuple[str, str]] = []
    if scoring.kernel != KERNEL:
        problems.append(("kernel", f"must be {KERNEL}"))
    if scoring.combine not in COMBINATIONS:
        problems.append(("combine", f"must be one of {', '.join(COMBINATIONS)}"))
    problems += _outside(
        "",
        ("impact_gain_ppm", scoring.impact_gain_ppm, 0, _GAIN_MAX),
        ("risk_gain_ppm", scoring.risk_gain_ppm, 0, _GAIN_MAX),
    )
    if not scoring.signals:
        problems.append(("signals", "must hold at least one rule"))
    names = [rule.signal for rule in scoring.signals]
    problems += [
        (f'signals["{name}"]', "is there twice")
        for name, following in itertools.pairwise(names)
        if name == following
    ]
    for rule in scoring.signals:
        problems += _rule_problems(rule)
    return problems


def _rule_problems(rule: SignalRule) -> list[tuple[str, str]]:
    """Return (field, what is wrong) for one rule."""
    path = f'signals["{rule.signal}"].'
    problems: list[tuple[str, str]] = []
    if not rule.signal:
        problems.append((path + "signal", "must not be empty"))
    problems += _outside(
        path,
        ("weight_ppm", rule.weight_ppm, 1, PPM),
        ("baseline", rule.baseline, 1 - _NANO_LIMIT, _NANO_LIMIT - 1),
        ("critical", rule.critical, 1 - _NANO_LIMIT, _NANO_LIMIT - 1),
        ("bucket_seconds", rule.bucket_seconds, 1, None),
        ("half_life_seconds", rule.half_life_seconds, 1, None),
        ("breach_ppm", rule.breach_ppm, 0, PPM),
        ("sustain_ppm", rule.sustain_ppm, 0, PPM),
        ("transient_ppm", rule.transient_ppm, 0, PPM),
        ("min_buckets", rule.min_buckets, 1, None),
        ("sample_cap", rule.sample_cap, 1, _SAMPLES_MAX),
        ("prior_samples", rule.prior_samples, 1, _SAMPLES_MAX),
        ("sources_needed", rule.sources_needed, 0, _SOURCES_MAX),
    )
    if rule.baseline == rule.critical:
        problems.append((path + "critical", "must differ from the baseline"))
    if rule.bucket_seconds >= 1:
        width, rest = divmod(rule.window_seconds, rule.bucket_seconds)
        if rest or not 1 <= width <= _WINDOW_BUCKETS_MAX:
            problem = f"must be 1 to {_WINDOW_BUCKETS_MAX} times bucket_seconds"
            problems.append((path + "window_seconds", problem))
    return problems


def _outside(path: str, *ranges: tuple[str, int, int, int | None]) -> list[tuple[str, str]]:
    """Return a problem for each (name, value, least, most) whose value is out of its range."""
    problems: list[tuple[str, str]] = []
    for name, value, least, most in ranges:
        if value < least or (most is not None and value > most):
            bound = f"at least {least}" if most is None else f"from {least} to {most}"
            problems.append((path + name, f"must be {bound}, not {value}"))
    return problems
