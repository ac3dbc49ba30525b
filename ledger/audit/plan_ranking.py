"""By what a plan takes models in, as the audit derives it: a second writing of what is read."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ledger.events.values import PPM
from ledger.jobs.forecast import Forecasts, PastJob
from ledger.kernel.excess import PlanResult
from ledger.kernel.ranking import Ranked, Worth


def ranking(
    document: Mapping[str, Any],
    priorities: Iterable[tuple[str, int | None]],
    jobs: Sequence[PastJob],
    result: PlanResult,
) -> Ranked:
    """Return the ranking of a plan by a policy's document.

    `priorities` are asked for only where they count.
    """
    by = document["planning"].get("ranking", "excess")
    if by == "priority":
        return Ranked(by, {name: one for name, one in priorities if one is not None}, {})
    if by != "benefit_per_cost":
        return Ranked("excess", {}, {})
    asked, forecasts = document.get("jobs") or {}, Forecasts(jobs)
    worths = {}
    for row in result.backlog:
        made = forecasts.of(row.id, row.cost_micros, row.benefit_micros)
        assert made.benefit_micros is not None, "it was given one"
        worths[row.id] = Worth(int(made.benefit_micros), int(made.cost_micros))
    return Ranked(by, {}, worths, PPM + (asked.get("margin_ppm") or 0))
