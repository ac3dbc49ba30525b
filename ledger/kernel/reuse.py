"""Planner `excess/2`: which version should serve, and whether a candidate is good enough.

Its page is `docs/spec/planner_v2.md`. Pure functions of integers, as `ledger.kernel.excess` is,
whose ranking of the fleet `excess/2` shares. Versions that served before keep being observed, and
the one that did best lately, last period above all and the same season a year ago, is put back. A
candidate may lose a little against the version in service, since a version that ever served can
come back.

Sums exceed 2^63: events carry them as decimal strings.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from ledger.events.values import PPM
from ledger.kernel.decay import ONE_BITS, decays_by_age

_ONE: Final = 1 << ONE_BITS


@dataclass(frozen=True, slots=True)
class ReusePolicy:
    """The part of a policy that says when an earlier version is put back.

    `versions` 0 means never; `season_periods` 0 means that the fleet has no yearly round.
    """

    period_seconds: int
    versions: int
    half_life_seconds: int
    periods: int
    prior_ppm: int
    margin_ppm: int
    season_periods: int
    season_ppm: int

    @property
    def window(self) -> int:
        """How many periods back, the present one included, a loss can still count."""
        return max(self.periods, self.season_periods + 1)


@dataclass(frozen=True, slots=True)
class VersionLoss:
    """One version's loss over the rows of one period: the sum of value × sample size, in nano."""

    rows: int
    loss_nano: int


@dataclass(frozen=True, slots=True)
class ServedVersion:
    """A version that is or was in service, with its losses by period."""

    name: str
    trained_period: int
    periods: Mapping[int, VersionLoss] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VersionComparison:
    """One earlier version held against the one in service; None: no advantage is defined."""

    name: str
    n: int
    den: int
    adv: int
    advantage_ppm: int | None


@dataclass(frozen=True, slots=True)
class ReuseResult:
    """The version to put back, or None, and every version that was compared, in order."""

    put_back: str | None
    compared: tuple[VersionComparison, ...]


def reuse(
    policy: ReusePolicy,
    now_period: int,
    in_service: ServedVersion,
    others: tuple[ServedVersion, ...],
) -> ReuseResult:
    """Return which of the versions that served before is put back.

    `others` are in the order in which they last left service, the latest last.
    """
    counted = others[-policy.versions :] if policy.versions else ()
    weights = dict(_weights(policy, now_period))
    compared = tuple(_compare(policy, weights, in_service, other) for other in counted)
    better = [
        (found.advantage_ppm, other.trained_period, other.name)
        for found, other in zip(compared, counted, strict=True)
        if found.advantage_ppm is not None and found.advantage_ppm > policy.margin_ppm
    ]
    return ReuseResult(max(better)[2] if better else None, compared)


def _weights(policy: ReusePolicy, now_period: int) -> Iterator[tuple[int, int]]:
    """Yield each period that can weigh anything, with its weight."""
    decays = decays_by_age(policy.period_seconds, policy.half_life_seconds, policy.periods)
    for age in range(policy.window):
        period = now_period - age
        weight = decays[age] if age < policy.periods else 0
        if policy.season_periods:
            away = abs(now_period + 1 - policy.season_periods - period)
            if away == 0:
                weight += policy.season_ppm * _ONE // PPM
            elif away == 1:
                weight += policy.season_ppm // 3 * _ONE // PPM
        yield period, weight


def _compare(
    policy: ReusePolicy, weights: Mapping[int, int], serving: ServedVersion, other: ServedVersion
) -> VersionComparison:
    """Return the weighted sums over the periods in which both were observed on the same rows."""
    trained = max(serving.trained_period, other.trained_period)
    n = den = adv = 0
    for period, theirs in other.periods.items():
        weight = weights.get(period)
        ours = serving.periods.get(period)
        if weight is None or ours is None or period <= trained:
            continue
        if ours.rows > 0 and ours.rows == theirs.rows:
            n += weight
            den += weight * ours.loss_nano
            adv += weight * (ours.loss_nano - theirs.loss_nano)
    advantage = None
    if n and den > 0:
        prior = policy.prior_ppm * _ONE // PPM
        advantage = adv * n * PPM // (den * (n + prior))
    return VersionComparison(other.name, n, den, adv, advantage)


@dataclass(frozen=True, slots=True)
class GatePolicy:
    """The part of a policy that says what a candidate test must show; `probe_ppm` 0: no test."""

    probe_ppm: int
    gate_ppm: int
    rest_periods: int


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """Whether a candidate passed (None: no test), and until when a refusal rests its model."""

    passes: bool | None
    rest_until: int | None


def judge_candidate(
    policy: GatePolicy, now_period: int, champion_nano: int | None, candidate_nano: int | None
) -> GateVerdict:
    """Return the verdict on a candidate test.

    The losses are totals, at least 0, over the same rows of the newest period, on which the
    candidate was not trained. Both are None where no test is possible: the job is bought untested.
    """
    if champion_nano is None or candidate_nano is None or policy.probe_ppm == 0:
        return GateVerdict(None, None)
    if candidate_nano * PPM < champion_nano * (PPM + policy.gate_ppm):
        return GateVerdict(passes=True, rest_until=None)
    return GateVerdict(passes=False, rest_until=now_period + policy.rest_periods)
