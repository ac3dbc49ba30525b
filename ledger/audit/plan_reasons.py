"""Why a model was or was not admitted to a plan: the audit's own writing of each sentence."""

from ledger.audit.parameters import Parameters
from ledger.audit.sums import money, per_cent
from ledger.events.notation import duration, time
from ledger.events.values import PPM
from ledger.kernel.excess import BacklogRow, PlanInputs, PlanResult
from ledger.kernel.plan_steps import STEP_OUTCOMES, StepInputs, SteppedPlan


def reason_of(
    row: BacklogRow,
    result: PlanResult,
    inputs: PlanInputs,
    parameters: Parameters,
    action: str,
    steps: tuple[StepInputs, SteppedPlan] | None,
) -> str:
    """Return the sentences that the planner's name and the procedure prescribe for a row."""
    by = None if steps is None else steps[0]
    said = _said(row, result, inputs, parameters, action, by)
    if steps is None or steps[1].guaranteed != row.id:
        return said
    since, terms = steps[0].models[row.id].losing_since, steps[0].terms
    assert since is not None and terms is not None, "its turn was guaranteed"  # noqa: PT018
    span = duration(terms.guaranteed_after_seconds or 0)
    return f"{said} It comes first: it has lost since {time(since)}, longer than {span}."


def _said(  # noqa: PLR0911 - one sentence for each outcome
    row: BacklogRow,
    result: PlanResult,
    inputs: PlanInputs,
    parameters: Parameters,
    action: str,
    by: StepInputs | None,
) -> str:
    need = money(row.cost_micros * (PPM + inputs.policy.probe_ppm) // PPM)
    worth = _worth(row, result, parameters) if _is_by_rank(by) else _ranked_worth(row, by)
    match row.outcome:
        case "admitted":
            return f"Admitted: {worth}, and the purse could pay {need}."
        case "resting":
            return f"Resting after a refused candidate, although {worth}."
        case "too_dear":
            cap = money(inputs.purse_cap_micros)
            return f"Too dear: it needs {need}, more than the purse can ever hold, {cap}."
        case "saving":
            return f"Wanted ({worth}), but the purse is being saved for a better job."
        case "over_purse":
            return f"Wanted ({worth}), but the purse has less than {need} left."
        case "below_price":
            return f"Not worth it yet: {worth}."
        case "no_evidence":
            return _no_evidence(inputs, parameters) if worth else "It has no score yet."
        case "in_progress":
            return f"A job is already under way; {worth}."
    if row.outcome in STEP_OUTCOMES:
        assert by is not None, "a step changed it"
        return f"Wanted ({worth}), but {_step_reason(row, inputs, by)}."
    return f"Worth it ({worth}), but its decision in force is {action}, not SCHEDULE_RETRAINING."


def _worth(row: BacklogRow, result: PlanResult, parameters: Parameters) -> str:
    """Return the clause that holds what a model's excess costs against the price."""
    if parameters.is_by_record:
        compared = f"gives rank {row.rank}, against the price {result.price}"
    else:
        compared = (
            f"is {per_cent(row.rank)} of its cost, against a price of {per_cent(result.price)}"
        )
    benefit, cost = money(row.benefit_micros), money(row.cost_micros)
    return f"an expected benefit of {benefit} for {cost} {compared}"


def _no_evidence(inputs: PlanInputs, parameters: Parameters) -> str:
    if parameters.is_by_record:
        return "No observation of its loss since it was last trained."
    periods = inputs.policy.max_periods
    return (
        f"No observation of its loss counts: none lies both in the last {periods} periods "
        "and after the period in which it was last trained."
    )


def _is_by_rank(by: StepInputs | None) -> bool:
    return by is None or by.ranked.by == "excess"


def _ranked_worth(row: BacklogRow, by: StepInputs | None) -> str:
    """Return the clause for a plan that takes models in otherwise than by the planner's rank."""
    assert by is not None, "its planner has steps"
    ranked = by.ranked
    if ranked.by == "priority":
        known = row.id in ranked.priorities
        return f"its priority is {per_cent(ranked.priorities[row.id])}" if known else ""
    benefit, cost = ranked.worths[row.id]
    share = per_cent(benefit * PPM // max(1, cost))
    return (
        f"a forecast benefit of {money(benefit)} is {share} of a forecast cost of {money(cost)}, "
        f"against a price of {per_cent(ranked.price_ppm)}"
    )


def _step_reason(row: BacklogRow, inputs: PlanInputs, by: StepInputs) -> str:
    """Return the clause for a model that a step left out."""
    facts, terms = by.models[row.id], by.terms
    assert terms is not None, "a step changed it"
    match row.outcome:
        case "cooling_down":
            assert facts.idle_since is not None, "it rests since then"
            span = duration(terms.cool_down_seconds or 0)
            return f"it rests for {span} from {time(facts.idle_since)} on"
        case "at_most":
            assert terms.at_most is not None, "it was counted by that"
            had, span = _jobs(facts.recent_jobs or 0), duration(terms.at_most.per_seconds)
            return f"it had {had} in the last {span}, and at most {terms.at_most.jobs} are allowed"
        case "at_concurrency":
            return f"at most {_jobs(terms.concurrency or 0)} may be under way at once"
        case "over_team_share":
            shares = {one.team: one.share_ppm for one in terms.team_shares}
            return f"{facts.team} has at most {per_cent(shares[facts.team])} of the money"
        case "tier_reserved":
            return f"{per_cent(terms.tier_reserve_ppm or 0)} of the money is kept for the top tier"
        case "budget_short":
            job, test = row.cost_micros, row.cost_micros * inputs.policy.probe_ppm // PPM
            if test:
                lacks = f"{money(job)} for it or {money(test)} for its test"
                return f"budget {facts.budget} lacks {lacks}"
            return f"budget {facts.budget} has less than {money(job)} left for it"
    return f"budget {facts.budget} is being saved for a better job"


def _jobs(number: int) -> str:
    return "1 job" if number == 1 else f"{number} jobs"
