"""By what a plan takes models in, as its policy says, with all that is read for it."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from ledger.application.fleet.history import History
from ledger.application.planning.fleet_reading import ActionInForce, FleetReading
from ledger.events.policy_document import PlanningPart, PolicyDocument, ranking_of
from ledger.events.values import PPM
from ledger.jobs.forecast import Forecasts
from ledger.jobs.policy_terms import jobs_part
from ledger.kernel.excess import PlanResult
from ledger.kernel.ranking import Ranked, Worth


class InForce(NamedTuple):
    """Readers of the decision and score that count for a model: those in force, or of a shadow."""

    action: Callable[[History], ActionInForce]
    priority: Callable[[History], int | None]
    """Its newest score; None where there is none, or it is not known any more."""


def ranked_by(
    document: PolicyDocument,
    planning: PlanningPart,
    fleet: FleetReading,
    priorities: Iterable[tuple[str, int | None]],
    planned: PlanResult,
) -> Ranked:
    """Return the ranking of a plan; `priorities` are asked for only where they count."""
    by = ranking_of(planning)
    if by == "priority":
        return Ranked(by, {model: one for model, one in priorities if one is not None}, {})
    if by == "excess":
        return Ranked(by, {}, {})
    asked = jobs_part(document)
    margin = 0 if asked is None or asked.margin_ppm is None else asked.margin_ppm
    forecasts, worths = Forecasts(fleet.jobs.worked()), {}
    for row in planned.backlog:
        made = forecasts.of(row.id, row.cost_micros, row.benefit_micros)
        worths[row.id] = Worth(int(made.benefit_micros or "0"), int(made.cost_micros))
    return Ranked(by, {}, worths, PPM + margin)
