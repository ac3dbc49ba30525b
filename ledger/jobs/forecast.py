"""The cost and benefit of a job, forecast from the ledger's own jobs that are over.

Of each job that an executor worked on and that is over: the ratio of its cost to what its recipe
expected, and whether its version stayed in service. A model's mean is drawn towards the fleet's as
if the fleet had been seen four times more, and the fleet's towards "as expected" likewise, so that
one job of one model says little. Integers only, divisions rounded down, so the same jobs give the
same forecast everywhere. Money in micros of the unit of the recipe, shares in parts per million.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Final

from ledger.events.job_parts import ForecastPart
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
    """A job that is over and was worked on, as forecasts count it."""

    model: str
    expected_micros: int
    cost_micros: int
    is_success: bool
    """Whether its version stayed in service."""

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


class Forecasts:
    """Forecasts by the jobs that are over, which are counted once for all models."""

    def __init__(self, jobs: Sequence[PastJob]) -> None:
        ratios = [one.ratio_ppm for one in jobs]
        self._jobs = len(jobs)
        self._ratio = _drawn(_total(ratios), len(ratios), PPM)
        apart = _total([abs(one - self._ratio) for one in ratios])
        self._spread = _drawn(apart, len(ratios), PRIOR_SPREAD_PPM)
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
        ratio = _drawn(_total([one.ratio_ppm for one in own]), len(own), self._ratio)
        successes = _total([int(one.is_success) * PPM for one in own])
        success = _drawn(successes, len(own), self._success)
        doubt = SPREADS * isqrt(success * (PPM - success) // (len(own) + PRIOR_JOBS))

        def cost(at_ppm: int) -> str:
            return str(expected_micros * max(0, at_ppm) // PPM)

        def benefit(at_ppm: int) -> str | None:
            if benefit_micros is None:
                return None
            return str(benefit_micros * min(PPM, max(0, at_ppm)) // PPM)

        return ForecastPart(
            jobs=self._jobs,
            jobs_of_model=len(own),
            cost_micros=cost(ratio),
            cost_low_micros=cost(ratio - SPREADS * self._spread),
            cost_high_micros=cost(ratio + SPREADS * self._spread),
            success_ppm=success,
            benefit_micros=benefit(success),
            benefit_low_micros=benefit(success - doubt),
            benefit_high_micros=benefit(success + doubt),
        )


def forecast(
    jobs: Sequence[PastJob], model: str, expected_micros: int, benefit_micros: int | None
) -> ForecastPart:
    """Return the forecast of a job of a model by the jobs that are over, as `Forecasts` has it."""
    return Forecasts(jobs).of(model, expected_micros, benefit_micros)


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
