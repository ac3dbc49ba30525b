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

from ledger.events.jobs import ForecastPart
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


def forecast(
    jobs: Sequence[PastJob], model: str, expected_micros: int, benefit_micros: int | None
) -> ForecastPart:
    """Return the forecast of a job of a model by the jobs that are over.

    `benefit_micros` is what a plan counts on if the new version stays; None without a plan, or
    where it is in another unit than the cost.
    """
    of_model = [one for one in jobs if one.model == model]
    ratios, own = [one.ratio_ppm for one in jobs], [one.ratio_ppm for one in of_model]
    fleet = _drawn(_total(ratios), len(ratios), PPM)
    ratio = _drawn(_total(own), len(own), fleet)
    spread = _drawn(_total([abs(one - fleet) for one in ratios]), len(ratios), PRIOR_SPREAD_PPM)
    successes = _total([int(one.is_success) * PPM for one in jobs])
    own_successes = _total([int(one.is_success) * PPM for one in of_model])
    fleet_success = _drawn(successes, len(jobs), PRIOR_SUCCESS_PPM)
    success = _drawn(own_successes, len(of_model), fleet_success)
    doubt = SPREADS * isqrt(success * (PPM - success) // (len(of_model) + PRIOR_JOBS))

    def cost(at_ppm: int) -> str:
        return str(expected_micros * max(0, at_ppm) // PPM)

    def benefit(at_ppm: int) -> str | None:
        if benefit_micros is None:
            return None
        return str(benefit_micros * min(PPM, max(0, at_ppm)) // PPM)

    return ForecastPart(
        jobs=len(jobs),
        jobs_of_model=len(of_model),
        cost_micros=cost(ratio),
        cost_low_micros=cost(ratio - SPREADS * spread),
        cost_high_micros=cost(ratio + SPREADS * spread),
        success_ppm=success,
        benefit_micros=benefit(success),
        benefit_low_micros=benefit(success - doubt),
        benefit_high_micros=benefit(success + doubt),
    )


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
