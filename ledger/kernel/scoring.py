"""The scoring part of a policy, as integers.

Values are nano (decimal × 10^9), ratios parts per million (ppm), durations seconds.
"""

import itertools
from dataclasses import dataclass
from typing import Final

from ledger.limits import WINDOW_BUCKETS_MAX

KERNEL_1: Final = "bucketed/1"
KERNEL_2: Final = "bucketed/2"
KERNELS: Final = (KERNEL_1, KERNEL_2)


@dataclass(frozen=True, slots=True)
class SignalRule:
    """How one signal is read. `baseline` and `critical` are nano; critical is the worse end.

    `source_cap` is of `bucketed/2`: the samples for which one source counts in one bucket.
    """

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
    source_cap: int | None = None


@dataclass(frozen=True, slots=True)
class Scoring:
    """The scoring part of a policy. Its signals are kept in ascending order of name."""

    combine: str
    impact_gain_ppm: int
    risk_gain_ppm: int
    signals: tuple[SignalRule, ...]
    kernel: str = KERNEL_1

    def __post_init__(self) -> None:
        """Order the rules by name (code points), as the kernel takes them."""
        ordered = tuple(sorted(self.signals, key=lambda rule: rule.signal))
        object.__setattr__(self, "signals", ordered)


def scoring_problems(scoring: Scoring) -> list[tuple[str, str]]:
    """Return (field, what is wrong) for what no value of a policy document shows by itself.

    The ranges of single values are those of `ledger.events.policy_document`.
    """
    names = [rule.signal for rule in scoring.signals]
    problems = [
        (f'signals["{name}"]', "is there twice")
        for name, following in itertools.pairwise(names)
        if name == following
    ]
    if scoring.kernel not in KERNELS:
        problems.append(("kernel", f"must be one of {', '.join(KERNELS)}"))
    for rule in scoring.signals:
        path = f'signals["{rule.signal}"].'
        if rule.source_cap is not None and scoring.kernel == KERNEL_1:
            problems.append((path + "source_cap", f"is not of kernel {KERNEL_1}"))
        if rule.baseline == rule.critical:
            problems.append((path + "critical", "must differ from the baseline"))
        width, rest = divmod(rule.window_seconds, rule.bucket_seconds)
        if rest or not 1 <= width <= WINDOW_BUCKETS_MAX:
            problem = f"must be 1 to {WINDOW_BUCKETS_MAX} times bucket_seconds"
            problems.append((path + "window_seconds", problem))
    return problems
