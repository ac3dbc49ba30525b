"""The cost and benefit of a job, forecast from the ledger's own jobs that are over.

Of each job that an executor worked on and that came to its own end: the ratio of its cost to what
its recipe expected, and whether its version stayed in service; of those that stayed, the ratio of
the benefit that the ledger observed to that in their plan. A job that was cancelled or lapsed says
nothing of what a job costs that goes on to its end, nor whether its version stays. A model's mean
is drawn towards the fleet's as if the fleet had been seen four times more, and the fleet's towards
"as expected" likewise, so that one job of one model says little. Integers only, divisions rounded
down, so the same jobs give the same forecast everywhere. Money in micros of the unit of the recipe,
shares in parts per million.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Final

from ledger.events.job_parts import ForecastPart, MarginVerdict
from ledger.events.notation import money, share
from ledger.events.values import PPM

PRIOR_JOBS: Final = 4
"""How many jobs the prior counts for, of the fleet and of each model."""
PRIOR_SPREAD_PPM: Final = 500_000
PRIOR_SUCCESS_PPM: Final = 500_000
RATIO_PPM_MAX: Final = 100 * PPM
SPREADS: Final = 2
"""The interval: so many mean deviations to each side."""


@dataclass(frozen=True, slots=True)
class PastJob:
    """A job that was worked on and came to its end, as forecasts count it."""

    model: str
    expected_micros: int
    cost_micros: int
    is_success: bool
    """Whether its version stayed in service."""
    planned_micros: int | None = None
    """The benefit in its plan; None where none said it."""
    realised_micros: int | None = None
    """The benefit that the ledger observed in its window; None where it observed none."""

    @property
    def gain_ppm(self) -> int | None:
        """Its realised benefit for the planned one, from 0 and bounded; None where it says nothing.

        A version that did not stay says nothing of it: that is in how likely one stays.
        """
        planned, realised = self.planned_micros, self.realised_micros
        if not self.is_success or realised is None or planned is None or planned <= 0:
            return None
        return min(RATIO_PPM_MAX, max(0, realised) * PPM // planned)

    @property
    def ratio_ppm(self) -> int:
        """Its cost for what was expected; 100% where nothing was, and bounded."""
        if self.expected_micros <= 0:
            return PPM
        return min(RATIO_PPM_MAX, self.cost_micros * PPM // self.expected_micros)


def _drawn(total: int, count: int, towards: int) -> int:
    """Return a mean that counts the prior's jobs too."""
    return (total + PRIOR_JOBS * towards) // (count + PRIOR_JOBS)


def _total(values: Sequence[int]) -> int:
    return sum(values)  # of integers: their order does not matter


class _Learned:
    """A ratio as jobs have it: the fleet's mean and its spread, and the mean of each model.

    `ratios` are pairs of a model and its ratio in parts per million.
    """

    def __init__(self, ratios: Sequence[tuple[str, int]]) -> None:
        values = [value for _, value in ratios]
        self.count = len(values)
        self.mean = _drawn(_total(values), len(values), PPM)
        apart = _total([abs(value - self.mean) for value in values])
        self.spread = _drawn(apart, len(values), PRIOR_SPREAD_PPM)
        self._of_models: dict[str, list[int]] = {}
        for model, value in ratios:
            self._of_models.setdefault(model, []).append(value)

    def of(self, model: str) -> tuple[int, int, int]:
        """Return the low end, the mean and the high end of a model's ratio."""
        own = self._of_models.get(model, [])
        mean = _drawn(_total(own), len(own), self.mean)
        return max(0, mean - SPREADS * self.spread), mean, mean + SPREADS * self.spread


class Forecasts:
    """Forecasts by the jobs that are over, which are counted once for all models."""

    def __init__(self, jobs: Sequence[PastJob]) -> None:
        self._jobs = len(jobs)
        self._costs = _Learned([(one.model, one.ratio_ppm) for one in jobs])
        self._gains = _Learned(
            [(one.model, gain) for one in jobs if (gain := one.gain_ppm) is not None]
        )
        successes = _total([int(one.is_success) * PPM for one in jobs])
        self._success = _drawn(successes, len(jobs), PRIOR_SUCCESS_PPM)
        self._of_models: dict[str, list[PastJob]] = {}
        for one in jobs:
            self._of_models.setdefault(one.model, []).append(one)

    def of(self, model: str, expected_micros: int, benefit_micros: int | None) -> ForecastPart:
        """Return the forecast of a job of a model.

        `benefit_micros` is what a plan counts on if the new version stays; None without a plan, or
        where it is in another unit than the cost.
        """
        own = self._of_models.get(model, [])
        successes = _total([int(one.is_success) * PPM for one in own])
        success = _drawn(successes, len(own), self._success)
        doubt = SPREADS * isqrt(success * (PPM - success) // (len(own) + PRIOR_JOBS))
        cost_low, cost, cost_high = (
            str(expected_micros * at // PPM) for at in self._costs.of(model)
        )
        gains = self._gains.of(model)
        likely = max(0, success - doubt), success, min(PPM, success + doubt)
        low, mid, high = (
            None if benefit_micros is None else str(benefit_micros * stays * gain // PPM // PPM)
            for stays, gain in zip(likely, gains, strict=True)
        )
        return ForecastPart(
            jobs=self._jobs,
            jobs_of_model=len(own),
            cost_micros=cost,
            cost_low_micros=cost_low,
            cost_high_micros=cost_high,
            success_ppm=success,
            planned_micros=None if benefit_micros is None else str(benefit_micros),
            gains=self._gains.count,
            gain_ppm=gains[1],
            benefit_micros=mid,
            benefit_low_micros=low,
            benefit_high_micros=high,
        )


def forecast(
    jobs: Sequence[PastJob], model: str, expected_micros: int, benefit_micros: int | None
) -> ForecastPart:
    """Return the forecast of a job of a model by the jobs that are over, as `Forecasts` has it."""
    return Forecasts(jobs).of(model, expected_micros, benefit_micros)


def margin_verdict(made: ForecastPart, margin_ppm: int | None) -> MarginVerdict:
    """Return whether a job that is not refused meets the margin of its policy."""
    if margin_ppm is None:
        return "none"
    return "not_judged" if made.benefit_micros is None else "met"


def margin_fault(made: ForecastPart, margin_ppm: int | None) -> str:
    """Return why a job is not worth it by the margin of its policy; empty where it is.

    A job without a forecast benefit, and a policy without a margin, have no such fault.
    """
    if margin_ppm is None or made.benefit_micros is None:
        return ""
    if int(made.benefit_micros) * PPM >= int(made.cost_micros) * (PPM + margin_ppm):
        return ""
    return (
        f"its forecast benefit of {money(int(made.benefit_micros))} is below its forecast cost of "
        f"{money(int(made.cost_micros))} and the margin of {share(margin_ppm)} that its policy asks"
    )
