"""Why a model was or was not admitted to a plan, in one sentence with its numbers."""

from collections.abc import Callable, Mapping
from typing import Final

from ledger.events.notation import counted, duration, money, share, time
from ledger.events.policy_document import Action, PlanStepsPart
from ledger.events.values import PPM
from ledger.kernel.excess import BacklogRow, PlanInputs, PlanResult
from ledger.kernel.plan_steps import StepInputs
from ledger.kernel.ranking import Ranked
from ledger.rules.vocabulary import RULES_1


def reason_of(
    row: BacklogRow, inputs: PlanInputs, worth: str, action: Action, procedure: str
) -> str:
    """Return the sentence for one row of the backlog, as the policy's procedure words it.

    `worth`: what `worth_of` says of it, empty where that is nothing.
    """
    need = row.cost_micros * (PPM + inputs.policy.probe_ppm) // PPM
    sentences = {
        "admitted": f"Admitted: {worth}, and the purse could pay {money(need)}.",
        "resting": f"Resting after a refused candidate, although {worth}.",
        "too_dear": (
            f"Too dear: it needs {money(need)}, more than the purse can ever hold, "
            f"{money(inputs.purse_cap_micros)}."
        ),
        "saving": f"Wanted ({worth}), but the purse is being saved for a better job.",
        "over_purse": f"Wanted ({worth}), but the purse has less than {money(need)} left.",
        "below_price": f"Not worth it yet: {worth}.",
        "no_evidence": (
            _no_evidence(inputs.policy.max_periods, procedure) if worth else "It has no score yet."
        ),
        "in_progress": f"A job is already under way; {worth}.",
        "not_decided": (
            f"Worth it ({worth}), but its decision in force is {action}, not SCHEDULE_RETRAINING."
        ),
    }
    return sentences[row.outcome]


def step_reason_of(row: BacklogRow, inputs: PlanInputs, worth: str, by: StepInputs) -> str:
    """Return the sentence for a model that a step around the planner left out."""
    assert by.terms is not None, "a step changed it"
    why = _WHY[row.outcome](row, inputs, by, by.terms)
    return f"Wanted ({worth}), but {why}."


def _cooling_down(row: BacklogRow, _: PlanInputs, by: StepInputs, terms: PlanStepsPart) -> str:
    since = time(by.models[row.id].idle_since or 0)
    return f"it rests for {duration(terms.cool_down_seconds or 0)} from {since} on"


def _at_most(row: BacklogRow, _: PlanInputs, by: StepInputs, terms: PlanStepsPart) -> str:
    most, had = terms.at_most, counted(by.models[row.id].recent_jobs or 0, "job")
    assert most is not None, "jobs were counted by it"
    span = duration(most.per_seconds)
    return f"it had {had} in the last {span}, and at most {most.jobs} are allowed"


def _at_concurrency(_row: BacklogRow, _: PlanInputs, _by: StepInputs, terms: PlanStepsPart) -> str:
    return f"at most {counted(terms.concurrency or 0, 'job')} may be under way at once"


def _over_team_share(row: BacklogRow, _: PlanInputs, by: StepInputs, terms: PlanStepsPart) -> str:
    team = by.models[row.id].team
    [part] = [one for one in terms.team_shares if one.team == team]
    return f"{team} has at most {share(part.share_ppm)} of the money"


def _tier_reserved(_row: BacklogRow, _: PlanInputs, _by: StepInputs, terms: PlanStepsPart) -> str:
    return f"{share(terms.tier_reserve_ppm or 0)} of the money is kept for the top tier"


def _budget_short(
    row: BacklogRow, inputs: PlanInputs, by: StepInputs, _terms: PlanStepsPart
) -> str:
    cost, budget = row.cost_micros, by.models[row.id].budget
    test = cost * (PPM + inputs.policy.probe_ppm) // PPM - cost
    if not test:
        return f"budget {budget} has less than {money(cost)} left for it"
    return f"budget {budget} lacks {money(cost)} for it or {money(test)} for its test"


def _budget_saved(row: BacklogRow, _: PlanInputs, by: StepInputs, _terms: PlanStepsPart) -> str:
    return f"budget {by.models[row.id].budget} is being saved for a better job"


_WHY: Final[Mapping[str, Callable[[BacklogRow, PlanInputs, StepInputs, PlanStepsPart], str]]] = {
    "cooling_down": _cooling_down,
    "at_most": _at_most,
    "at_concurrency": _at_concurrency,
    "over_team_share": _over_team_share,
    "tier_reserved": _tier_reserved,
    "budget_short": _budget_short,
    "budget_saved": _budget_saved,
}
"""The clause for each outcome of a step."""


def worth_of(
    row: BacklogRow, result: PlanResult, procedure: str, ranked: Ranked | None = None
) -> str:
    """Return the clause that says by what a model is ranked, and holds that against the price.

    Empty for a model without a score where they are ranked by that.
    """
    if ranked is not None and ranked.by == "priority":
        priority = ranked.priorities.get(row.id)
        return "" if priority is None else f"its priority is {share(priority)}"
    if ranked is not None and ranked.by == "benefit_per_cost":
        worth = ranked.worths[row.id]
        return (
            f"a forecast benefit of {money(worth.benefit_micros)} is {share(worth.share_ppm())} of "
            f"a forecast cost of {money(worth.cost_micros)}, against a price of "
            f"{share(ranked.price_ppm)}"
        )
    return (
        f"an expected benefit of {money(row.benefit_micros)} for {money(row.cost_micros)} "
        f"{_compared(row.rank, result.price, procedure)}"
    )


def _compared(rank: int, price: int, procedure: str) -> str:
    if procedure == RULES_1:
        return f"gives rank {rank}, against the price {price}"
    return f"is {share(rank)} of its cost, against a price of {share(price)}"


def _no_evidence(max_periods: int, procedure: str) -> str:
    if procedure == RULES_1:  # also where there are such observations, but too old to count
        return "No observation of its loss since it was last trained."
    return (
        f"No observation of its loss counts: none lies both in the last {max_periods} periods and "
        "after the period in which it was last trained."
    )
